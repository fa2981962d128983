# Thin: each target is a command somebody could type. `make` alone says which there are.

HOST ?= 127.0.0.1
PORT ?= 8080

.PHONY: help run test contract clients chart k8s docs fmt clippy tidy image ci

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## the gateway on http://localhost:8080, in memory; needs only the Rust toolchain (PORT=…, REDIS_URL=…)
	@echo "WatchParty: http://localhost:$(PORT)/"
	@ENVIRONMENT=development HOST=$(HOST) PORT=$(PORT) PUBLIC_URL=http://localhost:$(PORT) cargo run --locked

test: ## installs what is missing (redis-server and so on), then runs every test
	scripts/install-test-deps.sh
	cargo test --locked --workspace
	$(MAKE) --no-print-directory clients

contract: ## the backend contract over memory and Redis
	scripts/install-test-deps.sh
	cargo test --locked --test contract

clients: ## somebody else's WebSocket clients (PyPI websockets, npm ws) against a running gateway
	scripts/install-test-deps.sh
	cargo build --locked
	tests/clients/run.sh

chart: ## the Helm chart, k8s/, rules and dashboard, without a cluster; installs its tools under the target directory
	cargo build --locked
	tests/chart/run.sh

k8s: ## writes k8s/ and the table of helm/README.md from the chart
	tests/chart/run.sh --write

docs: ## the crate's documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

fmt: ## formats the code
	cargo fmt --all

clippy: ## lints, warnings denied
	cargo clippy --locked --workspace --all-targets -- -D warnings

tidy: ## floors, sizes, names and bans (part of `make test`)
	cargo test --locked --test tidy

image: ## the container image, with docker
	docker build --tag watchparty:dev .

ci: ## what CI runs: format, lints, docs, every test (tidy among them) and the chart's checks
	cargo fmt --all --check
	$(MAKE) --no-print-directory clippy
	$(MAKE) --no-print-directory docs
	$(MAKE) --no-print-directory test
	$(MAKE) --no-print-directory chart
