#!/usr/bin/env bash
# Packages the committed source in two folders and compares every file: the same source, the same bytes. Takes two release builds.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
commit=$(git rev-parse HEAD)
folders=("$work/one" "$work/another/one/with/a/longer/name")
for folder in "${folders[@]}"; do
    git clone --quiet . "$folder"
    git -C "$folder" checkout --quiet "$commit"
    "$folder/packaging/package.sh" >/dev/null
    cat "$folder/target/package/SHA256SUMS"
done
if ! diff -r "${folders[@]/%//target/package}"; then
    echo "NOT REPRODUCIBLE: kept in $work" >&2
    trap - EXIT
    exit 1
fi
echo "reproducible: both folders gave the same files"
