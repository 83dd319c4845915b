#!/bin/sh
# Lays out the container's whole root: the program, the libraries that it is linked with, the certificates of the authorities,
# and the few files that the C library asks for. image-root.sh FOLDER PROGRAM
set -eu

root=$1
program=$2

copy() { install -D -m "$1" "$(readlink -f "$2")" "$root$3"; }

# Scanners look here for the version of what was not compiled in.
declare_package() {
    # Debian knows a library by the name in /lib, not by the one that the link to /usr/lib leads to.
    name=$(dpkg-query -S "$1" "$(readlink -f "$1")" "/lib/${1#/lib64/}" 2>/dev/null | cut -d: -f1 | head -n 1)
    if [ -n "$name" ]; then
        mkdir -p "$root/var/lib/dpkg/status.d"
        dpkg-query -s "$name" >"$root/var/lib/dpkg/status.d/$name"
    fi
}

copy 755 "$program" /usr/local/bin/icecast-balancer
for library in $(ldd "$program" | grep -o '/[^ ]*'); do
    copy 755 "$library" "$library"
    declare_package "$library"
done
copy 644 /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
declare_package /usr/sbin/update-ca-certificates

mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/var/lib"
install -d -m 1777 "$root/tmp"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'nonroot:x:65532:65532:nonroot:/:/nonexistent' >"$root/etc/passwd"
echo 'nonroot:x:65532:' >"$root/etc/group"
