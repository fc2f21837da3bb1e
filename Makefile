# The project's commands; `.ci/run` runs these very targets.

# Pinned, so that a new release of the tool breaks nobody's build unasked.
CARGO_DENY := 0.20.2
SCRIPTS := .ci/run deploy/image/prove deploy/image/inside tests/page/prove

.PHONY: all fmt clippy doc test page deny shell image ci tools fetch bench

all: fmt clippy doc test

fmt: ## formatting
	cargo fmt --all --check

clippy: ## lints, warnings are errors
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --manifest-path benches/Cargo.toml --workspace --all-targets -- -D warnings

doc: ## documentation, broken links are errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

test:
	cargo test

page: ## the status page in a real browser; chromium, node 20, npm
	tests/page/prove

deny: tools ## licences, bans and sources of dependencies (deny.toml)
	cargo deny --locked check bans licenses sources

shell: ## lints of the scripts (Debian's package shellcheck)
	shellcheck $(SCRIPTS)

image: ## builds and proves the image without a registry; root, Debian
	deploy/image/prove

bench: ## benchmarks, a few minutes each (docs/performance.md); no part of ci
	cargo run --release --locked --manifest-path benches/Cargo.toml --bin side_by_side
	cargo run --release --locked --manifest-path benches/Cargo.toml --bin upstream_trouble

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
