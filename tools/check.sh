#!/bin/sh
# The whole gate of `make check`. Every step runs, so that one call shows all that is wrong.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=""

step() {
    name=$1
    shift
    started=$(date +%s)
    if output=$("$@" 2>&1); then
        printf 'ok      %-14s %3d s\n' "$name" $(($(date +%s) - started))
    else
        printf 'FAILED  %-14s %3d s   %s\n' "$name" $(($(date +%s) - started)) "$*"
        printf '%s\n\n' "$output"
        failed="$failed $name"
    fi
}

step format $bin/ruff format --check --quiet .
step lint $bin/ruff check --quiet .
step types $bin/mypy
step imports $bin/lint-imports --no-logo
step generated $bin/python -m tools.docs --check
step prices $bin/python -m tools.price_book --check
step links $bin/python -m tools.links
step tree $bin/python -m tools.tree

[ -z "$failed" ] || { echo "make check:$failed failed."; exit 1; }
