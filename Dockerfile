FROM rust:1-bookworm AS build
# libz-ng-sys, which comes with Pingora, is built with cmake.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
# Line numbers for panics are half of the program's size: they stay behind.
RUN cargo build --release --locked && strip --strip-debug target/release/icecast-balancer

FROM debian:bookworm-slim
# Without certificates nothing starts: the poller's TLS client takes them from the system.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY LICENSE conf/icecast-balancer.toml /usr/share/doc/icecast-balancer/
COPY --from=build /build/target/release/icecast-balancer /usr/local/bin/icecast-balancer
# Nobody; also the owner that a password_file needs.
USER 65532:65532
# The program's own defaults, port 8080 and admin on 127.0.0.1:8081, are not repeated as variables here: PORT would
# replace every [[bind]] of a configuration file.
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/icecast-balancer"]
