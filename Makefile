# The commands people type. Each sets up what it needs below this folder, from exact pins; nothing is installed globally.

PYTHON ?= python3
CONTEXT ?=
STACK ?=

BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

VENV := .venv/installed
NODE := node_modules/installed
ENGINE := .local/dynamodb-local
CONTEXTS := $(addprefix --context ,$(CONTEXT))

.PHONY: help demo chat token terminal test soak bench synth diff deploy destroy docs clean

help:
	@echo "make demo                 deploy to an emulator on this machine, hold a conversation, stop"
	@echo "make chat                 deploy to an emulator on this machine and keep it running"
	@echo "make token USER=alice     a connection token for it; with STACK=... for a stack on AWS"
	@echo "make terminal USER=alice  a full-screen client, on what \`make chat\` keeps running"
	@echo "make test                 all checks and tests; make soak: the long ones"
	@echo "make synth | diff | deploy | destroy [CONTEXT='stage=prod retentionDays=90']     the CDK, on AWS"
	@echo "make bench                measure cost, cold start and latency; writes docs/performance.md"
	@echo "make docs                 the protocol as a page, .local/docs/index.html"
	@echo "make clean                remove what the others made"

demo: $(VENV) $(NODE)
	@python -m local demo

chat: $(VENV) $(NODE)
	@python -m local chat

# USER is in most environments already; only one that was typed counts.
token: $(VENV)
ifneq ($(origin USER),command line)
	@echo "error: say whose token: make token USER=alice" >&2; exit 2
else
	@python -m local token $(if $(STACK),--stack "$(STACK)") -- '$(USER)'
endif

terminal: $(VENV)
ifneq ($(origin USER),command line)
	@echo "error: say who you are: make terminal USER=alice" >&2; exit 2
else
	@python -m clients.terminal --user '$(USER)'
endif

test: $(VENV) $(NODE) $(ENGINE)
	ruff check .
	ruff format --check --quiet .
	mypy .
	pytest -n 3 -m "not soak"

soak: $(VENV) $(NODE) $(ENGINE)
	pytest -m soak --timeout 3600

synth diff deploy destroy: $(VENV) $(NODE)
	cdk $@ $(CONTEXTS)

bench: $(VENV) $(NODE) $(ENGINE)
	@$(BIN)/python -m pip install --quiet --requirement bench/requirements.txt
	@python -m bench

docs: $(VENV)
	@python -m local.docs

clean:
	rm -rf .venv node_modules .local cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ...")'
	@echo "Installing what requirements.txt pins into .venv (a minute or two, once)" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --requirement requirements.txt || { echo "error: pip could not install what requirements.txt names; is the network there?" >&2; exit 1; }
	@touch $@

$(NODE): package.json package-lock.json $(VENV)
	@echo "Installing the CDK's command line into node_modules (seconds, once)" >&2
	@npm ci --loglevel=error --no-audit --no-fund >/dev/null || { echo "error: npm could not install what package-lock.json names; is the network there?" >&2; exit 1; }
	@touch $@

# Without Java the tests that need it are skipped, and say so.
$(ENGINE): $(VENV)
	@python -m local.dynamodb_local
