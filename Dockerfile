# Rota on one machine, in an image that has nothing else.
#   docker build --build-arg VERSION=v1.2.3 --build-arg COMMIT=$(git rev-parse HEAD) -t rota .
FROM golang:1.26 AS build
ARG VERSION=
ARG COMMIT=
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -o /rota \
    -ldflags "-s -w -X github.com/rota-run/rota/internal/build.version=$VERSION -X github.com/rota-run/rota/internal/build.commit=$COMMIT" ./cmd/rota
RUN mkdir -m 0700 /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/LICENSE /src/NOTICE /licenses/
COPY --from=build /rota /rota
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV ROTA_LISTEN=0.0.0.0:8080 ROTA_DATA=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/rota"]
CMD ["serve"]
