#!/bin/sh
# The table of faults at its full volume: what `tests/run.sh` runs, with more cases, each row in a process of its own so
# that its peak of memory is its own. `tests/run.sh` must have run before (it makes the oracle's files). Some hours:
#
#   tests/long.sh [NAME ..]    all rows, or those whose names contain one of these (and `--skip NAME`)
#
# The table grows in target/faults.md, row by row; all that was said is in target/faults.log.
set -eu
cd "$(dirname "$0")/.."

export VOXLOAD_LONG=1 VOXLOAD_REQUIRE_GPU=1
export VOXLOAD_ORACLE_DIR="$PWD/target/oracle" VOXLOAD_ORACLE_PYTHON="$PWD/.oracle/env/bin/python"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$PWD/target}"

[ $# -gt 0 ] || set -- faults:: malformed gzip:: memory:: small_devices:: streams::loss streams::playback \
    streams::textures::a_device device::tests:: cancel::random slices:: device_outputs:: cache_walk::
log=target/faults.log
table=target/faults.md
: >"$log"
printf '%s\n' "| row | cases | time | peak of the process |" "|---|---:|---:|---:|" | tee "$table"

# Built before anything is listed, so that a failure shows.
cargo test --release --quiet --no-run --lib --test voxload --test command
for which in "--test voxload" "--lib" "--test command"; do
    # shellcheck disable=SC2086
    list=$(cargo test --release --quiet $which -- --list "$@")
    for name in $(echo "$list" | sed -n 's/: test$//p' | grep -v '::child_'); do
        # shellcheck disable=SC2086
        cargo test --release --quiet $which -- --exact --include-ignored --nocapture "$name" >target/faults.one 2>&1 </dev/null || {
            cat target/faults.one >>"$log"
            tail -40 target/faults.one
            echo "FAILED: $name (all of it is in $log)"
            exit 1
        }
        cat target/faults.one >>"$log"
        sed -n 's/^fault table | \(.*\) | \([0-9]*\) cases | \(.*\) | process peak \(.*\)/| \1 | \2 | \3 | \4 |/p' \
            target/faults.one | tee -a "$table"
    done
done
rm -f target/faults.one
