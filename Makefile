# Thin: each target is a command somebody could type. `make` alone says which there are.

HOST ?= 127.0.0.1
PORT ?= 8080

# Of `make chaos`: smoke or full; a seed (the clock's, if none); rows such as F1,F17 (all, if none); messages a second; seconds of F40;
# anything, to keep the histories of rows that hold; what cargo builds with (empty: a debug build).
CHAOS ?= full
CHAOS_SEED ?=
CHAOS_ROWS ?=
CHAOS_RATE ?=
CHAOS_MIX ?=
CHAOS_KEEP ?=
CHAOS_CARGO ?= --release

# Of `make load`: words of the command line, as `loadtest help` tells them.
LOAD ?= --profile smoke

# Of `make sync`: the same, for both of its runs (`loadtest help sync`).
SYNC ?=

.PHONY: help run test contract differential chaos teeth clients conformance sdk browser chart restore-drill proxies api readme k8s
.PHONY: load sync bench bench-hub bench-redis bench-idle bench-slow bench-floor bench-costs scaling
.PHONY: docs fmt clippy tidy image image-test ci ci-steps

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## the gateway on http://localhost:8080, in memory; needs only the Rust toolchain (PORT=…, REDIS_URL=…)
	@echo "WatchParty: http://localhost:$(PORT)/"
	@ENVIRONMENT=development HOST=$(HOST) PORT=$(PORT) PUBLIC_URL=http://localhost:$(PORT) cargo run --locked

test: ## installs what is missing (redis-server and so on), then runs every test
	scripts/install-test-deps.sh
	cargo test --locked --workspace --no-fail-fast
	$(MAKE) --no-print-directory scaling
	$(MAKE) --no-print-directory teeth
	$(MAKE) --no-print-directory clients
	$(MAKE) --no-print-directory sdk
	$(MAKE) --no-print-directory browser

contract: ## the backend contract over memory and Redis
	scripts/install-test-deps.sh
	cargo test --locked --test contract

differential: ## random sequences on a real Redis and on the model (DIFFERENTIAL_SEED=… replays, DIFFERENTIAL_TIMES=… searches longer)
	scripts/install-test-deps.sh
	cargo test --locked --test differential

chaos: ## breaks everything and counts, some 20 minutes; the whole matrix goes into docs/DELIVERY.md (CHAOS_SEED=… CHAOS_ROWS=F1,F17)
	scripts/install-test-deps.sh
	@CHAOS=$(CHAOS) CHAOS_SEED=$(CHAOS_SEED) CHAOS_ROWS=$(CHAOS_ROWS) CHAOS_RATE=$(CHAOS_RATE) CHAOS_MIX=$(CHAOS_MIX) \
		CHAOS_KEEP=$(CHAOS_KEEP) CHAOS_DOC=docs/DELIVERY.md CHAOS_BRIEF=README.md \
		cargo test --locked $(CHAOS_CARGO) --test chaos the_fault_matrix_holds -- --nocapture

teeth: ## five builds broken on purpose, each of which the chaos checker must catch; a green one fails (part of `make test`)
	scripts/install-test-deps.sh
	cargo test --locked --features sabotage --test chaos teeth

clients: ## somebody else's WebSocket clients (PyPI websockets, npm ws) against a running gateway
	scripts/install-test-deps.sh
	cargo build --locked
	tests/clients/run.sh

conformance: ## the Autobahn test suite against our socket layer, an hour (CASES="6.* 7.*" for some); skipped, loudly, without a Python 2.7
	scripts/autobahn.sh $(CASES)

sdk: ## the JavaScript SDK: its types and the page's, its tests under Node (some against a running gateway), its package and its size
	scripts/install-test-deps.sh
	cargo build --locked
	sdk/test/run.sh

browser: ## the page in Chromium: people on two replicas with a Redis, one of them killed; pictures in target/browser (ONLY=room for one file)
	scripts/install-test-deps.sh
	cargo build --locked
	tests/browser/run.sh

chart: ## the Helm chart, k8s/, rules, dashboard, Dockerfile, compose, workflows and shell scripts, without a cluster; installs its tools under the target directory
	cargo build --locked
	tests/chart/run.sh

restore-drill: ## a backup, the loss of a Redis and its disk, the restore, and what clients are told; on loopback
	scripts/install-test-deps.sh
	cargo build --locked
	scripts/restore-drill.sh

proxies: ## two nodes behind nginx, HAProxy and Caddy in turn, on the shipped files of ops/, watched by Prometheus; on loopback
	scripts/install-test-deps.sh
	cargo build --locked
	scripts/proxies.sh

