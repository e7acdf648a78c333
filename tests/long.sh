#!/bin/sh
# The table of faults at its full volume: what `tests/run.sh` runs, with more cases, each row in a process of its own so
# that its peak of memory is its own. `tests/run.sh` must have run before (it makes the oracle's files). Some hours:
#
#   tests/long.sh [NAME ..]    all rows, or those whose names contain one of these
#
# The table stands at the end, and in target/faults.md.
set -eu
cd "$(dirname "$0")/.."

export VOXLOAD_LONG=1 VOXLOAD_REQUIRE_GPU=1
export VOXLOAD_ORACLE_DIR="$PWD/target/oracle" VOXLOAD_ORACLE_PYTHON="$PWD/.oracle/env/bin/python"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$PWD/target}"

[ $# -gt 0 ] || set -- faults:: malformed gzip:: memory:: formats::mutations small_devices:: streams::loss \
    streams::textures::a_device convert::gpu::tests::loss convert::gpu::tests::faults
log=target/faults.log
: >"$log"
for which in "--test voxload" "--lib"; do
    # shellcheck disable=SC2086
    names=$(cargo test --release --quiet $which -- --list "$@" | sed -n 's/: test$//p' | grep -v '::child_')
    for name in $names; do
        # shellcheck disable=SC2086
        cargo test --release --quiet $which -- --exact --nocapture "$name" >>"$log" 2>&1 || {
            tail -40 "$log"
            echo "FAILED: $name (all of it is in $log)"
            exit 1
        }
    done
done

{
    echo "| row | cases | time | peak of the process |"
    echo "|---|---:|---:|---:|"
    sed -n 's/^fault table | \(.*\) | \([0-9]*\) cases | \(.*\) | process peak \(.*\)/| \1 | \2 | \3 | \4 |/p' "$log"
} | tee target/faults.md
