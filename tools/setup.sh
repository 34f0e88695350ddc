#!/bin/sh
# Brings .venv up to date, and nothing outside it: sh tools/setup.sh run|dev
# A stamp per requirement set holds a checksum of what was installed, so that a second call returns at once.
set -eu
cd "$(dirname "$0")/.."
set_name=${1:-run}
venv=.venv

say() { echo "Setting up: $*"; }
fail() { echo "lockgate: $*" >&2; exit 1; }

is_good() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_good "$PYTHON" || fail "PYTHON=$PYTHON does not run or is older than Python 3.11."
        echo "$PYTHON"
        return
    fi
    for name in python3.11 python3.12 python3.13 python3.14 python3; do
        if is_good "$name"; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found; install it, or name it: make PYTHON=/path/to/python3.11 run"
}

checksum() { cat "requirements/$1.txt" pyproject.toml src/lockgate/__init__.py tools/setup.sh | cksum; }

is_fresh() { [ -f "$venv/stamp-$1" ] && [ "$(cat "$venv/stamp-$1")" = "$(checksum "$1")" ]; }

is_usable() {
    is_good "$venv/bin/python" && [ -e "$venv/bin/pip" ] && [ "$(cat "$venv/stamp-place" 2>/dev/null || pwd)" = "$(pwd)" ]
}

# A moved checkout, a removed interpreter or an interrupted set-up leaves an environment that cannot work.
if [ -d "$venv" ] && ! is_usable; then
    say "removing the virtual environment, it is incomplete or belongs to another place or interpreter"
    rm -rf "$venv"
fi
if [ ! -x "$venv/bin/python" ]; then
    python=$(find_python)
    say "virtual environment in $venv with $("$python" --version 2>&1)"
    output=$("$python" -m venv "$venv" 2>&1) || {
        echo "$output" >&2
        rm -rf "$venv"
        fail "$python cannot create virtual environments; on Debian and Ubuntu install the package python3-venv."
    }
fi
pwd >"$venv/stamp-place"

install() {
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input "$@"
}

if ! is_fresh "$set_name"; then
    say "packages of requirements/$set_name.txt ($(grep -c '==' "requirements/$set_name.txt"), checked by hash)"
    install --require-hashes --no-deps -r "requirements/$set_name.txt"
    say "lockgate itself, editable"
    install --no-deps --no-build-isolation --no-index -e .
    checksum "$set_name" >"$venv/stamp-$set_name"
    # dev.txt holds everything that run.txt holds, at the same versions
    [ "$set_name" = dev ] && checksum run >"$venv/stamp-run"
    say "done"
fi
