#!/usr/bin/env bash
# Writes constraints.txt: the newest versions that fit together for every extra, on every Python from 3.11.
# They are resolved by uv, from PATH or from a throwaway environment; addresses and hashes are left out.
set -euo pipefail
cd "$(dirname "$0")/.."

tools="$(mktemp -d)"
trap 'rm -rf "$tools"' EXIT
uv="$(command -v uv || true)"
if [ -z "$uv" ]; then
    .venv/bin/python -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv
    uv="$tools/bin/uv"
fi

{
    echo "# Exact versions that caudal is developed and tested with. Made by: make constraints"
    "$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
        --upgrade --quiet --no-header --no-annotate
} >"$tools/constraints.txt"
mv "$tools/constraints.txt" constraints.txt
