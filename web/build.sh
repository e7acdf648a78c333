#!/bin/sh
# Builds web/dist: the ES module, its worker, the WebAssembly and a package for npm.
#
#   web/build.sh            optimised
#   web/build.sh --debug    quickly, for tests of behaviour
#
# Needs cargo with the target wasm32-unknown-unknown, clang and llvm-ar (libdeflate is C, and gcc does not compile for
# WebAssembly), node and npm.
set -eu
cd "$(dirname "$0")"
profile=release
[ "${1:-}" = --debug ] && profile=debug
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../target/web}"
export CC_wasm32_unknown_unknown="${CC_wasm32_unknown_unknown:-clang}" AR_wasm32_unknown_unknown="${AR_wasm32_unknown_unknown:-llvm-ar}"

# The glue is made by the library of wasm-bindgen's command: the command itself takes twice as long to build.
(cd tools/bindgen && cargo build --quiet)
if [ $profile = release ]; then
    # Messages of panics name files: not where they are on this machine.
    registry="${CARGO_HOME:-$HOME/.cargo}/registry/src"
    crates=$(ls "$registry" 2> /dev/null | head -n 1)
    cargo build --quiet --release --target wasm32-unknown-unknown --config \
        "target.wasm32-unknown-unknown.rustflags=['--remap-path-prefix=$registry/$crates/=', '--remap-path-prefix=$(cd .. && pwd)/=']"
else cargo build --quiet --target wasm32-unknown-unknown; fi

rm -rf dist js/src/wasm
"$CARGO_TARGET_DIR/debug/bindgen" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/$profile/voxload_web.wasm" js/src/wasm

cd js
[ -d node_modules/esbuild ] || npm ci --silent --no-audit --no-fund
npx tsc --emitDeclarationOnly
# One file for a page and one for a worker: each file that a worker has to fetch before it begins takes a while.
bundle() { npx esbuild "src/$1.ts" --bundle --format=esm --target=es2022 --log-level=warning --outfile="../dist/$1.js" "$2"; }
bundle voxload '--external:./wasm/*'
bundle worker --minify
cd ..
mkdir -p dist/wasm
cp js/src/wasm/voxload_web.js js/src/wasm/voxload_web.d.ts js/src/wasm/voxload_web_bg.wasm dist/wasm/
if [ $profile = release ]; then
    # Not --all-features: among them are some that no browser reads yet.
    node js/node_modules/binaryen/bin/wasm-opt -Oz --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
        --enable-mutable-globals --enable-reference-types --enable-multivalue \
        dist/wasm/voxload_web_bg.wasm -o dist/wasm/optimised.wasm
    mv dist/wasm/optimised.wasm dist/wasm/voxload_web_bg.wasm
    size=$(gzip -9c dist/wasm/voxload_web_bg.wasm | wc -c)
    echo "WebAssembly: $size bytes gzipped"
    if [ "$size" -gt 600000 ]; then
        echo "more than 600000 bytes" >&2
        exit 1
    fi
fi
field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n 1; }
cat > dist/package.json <<JSON
{
  "name": "voxload",
  "version": "$(field version)",
  "description": "Loads medical volumes the way nibabel does, in the browser: lazily, exactly, and to WebGPU",
  "keywords": ["nifti", "neuroimaging", "volume", "webgpu", "wasm"],
  "license": "MIT OR Apache-2.0",
  "repository": { "type": "git", "url": "git+$(field repository).git", "directory": "web" },
  "files": ["*.js", "*.d.ts", "wasm", "LICENSE-*"],
  "type": "module",
  "main": "./voxload.js",
  "types": "./voxload.d.ts",
  "exports": { ".": { "types": "./voxload.d.ts", "default": "./voxload.js" } },
  "sideEffects": false
}
JSON
cp README.md ../LICENSE-MIT ../LICENSE-APACHE dist/
