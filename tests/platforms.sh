#!/bin/sh
# The platforms that doc/PLATFORMS.md lists, on a Debian machine with rustup. Installs what is missing.
#
#   tests/platforms.sh              all of them; most of an hour on two processors, from nothing
#   tests/platforms.sh NAME ..      these: minimum-rust, 32-bit, big-endian, windows, macos
#   tests/platforms.sh native       tests without a GPU on this machine, whatever it is: installs nothing
#
# Browsers, whose addresses have 32 bits, are in tests/run.sh.
set -eu
cd "$(dirname "$0")/.."

# All that a machine without a GPU has.
LIBRARY="-p voxload --no-default-features --features bz2,zst,minc2"

# An emulated processor is 20 to 50 times slower: of the tests on s390x, these are left out, because they move hundreds of
# megabytes, wait by the clock, or measure memory, and their code has no byte order of its own.
SLOW_EMULATED="faults:: memory:: threads:: cancel:: budget:: many:: cache_walk:: conditions::"

# shellcheck source=tests/install.sh
. tests/install.sh

need() {
    command -v "$1" >/dev/null 2>&1 || { shift && install "$@"; }
}

# Comparisons with nibabel are made where tests/run.sh has made its files.
compare_with_nibabel() {
    VOXLOAD_ORACLE_DIR=${VOXLOAD_ORACLE_DIR:-$PWD/target/oracle}
    VOXLOAD_ORACLE_PYTHON=${VOXLOAD_ORACLE_PYTHON:-$PWD/.oracle/env/bin/python}
    VOXLOAD_FFLATE=${VOXLOAD_FFLATE:-$PWD/target/fflate/node_modules/fflate}
    export VOXLOAD_ORACLE_DIR VOXLOAD_ORACLE_PYTHON VOXLOAD_FFLATE
    ignored=""
    if [ -d "$VOXLOAD_ORACLE_DIR" ]; then ignored=--include-ignored; else echo "not compared with nibabel: run tests/run.sh first"; fi
}

# The library without and with GPU, the command and the Python package, by the oldest Rust that Cargo.toml names.
minimum_rust() {
    rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    rustup toolchain list | grep -q "^$rust" || rustup toolchain install "$rust" --profile minimal
    rustc "+$rust" --version
    export CARGO_TARGET_DIR="$PWD/target/minimum-rust"
    # shellcheck disable=SC2086
    cargo "+$rust" check --locked $LIBRARY --lib
    cargo "+$rust" check --locked -p voxload -p voxload-cli
    unset CARGO_TARGET_DIR
}

# All tests that need no GPU.
addresses_of_32_bits() {
    # With a header: compilers for other processors, which are installed for big-endian, push out those of 32 bits.
    mkdir -p target
    printf '#include <errno.h>\nint main(void) { return 0; }\n' >target/m32.c
    gcc -m32 -o target/m32 target/m32.c 2>/dev/null || install gcc-multilib
    rustup target add i686-unknown-linux-gnu
    compare_with_nibabel
    # shellcheck disable=SC2086
    cargo test --locked $LIBRARY --target i686-unknown-linux-gnu --no-fail-fast -- $ignored --skip child_
}

# s390x stores the most significant byte first.
big_endian() {
    need qemu-s390x qemu-user
    need s390x-linux-gnu-gcc gcc-s390x-linux-gnu libc6-dev-s390x-cross
    rustup target add s390x-unknown-linux-gnu
    export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_LINKER=s390x-linux-gnu-gcc CC_s390x_unknown_linux_gnu=s390x-linux-gnu-gcc
    export CARGO_TARGET_S390X_UNKNOWN_LINUX_GNU_RUNNER="qemu-s390x -L /usr/s390x-linux-gnu"
    compare_with_nibabel
    # shellcheck disable=SC2046,SC2086
    cargo test --locked $LIBRARY --target s390x-unknown-linux-gnu --lib --test voxload --no-fail-fast -- \
        $ignored --skip child_ $(printf -- '--skip %s ' $SLOW_EMULATED)
}

# What compiles, tests and benches too; run on Windows itself by the public checks.
windows() {
    need x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64
    rustup target add x86_64-pc-windows-gnu
    # shellcheck disable=SC2086
    cargo check --locked $LIBRARY --all-targets --target x86_64-pc-windows-gnu
    cargo check --locked --workspace --all-targets --target x86_64-pc-windows-gnu
}

# Apple's headers are not to be had here. libdeflate, the one piece of C, compiles without any as it does for browsers.
macos() {
    need clang clang llvm
    rustup target add aarch64-apple-darwin
    export CC_aarch64_apple_darwin=clang AR_aarch64_apple_darwin=llvm-ar SDKROOT=/nowhere
    # shellcheck disable=SC2086
    cargo check --locked $LIBRARY,libdeflater/freestanding --lib --tests --target aarch64-apple-darwin
    cargo check --locked -p voxload --features libdeflater/freestanding --lib --target aarch64-apple-darwin
}

native() {
    # shellcheck disable=SC2086
    cargo test --locked $LIBRARY --lib --test voxload -- --skip child_
}

one() {
    case $1 in
    minimum-rust) minimum_rust ;;
    32-bit) addresses_of_32_bits ;;
    big-endian) big_endian ;;
    windows) windows ;;
    macos) macos ;;
    native) native ;;
    *)
        echo "no platform $1" >&2
        exit 2
        ;;
    esac
}

if [ "${1:-}" = --one ]; then
    one "$2"
    exit
fi

[ $# -gt 0 ] || set -- minimum-rust 32-bit big-endian windows macos
times=""
failed=0
for name in "$@"; do
    printf '\n== %s\n' "$name"
    began=$(date +%s)
    result=ok
    # In a shell of its own: a platform that fails keeps no other from being checked.
    sh tests/platforms.sh --one "$name" || { result=FAILED && failed=1; }
    times="$times$(printf '%6d s  %s: %s' $(($(date +%s) - began)) "$name" $result)
"
done
printf '\n== times\n%s' "$times"
exit $failed
