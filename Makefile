# What a person types. CI runs .ci/run, which calls make test.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules
.DEFAULT_GOAL := help

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod

# What the program says of itself. A commit without a tag has a version like those of Go modules, with its date.
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)$(shell test -z "$$(git status --porcelain --untracked-files=no 2>/dev/null)" || echo -dirty)
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --exact-match 2>/dev/null || TZ=UTC0 git log -1 --abbrev=12 --date=format-local:%Y%m%d%H%M%S --format=v0.0.0-%cd-%h 2>/dev/null)
BUILD   := github.com/rota-run/rota/internal/build
STAMP    = -X $(BUILD).version=$(VERSION) -X $(BUILD).commit=$(COMMIT)

.PHONY: help
help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## Build bin/rota.
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(STAMP)' -o bin/rota ./cmd/rota

.PHONY: run
run: build ## Build rota and start it with a demo agent.
	./bin/rota serve --demo

.PHONY: services
services: ## Start PostgreSQL and a Temporal server for Rota to work with.
	@$(GO) run ./test/services

.PHONY: temporal
temporal: ## Build the Temporal server that tests use: once, in some minutes.
	@$(GO) run ./test/services -build

# What make test does, and .ci/run beside it: a target each, in this order.
PARTS := lint examples openapi models generators tests

.PHONY: test
test: $(PARTS) ## Everything: linters, examples, the OpenAPI document, generated clients, and all tests.

.PHONY: parts
parts: # What .ci/run goes through.
	@echo $(PARTS)

.PHONY: tests
tests: ## All tests of the main module, with the race detector but for ten simulated years.
	$(GO) test -race -timeout 15m ./...
	@# go test says nothing of what it skips.
	@$(GO) test -race -v -run '^TestPython$$' ./test/clients | awk '/is not tried/ { print "SKIPPED: test/clients:", $$0 }'
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "SKIPPED: test/e2e: no page is looked at in a browser, since there is no chromium"
	@# This one must have run: the race detector cannot be there, so it is not among those above.
	$(GO) test -v -run '^TestTenYears$$' ./internal/engine/embedded | awk '{ print } /^--- PASS: TestTenYears/ { ran = 1 } END { exit !ran }'

.PHONY: test-engines
test-engines: ## What every store and engine must do, on each of them; none may be skipped.
	$(GO) test -v -count=1 -timeout 15m -run '^Test(Store|Suite|Stories)($$|On|In)' ./internal/store/... ./internal/engine/... \
		| awk '{ print } /^ *--- SKIP/ { skipped = 1 } END { exit skipped }'

CHAOS ?= 5m

.PHONY: chaos
chaos: temporal ## Kill processes and servers at random for a while, and count: CHAOS=5m.
	$(GO) test ./test/chaos -count=1 -v -timeout 1h -chaos.duration=$(CHAOS)

SOAK ?= 10m

.PHONY: soak
soak: ## Attack the memory of a server in every known way at once, and measure its peak: SOAK=10m.
	$(GO) test ./test/soak -count=1 -v -timeout 1h -soak.duration=$(SOAK)

# go vet is a part of lint: go test need not do some of it again.
.PHONY: check
check: SHORT := -short
check: lint ## For a person in a hurry: linters and short tests, without the whole program, PostgreSQL or a server of Temporal.
	$(GO) test -short -vet=off -parallel 8 ./...

SHORT :=

.PHONY: lint
lint: ## Format, static checks, and the laws of internal/archtest.
	$(GO) test $(SHORT) -vet=off ./internal/archtest
	$(GO) vet ./...
	@out=$$($(TOOL) gofumpt -l .); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(TOOL) staticcheck ./...

# A directory of test/ with a module of its own: what only it needs is not compiled for all other tests.
define test-module
cd test/$@ && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./...
cd test/$@ && $(GO) test -count=1 -timeout 20m $(SHOW) ./...
endef
SHOW :=

.PHONY: examples
examples: ## Check the files under examples/ as the programs that read them would.
	$(test-module)

.PHONY: openapi
openapi: ## Hold what the tests of the API send and receive against docs/openapi.json.
	$(test-module)

.PHONY: generators
# go test alone says nothing of what it skips, as for want of Java.
generators: SHOW := -v
generators: ## Make clients of docs/openapi.json with the generators that people use, and call a server with each.
	$(test-module)

.PHONY: models
models: ## Have a real model server, llama.cpp, answer runs and the clients that people have; the first time installs it.
	$(test-module)

.PHONY: release
release: ## Build the archives of a release into dist/: linux and darwin, on amd64 and arm64.
	$(GO) run ./release -out dist -version '$(VERSION)' -commit '$(COMMIT)' -time "$$(git log -1 --format=%ct)"

RELEASE ?= newest

.PHONY: zones
zones: ## Move to the newest release of the time zone data: what Rota carries, and what it is compared with.
	$(GO) test ./test/zones -count=1 -run '^TestCarried$$' -update -release $(RELEASE)
	$(GO) test ./test/zones ./internal/zoneinfo ./internal/calendar -count=1

.PHONY: fmt
fmt: ## Format the code.
	$(TOOL) gofumpt -w .

.PHONY: golden
golden: ## Write the files that tests keep true (OpenAPI, configuration, help, schema, imports).
	$(GO) test $$(grep -rl --include='*_test.go' 'flag.Bool("update"' cmd internal release | xargs -n1 dirname | sort -u | sed 's|^|./|') -run Golden -update

.PHONY: picture
picture: ## Take the picture of the README anew (with Chromium).
	ROTA_PICTURE=$(CURDIR)/docs/today.png $(GO) test ./test/e2e -count=1 -run TestPicture

.PHONY: bench
bench: ## Measure fires per second and lateness; see docs/performance.md.
	$(GO) run ./bench/fires

.PHONY: bench-gateway
bench-gateway: ## Measure what asking a model through Rota adds to asking it directly.
	$(GO) run ./bench/gateway

.PHONY: bench-temporal
bench-temporal: temporal ## The same on Temporal, beside bare Temporal Schedules.
	$(GO) run ./bench/fires -engine temporal -rounds 3
