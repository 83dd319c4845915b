# For an image that stays the same, name the base by its digest: --build-arg RUST=docker.io/library/rust@sha256:...
ARG RUST=docker.io/library/rust:1-slim-bookworm

FROM ${RUST} AS build
# Pingora's zlib is built with cmake.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
# What --version says: git is not asked here.
ARG SOURCE_COMMIT
ARG SOURCE_DATE_EPOCH
# Line numbers for panics are half of the program's size: they stay behind.
RUN cargo build --release --locked \
    && strip --strip-debug target/release/icecast-balancer
COPY packaging/image-root.sh packaging/
COPY LICENSE conf/icecast-balancer.toml /image/usr/share/doc/icecast-balancer/
RUN packaging/image-root.sh /image target/release/icecast-balancer && mkdir -p /state/icecast-balancer

# Nothing else: no shell, no package manager.
FROM scratch
ARG SOURCE_COMMIT
LABEL org.opencontainers.image.title="icecast-balancer" \
      org.opencontainers.image.description="Load balancer for Icecast relays: listeners do not hear one die" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${SOURCE_COMMIT}"
COPY --from=build /image/ /
# For certificates by ACME and what an operator set; a volume here keeps them.
COPY --from=build --chown=65532:65532 /state/ /var/lib/
# Nobody; also the owner that a password_file needs.
USER 65532:65532
# The program's own defaults, port 8080 and admin on 127.0.0.1:8081, are not repeated as variables here: PORT would
# replace every [[bind]] of a configuration file.
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=15s --retries=3 \
    CMD ["/usr/local/bin/icecast-balancer", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/icecast-balancer"]
