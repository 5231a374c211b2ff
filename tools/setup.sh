#!/bin/sh
# Makes the virtual environment $1 with what requirements/dev.lock names, and this project in it. Called by make setup.
set -eu

venv=$1
lock=requirements/dev.lock

fits() { # A Python that runs and is new enough. A name alone says nothing: version managers put empty shims on PATH.
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        if command -v "$name" >/dev/null 2>&1 && fits "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

explain_no_python() {
    echo "setup: no Python 3.11 or newer was found on PATH." >&2
    echo "setup: install one (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3;" >&2
    echo "setup: macOS: brew install python), or install uv, and run make setup again." >&2
    exit 1
}

explain_no_venv() {
    echo "setup: $1 has no venv module that works. On Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
}

with_uv() {
    python=$(find_python) || python=3.13 # uv fetches it
    fits "$venv/bin/python" || uv venv --quiet --allow-existing --python "$python" "$venv"
    uv pip sync --quiet --python "$venv/bin/python" --require-hashes "$lock"
    uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
}

with_pip() {
    python=$(find_python) || explain_no_python
    if ! fits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || explain_no_venv "$python"
        "$python" -m venv --clear "$venv"
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

echo "Installing what $lock names into $venv ..."
if command -v uv >/dev/null 2>&1; then with_uv; else with_pip; fi
