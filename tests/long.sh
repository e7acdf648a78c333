#!/bin/sh
# The table of faults at its full volume: what `tests/run.sh` runs, with more cases. Each row says how many it ran.
# `tests/run.sh` must have run before (it makes the oracle's files). Some hours.
set -eu
cd "$(dirname "$0")/.."

export VOXLOAD_LONG=1 VOXLOAD_GZIP_MUTATIONS=2000000 VOXLOAD_GZIP_INDEX_MUTATIONS=100000 VOXLOAD_REQUIRE_GPU=1
export VOXLOAD_ORACLE_DIR="$PWD/target/oracle" VOXLOAD_ORACLE_PYTHON="$PWD/.oracle/env/bin/python"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$PWD/target}"

cargo test --release --test voxload -- --nocapture faults malformed gzip formats memory small_devices streams::loss
cargo test --release --lib -- --nocapture faults loss disk
