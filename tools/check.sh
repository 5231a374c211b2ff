#!/bin/sh
# Runs every check, also after one has failed, and says at the end which did. $1 is the folder of the commands.
set -u

bin=$1
failed=

check() {
    echo "== $1"
    shift
    "$@" || failed="$failed
  $*"
}

check "lint" "$bin/ruff" check .
check "format" "$bin/ruff" format --check .
check "types" "$bin/pyright"
check "import rules" "$bin/lint-imports"
check "generated pages" "$bin/python" tools/docs.py --check
check "known vulnerabilities" "$bin/python" tools/audit.py requirements/dev.lock

if [ -n "$failed" ]; then
    echo "These failed:$failed" >&2
    exit 1
fi
echo "All checks passed."
