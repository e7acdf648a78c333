#!/bin/sh
# What would be published, without publishing: the crates, the Python package, the package for npm. Checks that one version is
# everywhere and what gets into each package, and builds from the packages alone. Needs Rust, Python 3.10 or newer with venv,
# node and npm, and the network; ten minutes from nothing.
#
#   tests/publish.sh            all of it
#   tests/publish.sh quick      versions and the contents of the crates: nothing is built
#   tests/publish.sh release    all of it; CHANGELOG.md must have the version, with a date
set -eu
cd "$(dirname "$0")/.."
mode=${1:-all}

# The most that each may be, in bytes and files. 2 MB is what a wheel should be; see python/tests/run.sh.
CRATE_BYTES=600000 CRATE_FILES=230
COMMAND_BYTES=150000 COMMAND_FILES=60
SDIST_BYTES=700000 SDIST_FILES=270
WHEEL_BYTES=2400000 WHEEL_FILES=40
NPM_BYTES=900000 NPM_FILES=40

say() {
    printf '\n== %s\n' "$1"
}

fail() {
    echo "$1" >&2
    exit 1
}

# Checks a package: its name, its size, a file with the names in it, the most bytes, the most files.
package() {
    files=$(wc -l <"$3")
    printf '%s: %d bytes, %d files\n' "$1" "$2" "$files"
    [ "$2" -le "$4" ] || fail "$1: more than $4 bytes"
    [ "$files" -le "$5" ] || fail "$1: more than $5 files"
    # Nor images and results, whose names end in these.
    if grep -E '(^|/)(tests?|testing|benches|fuzz|examples|node_modules|__pycache__)/|tests?\.(rs|py|mjs)$|\.(nii|mgh|mgz|npy|gz|bz2|zst|log|pyc)$' "$3"
    then
        fail "$1: these are not for users"
    fi
    for wanted in README LICENSE; do
        grep -q "$wanted" "$3" || fail "$1: no $wanted"
    done
}

# The first value of a field in a manifest.
field() {
    sed -n "s/^$2 = \"\(.*\)\"/\1/p" "$1" | head -n 1
}

say "versions"
version=$(field Cargo.toml version)
for manifest in python/Cargo.toml web/Cargo.toml; do
    other=$(field $manifest version)
    [ "$other" = "$version" ] || fail "$manifest has version $other, Cargo.toml $version"
done
grep -q "^__version__ = \"$version\"" python/voxload/__init__.py || fail "voxload.__version__ is not $version"
grep -q "^voxload = { path = \".\", version = \"$version\"" Cargo.toml || fail "the command depends on another version"
for lock in Cargo.lock python/Cargo.lock web/Cargo.lock; do
    sed -n '/^name = "voxload"$/{n;p;}' $lock | grep -q "\"$version\"" || fail "$lock has another version"
done
for manifest in python/Cargo.toml web/Cargo.toml; do
    [ "$(field $manifest repository)" = "$(field Cargo.toml repository)" ] || fail "$manifest names another repository"
done
grep -q "^Repository = \"$(field Cargo.toml repository)\"" python/pyproject.toml || fail "pyproject.toml names another repository"
if grep -qE "^## \[?$version\]? - [0-9]{4}-[0-9]{2}-[0-9]{2}" CHANGELOG.md; then
    echo "$version, in CHANGELOG.md too"
elif [ "$mode" = release ]; then
    fail "CHANGELOG.md has no line '## [$version] - YYYY-MM-DD'"
else
    grep -qE '^## \[?Unreleased' CHANGELOG.md || fail "CHANGELOG.md has neither $version nor what is unreleased"
    echo "$version, unreleased"
fi

lists=target/publish
mkdir -p $lists

say "the crates"
# Those that a change adds are packed as they are, before they are committed.
cargo package --quiet --no-verify --allow-dirty -p voxload -p voxload-cli
for crate in voxload voxload-cli; do
    tar -tzf "target/package/$crate-$version.crate" >"$lists/$crate"
done
package voxload "$(wc -c <"target/package/voxload-$version.crate")" $lists/voxload $CRATE_BYTES $CRATE_FILES
package voxload-cli "$(wc -c <"target/package/voxload-cli-$version.crate")" $lists/voxload-cli $COMMAND_BYTES $COMMAND_FILES
[ "$mode" != quick ] || exit 0

say "the documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --all-features -p voxload

say "cargo publish"
# Builds both from what was packed, the command upon the packed library.
cargo publish --dry-run --allow-dirty -p voxload -p voxload-cli

say "the oldest dependencies that Cargo.toml allows"
# Of what was packed, without GPU: of the dependencies' own dependencies, the newest.
rm -rf "$lists/oldest"
mkdir "$lists/oldest"
tar -xzf "target/package/voxload-$version.crate" -C "$lists/oldest" --strip-components 1
(
    cd "$lists/oldest"
    rm Cargo.lock
    # Cargo takes flags of its own that are not stable only so.
    RUSTC_BOOTSTRAP=1 cargo -Z direct-minimal-versions generate-lockfile --quiet
    # Not of the repository's workspace.
    printf '\n[workspace]\n' >>Cargo.toml
    CARGO_TARGET_DIR=../oldest-target cargo check --quiet --lib --no-default-features --features bz2,zst,minc2
)

say "cargo semver-checks"
if ! command -v cargo-semver-checks >/dev/null 2>&1; then
    echo "skipped: not installed (cargo install cargo-semver-checks --locked)"
elif ! git rev-parse --quiet --verify "$(git tag --list 'v*' --sort=-version:refname | head -n 1)" >/dev/null; then
    echo "skipped: no release to compare with"
else
    cargo semver-checks -p voxload --baseline-rev "$(git tag --list 'v*' --sort=-version:refname | head -n 1)"
fi

say "the Python package"
python="$PWD/target/publish/env/bin/python"
[ -x "$python" ] || python3 -m venv "$lists/env"
"$python" -m pip install --quiet --disable-pip-version-check maturin==1.16.0 twine==6.2.0
rm -rf "$lists/python"
(cd python && CARGO_TARGET_DIR="$PWD/../target" "$python" -m maturin sdist --quiet --out "../$lists/python")
tar -tzf $lists/python/*.tar.gz >"$lists/sdist"
package sdist "$(cat $lists/python/*.tar.gz | wc -c)" $lists/sdist $SDIST_BYTES $SDIST_FILES
# From the source package, so that it is known to build.
"$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$lists/python" $lists/python/*.tar.gz
"$python" -m zipfile -l $lists/python/*.whl | sed -n '2,$s/ .*//p' >"$lists/wheel"
package wheel "$(cat $lists/python/*.whl | wc -c)" $lists/wheel $WHEEL_BYTES $WHEEL_FILES
"$python" -m twine check --strict $lists/python/*

say "the package for npm"
[ -f web/dist/package.json ] || web/build.sh
[ "$(sed -n 's/.*"version": "\(.*\)".*/\1/p' web/dist/package.json)" = "$version" ] || fail "web/dist is of another version"
(cd web/dist && npm pack --silent --pack-destination "../../$lists" >/dev/null)
tar -tzf "$lists/voxload-$version.tgz" >"$lists/npm"
package npm "$(wc -c <"$lists/voxload-$version.tgz")" $lists/npm $NPM_BYTES $NPM_FILES

printf '\nall can be published\n'
