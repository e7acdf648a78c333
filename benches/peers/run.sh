#!/bin/sh
# voxload against nibabel, SimpleITK, nifti-rs, medrs, numpy and its own floors: sets up everything in benches/peers/target,
# runs, and writes the table into benches/RESULTS.md. Options are those of compare.py:
#
#   sh benches/peers/run.sh [--smoke] [--runs 7] [--megabytes 420]
#
# PYTHON: an interpreter that has the pinned packages already. On a machine with an NVIDIA GPU, benches/gpu/run.sh runs
# as well.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$here/target
PINS="nibabel==5.4.2 numpy==2.4.6 indexed_gzip==1.10.3 simpleitk==2.5.7"
CMAKE="cmake<5"

if [ -z "${PYTHON:-}" ]; then
    PYTHON=$target/env/bin/python
    if [ "$(cat "$target/pins" 2>/dev/null || true)" != "$PINS" ]; then
        rm -rf "$target/env"
        mkdir -p "$target"
        python3 -m venv "$target/env"
        # shellcheck disable=SC2086
        "$PYTHON" -m pip install --quiet --disable-pip-version-check $PINS
        echo "$PINS" >"$target/pins"
    fi
fi

build() {
    (cd "$here/$1" && cargo build --quiet --release --target-dir "$target" ${2:-})
}

build voxload
build nifti-rs --locked
# medrs builds zlib-ng, which needs cmake: the system's, or a wheel in an environment of its own.
skipped=""
if ! command -v cmake >/dev/null 2>&1; then
    if [ ! -x "$target/cmake/bin/cmake" ]; then
        python3 -m venv "$target/cmake" &&
            "$target/cmake/bin/python" -m pip install --quiet --disable-pip-version-check "$CMAKE" ||
            skipped="it needs cmake, which is not here and cannot be installed"
    fi
    PATH=$PATH:$target/cmake/bin
    export PATH
fi
if [ -z "$skipped" ]; then
    build medrs --locked || skipped="it does not build here"
fi

"$PYTHON" "$here/compare.py" --programs "$target/release" --skipped "$skipped" "$@"

if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then
    PYTHON=${GPU_PYTHON:-$PYTHON} sh "$here/../gpu/run.sh"
else
    echo "No NVIDIA GPU here: benches/gpu/run.sh (CuPy, PyTorch) is left out."
fi
