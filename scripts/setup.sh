#!/usr/bin/env bash
# Makes .venv with exactly what requirements.lock names, and this project in it (editable).
# `make` calls it when requirements.lock or pyproject.toml is newer than .venv/.ready.
# A bare Debian 12 with git and make is enough; only the system's own Python comes from apt, and only as root.
set -euo pipefail
cd "$(dirname "$0")/.."

# Everything that is wanted from the system, in one place: Python for the program; for tests/cluster libfaketime (clock
# jumps) and iproute2 (networks that change); etcd for several managers, and etcdctl to look at it; Chromium, and a font
# with emoji, for tests/browser. Node.js comes from PyPI where the system has none that is new enough (Debian 12 has 18).
SYSTEM_PACKAGES=(python3 python3-venv libfaketime iproute2 etcd-server etcd-client chromium fonts-noto-color-emoji)

# A Python that is new enough and can make an environment with pip in it. Debian keeps ensurepip in python3-venv,
# and a pyenv shim may be on the path without a Python behind it: so each is asked, not only looked for.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Managers start etcd themselves, so the service that Debian's package brings must not run: not now (policy-rc.d,
# https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt) and not after the next boot. An etcd that was
# there before is somebody else's and is left alone.
apt_install_quietly() {
    local policy=/usr/sbin/policy-rc.d had_etcd=no made_policy=no status=0
    command -v etcd >/dev/null && had_etcd=yes
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        made_policy=yes
    fi
    apt-get install -y -qq --no-install-recommends "${SYSTEM_PACKAGES[@]}" >/dev/null || status=$?
    [ "$made_policy" = no ] || rm -f "$policy"
    if [ "$had_etcd" = no ] && command -v systemctl >/dev/null; then
        systemctl disable --quiet etcd 2>/dev/null || true
    fi
    return "$status"
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "setup: Telegraph needs Python 3.11 or newer with venv and pip; install it and run make again." >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "setup: Telegraph needs Python 3.11 or newer with venv;" \
            "run: sudo apt-get install ${SYSTEM_PACKAGES[*]}   and then make again." >&2
        exit 1
    fi
    echo "setup: installing ${SYSTEM_PACKAGES[*]} with apt" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt_install_quietly
}

# An environment whose Python is gone (a system upgrade) or that was copied without pip is made anew.
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python) || { install_packages; python=$(find_python); } || {
        echo "setup: the Python of this system is older than 3.11; install Python 3.11 or newer." >&2
        exit 1
    }
    echo "setup: making .venv with $python" >&2
    rm -rf .venv
    "$python" -m venv .venv
fi

# One manager and nodes run without them: where they cannot be installed, the tests that need them say so.
if ! compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null || ! command -v ip >/dev/null ||
    ! command -v etcd >/dev/null || ! command -v chromium >/dev/null; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        install_packages || echo "setup: libfaketime, iproute2, etcd and chromium could not be installed; some tests will fail" >&2
    else
        echo "setup: some tests need more: sudo apt-get install libfaketime iproute2 etcd-server etcd-client chromium" >&2
    fi
fi

# Twice quiet: errors are shown, remarks about how this machine finds packages are not.
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet --quiet "$@" </dev/null; }
echo "setup: installing what requirements.lock names (a minute or two the first time)" >&2
pip install --require-hashes -r requirements.lock
# The page is built with Node.js: that of the machine, if it is new enough.
.venv/bin/python -c 'import sys; sys.path.insert(0, "scripts"); import web; sys.exit(web.node_folder() is None)' ||
    pip install --require-hashes -r scripts/nodejs.lock
# hatchling is in the lock: no build isolation means that nothing unhashed is downloaded here.
pip install --no-deps --no-build-isolation --no-index --editable .
touch .venv/.ready