api: ## AsyncAPI and OpenAPI documents against their own rules, the golden frames and a running gateway (schemathesis)
	cargo build --locked
	tests/api/run.sh

readme: ## runs what README.md says to type, and looks that the pages name nothing that is not there
	scripts/install-test-deps.sh
	cargo build --locked
	tests/readme/run.sh

k8s: ## writes k8s/ and the table of helm/README.md from the chart
	tests/chart/run.sh --write

bench: bench-hub bench-redis bench-idle ## what a delivery costs a node, and the gateway Redis: measured, printed as tables, judged by nobody

bench-hub: ## nanoseconds of a delivery by how many listen, of a message on memory, and of each piece
	cargo bench --locked --bench hub

# Redis is what is measured, so our own side need not be optimised.
bench-redis: ## microseconds of Redis a message, beside the bare commands
	scripts/install-test-deps.sh
	cargo bench --locked --profile dev --bench redis_cost

bench-idle: ## what ten thousand silent sessions cost Redis (SESSIONS=…, SECONDS=…); needs 20000 open files
	scripts/install-test-deps.sh
	cargo bench --locked --profile dev --bench redis_idle

# One build of both, so that they share what they depend on; the generator starts the gateway that lies beside it.
load: ## makes load and judges what came of it; unless told otherwise a verdict in a quarter of a minute (LOAD="rooms --duration 1m")
	cargo build --locked --release --package watchparty --package loadtest
	$${CARGO_TARGET_DIR:-target}/release/loadtest $(LOAD)

sync: ## how far players are from the film: virtual ones on one node and on two, one of which is killed, then two Chromiums; some twelve minutes (SYNC="--players 2")
	scripts/install-test-deps.sh
	cargo build --locked --release --package watchparty --package loadtest
	$${CARGO_TARGET_DIR:-target}/release/loadtest sync $(SYNC)
	$${CARGO_TARGET_DIR:-target}/release/loadtest sync --nodes 2 --redis-server $(SYNC)
	PROGRAM=sync.js tests/browser/run.sh $${CARGO_TARGET_DIR:-target}/release/watchparty

bench-slow: ## what 200 listeners notice of one that reads nothing: rounds in turn, with a verdict (SLOW="--rounds 3")
	cargo build --locked --release --package watchparty --package loadtest
	$${CARGO_TARGET_DIR:-target}/release/loadtest slow $(SLOW)

bench-floor: ## what a delivery costs beside a bare epoll broadcaster: rounds in turn, with a verdict (FLOOR="--regimes alone --out target/floor")
	cargo build --locked --release --package watchparty --package loadtest
	$${CARGO_TARGET_DIR:-target}/release/loadtest floor $(FLOOR)

bench-costs: ## what the model of docs/SCALING.md reckons with: arrivals, idle sockets, two nodes, Redis; on loopback, some three minutes
	scripts/install-test-deps.sh
	cargo build --locked --release
	scripts/costs.py

scaling: ## docs/SCALING.md has the tables that scripts/scaling.py computes (part of `make test`)
	scripts/install-test-deps.sh
	scripts/scaling.py --check

docs: ## the crate's documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

fmt: ## formats the code
	cargo fmt --all

clippy: ## lints, warnings denied
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --features sabotage --bins --test chaos -- -D warnings
	cargo clippy --locked --features conformance --example echo -- -D warnings

tidy: ## floors, sizes, names and bans (part of `make test`)
	cargo test --locked --test tidy

image: ## the container image, with docker
	docker build --tag watchparty:dev --build-arg REVISION=$$(git rev-parse HEAD) .

image-test: ## the Dockerfile run without docker or a registry, around a debug build, and the result started (scripts/image.sh compiles too)
	cargo build --locked
	scripts/image.sh --binary $${CARGO_TARGET_DIR:-target}/debug/watchparty

ci: ## what CI runs: format, lints, docs, every test (tidy among them), chart and image; what was skipped, and why
	@scripts/ci.sh

ci-steps:
	cargo fmt --all --check
	$(MAKE) --no-print-directory clippy
	$(MAKE) --no-print-directory docs
	$(MAKE) --no-print-directory test
	$(MAKE) --no-print-directory chart
	$(MAKE) --no-print-directory image-test
	$(MAKE) --no-print-directory restore-drill
	$(MAKE) --no-print-directory proxies
	$(MAKE) --no-print-directory api
	$(MAKE) --no-print-directory readme
