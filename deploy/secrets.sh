#!/bin/sh
# Make the files that compose.yaml hands to the containers. What is there already stays as it is.
set -eu
cd "$(dirname "$0")"
umask 022  # the containers' own users read them; the folder keeps everybody else out
mkdir -p secrets
chmod 700 secrets

random() { python3 -c "import secrets; print(secrets.token_urlsafe(32))"; }
make() {
    if [ ! -e "secrets/$1" ]; then
        printf '%s\n' "$2" > "secrets/$1"
        echo "Made deploy/secrets/$1"
    fi
}

make database_password "$(random)"
make ringpost_database_url "postgresql://ringpost:$(cat secrets/database_password)@database/ringpost"
make ringpost_keys "first:$(python3 -c "import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())")"
make ringpost_admin_token "$(random)"
echo "Keep a copy of deploy/secrets/ringpost_keys elsewhere: without it, stored passwords and waiting mails are lost."
