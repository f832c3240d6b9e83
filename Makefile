# Every task of the house. Needed beforehand: Python 3.11 or later and make; the rest is fetched into .venv
# by hash. ARGS goes to the program that a task runs: make demo ARGS=--once, make test ARGS="-k trace".
# Limits of tests follow the load of the machine; TEST_PATIENCE=3 triples them on a slow one (tests/patience.py).
# Their temporary files are in memory if there is room; TMPDIR=/tmp puts them on the disk (tests/folders.py).

UV_VERSION := 0.13.9
PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS ?=

BIN := .venv/bin
UV := VIRTUAL_ENV=.venv $(BIN)/uv
GRAPHIQL := api/static/graphiql/index.html
CLIENTS := web/clients/node_modules/.package-lock.json web/clients/.venv/.made

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SILENT:
.PHONY: help demo sim test test-s3 ceph check fmt lock bench sdl reference messages graphiql clients clean postgresql-15 chromium kill restarts outage faults strace gcc iproute2

help: ## List these tasks
	awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.run $(GRAPHIQL) ## Run a hub and three plants through a year of work (ARGS=--once: end by itself)
	$(BIN)/batchloom demo $(ARGS)

test: .venv/.dev $(GRAPHIQL) $(CLIENTS) postgresql-15 chromium strace gcc iproute2 ## Run the tests on real stores, brokers and browsers
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-s3: .venv/.dev ceph ## Run the contract of the archive on a folder, on moto and on Ceph's S3 gateway
	WITH_CEPH=1 $(BIN)/pytest -q tests/infra/test_objects.py $(ARGS)

check: .venv/.dev ## Check format, lint, types, the direction of imports and unused code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.house.unused_code

fmt: .venv/.dev ## Format the code and mend what can be mended
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

lock: .venv/.uv-$(UV_VERSION) ## Pin the dependencies again (ARGS=--upgrade: to their newest versions)
	$(COMPILE) --group dev $(ARGS) --output-file requirements.lock
	$(COMPILE) --constraints requirements.lock $(ARGS) --output-file run.lock
	$(COMPILE_CLIENTS) $(ARGS) --output-file web/clients/requirements.lock

kill: .venv/.dev postgresql-15 ## Kill everything again and again while people write (ARGS="--cycles 500 --seed 7")
	$(BIN)/python -m tests.campaigns.kill $(ARGS)

restarts: .venv/.dev postgresql-15 ## Kill a hub each minute, and see that its periodic work is done (ARGS="--minutes 10")
	$(BIN)/python -m tests.campaigns.restarts $(ARGS)

outage: .venv/.dev ## Take worker, broker and archive away for an hour while people write (ARGS="--minutes 60")
	$(BIN)/python -m tests.campaigns.outage $(ARGS)

faults: .venv/.dev postgresql-15 strace gcc iproute2 ## Run the tests with disks, clocks, networks and processes of their own
	$(BIN)/pytest $(addprefix tests/scenarios/test_,kills.py nth_failure.py outage.py partition.py *_faults.py) $(ARGS)

sim: .venv/.dev ## Simulate the group under seeded faults (ARGS="--seeds 1000", ARGS="--planted all")
	$(BIN)/batchloom sim $(ARGS)

bench: .venv/.dev ## Measure each published claim against its rival (ARGS="plant_write --rounds 3", ARGS=--help)
	$(BIN)/python -m benchmarks $(ARGS)

sdl: .venv/.run ## Print the GraphQL schemas to schema/*.graphql
	$(BIN)/batchloom sdl --write $(ARGS)

reference: .venv/.run ## Write the generated reference pages to docs/reference/
	$(BIN)/batchloom reference --write

messages: .venv/.dev ## Collect the texts to translate into infra/locale
	$(BIN)/python -m infra.catalogue

graphiql: $(GRAPHIQL) ## Build the GraphiQL page

