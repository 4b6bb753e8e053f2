# Two commands do everything: make run, make test. Python 3.11 or later is all they need.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
AUDITS := tests/audits/node_modules/.package-lock.json

.PHONY: run test lint format schema lock fuzz bench-timing bench-limits clean

run: .venv/run
	$(BIN)/python main.py serve --demo $(ARGS)

test: .venv/dev $(AUDITS)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --include='gql_app/security/*,gql_app/accounts/*' --fail-under=100

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python main.py export-schema --check

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: .venv/run
	$(BIN)/python main.py export-schema > schema.graphql

# The locks hold hashes for every platform and no download address.
lock: .venv/dev
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade --quiet --extra dev -c requirements.txt \
		pyproject.toml -o requirements-dev.txt

# The fuzzing of the suite with other seeds, as many times over as is wished.
TIMES ?= 20
fuzz: .venv/dev
	FUZZ_TIMES=$(TIMES) $(BIN)/pytest -n $(WORKERS) --dist loadgroup tests/fuzz $(ARGS)

# Whether an answer's time tells which addresses are known.
bench-timing: .venv/dev
	$(BIN)/python -m bench.timing

# How the time before execution grows with a hostile document.
bench-limits: .venv/dev
	$(BIN)/python -m bench.limits

clean:
	rm -rf .venv tests/audits/node_modules .mypy_cache .pytest_cache .ruff_cache .coverage* demo.db*

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

# By the npm and node that come with the Python packages, whatever the machine has.
$(AUDITS): tests/audits/package-lock.json | .venv/dev
	PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix $(<D) ci --silent
	touch $@
