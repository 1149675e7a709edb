#!/bin/sh
# Makes sure that what natgrad is built with is there. On Debian and Ubuntu
# missing packages are installed (with sudo when not root); elsewhere they are
# named. `scripts/setup.sh PACKAGE...` asks for further packages.
set -eu

packages="build-essential cmake ninja-build pkg-config libopenblas-dev
liblapacke-dev libjansson-dev libcsv-dev zlib1g-dev check gnuplot-nox $*"

if ! command -v dpkg-query >/dev/null 2>&1; then
    for tool in cc cmake ninja pkg-config; do
        command -v $tool >/dev/null 2>&1 || missing="${missing-} $tool"
    done
    for library in openblas lapacke jansson zlib check; do
        pkg-config --exists $library 2>/dev/null ||
            missing="${missing-} $library"
    done
    [ -z "${missing-}" ] && exit 0
    echo "natgrad needs, and does not find:$missing (and libcsv)" >&2
    exit 1
fi

missing=
for package in $packages; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
# gnuplot comes in three builds; any will do.
command -v gnuplot >/dev/null 2>&1 &&
    missing=$(echo "$missing" | sed 's/ gnuplot-nox//')
[ -z "$missing" ] && exit 0

echo "Installing:$missing"
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "natgrad needs these packages:$missing" >&2
        exit 1
    }
    sudo=sudo
fi
$sudo apt-get update -q >build/setup.log 2>&1 || {
    cat build/setup.log >&2
    exit 1
}
# shellcheck disable=SC2086 # a list of packages, meant to split
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
    --no-install-recommends $missing >>build/setup.log 2>&1 || {
    cat build/setup.log >&2
    exit 1
}
