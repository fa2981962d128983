# The image: one binary on distroless, no shell, not root. The first stage's Debian and the second's must be the same
# (bookworm), or the binary asks for a glibc that is not there. A release pins both by digest through these ARGs.
# Tried without a registry by scripts/image.sh, whose builder knows no heredocs and no COPY --link.
ARG BUILD_IMAGE=rust:1.95-slim-bookworm
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
# rust-toolchain.toml is not copied: the image's toolchain is the pin, and rustup must fetch no other.
COPY . .
# What `--version`, `/health` and the metric build_info say; a commit's id.
ARG REVISION=unknown
# The caches live outside the layer, so the binary is copied out in the same step. Locked: two builds at once share them.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    WATCHPARTY_REVISION="${REVISION}" cargo build --release --locked --package watchparty \
    && cp target/release/watchparty /watchparty

FROM ${RUN_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="watchparty" \
      org.opencontainers.image.description="A horizontally scalable pub/sub gateway for watching together" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/watchparty/watchparty" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build --chmod=0555 /watchparty /usr/local/bin/watchparty
# By number, so that Kubernetes can see that it is not root. Nothing is written: the root may be read-only.
USER 65532:65532
# Clients, and metrics when ADMIN_ADDR is set.
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# Live, not ready: an engine may kill what is unhealthy, and a Redis that is away is no reason to drop connections.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/watchparty", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/watchparty"]
CMD ["serve"]
