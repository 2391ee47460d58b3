# The worker, the starter and the live page in one image: docker build -t order-management .
ARG RUST_IMAGE=rust:1.95-slim-trixie
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${RUNTIME_IMAGE} AS runtime
# ca-certificates has the authorities that TLS trusts; wget is for the health check.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates wget \
    && rm -rf /var/lib/apt/lists/*
# An inventory in files, if DATABASE names no database, is below this folder.
RUN install -d -o 10001 -g 10001 /data
WORKDIR /data
# As a number, which Kubernetes can check not to be root.
USER 10001:10001
ENV HEALTH_ADDRESS=0.0.0.0:8080
EXPOSE 8080
# The answer takes up to 6 seconds.
HEALTHCHECK --interval=5s --timeout=7s --start-period=30s \
    CMD ["wget", "--no-proxy", "-qO-", "http://127.0.0.1:8080/ready"]
CMD ["worker"]

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p worker -p starter -p web

FROM runtime
COPY --from=build /src/target/release/worker /src/target/release/starter /src/target/release/web /usr/local/bin/
