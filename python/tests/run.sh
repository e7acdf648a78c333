#!/bin/sh
# The checks of the Python package, on a machine with Rust, a C compiler, and Python 3.10 or newer with venv.
#
#   python/tests/run.sh            builds the wheel into a private environment, runs pytest, and nibabel's own tests with voxload
#                                  underneath.
#   python/tests/run.sh release    also builds the wheel for manylinux2014 by zig, installs the source package, and runs
#                                  nilearn's tests with voxload underneath.
#
# VOXLOAD_PYTHON is the Python to make the environment with (python3). The environment is in target/python.
set -eu
cd "$(dirname "$0")/.."

# What the figures and the counts of the checks were found with.
PINS="maturin==1.16.0 numpy==2.4.6 nibabel==5.4.2 indexed_gzip==1.10.3 scipy==1.17.1 h5py==3.16 pytest==9.2.0
    pytest-httpserver==1.2.0 mypy==2.4.1 ruff==0.17.6 fsspec==2026.9.0 dask[array]==2026.8.0 distributed==2026.8.0
    simpleitk==2.5.7"
RELEASE_PINS="ziglang==0.17.1 nilearn==0.14.1"
# 2 MB is what it should be; see benches/RESULTS.md.
MOST_BYTES=2400000

TARGET="$PWD/../target"
HOME_OF_CHECKS="$TARGET/python"
PYTHON="$HOME_OF_CHECKS/env/bin/python"
# The crates that both workspaces have are compiled once.
CARGO_TARGET_DIR="$TARGET"
export CARGO_TARGET_DIR
# A setting of the caller's would have tests see other files than the wheel's.
unset PYTHONPATH PYTHONDONTWRITEBYTECODE || true

say() {
    printf '\n-- %s\n' "$1"
}

make_environment() {
    if [ "$(cat "$HOME_OF_CHECKS/pins" 2>/dev/null || true)" = "$PINS" ]; then
        return
    fi
    say "the environment"
    rm -rf "$HOME_OF_CHECKS/env"
    mkdir -p "$HOME_OF_CHECKS"
    "${VOXLOAD_PYTHON:-python3}" -m venv "$HOME_OF_CHECKS/env"
    # shellcheck disable=SC2086
    "$PYTHON" -m pip install --quiet --disable-pip-version-check $PINS
    echo "$PINS" >"$HOME_OF_CHECKS/pins"
}

install_wheel() {
    wheels="$HOME_OF_CHECKS/wheels"
    rm -rf "$wheels"
    "$PYTHON" -m maturin build --release --quiet --compression-level 9 --out "$wheels"
    bytes=$(cat "$wheels"/*.whl | wc -c)
    echo "the wheel has $bytes bytes"
    [ "$bytes" -le "$MOST_BYTES" ] || { echo "more than $MOST_BYTES"; exit 1; }
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheels"/*.whl
}

make_environment
say "format and lints"
cargo fmt --check
cargo clippy --release -- -D warnings
say "the wheel"
install_wheel
say "pytest"
# From a folder in which `import voxload` finds the wheel.
(cd tests && "$PYTHON" -m pytest -q -p no:cacheprovider .)
say "nibabel's tests"
"$PYTHON" tests/nibabel_suite.py

[ "${1:-}" = release ] || exit 0

# shellcheck disable=SC2086
"$PYTHON" -m pip install --quiet --disable-pip-version-check $RELEASE_PINS
say "nilearn's tests"
"$PYTHON" tests/nibabel_suite.py nilearn
say "the wheel for manylinux2014"
"$PYTHON" -m maturin build --release --quiet --compression-level 9 --zig --compatibility manylinux2014 --out "$HOME_OF_CHECKS/manylinux"
ls "$HOME_OF_CHECKS/manylinux"
say "the source package"
rm -rf "$HOME_OF_CHECKS/sdist" "$HOME_OF_CHECKS/from-source"
"$PYTHON" -m maturin sdist --quiet --out "$HOME_OF_CHECKS/sdist"
"${VOXLOAD_PYTHON:-python3}" -m venv "$HOME_OF_CHECKS/from-source"
"$HOME_OF_CHECKS/from-source/bin/python" -m pip install --quiet --disable-pip-version-check "$HOME_OF_CHECKS"/sdist/*.tar.gz
"$HOME_OF_CHECKS/from-source/bin/python" -c 'import voxload; print(voxload.__version__, voxload.format_names())'
