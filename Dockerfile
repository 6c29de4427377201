# Weir as an image: built with the Swift toolchain, run on a slim Debian without it. docs/deploy.md says how to run it.
#
#     docker build -t weir .
#
# `.ci/image` reads this file: it builds with the build stage's own commands, installs the last stage's packages into
# an empty Debian, and starts ENTRYPOINT and CMD there. Instructions that it does not know make it fail.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libevent-dev libre2-dev libc-ares-dev libssl-dev libnghttp2-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The dependencies first: a change of the sources does not fetch them again.
COPY Package.swift Package.resolved* ./
RUN swift package resolve
COPY Sources ./Sources
# The manifest names the tests, and SwiftPM refuses a manifest whose folders are not there. They are not built.
COPY Tests ./Tests
RUN swift build -c release --product weir --static-swift-stdlib

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="weir" \
      org.opencontainers.image.description="HTTP ingress proxy that reads Istio's traffic resources" \
      org.opencontainers.image.licenses="Apache-2.0"
# Exactly what the binary links (libswift is in it, libc and libm are Debian's own), and the certificates that it trusts
# where a DestinationRule asks for TLS and names none.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libevent-core-2.1-7 libre2-9 libc-ares2 libssl3 libnghttp2-14 libstdc++6 libgcc-s1 \
    && rm -rf /var/lib/apt/lists/*
# What is mounted here is served. Empty is a good start: ready, and no port open.
RUN mkdir /etc/weir
COPY LICENSE /usr/share/doc/weir/LICENSE
COPY --from=build /src/.build/release/weir /usr/local/bin/weir
# A number, so that Kubernetes can tell that it is not root (runAsNonRoot). Weir writes no file.
USER 65532:65532
# HTTP, HTTPS, health, metrics. The admin endpoints stay on the loopback: they are not for the network.
EXPOSE 8080 8443 15021 15090
HEALTHCHECK --interval=10s --timeout=4s --start-period=5s CMD ["weir", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["weir"]
# A Gateway says 80 and 443, as clients do; a user that is not root listens above 1023.
CMD ["serve", "--config", "/etc/weir", "--listen-map", "80=8080", "--listen-map", "443=8443"]
