# infra-health: the release binary, the parts of the C library that it loads,
# and the CA bundle; nothing else. No shell, numeric user, writes nothing but
# what it is told of jobs, into /data, and that only where webhooks are configured.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" -t infra-health .
#   docker run --rm --read-only --cap-drop ALL -p 8080:8080 infra-health
#   docker run … -v infra-health-data:/data -e JOB_WEBHOOK_SECRET_FILE=… infra-health
#
# `deploy/image/prove` builds this file without a registry and proves what it says.

# Stage 1: the dependencies. Its layers change with Cargo.toml and Cargo.lock only.
FROM docker.io/library/rust:1.95-slim-bookworm AS deps
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# Benches, examples and tests are not in the build context, so their entries in
# the manifest go too. The stand-in sources have the real targets, so that each
# dependency is compiled exactly as the real build asks for it; what was made of
# the stand-ins themselves is thrown away, lest it look newer than the sources.
RUN sed -i '/^\[\[\(bench\|example\|test\)\]\]/,/^$/d' Cargo.toml \
 && mkdir src \
 && echo 'fn main() {}' > src/main.rs \
 && touch src/lib.rs \
 && cargo build --release --locked --bin infra-health \
 && cargo clean --release --package infra-health \
 && rm -r src

# Stage 2: the binary, and the root that it is given.
FROM deps AS build
COPY src src
# What `infra_health_build_info` says.
ARG REVISION=unknown
RUN INFRA_HEALTH_COMMIT="$REVISION" cargo build --release --locked --bin infra-health
# The loader and every library that the binary names, under their own paths.
# DNS and /etc/hosts are read by libc itself (glibc 2.34 and newer), so no
# plug-in of the name service switch is needed, only its order.
RUN mkdir -p /image/etc/ssl/certs \
 && cp target/release/infra-health /image/infra-health \
 && ldd /image/infra-health | grep -o '/[^ ]*' | sort -u | xargs -I{} cp -L --parents {} /image \
 && cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
 && mkdir -p -m 700 /folders/data

# Stage 3: the image.
FROM scratch
COPY --from=build /image/ /
# Where jobs are kept: the default, sqlite://infra-health.db, is a file of the working
# folder. It is the user's, and so is a named volume that is mounted there, since an
# engine makes that one like the folder below it. No VOLUME: that would make a
# nameless one for each container, with or without jobs, and what is in it is lost with
# the container in silence. No variable either: JOBS_DATABASE_URL_FILE may name another store.
COPY --from=build --chown=65532:65532 /folders/ /
WORKDIR /data

# Reachable from outside the container; 127.0.0.1 everywhere else.
ENV HOST=0.0.0.0
EXPOSE 8080
# A number, so that Kubernetes' `runAsNonRoot` can tell that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM
# `/livez` of this very configuration. For engines that read it; Kubernetes
# asks `/livez` and `/readyz` itself.
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \
    CMD ["/infra-health", "probe"]
ENTRYPOINT ["/infra-health"]

# Last, since they change most often.
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="infra-health" \
      org.opencontainers.image.description="Health-check service: folds live probes of RunPod, Cloudflare R2 and the process itself into GET /health" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.vendor="infra-health contributors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
