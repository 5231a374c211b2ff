#!/bin/sh
# Makes the virtual environment $1 with what requirements/dev.lock names, and this project in it. Called by make setup.
set -eu

venv=$1
lock=requirements/dev.lock

fits() { # A Python that runs and for which all that is locked has wheels (3.15 lacks those of SQLite and PostgreSQL). A
    # name alone says nothing: version managers put empty shims on PATH.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' >/dev/null 2>&1
}

explain_no_python() {
    echo "setup: no Python 3.11 to 3.14 was found on PATH." >&2
    echo "setup: install one (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3;" >&2
    echo "setup: macOS: brew install python), or install uv, and run make setup again." >&2
    exit 1
}

explain_no_venv() {
    echo "setup: $1 has no venv module that works. On Debian and Ubuntu: apt install python3-venv" >&2
    exit 2
}

micros() { # How long it takes for a little work: a Python built without its optimisations takes a quarter longer.
    "$1" -c 'import timeit
print(round(1e6 * min(timeit.repeat("[str(n) for n in r]", "r = range(1000)", number=20, repeat=15))))' 2>/dev/null
}

makes_venvs() { # Debian and Ubuntu ship these modules in a package of their own. uv does without.
    command -v uv >/dev/null 2>&1 || "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

find_python() { # The first of those on PATH, newest first, unless another one is quicker by more than a tenth.
    found= best= without= seen=:
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        folders=$PATH:
        while [ -n "$folders" ]; do
            candidate=${folders%%:*}/$name
            folders=${folders#*:}
            [ -x "$candidate" ] && fits "$candidate" || continue
            real=$("$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))')
            case $seen in *":$real:"*) continue ;; esac
            seen=$seen$real:
            without=$candidate
            makes_venvs "$candidate" && took=$(micros "$candidate") || continue
            if [ -z "$found" ] || [ $((took * 10)) -lt $((best * 9)) ]; then found=$candidate best=$took; fi
        done
    done
    [ -z "$found" ] && [ -n "$without" ] && explain_no_venv "$without"
    [ -n "$found" ] && echo "$found"
}

with_uv() {
    if ! fits "$venv/bin/python"; then
        python=$(find_python) || python=3.13 # uv fetches it
        uv venv --quiet --allow-existing --python "$python" "$venv"
    fi
    uv pip sync --quiet --python "$venv/bin/python" --require-hashes "$lock"
    uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
}

with_pip() {
    if ! fits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || { [ $? -eq 2 ] || explain_no_python; exit 1; }
        "$python" -m venv --clear "$venv"
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

echo "Installing what $lock names into $venv ..."
if command -v uv >/dev/null 2>&1; then with_uv; else with_pip; fi
