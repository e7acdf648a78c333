#!/bin/sh
# Fuzzes voxload: `fuzz/run.sh [SECONDS [TARGET ..]]`, 600 seconds of each target unless told otherwise. Needs a nightly
# toolchain and cargo-fuzz (`cargo install cargo-fuzz --locked`). What is found is kept in fuzz/corpus, and files that
# crash in fuzz/artifacts. The C code of libdeflate is built with the same sanitizer as the Rust code.
set -eu
cd "$(dirname "$0")"

SECONDS_EACH=${1:-600}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- headers_binary headers_text headers_container gzip gzip_index gzip_parallel gzip_table slices pairs pieces end_to_end
TOOLCHAIN=${TOOLCHAIN:-nightly}

export RAYON_NUM_THREADS=1
export CFLAGS_x86_64_unknown_linux_gnu="-fsanitize=address -fno-omit-frame-pointer -g"
for target in "$@"; do
    mkdir -p "corpus/$target"
    cargo "+$TOOLCHAIN" fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=8192 \
        -print_final_stats=1
done
