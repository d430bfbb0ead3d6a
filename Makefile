# Every target makes the environment first (scripts/setup.sh); that is quick when there is nothing to do.
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help run test long check bench docs format lock clean page

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

run: $(READY) page ## one manager, two people and a bot on this machine, and a conversation in this terminal
	$(BIN)/telegraph demo

test: check page ## everything but the full counts, in at most 12 minutes
	$(BIN)/python -m pytest -m "not long" --numprocesses 2 --dist loadfile

long: check page ## everything, with the full counts
	TELEGRAPH_EXAMPLES=300 $(BIN)/python -m pytest

check: $(READY) ## style, types, direction of imports, generated pages in step; the same of the page, and its unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@for script in scripts/generate_*.py; do echo "$$script --check"; $(BIN)/python "$$script" --check || exit 1; done
	$(BIN)/python scripts/web.py check

page: $(READY) ## build the web page, if a source of it is newer
	$(BIN)/python scripts/web.py build

bench: $(READY) ## one script per question; each prints medians and ratios
	@for script in bench/*.py; do \
	  echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

docs: $(READY) ## write the generated pages of docs/reference anew
	@for script in scripts/generate_*.py; do echo "$$script"; $(BIN)/python "$$script" || exit 1; done

format: $(READY) ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY) ## choose versions anew within pyproject.toml; hashes yes, names of registries no
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	  --universal --python-version 3.11 --group dev pyproject.toml -o requirements.lock

clean: ## remove the environment, caches and the demo's data
	rm -rf web/node_modules src/telegraph/node/web
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist telegraph-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock scripts/nodejs.lock pyproject.toml scripts/setup.sh
	scripts/setup.sh
