#!/usr/bin/env bash
# Builds what is handed out, into target/package: the program, the Debian package, the list of its parts (CycloneDX), checksums.
#
# The same source gives the same bytes, in whatever folder: paths are cut, and dates are those of the source. PROFILE=dev packages
# the development binary, for tests of the package itself.
set -euo pipefail
cd "$(dirname "$0")/.."

PROFILE=${PROFILE:-release}
OUT=$PWD/target/package
CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}

has() { command -v "$1" >/dev/null; }

# Without git, as in an unpacked archive, the packager says both.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

build() {
    if [ "$PROFILE" = dev ]; then
        # With another date cargo would compile half of the libraries again.
        env -u SOURCE_DATE_EPOCH cargo build --locked
        BINARY=$PWD/target/debug/icecast-balancer
        return
    fi
    local map="$PWD=/source" home="$CARGO_HOME=/cargo"
    RUSTFLAGS="--remap-path-prefix=$map --remap-path-prefix=$home" \
        CFLAGS="-ffile-prefix-map=$map -ffile-prefix-map=$home" \
        CXXFLAGS="-ffile-prefix-map=$map -ffile-prefix-map=$home" \
        cargo build --release --locked
    BINARY=$PWD/target/release/icecast-balancer
}

# Nobody's relays: the example of the file would be polled for ever.
configuration() {
    sed -e 's/^\[\[relay\]\]/#&/' -e 's/^url = /#&/' conf/icecast-balancer.toml
}

deb() {
    has cargo-deb || { echo "cargo-deb is missing: cargo install --locked cargo-deb" >&2; exit 1; }
    rm -f "$OUT"/*.deb
    cargo deb --quiet --no-build --strip --profile "$PROFILE" --output "$OUT/" 2> >(grep -v 'dev profile\|debug symbols' >&2)
}

bill() {
    if ! has cargo-cyclonedx; then
        echo "SBOM SKIPPED: cargo-cyclonedx is missing: cargo install --locked cargo-cyclonedx" >&2
        return
    fi
    cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename icecast-balancer.cdx
    sed "s|file://$PWD|file:///source|g" icecast-balancer.cdx.json >"$OUT/icecast-balancer.cdx.json"
    rm icecast-balancer.cdx.json
}

mkdir -p "$OUT"
build
rm -rf "$OUT/documents"
"$BINARY" documents "$OUT/documents"
configuration >"$OUT/icecast-balancer.toml"
install -m 755 "$BINARY" "$OUT/icecast-balancer"
# Line numbers for panics are half of its size.
strip --strip-debug "$OUT/icecast-balancer"
deb
bill
(cd "$OUT" && sha256sum icecast-balancer ./*.deb ./*.cdx.json 2>/dev/null >SHA256SUMS) || true
cat "$OUT/SHA256SUMS"
