# What a person types. `make` alone lists it.
.DEFAULT_GOAL := help
.SUFFIXES:

export APS_HOME ?= $(CURDIR)/.aps
export REPO
VENV := .venv/bin

# The first Python that is new enough; where none is, install.py says so of the one that is there.
ifndef PYTHON
PYTHON := $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && exit; \
	done; echo python3)
endif

.PHONY: help
help: ## list the targets
	@echo "make TARGET, where TARGET is one of:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name text; do \
		printf '  %-15s %s\n' "$$name" "$$text"; done
	@echo "make run REPO=path improves a project of your own (quote a path with spaces)."

.PHONY: setup
setup: ## install what running needs into .venv (nothing is done twice)
	@"$(PYTHON)" requirements/install.py runtime

.PHONY: setup-test
setup-test:
	@"$(PYTHON)" requirements/install.py test

.PHONY: run
run: setup ## improve a real project once and show the result; REPO=path for your own
	@"$(VENV)/aps" improve "$${REPO:-sdist:toolz==1.2.0}"

.PHONY: test
test: setup-test sandbox browser ## run the tests of every part, with real servers, sandboxes and browser
	@"$(VENV)/python" -m pytest -q -m "not long" $(SPREAD) --ignore tests/acceptance tests

.PHONY: test-acceptance
test-acceptance: setup-test sandbox ## run whole cycles by the command, as a person does, and attacks on them
	@"$(VENV)/python" -m pytest -q -m "not long" $(SPREAD) tests/acceptance

.PHONY: test-long
test-long: setup-test sandbox ## run the longest tests: many kills, every change of a real project taken back
	@"$(VENV)/python" -m pytest -q -m long $(SPREAD) tests

# A worker for each core, each with servers of its own; a file's tests stay together, as they share what they made.
# Files begin in the order of their names.
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Both sandboxes are tested. Only root can install the missing one, and only where apt is.
.PHONY: sandbox
sandbox:
	@if command -v bwrap >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "test: installing bubblewrap, one of the two sandboxes"; \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends bubblewrap; } >.venv/apt.log 2>&1 \
			|| echo "test: bubblewrap could not be installed (.venv/apt.log); its tests will say so"; \
	else echo "test: bubblewrap is missing and only root can install it; its tests will say so"; fi

# Pages are tested in the browser that Debian and Ubuntu have; it is installed as the sandbox is.
.PHONY: browser
browser:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "test: installing chromium, the browser that pages are tested in"; \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } >.venv/apt-browser.log 2>&1 \
			|| echo "test: chromium could not be installed (.venv/apt-browser.log); its tests will say so"; \
	else echo "test: chromium is missing and only root can install it; its tests will say so"; fi

.PHONY: screenshots
screenshots: setup-test sandbox browser ## photograph every page of a system that improved a small project
	@"$(VENV)/python" -m tests.screenshots docs/screenshots

.PHONY: check
check: setup-test ## format, lint, types, import rules, generated files, fast tests
	@echo "check: format"; "$(VENV)/ruff" format --check .
	@echo "check: lint"; "$(VENV)/ruff" check .
	@echo "check: types"; "$(VENV)/mypy"
	@echo "check: import rules"; "$(VENV)/lint-imports" --no-cache --no-logo
	@echo "check: generated files"; "$(VENV)/python" -m services.documents.generate --check
	@"$(VENV)/python" -m events.rights | cmp - nats/users.conf \
		|| { echo "write it anew: $(VENV)/python -m events.rights >nats/users.conf" >&2; exit 1; }
	@echo "check: fast tests"; "$(VENV)/python" -m pytest -x -q

.PHONY: cover
cover: setup-test sandbox browser ## run all tests and measure which of our lines they reach
	@rm -f .coverage .coverage.*
	@"$(VENV)/coverage" run -m pytest -q -m "slow or not slow" tests
	@"$(VENV)/coverage" combine -q && "$(VENV)/coverage" report

.PHONY: bench
bench: setup-test ## measure speed; one JSON object a line
	@for each in tests/benchmarks/*.py; do "$(VENV)/python" "$$each" || exit 1; done

.PHONY: lock
lock: setup ## choose package versions anew and write requirements/*.txt
	@"$(VENV)/python" -m pip install -q --disable-pip-version-check uv
	@"$(VENV)/uv" pip compile pyproject.toml $(LOCK) -o requirements/runtime.txt
	@"$(VENV)/uv" pip compile pyproject.toml --group test -c requirements/runtime.txt $(LOCK) -o requirements/test.txt

# One lock for every Python from 3.11 and every platform; no address of an index in it.
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links
