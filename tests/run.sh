#!/bin/sh
# All checks of voxload, on a machine with Rust: installs a software Vulkan driver and a pinned nibabel where they are
# missing, makes the oracle's vectors, then formats, lints and tests. GPU tests are required here.
set -eu
cd "$(dirname "$0")/.."

PINS="nibabel==5.4.2 numpy==2.4.6 indexed_gzip==1.10.3 scipy==1.17.1 simpleitk==2.5.7 h5py==3.16"
# Only its data folder is needed.
NILEARN="nilearn==0.14.1"
ORACLE="$PWD/target/oracle"
PYTHON=.oracle/env/bin/python

# Mesa's software driver complains on every start without one.
XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$PWD/target}
export XDG_RUNTIME_DIR

say() {
    printf '\n== %s\n' "$1"
}

install() {
    say "installing $*"
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

has_vulkan() {
    ls /usr/share/vulkan/icd.d/*.json >/dev/null 2>&1 || ls /etc/vulkan/icd.d/*.json >/dev/null 2>&1
}

# A private Python with the pinned packages, in a folder that git ignores.
make_python() {
    if [ "$(cat .oracle/pins 2>/dev/null || true)" = "$PINS $NILEARN" ]; then
        return
    fi
    say "making the oracle's Python environment"
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
    say "asking nibabel"
    sh tests/oracle/make_all.sh "$PYTHON" "$ORACLE" "$PWD/.oracle/nilearn/nilearn"
}

has_vulkan || install mesa-vulkan-drivers libvulkan1
# A second opinion on the headers we write, and the tools that make gzip files of every kind.
for tool in nifti_tool:nifti-bin pigz:pigz bgzip:tabix bzip2:bzip2 zstd:zstd; do
    command -v "${tool%%:*}" >/dev/null 2>&1 || install "${tool##*:}"
done
# A display for the viewer's window, and what a window loads at run time.
command -v Xvfb >/dev/null 2>&1 ||
    install xvfb libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0
make_python
make_vectors

say "format and lints"
cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings

say "the library without GPU"
cargo clippy -p voxload --no-default-features --lib --tests -- -D warnings

say "the library for browsers"
# libdeflate is C, and gcc does not compile for wasm32.
command -v clang >/dev/null 2>&1 && command -v llvm-ar >/dev/null 2>&1 || install clang llvm
rustup target add wasm32-unknown-unknown
export CC_wasm32_unknown_unknown=clang AR_wasm32_unknown_unknown=llvm-ar
cargo clippy -p voxload --no-default-features --lib --target wasm32-unknown-unknown -- -D warnings
cargo clippy -p voxload --all-features --lib --target wasm32-unknown-unknown -- -D warnings

say "tests"
export VOXLOAD_REQUIRE_GPU=1 VOXLOAD_ORACLE_DIR="$ORACLE" VOXLOAD_ORACLE_PYTHON="$PWD/$PYTHON"
# A test that fails keeps no other from running; the script fails all the same.
failed=0
cargo test --workspace --no-fail-fast || failed=1

say "tests that need no GPU, with addresses of 32 bits"
echo 'int main(void) { return 0; }' >target/m32.c
gcc -m32 -o target/m32 target/m32.c 2>/dev/null || install gcc-multilib
rustup target add i686-unknown-linux-gnu
cargo test -p voxload --no-default-features --features bz2,zst,minc2 --target i686-unknown-linux-gnu --no-fail-fast ||
    failed=1
exit "$failed"
