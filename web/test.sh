#!/bin/sh
# Builds what runs in browsers and tests it in Chromium with WebGPU: values, reads, faults, memory, devices, the package in a page of
# Vite's, and the demo's pictures. Installs what is missing. Fails where there is no browser to be had.
#
#   web/test.sh            as it is published
#   web/test.sh --debug    quickly
#   web/test.sh --built    what is in web/dist and target already
#
# tests/run.sh calls it, after it has made what is compared with. Without that it makes that itself.
set -eu
cd "$(dirname "$0")"

# shellcheck source=tests/install.sh
. ../tests/install.sh

CHROMIUM="${CHROMIUM:-/usr/lib/chromium/chromium}"
export CHROMIUM
[ -x "$CHROMIUM" ] || install chromium || true
[ -x "$CHROMIUM" ] || {
    echo "no Chromium at $CHROMIUM, and none can be installed: set CHROMIUM to a Chromium's program (not a snap's)" >&2
    exit 1
}
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || install nodejs npm
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || {
    echo "node $(node --version) is too old: 20.19 or newer is needed" >&2
    exit 1
}

# A Python with nibabel: that of tests/run.sh, or one of our own with the same packages.
if [ -z "${ORACLE_PYTHON:-}" ]; then
    ORACLE_PYTHON="$PWD/../.oracle/env/bin/python"
    if [ ! -x "$ORACLE_PYTHON" ]; then
        ORACLE_PYTHON="$PWD/../target/web-python/bin/python"
        pins=$(sed -n 's/^PINS="\(.*\)"/\1/p' ../tests/run.sh)
        if [ ! -x "$ORACLE_PYTHON" ]; then
            python3 -m venv ../target/web-python 2>/dev/null || {
                install python3 python3-venv
                python3 -m venv ../target/web-python
            }
        fi
        # shellcheck disable=SC2086
        "$ORACLE_PYTHON" -m pip install --quiet --disable-pip-version-check $pins
    fi
fi
export ORACLE_PYTHON

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../target/web}"
export CC_wasm32_unknown_unknown="${CC_wasm32_unknown_unknown:-clang}" AR_wasm32_unknown_unknown="${AR_wasm32_unknown_unknown:-llvm-ar}"
export WEB_APP="${WEB_APP:-$CARGO_TARGET_DIR/app}"
if [ "${1:-}" != --built ]; then
    command -v clang >/dev/null 2>&1 && command -v llvm-ar >/dev/null 2>&1 || install clang llvm
    rustup target add wasm32-unknown-unknown
    cargo fmt --all --check
    ./build.sh "$@"
    # A program of wgpu with wgpu's feature for Send, so by itself.
    cargo build --quiet -p voxload-app --target wasm32-unknown-unknown
    "$CARGO_TARGET_DIR/debug/bindgen" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/debug/voxload_app.wasm" "$WEB_APP"
fi

# The command makes a seek index. After tests/run.sh it is there.
if [ -z "${VOXLOAD:-}" ] && [ ! -x ../target/debug/voxload ] && [ ! -x ../target/release/voxload ]; then
    (cd .. && CARGO_TARGET_DIR=target cargo build --quiet -p voxload-cli)
fi

failed=0
node tests/run.mjs || failed=1
node tests/package.mjs || failed=1
node tests/demo.mjs || failed=1
exit "$failed"
