# The two commands: `make run` (set-up and demo) and `make test` (set-up and all tests). `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.NOTPARALLEL:
APP_CHECK := --target wasm32-unknown-unknown --target-dir target/web

.PHONY: help run up test setup setup-test fmt lint cross-check agent-deb server-deb release tests test-decode docs fuzz conformance test-kill bench bench-agent bench-gate bench-ingest bench-history bench-growth bench-dashboard bench-video bench-broker bench-notify bench-rules bench-fleet soak bench-build screenshots clean-data

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
	@scripts/python
	@cargo fetch --quiet --locked # also what other systems are built of: scripts/licences, scripts/sbom

test: setup-test fmt lint cross-check tests test-decode docs fuzz ## set up, then every check and test

fmt:
	cargo fmt --all -- --check

lint:
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	cargo check --quiet -p bugbrother-agent --no-default-features
	@scripts/wasm cargo clippy --quiet -p bugbrother-app -p bugbrother-wire $(APP_CHECK) -- -D warnings

cross-check: ## check that the vehicle agent compiles for a Raspberry Pi, of 64 bits and of 32
	@scripts/cross-check

agent-deb: ## make the vehicle agent's Debian package for this computer's architecture, in target/
	BUGBROTHER_SKIP_APP=1 cargo build --quiet --release -p bugbrother-agent
	@scripts/agent-deb target/release/bugbrother-agent

server-deb: ## make the server's Debian package for this computer's architecture, in target/
	cargo build --quiet --release --bin bugbrother
	@scripts/server-deb target/release/bugbrother

release: ## packages, archive, what they are made of and their sums, in target/release-VERSION (BUGBROTHER_SIGN=gpg:KEY signs)
	cargo build --quiet --release -p bugbrother -p bugbrother-agent --bins
	@scripts/release

# One build of the whole workspace: another choice of packages would choose other features and build everything again.
# The binaries come first: the end-to-end tests start them.
tests:
	cargo build --quiet --workspace --bins
	@BUGBROTHER_SESSIONS=100000 scripts/cargo-test --workspace

test-decode: ## photos of key frames, which are no part of the usual agent: OpenH264 is C++
	@scripts/cargo-test -p bugbrother-video --features decode

# First the lists of what fails, then the table that is made of them.
conformance: ## try both brokers by the numbered statements of MQTT, and write mosquitto-compat/CONFORMANCE.md
	BUGBROTHER_WRITE_GOLDEN=1 scripts/cargo-test -p bugbrother-mosquitto-compat --test conformance holds_what
	BUGBROTHER_WRITE_GOLDEN=1 scripts/cargo-test -p bugbrother-mosquitto-compat --test conformance the_table_of

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --workspace --exclude bugbrother-app

fuzz: ## throw bytes at the broker's gate for a minute (FUZZ_SECONDS=60)
	@scripts/fuzz $(or $(FUZZ_SECONDS),60)

test-kill: ## kill broker, ingest, agents and databases of 50 vehicles at random for a minute, on each store
	BUGBROTHER_SKIP_APP=1 cargo build --quiet --release -p bugbrother -p bugbrother-agent --bins
	@BUGBROTHER_SKIP_APP=1 NEXTEST_SUCCESS_OUTPUT=immediate \
		BUGBROTHER_KILL_SECONDS=$(or $(KILL_SECONDS),60) BUGBROTHER_KILL_VEHICLES=$(or $(KILL_VEHICLES),50) \
		scripts/cargo-test --release -p bugbrother-tests --test endurance

bench: ## measure the store: commits, commits while a large fleet's tail grows, folding
	BUGBROTHER_SKIP_APP=1 cargo bench -p bugbrother-store

bench-agent: ## measure what the agent costs a vehicle: memory, processor, radio, disk (BUGBROTHER_BENCH_SECONDS=120)
	cargo bench --quiet -p bugbrother-agent --bench footprint

