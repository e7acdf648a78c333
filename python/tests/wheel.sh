#!/bin/sh
# A wheel for this machine, as it is published, installed where nothing else is, and used. On Linux, macOS and Windows (in the
# bash of git), with Rust and Python 3.10 or newer. The wheel is in target/wheels.
#
#   python/tests/wheel.sh          on Linux for manylinux2014, linked by zig
set -eu
cd "$(dirname "$0")/.."

PINS="maturin==1.16.0"
TARGET="$PWD/../target"
CARGO_TARGET_DIR="$TARGET"
export CARGO_TARGET_DIR
unset PYTHONPATH || true

# Windows has neither the name `python3` nor the folder `bin`.
for python in "${VOXLOAD_PYTHON:-}" python3 python; do
    [ -z "$python" ] || ! "$python" --version >/dev/null 2>&1 || break
done

environment() {
    rm -rf "$1"
    "$python" -m venv "$1"
    for bin in "$1/bin/python" "$1/Scripts/python.exe"; do
        [ ! -x "$bin" ] || made=$bin
    done
}

options=""
case $(uname -s) in
Linux)
    PINS="$PINS ziglang==0.17.1"
    options="--zig --compatibility manylinux2014"
    ;;
esac

environment "$TARGET/wheel-build"
# shellcheck disable=SC2086
"$made" -m pip install --quiet --disable-pip-version-check $PINS
rm -rf "$TARGET/wheels"
# shellcheck disable=SC2086
"$made" -m maturin build --release --quiet --locked --compression-level 9 $options --out "$TARGET/wheels"

environment "$TARGET/wheel-use"
"$made" -m pip install --quiet --disable-pip-version-check "$TARGET"/wheels/*.whl
# From a folder in which `import voxload` finds the wheel.
cd tests
"$made" use_wheel.py
ls -l "$TARGET/wheels"
