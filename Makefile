# The targets of a developer's day and of CI. `make up` works on a bare machine with Python 3.11+ and make.
PYTHON ?= python3
BOOTSTRAP = $(PYTHON) governance/embedded/bootstrap.py
RUN = .venv/bin/python
PYTEST = $(RUN) -m pytest -q $(PYTEST_ARGS)

.PHONY: help up down status logs reset install test test-slow test-timescale check chaos discovery-figures bench bench-timescale

help:
	@echo "up down status logs reset | test test-slow test-timescale check chaos discovery-figures bench bench-timescale"

up down status logs reset:
	@$(BOOTSTRAP) $@

install:
	@$(BOOTSTRAP) install dev

# Servers of the suite's own, on free ports in a temporary folder: tests/servers.py.
test: install
	$(PYTEST) -n 2 -m "not slow"

# pytest ends with 5 when nothing is marked: here, and only here, that is no failure.
test-slow: install
	$(PYTEST) -m slow || test $$? -eq 5

# Tests marked `timescale` and the schema catalog's, on a real TimescaleDB that is built and cached under var/.
test-timescale: install
	$(RUN) -m tests.timescale build
	TEST_POSTGRES=timescale $(PYTEST)

check: install
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy apps governance
	.venv/bin/lint-imports
	if [ -d templates ]; then .venv/bin/djlint --quiet --lint templates; fi
	# No database is asked: that it can't be is the warning that is left out.
	$(RUN) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(RUN) manage.py check
	set -a; . .ci/production.env; $(RUN) manage.py check --deploy --fail-level WARNING

# Every fault of an action ten times over, as a table; ROUNDS=1 for once.
chaos: install
	$(RUN) -m tests.chaos.action_faults --rounds $(or $(ROUNDS),10)

# A hundred thousand resources over fifty accounts through discovery, with a storm and a kill; some three minutes.
discovery-figures: install
	$(RUN) -m tests.chaos.large_discovery --accounts $(or $(ACCOUNTS),50) --each $(or $(EACH),2000)

# BENCH="--quick", BENCH="policy_hits --rows 100000", BENCH=--list: see benchmarks/run.py.
bench: install
	@$(RUN) benchmarks/run.py $(BENCH)

# The same on a real TimescaleDB, of what differs there: the hypertable beside a plain table.
bench-timescale: install
	$(RUN) -m tests.timescale build
	TEST_POSTGRES=timescale $(RUN) benchmarks/run.py $(or $(BENCH),costs_hypertable)
