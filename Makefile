# Tillbook: build, check and test. `make` alone lists what there is.
#
# Everything made here lands in bin/, .cache/ or dist/, all ignored by git.
# Developer tools are pinned in the tools module, which is outside the
# workspace so that their dependencies never meet the product's.

MODULE  := tillbook.example/tillbook
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Without gRPC's trace pages, which nobody sees here, the linker leaves out every
# method that is never called: three megabytes less of the agent.
TAGS    := grpcnotrace
LDFLAGS := -s -w -X $(MODULE)/shared/buildinfo.Version=$(VERSION)

# What the commands below take: make test ALL=1 PKG=./shared/..., make fuzz FUZZTIME=5m
ALL      ?=
INSTALL  ?= yes
PKG      ?=
ONCE     ?=
FUZZTIME ?= 30s
BENCH    ?= .
SOAKTIME ?= 30m
KILLS    ?= 50
DIST     ?= dist
SEEDS    ?= 1000
DAYS     ?= 10000
ROWS     ?= 3000000
MUTANTS  ?= 100
SEED     ?= 1
AGENTS   ?= 300
DOCUMENTS ?= 1000000
SEED     ?= 1

TOOLS     := $(CURDIR)/.cache/tools
TOOLSTAMP := $(TOOLS)/built
PACKERS   := $(TOOLS)/packers
PROTOS    := document.proto wire.proto

# $(call protos,DIR): write the Go of the .proto files into DIR.
protos = PATH="$(TOOLS):$$PATH" protoc -I proto -out $(1) -opt module=$(MODULE)/proto \
	-plugin protoc-gen-go -plugin protoc-gen-go-grpc $(PROTOS)

.DEFAULT_GOAL := help
.PHONY: help build packers packages generate check check-format check-vet check-windows check-static check-generated check-tidy check-rules \
	test race fuzz bench growth kill fleet powercut corpus days cloud mutate soak demo compose-local clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build both programs into bin/, static and stripped
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o bin/ ./agent/cmd/... ./collector/cmd/...

packers: $(PACKERS) # what packages are made with

packages: packers ## deb, rpm, msi, archives, sums and bills of materials into DIST (dist); how to sign: installers/build.sh
	installers/build.sh $(VERSION) $(DIST)

generate: $(TOOLSTAMP) ## write the Go of the wire contract from proto/*.proto
	$(call protos,proto)

check: check-format check-vet check-windows check-static check-generated check-tidy check-rules ## all that must hold before a commit, tests apart

check-format: ## no Go file that gofmt would change
	@files=$$(find . \( -path ./.cache -o -path ./.git \) -prune -o -name '*.go' -exec gofmt -l {} +); \
	if [ -n "$$files" ]; then echo "gofmt would change these files; run gofmt -w on them:"; echo "$$files"; exit 1; fi

check-vet: ## go vet, in the workspace and for each module on its own
	go vet -tags soak ./... ./proto/...
	GOWORK=off go vet ./...
	GOWORK=off go -C proto vet ./...
	GOWORK=off go -C tools vet ./...

check-windows: ## go vet of what runs in a store, as Windows compiles it
	GOOS=windows go vet ./agent/... ./shared/...

check-static: $(TOOLSTAMP) ## staticcheck
	$(TOOLS)/staticcheck ./...

check-generated: $(TOOLSTAMP) ## the committed wire Go is what its .proto files give
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(call protos,"$$fresh") && \
	diff -r "$$fresh/tillbookv1" proto/tillbookv1 || { echo "proto/tillbookv1 is not what the .proto files give; run make generate"; exit 1; }

check-tidy: ## go.mod and go.sum of each module list what is used, no more
	GOWORK=off go mod tidy -diff
	GOWORK=off go -C proto mod tidy -diff
	GOWORK=off go -C tools mod tidy -diff

check-rules: ## who may import whom, and the other rules of the house
	go test ./internal/archtest

test: ## every test whose tools are there (installs light ones); ALL=1: heavy ones too; PKG=./shared/...: only those
	@go run ./internal/testrun $(if $(ALL),-all) $(if $(filter no,$(INSTALL)),-install=false) $(PKG)

race: ## the tests under the race detector; PKG= narrows
	go test -race -p 2 -timeout 20m $(or $(PKG),./...)

fuzz: ## each fuzz target for FUZZTIME (30s); PKG= narrows
	@list=$$(go test -list '^Fuzz' $(or $(PKG),./...)) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ {t[n++] = $$1} /^ok/ {for (i = 0; i < n; i++) print $$2, t[i]; n = 0}' | \
	while read -r package target; do \
		echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

