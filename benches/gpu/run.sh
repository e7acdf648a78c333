#!/bin/sh
# Measures loads of a raw .nii in page cache to device f32 against plain copies of the same run, and against CuPy and
# PyTorch where these are installed. A table in markdown goes to stdout. Options are those of peers.py.
#
#   benches/gpu/run.sh [--megabytes 840] [--runs 9] [FILE.nii]
#
# VOXLOAD: a built command to measure, instead of building one. PYTHON: the interpreter that has CuPy or PyTorch.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${VOXLOAD:-}" ]; then
    cargo build --quiet --release -p voxload-cli --manifest-path "$root/Cargo.toml" >&2
    VOXLOAD=${CARGO_TARGET_DIR:-$root/target}/release/voxload
fi
exec "${PYTHON:-python3}" "$root/benches/gpu/peers.py" --voxload "$VOXLOAD" "$@"
