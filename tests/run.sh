#!/bin/sh
# The checks of voxload, on a machine with Rust.
#
#   tests/run.sh         All of them, in about 45 minutes on two processors. Installs a software Vulkan driver, a pinned nibabel,
#                        Chromium and some tools where they are missing; a GPU and a browser are required.
#   tests/run.sh quick   Format, lints, unit tests, and one pass over formats and voxel types; under a minute once all is
#                        built. Needs no network and installs nothing; says what it skips.
#
# Both end with a table of what took how long. Both build the whole workspace with the same features, so that nothing is
# compiled twice: `cargo test --workspace NAME` uses what they have built, `cargo test -p voxload` does not.
set -eu
cd "$(dirname "$0")/.."

PINS="nibabel==5.4.2 numpy==2.4.6 indexed_gzip==1.10.3 scipy==1.17.1 simpleitk==2.5.7 h5py==3.16"
# Only its data folder is needed.
NILEARN="nilearn==0.14.1"
FFLATE="fflate@0.8.3"
ORACLE="$PWD/target/oracle"
PYTHON=.oracle/env/bin/python

# Unit tests that take seconds, most of them on a software device.
SLOW_UNIT_TESTS="boxes_of_any_stride devices_with_tiny_limits a_million_patterns a_pipeline_for_every every_small_value
    a_device_destroyed_at_any_time a_destroyed_device many_threads_one_device small_types_have_a_table ties_and_what_lies
    a_callers_device_with_default_limits the_self_test_catches what_is_stored_as_it_is_wanted damage_never_gets_through
    the_right_bytes_or_none every_place_found"

# Mesa's software driver complains on every start without one.
XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$PWD/target}
export XDG_RUNTIME_DIR

say() {
    printf '\n== %s\n' "$1"
}

mkdir -p target
times=target/run-times.txt
# Tests that do less than they could write a line here.
VOXLOAD_SKIPPED="$PWD/target/run-skipped.txt"
export VOXLOAD_SKIPPED
# What the parts that failed printed.
failed=target/run-failed.txt
log=target/run-log.txt
: >"$times"
: >"$VOXLOAD_SKIPPED"
: >"$failed"
part=""

# Begins a part of the checks, whose time goes into the table.
part() {
    end_part
    say "$1"
    part=$1
    began=$(date +%s)
}

end_part() {
    [ -z "$part" ] || printf '%6d s  %s\n' $(($(date +%s) - began)) "$part" >>"$times"
    part=""
}

# Runs a command. When it fails, the other parts run all the same, and what it said comes again at the end.
check() {
    rm -f target/run-status
    { "$@" 2>&1 || touch target/run-status; } | tee "$log"
    [ -e target/run-status ] || return 0
    {
        say "failed: $part"
        grep -E "^test .*FAILED|panicked at|^(FAILED|ERROR|error)|[1-9][0-9]* failed" "$log" || true
        echo "-- its last lines"
        tail -n 40 "$log"
    } >>"$failed"
}

report() {
    end_part
    if [ -s "$VOXLOAD_SKIPPED" ]; then
        say "skipped"
        sort -u "$VOXLOAD_SKIPPED"
    fi
    say "times"
    cat "$times"
    awk '{ sum += $1 } END { printf "%6d s  in all\n", sum }' "$times"
    cat "$failed"
}
trap report EXIT

skip() {
    echo "$1" | tee -a "$VOXLOAD_SKIPPED"
}

has_vulkan() {
    ls /usr/share/vulkan/icd.d/*.json >/dev/null 2>&1 || ls /etc/vulkan/icd.d/*.json >/dev/null 2>&1
}

lints() {
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
}

quick() {
    export CARGO_NET_OFFLINE=true
    has_vulkan || skip "everything on a GPU: no Vulkan driver is installed"
    skip "comparisons with nibabel, large and slow tests, the library without GPU and for browsers: tests/run.sh has them"
    part "format and lints"
    lints
    part "unit tests"
    # shellcheck disable=SC2046,SC2086
    cargo test --workspace --lib --bins -- $(printf -- '--skip %s ' $SLOW_UNIT_TESTS)
    part "formats, voxel types, scalings and indexes"
    cargo test --workspace --test voxload -- sweep:: layers:: unsafe_code:: values_page::
}

if [ "${1:-}" = quick ]; then
    quick
    exit
fi

# shellcheck source=tests/install.sh
. tests/install.sh

# A private Python with the pinned packages, in a folder that git ignores.
make_python() {
    if [ "$(cat .oracle/pins 2>/dev/null || true)" = "$PINS $NILEARN" ]; then
        return
    fi
    echo "making the oracle's Python environment"
    rm -rf .oracle
    mkdir -p .oracle
    if ! python3 -m venv .oracle/env >/dev/null 2>&1; then
        rm -rf .oracle/env
        install python3 python3-venv
        python3 -m venv .oracle/env
    fi
    # shellcheck disable=SC2086
    "$PYTHON" -m pip install --quiet --disable-pip-version-check $PINS
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --dest .oracle/wheels "$NILEARN"
    "$PYTHON" -m zipfile -e .oracle/wheels/nilearn-*.whl .oracle/nilearn
    echo "$PINS $NILEARN" >.oracle/pins
}

make_vectors() {
    sh tests/oracle/make_all.sh "$PYTHON" "$ORACLE" "$PWD/.oracle/nilearn/nilearn"
}

part "programs that tests need"
has_vulkan || install mesa-vulkan-drivers libvulkan1
# A second opinion on the headers we write, and the tools that make gzip files of every kind.
for tool in nifti_tool:nifti-bin pigz:pigz bgzip:tabix bzip2:bzip2 zstd:zstd; do
    command -v "${tool%%:*}" >/dev/null 2>&1 || install "${tool##*:}"
done
# A display for the viewer's window, and what a window loads at run time.
command -v Xvfb >/dev/null 2>&1 ||
    install xvfb libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0
# A gzip decoder that web pages use, which has to read the files that voxload saves.
command -v npm >/dev/null 2>&1 || install nodejs npm
VOXLOAD_FFLATE="$PWD/target/fflate/node_modules/fflate"
export VOXLOAD_FFLATE
[ -d "$VOXLOAD_FFLATE" ] || npm install --silent --no-save --prefix target/fflate "$FFLATE"
make_python
part "nibabel's results"
make_vectors

part "format and lints"
lints

part "the library without GPU"
cargo clippy -p voxload --no-default-features --lib --tests -- -D warnings

part "the library for browsers"
# libdeflate is C, and gcc does not compile for wasm32.
command -v clang >/dev/null 2>&1 && command -v llvm-ar >/dev/null 2>&1 || install clang llvm
rustup target add wasm32-unknown-unknown
export CC_wasm32_unknown_unknown=clang AR_wasm32_unknown_unknown=llvm-ar
cargo clippy -p voxload --no-default-features --lib --target wasm32-unknown-unknown -- -D warnings
cargo clippy -p voxload --all-features --lib --target wasm32-unknown-unknown -- -D warnings

export VOXLOAD_REQUIRE_GPU=1 VOXLOAD_ORACLE_DIR="$ORACLE" VOXLOAD_ORACLE_PYTHON="$PWD/$PYTHON"
# Those that compare with nibabel are ignored in a plain run. Those named `child_` are run by others, in a process of their own.
all="--include-ignored --skip child_"

part "building the tests"
cargo test --workspace --no-run

part "tests"
# shellcheck disable=SC2086
check cargo test --workspace --no-fail-fast -- $all

part "the Python package"
check sh python/tests/run.sh

part "the module for browsers"
check sh web/test.sh
[ ! -s "$failed" ]
