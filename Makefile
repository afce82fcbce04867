# Build, test and try the plugin. "make help" lists the targets.

# The version of this tree, stated here and nowhere else.
VERSION := v0.1.0
COMMIT  := $(shell git rev-parse --short --verify HEAD 2>/dev/null || echo unknown)

NAME      := vault-plugin-auth-okta
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 freebsd/arm64

# Where a release is made.
DIST := dist

# Each fuzz target runs this long.
FUZZTIME := 10s

# The modules with Go code. scripts/vault and scripts/lint have none: they only
# pin Vault and the static analyser.
MODULES := . scripts/e2e scripts/bench scripts/dist

# go.mod asks for this Go; an older one says so less plainly, or not at all.
GO_FOUND := $(shell go env GOVERSION 2>/dev/null || echo none)
ifneq ($(shell echo '$(GO_FOUND)' | awk -F '[o.]' '{ print ($$2 + 0 > 1 || $$2 + 0 == 1 && $$3 + 0 >= 26) }'),1)
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
$(error Go 1.26 or newer is needed (found: $(GO_FOUND)). Get it from https://go.dev/dl/)
endif
endif

# The version is told by -ldflags; whoever owns the checkout may not be who builds.
export GOFLAGS := $(shell go env GOFLAGS) -buildvcs=false

GO_BUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)'

BENCH = @go -C scripts/bench build -o ../../bin/bench . && cd scripts/bench && \
	../../bin/bench -version $(VERSION) -commit $$(git describe --always --dirty --exclude '*') -out ../../bin/bench.json

.DEFAULT_GOAL := help
.PHONY: help build check unit test e2e chaos acceptance dev bench bench-quick fmt lint fuzz dist reproducible clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the plugin, as bin/vault-plugin-auth-okta, and bin/okta-login
	$(GO_BUILD) -o bin/$(NAME) ./cmd/$(NAME)
	$(GO_BUILD) -o bin/okta-login ./cmd/okta-login

check: ## what every change has to pass, as CI runs it
	.ci/run

unit: ## the quick tests: no Vault, no network
	go test -race -timeout 30m ./...
	go test -run '^Test(FaultMatrix|CanaryInEachField|UnreadableEntry)$$' ./backend # whole: with -race they play a part

test: unit ## all tests, with a real Vault (found, or built once)
	go -C scripts/bench test -race -timeout 30m ./...
	go -C scripts/dist test ./...
	$(MAKE) e2e

e2e: ## the tests with a real Vault alone: VAULT_VERSION=1.19.5 builds that one, BAO_BIN=bao takes OpenBao
	go -C scripts/e2e test -count=1 -timeout 45m

chaos: ## kill, stop and seal servers under load, ten times each: a quarter of an hour
	E2E_CHAOS_ROUNDS=10 go -C scripts/e2e test -count=1 -timeout 45m -v -run '^TestChaos$$'

acceptance: ## log in to a real org; tells which OKTA_ variables it needs
	@missing=; for name in OKTA_ORG OKTA_BASE_URL OKTA_API_TOKEN OKTA_USERNAME OKTA_PASSWORD; do \
		eval "test -n \"\$${$$name:-}\"" || missing="$$missing $$name"; \
	done; \
	test -z "$$missing" || { echo "a login to a real org needs these variables, which are not set:$$missing" >&2; exit 1; }
	go -C scripts/e2e test -count=1 -timeout 45m -tags acceptance -run '^TestAcceptance' -v

dev: ## a Vault with the plugin and a simulated Okta, to try things out
	go -C scripts/e2e build -o ../../bin/dev ./dev
	cd scripts/e2e && ../../bin/dev -version $(VERSION)

bench: ## measure logins beside the builtin method's: half an hour, plots in docs/performance
	$(BENCH) -markdown -plots ../../docs/performance

bench-quick: ## a few of these measurements, in four minutes
	$(BENCH) -quick

fmt: ## format the code
	gofmt -w .

lint: ## formatting, go vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	go build -C scripts/lint -o "$(CURDIR)/bin/staticcheck" honnef.co/go/tools/cmd/staticcheck
	@for module in $(MODULES); do \
		echo "vet and staticcheck: $$module"; \
		go -C $$module vet -tags acceptance ./... && \
		(cd $$module && "$(CURDIR)/bin/staticcheck" -tags acceptance ./...) || exit 1; \
	done

# Go's fuzzing engine may end with "context deadline exceeded" when the time is up, and
# has found nothing then (golang/go#75804). What it finds it writes to a file, and says so.
fuzz: ## every fuzz target for a short time (FUZZTIME=10s)
	@mkdir -p bin; for package in $$(go list ./...); do \
		listed=$$(go test -list '^Fuzz' $$package) || exit 1; \
		for target in $$(echo "$$listed" | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package >bin/fuzz.log 2>&1 || \
				{ grep -q '^ *context deadline exceeded' bin/fuzz.log && ! grep -q 'Failing input' bin/fuzz.log; } || \
				{ cat bin/fuzz.log; exit 1; }; \
			echo "$$package $$target: $$(grep '^fuzz: ' bin/fuzz.log | tail -n 1)"; \
		done; \
	done

dist: ## a release in dist/: binaries, archives, SBOMs, an OCI image, checksums
	@rm -rf '$(DIST)'
	@for platform in $(PLATFORMS); do for command in $(NAME) okta-login; do \
		os=$${platform%/*} arch=$${platform#*/} suffix=; \
		test $$os != windows || suffix=.exe; \
		echo "$(DIST)/$${command}_$${os}_$${arch}$$suffix"; \
		GOOS=$$os GOARCH=$$arch $(GO_BUILD) -o "$(DIST)/$${command}_$${os}_$${arch}$$suffix" ./cmd/$$command || exit 1; \
	done; done
	go -C scripts/dist run . -version $(VERSION) '$(abspath $(DIST))'

reproducible: ## build the plugin here, and anew in another directory, and compare
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	$(GO_BUILD) -o $$dir/here ./cmd/$(NAME) && \
	mkdir $$dir/copy && cp -R go.mod go.sum cmd backend okta mfa internal $$dir/copy && \
	(cd $$dir/copy && $(GO_BUILD) -a -o ../there ./cmd/$(NAME)) && \
	cmp $$dir/here $$dir/there && sha256sum $$dir/here | cut -d ' ' -f 1

clean: ## remove what was built here (the built Vault stays in the user's cache)
	rm -rf bin '$(DIST)'
