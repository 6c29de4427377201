# Weir is built with SwiftPM; this file only names the everyday commands.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps build demo test lint bench bench-micro clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

deps: ## install the missing Debian packages (nothing to do on most runs)
	@.ci/deps

build: deps ## build the release binary, .build/release/weir
	swift build -c release --product weir

demo: build ## run the ingress with three backends and sample traffic; ARGS="--once" ends after a thousand requests
	.build/release/weir demo $(ARGS)

test: deps ## run all tests
	swift test --parallel

lint: ## check the formatting and the documentation of public declarations
	swift format lint --strict --recursive --parallel $(wildcard Sources Tests Benchmarks Fuzz) Package.swift

bench: build ## compare CPU per request and per TLS handshake with a byte relay, nginx, HAProxy and Envoy; ARGS="--rows small"
	@.ci/deps bench
	python3 Benchmarks/macro/bench.py $(ARGS)

bench-micro: deps ## time parsing, route lookup, picks and serialising, and count their allocations; ARGS="parse"
	WEIR_BENCH=1 swift build -c release --scratch-path .build-bench --product weir-bench-micro
	$(CC) -O2 -shared -fPIC -pthread Benchmarks/cost/malloc_count.c -o .build-bench/malloc_count.so
	LD_PRELOAD=$(CURDIR)/.build-bench/malloc_count.so .build-bench/release/weir-bench-micro $(ARGS)

clean: ## remove everything that was built
	rm -rf .build .build-tools .build-tsan .build-asan .build-fuzz .build-bench .build-image .build-peers Benchmarks/results
