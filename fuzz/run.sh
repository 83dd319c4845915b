#!/usr/bin/env bash
# Builds all targets and runs each for some seconds: fuzz/run.sh [SECONDS [TARGET...]]
# Fails when a target finds something, or when a tool is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-30}
shift || true

missing() {
  echo "FUZZING NOT DONE: $1 is missing. Get it with: $2" >&2
  exit 1
}
cargo +nightly --version >/dev/null 2>&1 || missing "the nightly toolchain" "rustup toolchain install nightly --profile minimal"
command -v cargo-fuzz >/dev/null || missing cargo-fuzz "cargo install cargo-fuzz --locked"
command -v c++ >/dev/null || missing "a C++ compiler" "apt-get install g++"

# What each target begins with; the others make everything up.
seeds() {
  case $1 in
    relay_head) echo tests/data/heads tests/data/shoutcast ;;
    icy | splice) echo tests/data/captures tests/data/mpeg ;;
    mpeg) echo tests/data/mpeg ;;
    ogg) echo tests/data/captures tests/data/clips ;;
    status_json) echo tests/data/status-json ;;
    admin_stats) echo tests/data/admin ;;
    shoutcast1 | shoutcast2) echo tests/data/shoutcast ;;
  esac
}

# -s none: see Cargo.toml.
cargo +nightly fuzz build -s none
targets=${*:-$(cargo +nightly fuzz list)}
found=()
for target in $targets; do
  mkdir -p "fuzz/corpus/$target"
  log=fuzz/corpus/$target.log
  options=("-max_total_time=$seconds" -timeout=10)
  dictionary=fuzz/fuzz_targets/$target.dict
  [ ! -f "$dictionary" ] || options+=("-dict=$dictionary")
  # shellcheck disable=SC2046  # several folders
  if cargo +nightly fuzz run -s none "$target" "fuzz/corpus/$target" $(seeds "$target") -- "${options[@]}" >"$log" 2>&1; then
    echo "$target: nothing found, $(grep '^Done' "$log" || echo "but no run was counted: see $log")"
  else
    echo "$target: FOUND SOMETHING, see $log"
    grep -A3 -E 'panicked at|^==[0-9]+== ERROR' "$log" | head -8 || true
    found+=("$target")
  fi
done
[ ${#found[@]} = 0 ] || { echo "FOUND: ${found[*]}" >&2; exit 1; }
