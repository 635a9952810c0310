# Needs Python 3.11 or later, make and a network; all else goes into .venv, from requirements.lock.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help lab test lint bench fuzz lock notebooks clean python \
        test-unit test-notebooks test-browser

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Doubly quiet: the lock leaves pip nothing to choose, so its warnings are about the machine's set-up.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
NOTEBOOK := notebooks/00_quickstart.ipynb
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# Sets the shell variable `python`. Each candidate is run, not only looked up: a version manager's
# shim exists for versions that are not active.
define find_python
python=; seen=; \
for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	version=$$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue; \
	seen="$$seen $$candidate ($$version)"; \
	case $$version in 3.1[1-9]|3.[2-9][0-9]) python=$$candidate; break ;; esac; \
done; \
if [ -z "$$python" ]; then \
	echo "Python 3.11 or later is needed. Found:$${seen:- none}. Install it, or say make PYTHON=/path/to/python3.11" >&2; \
	exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	echo "$$python cannot make virtual environments (it lacks ensurepip). On Debian or Ubuntu: apt-get install python3-venv" >&2; \
	exit 1; \
fi
endef

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done
	@echo "  Variables: PYTHON=python3.12  LAB_ARGS='--port 9000'  PYTEST_ARGS='-k ledger'  LOCK_ARGS=--upgrade  CHROMIUM=/path"

lab: $(STAMP) ## Open JupyterLab on the quickstart (prints its address; no display is needed)
	@echo "==> JupyterLab on $(NOTEBOOK); stop it with Ctrl-C"
	@set --; \
	[ "$$(id -u)" != 0 ] || set -- --ServerApp.allow_root=True; \
	[ -n "$$DISPLAY$$WAYLAND_DISPLAY$$BROWSER" ] || [ "$$(uname)" = Darwin ] || set -- "$$@" --no-browser; \
	exec $(BIN)/jupyter lab --LabApp.default_url=/lab/tree/$(NOTEBOOK) \
		--LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate "$$@" $(LAB_ARGS)

test: lint ## Lint, unit and property tests, doctests, notebooks, browser
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-notebooks
	@$(MAKE) --no-print-directory test-browser

test-unit: $(STAMP)
	@echo "==> Unit tests, property tests, doctests"
	@$(BIN)/pytest -n 2 -m "not browser" $(PYTEST_ARGS)

# A fresh data folder: a notebook must give the same on a machine that has never run one.
test-notebooks: $(STAMP)
	@echo "==> Notebooks: every stored output against a fresh run"
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && XDG_DATA_HOME="$$data" \
		$(BIN)/pytest --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg notebooks/

test-browser: $(STAMP)
	@if [ -n "$(CHROMIUM)" ]; then \
		echo "==> Browser tests with $(CHROMIUM)"; \
		CHROMIUM="$(CHROMIUM)" $(BIN)/pytest -m browser tests/browser; \
	elif [ "$$CI" = true ]; then \
		echo "==> Browser tests need Chromium, and CI may not skip them" >&2; exit 1; \
	else \
		echo "==> SKIPPED: browser tests. Chromium was not found. Install it (Debian: apt-get install chromium) or say make test CHROMIUM=/path/to/chrome"; \
	fi

lint: $(STAMP) ## Ruff (rules and format) and mypy
	@echo "==> Ruff"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@echo "==> Mypy"
	@$(BIN)/mypy

bench: $(STAMP) ## Measure speed (never part of the tests)
	@echo "==> Benchmarks"
	@$(BIN)/pytest -s tests/benchmarks $(PYTEST_ARGS)

fuzz: $(STAMP) ## Break files for ten minutes and have them read
	@echo "==> Broken files, ten minutes"
	@$(BIN)/python tests/fuzz/readers.py --seconds 600

# Widget state is left out, since it stores megabytes per live figure and nothing reads it back;
# timings are left out, since they change at each run.
notebooks: $(STAMP) ## Run every notebook and store its outputs
	@data=$$(mktemp -d) && trap 'rm -rf "$$data"' EXIT && for notebook in notebooks/*.ipynb; do \
		echo "==> Running $$notebook"; \
		XDG_DATA_HOME="$$data" $(BIN)/jupyter nbconvert --log-level WARN --to notebook --execute --inplace \
			--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.record_timing=False \
			"$$notebook" || exit 1; \
	done

lock: ## Solve pyproject.toml again into requirements.lock
	@$(find_python); \
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	echo "==> Solving into requirements.lock, in a throwaway environment" && \
	"$$python" -m venv "$$tools" && \
	"$$tools/bin/pip" -qq --disable-pip-version-check install uv && \
	"$$tools/bin/uv" pip compile pyproject.toml --all-extras --group build \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock $(LOCK_ARGS) >/dev/null

clean: ## Remove .venv, caches and build products
	@echo "==> Removing .venv, caches and build products"
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	@find fedlab tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} + 2>/dev/null || true

python:
	@$(find_python); echo "$$python"

# Wheels only, by hash, without resolving: what installs is what the lock says and nothing of it is
# run meanwhile. The build backend is locked too, so the last step needs no network.
$(STAMP): pyproject.toml requirements.lock
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		$(find_python); \
		echo "==> Making $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV); \
	fi
	@echo "==> Installing the locked packages into $(VENV) (about 2 GB; some minutes the first time)"
	@$(PIP) install --no-deps --only-binary :all: --require-hashes -r requirements.lock
	@echo "==> Installing fedlab itself"
	@$(PIP) install --no-deps --no-build-isolation -e .
	@faults=$$($(BIN)/python -m pip check 2>&1) || { echo "$$faults" >&2; exit 1; }
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@printf '%s\n' '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
		> $(VENV)/share/jupyter/lab/settings/overrides.json
	@touch $@