clients: $(CLIENTS) ## Install the generators of typed clients

clean: ## Remove what was built and cached (.venv and the homes of demo nodes stay)
	rm -rf build dist api/static web/*/node_modules web/clients/.venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# The environment, in three stamps: the installer, what runs, and what tests.
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate --all-extras pyproject.toml
COMPILE_CLIENTS := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate web/clients/requirements.in
INSTALL := $(UV) pip install --quiet --no-deps --no-build-isolation --editable .

.venv/.uv-$(UV_VERSION):
	echo "Making .venv with $(PYTHON)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	touch $@

# An environment that already tests keeps what it has.
.venv/.run: run.lock pyproject.toml .venv/.uv-$(UV_VERSION)
	echo "Installing what Batchloom runs on"
	$(UV) pip sync --quiet --require-hashes $(if $(wildcard .venv/.dev),requirements.lock,run.lock)
	$(INSTALL)
	touch $@

.venv/.dev: requirements.lock run.lock pyproject.toml .venv/.uv-$(UV_VERSION)
	echo "Installing what Batchloom runs on and is tested with"
	$(UV) pip sync --quiet --require-hashes requirements.lock
	$(INSTALL)
	touch .venv/.run $@

# Pages are built with the system's node where it is new enough, else with the one in .venv.
NODE_IS_NEW := const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)
WITH_NODE := node -e '$(NODE_IS_NEW)' 2>/dev/null || PATH="$(CURDIR)/$(BIN):$$PATH"; cd web/graphiql &&

web/graphiql/node_modules/.package-lock.json: web/graphiql/package.json web/graphiql/package-lock.json | .venv/.run
	echo "Fetching what GraphiQL is built from"
	$(WITH_NODE) npm ci --silent --no-audit --no-fund --no-update-notifier

$(GRAPHIQL): web/graphiql/node_modules/.package-lock.json $(wildcard web/graphiql/*.html web/graphiql/*.ts web/graphiql/src/* web/graphiql/public/*)
	echo "Building GraphiQL"
	$(WITH_NODE) npm run --silent build
	touch $@

# Generators of typed clients, with Node.js from its wheel. Python's need other versions than a node runs on.
web/clients/node_modules/.package-lock.json: web/clients/package.json web/clients/package-lock.json | .venv/.run
	echo "Fetching what clients in TypeScript are generated with"
	cd web/clients && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-audit --no-fund --no-update-notifier

web/clients/.venv/.made: web/clients/requirements.lock | .venv/.uv-$(UV_VERSION)
	echo "Fetching what clients in Python are generated with"
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python web/clients/.venv
	VIRTUAL_ENV=web/clients/.venv $(BIN)/uv pip sync --quiet --require-hashes web/clients/requirements.lock
	touch $@

# Debian packages some tests use: $(call debian,package,what is not run without it).
define debian
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing $(1)"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1); } >/dev/null 2>&1 \
			|| echo "NOT RUN: $(2), because $(1) could not be installed"; \
	else \
		echo "NOT RUN: $(2), because $(1) is not installed (only root on Debian lets make install it)"; \
	fi
endef

postgresql-15:
	[ -x /usr/lib/postgresql/15/bin/postgres ] || { $(call debian,postgresql-15,the half of the tests on PostgreSQL 15); }

ceph:
	command -v radosgw >/dev/null || { $(call debian,radosgw ceph-mon ceph-osd ceph-common,the archive on Ceph); }

chromium:
	[ -n "$$CHROMIUM" ] || command -v chromium >/dev/null || { $(call debian,chromium,the tests in a browser); }

strace:
	command -v strace >/dev/null || { $(call debian,strace,the tests of failing disks); }

gcc:
	command -v gcc >/dev/null || { $(call debian,gcc libc6-dev,the tests of wrong clocks); }

iproute2:
	command -v ip >/dev/null || { $(call debian,iproute2,the tests of parted networks); }
