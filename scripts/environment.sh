#!/usr/bin/env bash
# Makes .venv, or brings it up to date, with caudal and some of its extras: scripts/environment.sh demo,dev
# PYTHON names the interpreter; without it the first of python3, python3.13, python3.12, python3.11 that will do.
set -euo pipefail
cd "$(dirname "$0")/.."

extras=$1
venv_python=.venv/bin/python

say() { printf 'caudal: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, and ${PYTHON:-python3} is older or missing." \
        "Install one and name it: make PYTHON=/path/to/python3.12"
}

can_make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# Debian and Ubuntu keep ensurepip in a package of its own.
install_venv_package() {
    local python=$1 package
    package="$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing the system package $package"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "$package"; } >/dev/null || true
    fi
    can_make_venv "$python" ||
        fail "$python cannot make environments: its modules venv and ensurepip are missing." \
            "Install them (on Debian and Ubuntu: sudo apt-get install $package), or install uv."
}

make_environment() {
    local python
    python="$(find_python)"
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$(command -v "$python")" .venv
        return
    fi
    can_make_venv "$python" || install_venv_package "$python"
    "$python" -m venv .venv
}

install() {
    if command -v uv >/dev/null; then
        uv pip install --quiet --python "$venv_python" "$@"
        return
    fi
    "$venv_python" -m pip --version >/dev/null 2>&1 || "$venv_python" -m ensurepip >/dev/null
    "$venv_python" -m pip install --quiet --no-input --disable-pip-version-check "$@"
}

is_new_enough "$venv_python" || make_environment
say "installing caudal[$extras] into .venv"
install --constraint constraints.txt --editable ".[$extras]"
