# One command a habit. Each target makes what it needs inside this folder; `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup check check-rooms test test-long fuzz bench bench-full demo serve clean lock format

BIN := .venv/bin
PYTHON_PATHS := attest accounting verifier collectors ledger api tests bench infra/develop
ROOM_PACKAGES := attest/carbonseal_attest accounting/carbonseal_accounting verifier/carbonseal_verifier \
  collectors/carbonseal_collectors ledger/carbonseal_ledger api/carbonseal_api
ROOM_TESTS := tests/accounting tests/attest tests/collectors tests/verifier tests/workspace tests/ledger tests/contracts tests/end_to_end
SERVER_TESTS := tests/api

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## .venv and node_modules from the pinned lists (a second run is instant)
	@bash infra/develop/setup.sh

format: setup ## rewrite the Python files as `make check` wants them
	$(BIN)/ruff check --fix --exit-zero --quiet $(PYTHON_PATHS)
	$(BIN)/ruff format $(PYTHON_PATHS)

check: setup ## format, lint, types, import contracts, docs, contracts' snapshots
	$(BIN)/ruff format --check $(PYTHON_PATHS)
	$(BIN)/ruff check $(PYTHON_PATHS)
	$(BIN)/mypy $(ROOM_PACKAGES)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python infra/develop/check_docs.py
	contracts/check.sh

check-rooms: setup ## install verifier alone and collectors alone, run their tests there
	bash infra/develop/check_rooms.sh

test: setup ## all tests, with a small fixed sample of the long drills, and the contracts' tests
	@mkdir -p .build
	@# Two cores: rooms, ledger, journeys and Forge beside the service. What they said comes after.
	contracts/test.sh >.build/contracts-test.log 2>&1 & forge=$$!; \
	$(BIN)/python -m pytest $(ROOM_TESTS) >.build/room-tests.log 2>&1 & rooms=$$!; status=0; \
	$(BIN)/python -m pytest $(SERVER_TESTS) || status=$$?; \
	wait $$forge || status=1; wait $$rooms || status=1; \
	tail -n 15 .build/contracts-test.log; cat .build/room-tests.log; exit $$status

test-long: setup ## all tests with the long drills in full
	CARBONSEAL_LONG=1 contracts/test.sh
	CARBONSEAL_LONG=1 $(BIN)/python -m pytest tests -m "" --timeout 7200

fuzz: ## fuzz every parser, eight groups (SECONDS=60 each, JOBS=2 at once, GROUPS="cbor note" only those)
	@SECONDS_EACH="$(SECONDS)" JOBS="$(JOBS)" GROUPS_ONLY="$(GROUPS)" bash infra/fuzz/fuzz.sh

bench: setup ## measure; writes bench.json (at most 20 minutes)
	$(BIN)/python bench/run.py

bench-full: setup ## the same at larger sizes (hours)
	$(BIN)/python bench/run.py --full

demo: setup ## the whole journey with its drills, into demo-out
	$(BIN)/carbonseal demo --out demo-out

serve: setup ## the service on this machine; prints its address
	$(BIN)/carbonseal up

lock: ## re-make the lists of pins (UPGRADE=1 takes the newest of everything)
	@bash infra/develop/lock.sh

clean: ## remove what the targets made, environments included; keeps .carbonseal (keys and logs)
	rm -rf .venv .venv-* node_modules .build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf demo-out bench.json contracts/out contracts/cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean: kept .carbonseal, the keys and logs of 'make serve'; remove it by hand if nobody needs them"