bench: ## benchmarks; BENCH=name and PKG= narrow
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m $(or $(PKG),./...)

growth: ## what a document costs the database as they become ROWS (3000000), on both engines
	TILLBOOK_GROWTH=$(ROWS) go test -run '^$$' -bench Growth -benchtime 1x -timeout 6h ./collector/storage

kill: ## the long kill loop: each program killed KILLS (50) times while 400 times as many documents flow
	TILLBOOK_KILLS=$(KILLS) go test -count=1 -v -timeout 2h -run 'WhileBothProgramsAreKilled' ./acceptance

fleet: ## AGENTS (300) send DOCUMENTS (1,000,000) to three collectors that are killed and stopped, with their broker and database, as SEED has it
	TILLBOOK_FLEET_AGENTS=$(AGENTS) TILLBOOK_FLEET_DOCUMENTS=$(DOCUMENTS) TILLBOOK_FLEET_SEED=$(SEED) \
		go test -count=1 -v -timeout 2h -run 'TestAFleetsSales' ./acceptance/fleet

powercut: ## SEEDS (1,000) seeded power cuts of the outbox on a disk in memory, and twenty on a real one (needs root)
	TILLBOOK_SEEDS=$(SEEDS) go test -count=1 -v -timeout 2h -run 'PowerCuts|SyncDoesNothing|WithoutSync' ./agent/outbox/...

corpus: ## keep what this version writes and sends as RELEASE=v1.2.3, for later versions to read
	go run ./internal/compat/write internal/compat/testdata/$(or $(RELEASE),$(error set RELEASE))

days: ## the books over DAYS (10000) random days of a shop that does everything
	TILLBOOK_DAYS=$(DAYS) go test -count=1 -v -timeout 2h -run 'ShopDay|RevisionsOfADay|Voids|Jurisdiction|FoundFromItsLines' ./collector/books
	TILLBOOK_DAYS=$(DAYS) go test -count=1 -v -timeout 2h -run InTheCloud ./collector/posting

tryton: ## a real Tryton (Debian's): its conformance, and 200 days posted by a collector that is killed at each step
	go test -count=1 -v -timeout 1h ./collector/target/tryton
	TILLBOOK_TRYTON_DAYS=200 go test -count=1 -v -timeout 1h -run WhoeverDiesWhen ./collector/posting

mutate: ## MUTANTS (100) mistakes made one at a time in each pure room: do its tests notice? PKG=shared/money narrows; SEED=
	@for folder in $(or $(PKG),shared/money shared/bizday shared/document collector/books collector/reconcile collector/settle); do \
		go run ./internal/mutate -n $(MUTANTS) -seed $(SEED) $$folder || failed=1; done; exit $${failed:-0}

cloud: ## DAYS (10000) store-days through the stand-ins, by two collectors on PostgreSQL that are killed, with every fault
	TILLBOOK_CLOUD_DAYS=$(DAYS) go test -count=1 -v -timeout 2h -run TwoCollectorsThatDie ./collector/posting

soak: ## the long tests (build tag soak), for SOAKTIME (30m)
	TILLBOOK_SOAK=$(SOAKTIME) go test -count=1 -tags soak -run '^TestSoak' -timeout 24h $(or $(PKG),./...)

demo: build ## the main job from nothing: a day of till files, read, closed, proven, posted; ONCE=1: and leave
	go run ./demo $(if $(ONCE),-once)

compose-local: build ## installers/compose without containers: two collectors on PostgreSQL and Mosquitto, watched; ONCE=1: check and leave
	@ONCE=$(ONCE) installers/compose/local.sh bin/tillbook-collector

clean: ## remove all that was built
	rm -rf bin .cache dist

$(TOOLSTAMP): tools/go.mod tools/go.sum $(wildcard tools/protoc/*.go)
	@mkdir -p $(TOOLS)
	GOWORK=off go build -C tools -o $(TOOLS)/ ./protoc google.golang.org/grpc/cmd/protoc-gen-go-grpc \
		google.golang.org/protobuf/cmd/protoc-gen-go honnef.co/go/tools/cmd/staticcheck
	@touch $@

$(PACKERS): tools/go.mod tools/go.sum $(wildcard tools/archive/*.go) $(wildcard tools/msistamp/*.go)
	@mkdir -p $(TOOLS)
	GOWORK=off go build -C tools -o $(TOOLS)/ ./archive ./msistamp github.com/goreleaser/nfpm/v2/cmd/nfpm \
		github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
	@touch $@
