#!/usr/bin/env bash
# Makes a fresh Debian 12 in a folder, with packages more: fresh_root.sh FOLDER [PACKAGE...]. A copy is kept for the next time.
set -euo pipefail

root=$1
shift
kept=$(cd "$(dirname "$0")/.." && pwd)/target/package/roots/$(echo bookworm "$@" | tr ' ' '-')

make_one() {
    local new=$kept.new
    rm -rf "$new"
    mkdir -p "$new"
    debootstrap --variant=minbase --include="$(IFS=,; echo "ca-certificates $*" | tr ' ' ',')" bookworm "$new" >&2
    # As this machine reaches Debian, so does the new one.
    cp -rL /etc/resolv.conf /etc/apt/apt.conf.d "$new/root/"
    cp "$new/root/resolv.conf" "$new/etc/resolv.conf"
    cp -n "$new"/root/apt.conf.d/* "$new/etc/apt/apt.conf.d/"
    rm -rf "$new/root/resolv.conf" "$new/root/apt.conf.d" "$new"/var/cache/apt/archives/*.deb
    mv "$new" "$kept"
}

[ -d "$kept" ] || make_one "$@"
mkdir -p "$root"
cp -a "$kept/." "$root/"
