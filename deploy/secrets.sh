#!/bin/sh
# Make the files that compose.yaml hands to the containers. What is there already stays as it is.
set -eu
cd "$(dirname "$0")"
umask 022  # the containers' own users read them; the folder keeps everybody else out
mkdir -p secrets
chmod 700 secrets

# A failure within what is given to `make` would not stop this script, and what it made would stay.
command -v base64 >/dev/null || { echo "secrets.sh needs base64, of coreutils" >&2; exit 1; }
bytes() { head -c 32 /dev/urandom | base64; }
random() { bytes | tr '+/' '-_' | tr -d '='; } # may stand in a URL as it is
make() {
    if [ ! -e "secrets/$1" ]; then
        printf '%s\n' "$2" > "secrets/$1"
        echo "Made deploy/secrets/$1"
    fi
}

make database_password "$(random)"
make ringpost_database_url "postgresql://ringpost:$(cat secrets/database_password)@database/ringpost"
make ringpost_keys "first:$(bytes)"
make ringpost_admin_token "$(random)"
echo "Keep a copy of deploy/secrets/ringpost_keys elsewhere: without it, stored passwords and waiting mails are lost."
