# `make demo` shows the program at work, `make test` runs all checks. Both set up what they need first.
.PHONY: all setup build demo test bench clean
all: build

# The C compiler and libpcap's headers are all that cargo cannot bring.
setup:
	@sh scripts/setup.sh

build: setup
	cargo build --release --locked

demo: build
	@echo; echo '$$ portproof read testdata/demo/*.pcap'
	@target/release/portproof read testdata/demo/*.pcap

test:
	@sh scripts/setup.sh tests
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo test --locked
	@if command -v cargo-deny >/dev/null 2>&1; then cargo deny check; else echo 'cargo-deny is not installed: skipped'; fi

bench: setup
	cargo bench --locked --bench stages --bench recognition
	@bash scripts/bench.sh

clean:
	cargo clean