bench-gate: ## measure what connected vehicles notice of a crowd of strangers at the broker
	BUGBROTHER_SKIP_APP=1 cargo build --quiet --release --bin bugbrother
	BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-tests --bench gate

# What is measured can be said: BUGBROTHER_BENCH_SECONDS and _ROUNDS, and with BUGBROTHER_BENCH_DOCS=1 the results go into
# docs/performance.md. ONLY="sqlite postgresql influxdb" or some of them.
bench-ingest: bench-build ## measure from publish to commit, beside what the same database takes at most, and beside Node-RED
	BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-tests --bench load -- ingest $(ONLY)

bench-history: bench-build ## measure the first page of a vehicle's history, with a year of it in the table
	BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-tests --bench load -- history $(ONLY)

bench-growth: bench-build ## measure what a vehicle costs when there are 10, 100, 1,000, 10,000 of them
	BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-tests --bench load -- growth

# With BUGBROTHER_SKIP_APP the dashboard would have no app to be measured. ONLY="pixel frames viewers" or some of them.
bench-dashboard: ## measure from publish to pixel, how the map moves with 10,000 vehicles, and what 1,000 viewers cost
	cargo build --quiet --release --bin bugbrother
	ulimit -n 20000 && cargo bench --quiet -p bugbrother-tests --bench load -- dashboard $(ONLY)

# A probe crosses its limit every 11 s or so: BUGBROTHER_BENCH_SECONDS=300 are some 200 alerts. Of BUGBROTHER_BENCH_VEHICLES=1000.
bench-notify: bench-build ## measure from publish to webhook, dashboard and web push under 20 rules, and what these cost
	ulimit -n 20000 && BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-tests --bench load -- notify

# ONLY="glass crowd rings" or some of them.
bench-video: ## measure how old a camera's pictures are on the screen, how soon they come, and what cameras and viewers cost
	cargo build --quiet --release -p bugbrother -p bugbrother-agent --bins
	cargo bench --quiet -p bugbrother-tests --bench load -- video $(ONLY)

# ONLY="load idle" or one of them.
bench-broker: bench-build ## measure the embedded broker beside Debian's Mosquitto, under the same load
	ulimit -n 20000 && BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-tests --bench load -- broker $(ONLY)

# Of BUGBROTHER_BENCH_VEHICLES, at other times 10,000, 5,000 and 1,000. With BUGBROTHER_SKIP_APP there would be no app to be looked at.
# ONLY="steady pixel storm backlog" or some of them: 15, 5, 5 and 15 minutes or so.
bench-fleet: ## measure 10,000 vehicles for ten minutes, 5,000 that come back at once, and 1,000 that were away for an hour
	cargo build --quiet --release --bin bugbrother
	ulimit -n 20000 && cargo bench --quiet -p bugbrother-tests --bench load -- fleet $(ONLY)

# Of BUGBROTHER_BENCH_VEHICLES=1000.
soak: bench-build ## half an hour of vehicles and people that come and go: memory, descriptors and threads stay flat (SOAK_MINUTES=30)
	ulimit -n 20000 && BUGBROTHER_SKIP_APP=1 BUGBROTHER_BENCH_SECONDS=$$(( $(or $(SOAK_MINUTES),30) * 60 )) \
		cargo bench --quiet -p bugbrother-tests --bench load -- soak

bench-rules: ## measure what a rule costs for each sample that a vehicle sends, and what is remembered of it
	BUGBROTHER_SKIP_APP=1 cargo bench --quiet -p bugbrother-notifier --bench rules

bench-build:
	BUGBROTHER_SKIP_APP=1 cargo build --quiet --release --bin bugbrother

screenshots: ## keep a picture of every page in target/screenshots: dark and light, desktop and phone
	cargo build --quiet --bin bugbrother
	scripts/cargo-test -p bugbrother-tests --test standards no_page

clean-data: ## forget the demo's data
	rm -rf data
