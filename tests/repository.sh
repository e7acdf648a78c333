#!/bin/sh
# What the repository itself must pass: spelling, links, public workflows, shell scripts, dependencies. A few seconds; needs
# Python 3.10 or newer with venv, and the network once. Says what it skips.
set -eu
cd "$(dirname "$0")/.."

PINS="typos==1.52.0 check-jsonschema==0.39.0 zizmor==1.32.0"
ENVIRONMENT="$PWD/target/repository"

if [ "$(cat "$ENVIRONMENT/pins" 2>/dev/null || true)" != "$PINS" ]; then
    rm -rf "$ENVIRONMENT"
    mkdir -p target
    python3 -m venv "$ENVIRONMENT"
    # shellcheck disable=SC2086
    "$ENVIRONMENT/bin/python" -m pip install --quiet --disable-pip-version-check $PINS
    echo "$PINS" >"$ENVIRONMENT/pins"
fi
PATH="$ENVIRONMENT/bin:$PATH"

failed=0
check() {
    printf '\n== %s\n' "$1"
    shift
    "$@" || failed=1
}

# Tools that take minutes to build, or come from elsewhere.
check_with() {
    if command -v "$1" >/dev/null 2>&1; then
        check "$@"
    else
        printf '\n== %s\nskipped: not installed\n' "$1"
    fi
}

check "spelling" typos --format brief
check "links" python3 tests/repository/links.py
check "workflows" check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
check "workflows, against misuse" zizmor --offline --quiet .github/workflows
check_with actionlint actionlint
# shellcheck disable=SC2046
check_with shellcheck shellcheck -x --severity=warning $(git ls-files '*.sh') .ci/run
# deny.toml; advisories are fetched.
check_with cargo-deny cargo deny check
[ $failed = 0 ] && printf '\nall well\n'
exit $failed
