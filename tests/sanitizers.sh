#!/bin/sh
# Races, memory errors and undefined behaviour, as far as instruments see them. Needs a nightly toolchain with rust-src
# and miri (`rustup toolchain install nightly --component rust-src,miri`) and, as tests/run.sh does, a Vulkan driver.
#
#   tests/sanitizers.sh [thread] [address] [miri]    all three by default
#
# thread   many threads on one image or one gzip member, the caches, the staging ring and streams on a device; all Rust
#          code, wgpu and the standard library too, and libdeflate are instrumented; the driver and its loader are not.
# address  what inflates or maps, with libdeflate instrumented: honest, cut, mutated and malformed files.
# miri     the unit tests of the library without GPU; it cannot map files.
set -eu
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- thread address miri
TOOLCHAIN=${TOOLCHAIN:-nightly}
TARGET=$(rustc -vV | sed -n 's/^host: //p')
export VOXLOAD_REQUIRE_GPU=1
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-$PWD/target}"

# sanitized thread|address CARGO_TEST_ARGUMENTS..: the standard library is built anew, so that it is instrumented too.
# Flags for C are those of the target alone: build scripts are not instrumented.
sanitized() {
    kind=$1
    shift
    # crossbeam orders by fences, which ThreadSanitizer does not see; by this flag it orders by accesses.
    RUSTFLAGS="-Zsanitizer=$kind --cfg crossbeam_sanitize_$kind" \
        env "CFLAGS_$(echo "$TARGET" | tr - _)=-fsanitize=$kind -fno-omit-frame-pointer -g" \
        cargo "+$TOOLCHAIN" test -p voxload --all-features -Zbuild-std --target "$TARGET" --target-dir "target/$kind" "$@"
}

for kind in "$@"; do
    case $kind in
    thread)
        # What is suppressed, and why, stands in the file.
        export TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tests/sanitizers/thread.txt"
        # Without what is arithmetic on one thread for minutes, and without a limit on address space.
        sanitized thread --lib -- gpu side_by_side --skip out_of_device_memory --skip boxes_of_any_stride \
            --skip a_million_patterns --skip every_small_value --skip a_pipeline_for_every
        sanitized thread --test voxload -- faults::threads::sixteen gzip::random budget caches cache_walk streams::playback \
            streams::sources streams::loss --skip gzip::random::damage
        ;;
    address)
        # What the driver keeps until the end is not ours to judge.
        export ASAN_OPTIONS="detect_leaks=0"
        # Without what measures memory, which is the instrument's too.
        sanitized address --test voxload -- gzip faults::cuts faults::mutations malformed reads slices \
            --skip memory::
        ;;
    miri)
        # Tree Borrows, since crossbeam-epoch (of rayon) is not right by Stacked Borrows; and rayon's threads never end.
        export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-tree-borrows -Zmiri-ignore-leaks"
        # Without what calls libdeflate, and without what takes minutes.
        set -- --skip source::gzip::chunk --skip source::gzip::disk --skip source::gzip::side_by_side
        set -- "$@" --skip convert::double --skip every_malformed_header --skip mutated_headers \
            --skip a_cut_header_is_truncated --skip the_search_sees_headers_across_its_seams \
            --skip source::gzip::guess
        cargo "+$TOOLCHAIN" miri test -p voxload --no-default-features --lib --target-dir target/miri -- "$@"
        ;;
    *)
        echo "no such instrument: $kind" >&2
        exit 2
        ;;
    esac
done
