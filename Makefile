# Weir is built with SwiftPM; this file only names the everyday commands.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help deps build demo test lint bench clean

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

bench: build ## compare CPU per request with a byte relay, nginx, HAProxy and Envoy; ARGS="--rows small"
	@.ci/deps bench
	python3 Benchmarks/macro/bench.py $(ARGS)

clean: ## remove everything that was built
	rm -rf .build .build-tsan .build-asan .build-fuzz Benchmarks/results .build-peers
