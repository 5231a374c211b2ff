# Ringpost. `make` alone lists the commands; nothing here needs root.

SHELL := /bin/sh
# Postfix's programs are there, also for who became root by a plain `su`, which keeps the PATH that it finds.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
unexport PYTHONDONTWRITEBYTECODE # else all of our code is compiled anew at each start of each command
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
INSTALLED := $(VENV)/.installed
COMPILE := uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" -q --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos check format bench docs screenshots messages mail-servers lock clean

help: ## List these commands
	@awk 'BEGIN { FS = ":.*## "; print "Usage: make COMMAND [ARGS=...]\n" } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## Make .venv with the ringpost command in it (again only when the lock file changed)
	@echo "Ready: $(BIN)/ringpost --help"

$(INSTALLED): requirements/dev.lock pyproject.toml tools/setup.sh
	@sh tools/setup.sh $(VENV)
	@touch $@

demo: $(INSTALLED) ## Show it all: a phone system's events become mails you can read in the browser (ARGS=--once: and exit)
	@$(BIN)/ringpost demo $(ARGS)

test: $(INSTALLED) ## Run the tests (ARGS="tests/journeys -k demo": some of them)
	@$(BIN)/python -m tools.mail_servers
	@$(BIN)/python -m tools.browser
	@$(BIN)/python -m tools.curl
	@$(BIN)/pytest -n auto $(ARGS)

chaos: $(INSTALLED) ## Kill, stop, fill and lie at random for an hour; nothing may be lost (ARGS="--minutes 5 --database postgresql")
	@$(BIN)/python -m chaos $(ARGS)

check: $(INSTALLED) ## Run all that reads the code: format, lint, types, import rules, generated docs, known vulnerabilities
	@sh tools/check.sh $(BIN)

format: $(INSTALLED) ## Format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## Measure beside others and write docs/performance.md (ARGS=full: longer; ARGS=path: one part)
	@$(BIN)/python -m bench $(ARGS)

docs: $(INSTALLED) ## Write the pages of docs/ that are made from the code
	@$(BIN)/python tools/docs.py

screenshots: $(INSTALLED) ## Take pictures of every page of the console into docs/screenshots/ (ARGS=/system/health: of one)
	@$(BIN)/python -m tools.browser
	@$(BIN)/python -m tools.screenshots $(ARGS)

messages: $(INSTALLED) ## Extract the console's texts for translation, and lay them into each language's file
	@$(BIN)/python tools/messages.py

mail-servers: $(INSTALLED) ## Write docs/mail-servers.md: every setting tried on real mail servers (root on Debian)
	@$(BIN)/python -m tools.mail_servers
	@$(BIN)/python tools/mail_server_table.py

lock: ## Resolve the dependencies anew into requirements/*.lock (needs uv; ARGS=--upgrade: take newer ones)
	$(COMPILE) $(ARGS) -o requirements/runtime.lock
	echo 'hatchling>=1.28' | uv pip compile - --universal --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" -q --python-version 3.11 $(ARGS) -o requirements/build.lock
	$(COMPILE) $(ARGS) --extra telemetry -c requirements/runtime.lock -o requirements/telemetry.lock
	$(COMPILE) $(ARGS) --extra dev -o requirements/dev.lock
	$(subst pyproject.toml,requirements/bench.in,$(COMPILE)) $(ARGS) -o requirements/bench.lock

clean: ## Remove .venv and all caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
