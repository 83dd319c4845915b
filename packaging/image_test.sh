#!/usr/bin/env bash
# Builds the Dockerfile by buildah, without an engine and without a registry: the base is a Debian made by debootstrap, in which
# `cargo build` gives a program that was built before. Everything else is done as written. Then looks at what came out, and runs it.
#
#   packaging/image_test.sh [PROGRAM]        default: target/debug/icecast-balancer. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(readlink -f "${1:-target/debug/icecast-balancer}")
work=$(mktemp -d)
buildah() { command buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }
trap 'command buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs umount --all >/dev/null 2>&1; rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

base() {
    packaging/fresh_root.sh "$work/base"
    cp "$program" "$work/base/prebuilt"
    cat >"$work/base/usr/local/bin/cargo" <<'CARGO'
#!/bin/sh
[ "$*" = "build --release --locked" ] || exit 1
[ -f Cargo.lock ] && [ -f build.rs ] && [ -f src/main.rs ] || exit 1
mkdir -p target/release && cp /prebuilt target/release/icecast-balancer
CARGO
    chmod +x "$work/base/usr/local/bin/cargo"
    local container
    container=$(buildah from scratch)
    buildah copy --quiet "$container" "$work/base" / >/dev/null
    buildah commit --quiet "$container" localhost/debian-with-rust >/dev/null
    rm -rf "$work/base"
}

# $1: what of the image's configuration, $2: expected.
expect() {
    local found
    found=$(buildah inspect --type image --format "{{$1}}" icecast-balancer)
    [ "$found" = "$2" ] || fail "$1: expected $2, found $found"
}

base
buildah bud --quiet --isolation chroot --format docker --build-arg RUST=localhost/debian-with-rust \
    --build-arg SOURCE_COMMIT=0123abcd --build-arg SOURCE_DATE_EPOCH=0 --tag icecast-balancer . >/dev/null

expect .Docker.Config.User 65532:65532
expect .Docker.Config.Entrypoint '[/usr/local/bin/icecast-balancer]'
expect .Docker.Config.StopSignal SIGTERM
expect .Docker.Config.Healthcheck.Test '[CMD /usr/local/bin/icecast-balancer healthcheck]'
expect '(index .Docker.Config.Labels "org.opencontainers.image.revision")' 0123abcd

container=$(buildah from --pull-never icecast-balancer)
root=$(buildah mount "$container")
[ "$(stat -c %u:%g "$root/var/lib/icecast-balancer")" = 65532:65532 ] || fail "the state belongs to somebody else"
for shell in sh bash dash busybox; do
    [ -z "$(find "$root" -name "$shell")" ] || fail "there is a $shell"
done
echo "in the image: $(find "$root" -type f | wc -l) files, $(du -sm "$root" | cut -f1) MB"
find "$root" -type f -printf '  /%P %kK\n'
said=$(buildah run --isolation chroot "$container" /usr/local/bin/icecast-balancer --version)
echo "$said"
[[ $said == icecast-balancer* ]] || fail "it does not run"
