#!/bin/sh
# Builds what runs in browsers and tests it in Chromium with WebGPU. Fails where there is no browser.
#
#   web/test.sh            as it is published
#   web/test.sh --debug    quickly
set -eu
cd "$(dirname "$0")"
[ -x "${CHROMIUM:-/usr/lib/chromium/chromium}" ] || {
    echo "no Chromium: apt-get install chromium, or set CHROMIUM" >&2
    exit 1
}
./build.sh "$@"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../target/web}"
export CC_wasm32_unknown_unknown="${CC_wasm32_unknown_unknown:-clang}" AR_wasm32_unknown_unknown="${AR_wasm32_unknown_unknown:-llvm-ar}"
# A program of wgpu with wgpu's feature for Send, so by itself.
cargo build --quiet -p voxload-app --target wasm32-unknown-unknown
export WEB_APP="${WEB_APP:-$CARGO_TARGET_DIR/app}"
"$CARGO_TARGET_DIR/debug/bindgen" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/debug/voxload_app.wasm" "$WEB_APP"
node tests/run.mjs
node tests/shots.mjs
