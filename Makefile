# The project's commands; `.ci/run` runs these very targets.

# Pinned, so that a new release of the tool breaks nobody's build unasked.
CARGO_DENY := 0.20.2
# By their first line, or their name.
SHELL_SCRIPTS := $(shell git ls-files | xargs grep -lE '^\#!.*(bash|/sh)$$')
PYTHON_SCRIPTS := $(shell git ls-files '*.py'; git ls-files | xargs grep -lE '^\#!.*python3$$')

.PHONY: all ci fmt clippy doc test deny scripts fetch tools install bench bench-brief
.PHONY: proofs service metrics alerts dashboard haproxy nginx kubernetes systemd openapi page webhooks crash faults image

all: fmt clippy doc test

fmt: ## formatting
	cargo fmt --all --check
	cargo fmt --manifest-path benches/Cargo.toml --all --check

clippy: ## lints, warnings are errors
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features -- -D warnings
	cargo clippy $(MICRO) --workspace --all-targets -- -D warnings

doc: ## documentation, broken links are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

test:
	cargo test

deny: tools ## licences, bans and sources of dependencies (deny.toml)
	cargo deny --locked check bans licenses sources

scripts: ## lints of the scripts (Debian's packages shellcheck, pyflakes3)
	shellcheck $(SHELL_SCRIPTS)
	pyflakes3 $(sort $(PYTHON_SCRIPTS))

proofs: metrics alerts dashboard haproxy nginx kubernetes systemd openapi page webhooks crash faults image ## each piece with the real program

install: ## what the proofs need of Debian; root
	.ci/install

# The proofs run the service against the sandbox's stand-ins. Each runs by itself, too, and installs what it pins
# of PyPI and npm under target/ when it first does.
service:
	cargo build --locked --bin infra-health --example sandbox

metrics: service ## a real Prometheus scrapes it; promtool and Python's parser read it
	deploy/prometheus/prove-metrics

alerts: service ## promtool's tests of every alert; inhibition; one alert end to end
	deploy/prometheus/prove-alerts

dashboard: service ## every query of the dashboard returns data
	deploy/grafana/prove

haproxy: service ## drain, outage and kill -9 of a replica under load
	deploy/haproxy/prove

nginx: service ## the same behind nginx
	deploy/nginx/prove

kubernetes: service ## manifests against the published schemas; a kubelet's probes
	deploy/kubernetes/prove

systemd: service ## the unit, by systemd-analyze and under a systemd of its own; root
	deploy/systemd/prove

openapi: service ## a validator, and schemathesis against the running service
	tests/openapi/prove

page: service ## the status page in a real Chromium
	tests/page/prove

webhooks: service ## job events signed by Node, Python and openssl
	tests/webhooks/prove

crash: service ## kill -9 under load: no acknowledged job event lost or doubled (CRASH="--seconds 600")
	tests/jobs/prove-crash $(CRASH)

faults: service ## whatever senders, database and disk do to job events; partly root
	tests/jobs/prove-faults

image: ## builds and proves the image without a registry; root, Debian
	deploy/image/prove

BENCH := cargo run --release --locked --manifest-path benches/Cargo.toml --bin
# One target directory with the service's own: most of what the benches need is built there.
MICRO := --locked --manifest-path benches/Cargo.toml --target-dir target

bench: ## benchmarks, a few minutes each, on an idle machine (docs/performance.md)
	$(BENCH) side_by_side
	$(BENCH) footprint
	$(BENCH) upstream_trouble
	$(BENCH) jobs
	$(BENCH) job_store --package infra-health-micro
	cargo bench --locked --manifest-path benches/Cargo.toml --package infra-health-micro

# As everything else is built for tests: what is to be seen is that the benches work, and a release build takes minutes.
BRIEF := cargo run --quiet $(MICRO)
SUBJECTS := --brief --service target/debug/infra-health
bench-brief: service ## the same for some seconds, to see that they work; the figures mean nothing
	cargo build $(MICRO) --workspace
	$(BRIEF) --bin side_by_side -- $(SUBJECTS) --bare target/debug/bare-hyper
	$(BRIEF) --bin footprint -- $(SUBJECTS) --bare target/debug/bare-hyper
	$(BRIEF) --bin upstream_trouble -- $(SUBJECTS)
	$(BRIEF) --bin jobs -- $(SUBJECTS)
	cargo test --quiet $(MICRO) --workspace
	$(BRIEF) --package infra-health-micro --bin allocations
	JOB_STORE_EVENTS=3000 $(BRIEF) --package infra-health-micro --bin job_store

ci: ## everything
	.ci/run

fetch: ## all downloads of crates
	cargo fetch --locked
	cargo fetch --locked --manifest-path benches/Cargo.toml

# Hardly optimised: it runs for a second, and compiles in half the time.
tools:
	cargo deny --version 2>/dev/null | grep -qx "cargo-deny $(CARGO_DENY)" || \
	  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	  cargo install --locked --quiet --force --version $(CARGO_DENY) cargo-deny
