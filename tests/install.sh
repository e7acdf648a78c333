# shellcheck shell=sh
# Sourced by the scripts of the checks: `install PACKAGE..` installs Debian's packages.

install() {
    echo "installing $*"
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}
