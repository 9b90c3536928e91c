# The two commands: `make run` (set-up and demo) and `make test` (set-up and all tests). `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.NOTPARALLEL:
APP_CHECK := --target wasm32-unknown-unknown --target-dir target/web

.PHONY: help run up test setup setup-test fmt lint unit e2e docs bench clean-data

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{ printf "  %-12s %s\n", $$1, $$2 }'

run: setup ## set up, then the demo: broker, services, dashboard and eight simulated cars
	cargo run --quiet --bin bugbrother -- demo

up: setup ## the same without the simulated cars
	cargo run --quiet --bin bugbrother -- up

setup: ## install what building needs
	@scripts/setup build

setup-test: ## install what the tests need besides
	@scripts/setup build test

test: setup-test fmt lint unit e2e docs ## set up, then every check and test

fmt:
	cargo fmt --all -- --check

lint:
	BUGBROTHER_SKIP_APP=1 cargo clippy --quiet --workspace --all-targets -- -D warnings
	cargo check --quiet -p bugbrother-agent --no-default-features
	@scripts/wasm cargo clippy --quiet -p bugbrother-app -p bugbrother-wire $(APP_CHECK) -- -D warnings

# The binaries come first: the end-to-end tests start them.
unit e2e: build-tests
unit: ## unit, property and service tests
	@scripts/cargo-test --workspace --exclude bugbrother-tests

e2e: ## end-to-end and browser tests on the real binaries
	@scripts/cargo-test -p bugbrother-tests

.PHONY: build-tests
build-tests:
	cargo build --quiet -p bugbrother -p bugbrother-agent --bins
	cargo test --quiet --workspace --no-run

docs:
	BUGBROTHER_SKIP_APP=1 RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --workspace --exclude bugbrother-app

bench: ## measure the store's commit path
	BUGBROTHER_SKIP_APP=1 cargo bench -p bugbrother-store

clean-data: ## forget the demo's data
	rm -rf data
