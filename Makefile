# The commands people type. Each sets up what it needs inside this folder, from locks; nothing is installed globally.

# The Python that the functions run on, where it is installed and works; any from 3.11 on will do.
USABLE := import ensurepip, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.13 python3 python3.14 python3.12 python3.11 /usr/bin/python3; do \
	"$$python" -I -c '$(USABLE)' 2>/dev/null && echo "$$python" && break; done)
CONTEXT ?=
STACK ?=

# A shell's variables for Python are about other programs. Text is UTF-8, whatever the locale.
unexport $(filter PYTHON%,$(.VARIABLES)) VIRTUAL_ENV
export PYTHONNOUSERSITE := 1
export PYTHONUTF8 := 1
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := 1

# What the CDK keeps stays in this folder. What uv, pip and npm keep does where there is no home that can be written.
export JSII_RUNTIME_PACKAGE_CACHE_ROOT := $(CURDIR)/.local/jsii
export CDK_HOME := $(CURDIR)/.local/cdk
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.local/cache
export npm_config_cache := $(CURDIR)/.local/cache/npm
endif

VENV := .venv/installed
TESTS := .venv/installed-tests
BENCH := .venv/installed-bench
NODE := node_modules/installed
NODE_TESTS := node_modules/installed-tests
ENGINE := .local/dynamodb-local
NPM := npm ci --loglevel=error --no-audit --no-fund >/dev/null
NPM_FAILED := { echo "error: npm could not install what package-lock.json names; check the network" >&2; exit 1; }

.PHONY: help demo shop chat url token rotate-key kick export erase terminal smoke test soak bench capacity synth diff deploy watch destroy docs pictures lock clean

help:
	@echo "make demo                 deploy to an emulator on this machine, hold a conversation, stop"
	@echo "make shop                 deploy the sample shop to an emulator, a CDK app with the chat in it, tell its story, stop"
	@echo "make chat                 deploy to an emulator on this machine and keep it running"
	@echo "make url                  the address of what \`make chat\` keeps running, for a WebSocket client"
	@echo "make token USER=alice     a connection token for that; with STACK=... for a stack on AWS"
	@echo "make rotate-key STACK=... a new key to sign tokens with; RETIRE=now retires the old one at once, and ends all connections"
	@echo "make kick USER=alice      end all connections of a user, and let them back in after an hour (MINUTES=60); STACK=... on AWS"
	@echo "make export USER=alice    all that is kept of a user, as alice.jsonl; STACK=... on AWS"
	@echo "make erase USER=alice     remove the text of all that a user wrote, and whatever else is kept of them; STACK=... on AWS"
	@echo "make smoke [STACK=...]    the demo's conversation on what \`make chat\` keeps running, or on a stack on AWS: PASS or FAIL"
	@echo "make terminal USER=alice  a full-screen client, on what \`make chat\` keeps running"
	@echo "make test                 all checks and tests; make soak: the long ones"
	@echo "make synth | diff | deploy | destroy [STAGE=prod] [CONTEXT='retentionDays=90']     the CDK, on AWS, by stages.toml"
	@echo "make watch [STAGE=dev]    deploys each change to a throwaway stage on AWS as it is saved"
	@echo "make bench                measure cost, cold start and latency; writes docs/performance.md"
	@echo "make capacity [USERS=1000000 MESSAGES_PER_DAY=20 DEVICES=2 CHATS=50]   what they cost a month, and which quotas they reach"
	@echo "make docs                 the protocol as a page, .local/docs/index.html"
	@echo "make pictures             take the pictures in the README again: of the real page on the emulator, and of the terminal"
	@echo "make lock                 write the locks anew, after a change to a requirements.in"
	@echo "make clean                remove what the other targets made"

demo: $(VENV) $(NODE)
	@python -m local demo

shop: $(VENV) $(NODE)
	@python -m local shop

chat: $(VENV) $(NODE)
	@python -m local chat

url: $(VENV)
	@python -m local url

# What is typed may be somebody else's text, a user id in a script: it goes to the programs as it is, in the environment,
# and neither make nor the shell reads it. USER is in most environments already; only one that was typed counts.
export TYPED_USER := $(if $(filter command,$(origin USER)),$(value USER))
export TYPED_STACK := $(value STACK)
export TYPED_URL := $(if $(filter command,$(origin URL)),$(value URL))
export TYPED_MINUTES := $(value MINUTES)
export TYPED_TOKEN_IN := $(if $(filter command,$(origin TOKEN_IN)),$(value TOKEN_IN))
export TYPED_CONTEXT := $(value CONTEXT)
export TYPED_STAGE := $(if $(filter command,$(origin STAGE)),$(value STAGE))
unexport STACK URL STAGE MINUTES CONTEXT CONFIRM RETIRE TOKEN_IN $(if $(filter command,$(origin USER)),USER)

# make takes stage=prod for a variable of its own, and would deploy the stage dev.
MISTYPED := $(foreach name,$(filter $(addsuffix %,a b c d e f g h i j k l m n o p q r s t u v w x y z),$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name)))
ifneq ($(strip $(MISTYPED)),)
TYPED := $(firstword $(MISTYPED))
MEANT := $(patsubst $(TYPED)/%,%,$(filter $(TYPED)/%,context/CONTEXT python/PYTHON retire/RETIRE stack/STACK url/URL user/USER))
$(if $(MEANT),$(error it is $(MEANT)=..., in capitals, not $(TYPED)=...))
$(error $(TYPED)=... is not for make; give it in CONTEXT: make deploy CONTEXT="$(TYPED)=$(value $(TYPED))")
endif

token: $(VENV)
	@test -n "$$TYPED_USER" || { echo "error: say whose token: make token USER=alice" >&2; exit 2; }
	@python -m local token $${TYPED_STACK:+--stack="$$TYPED_STACK"} -- "$$TYPED_USER"

# RETIRE=now also ends the key before, every token that it signed, and all connections.
rotate-key: $(VENV)
	@test -n "$$TYPED_STACK" || { echo "error: say whose key: make rotate-key STACK=Parley-prod" >&2; exit 2; }
	$(if $(filter-out now,$(value RETIRE)),@echo "error: RETIRE can be now and nothing else; nothing was rotated" >&2; exit 2)
	@python -m local rotate-key $(if $(filter now,$(value RETIRE)),--retire) -- "$$TYPED_STACK"

# MINUTES=0 lets the user in again.
kick: $(VENV)
	@test -n "$$TYPED_USER" || { echo "error: say whom: make kick USER=alice" >&2; exit 2; }
	@python -m local.users $${TYPED_STACK:+--stack="$$TYPED_STACK"} $${TYPED_MINUTES:+--minutes="$$TYPED_MINUTES"} kick -- "$$TYPED_USER"

export: $(VENV)
	@test -n "$$TYPED_USER" || { echo "error: say whose: make export USER=alice" >&2; exit 2; }
	@python -m local.users $${TYPED_STACK:+--stack="$$TYPED_STACK"} export -- "$$TYPED_USER"

# CONFIRM=yes answers what would be asked, where nobody is there.
erase: $(VENV)
	@test -n "$$TYPED_USER" || { echo "error: say whom: make erase USER=alice" >&2; exit 2; }
	@python -m local.users $${TYPED_STACK:+--stack="$$TYPED_STACK"} $(if $(filter yes,$(value CONFIRM)),--confirmed) erase -- "$$TYPED_USER"

# URL=wss://... is for a domain of your own, TOKEN_IN=header or subprotocol for a stack that reads the token there.
smoke: $(VENV)
	@python -m local smoke $${TYPED_STACK:+--stack="$$TYPED_STACK"} $${TYPED_URL:+--url="$$TYPED_URL"} $${TYPED_TOKEN_IN:+--token-in="$$TYPED_TOKEN_IN"}

terminal: $(VENV)
	@test -n "$$TYPED_USER" || { echo "error: say who you are: make terminal USER=alice" >&2; exit 2; }
	@python -m clients.terminal --user="$$TYPED_USER"

test: $(TESTS) $(NODE_TESTS) $(ENGINE)
	ruff check .
	ruff format --check --quiet .
	mypy .
	pytest -n 3 -m "not soak"

soak: $(TESTS) $(NODE_TESTS) $(ENGINE)
	pytest -m soak --timeout 3600

# CONFIRM=yes answers what would be asked, where nobody is there.
synth diff deploy watch destroy: $(VENV) $(NODE)
	@python -m local.cdk $@ $${TYPED_STAGE:+--stage="$$TYPED_STAGE"} $(if $(filter yes,$(value CONFIRM)),--confirmed) -- "$$TYPED_CONTEXT"

bench: $(BENCH) $(NODE_TESTS) $(ENGINE)
	@python -m bench

capacity: $(VENV)
	@python -m bench.capacity

docs: $(VENV)
	@python -m tools.docs

# Tests of how the page and the terminal look take pictures; the README shows three of them.
pictures: $(TESTS) $(NODE_TESTS) $(ENGINE)
	pytest -q -n 0 tests/browser/test_looks.py -k "customer and (desktop-light or phone-dark)"
	cp .local/screenshots/a-page-for-a-customer-desktop-light-conversation.png docs/pictures/page.png
	cp .local/screenshots/a-page-for-a-customer-phone-dark-conversation.png docs/pictures/phone.png
	pytest -q -n 0 tests/terminal/test_looks.py -k customer
	cp .local/screenshots/terminal.svg docs/pictures/terminal.svg

clean:
	rm -rf .venv node_modules .local cdk.out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: $(VENV)
	@python -m tools.lock

$(VENV): requirements.txt
	@"$(PYTHON)" -I -c '$(USABLE)' 2>/dev/null || { echo "error: Python 3.11 or newer is required, with ssl, venv and ensurepip (on Debian: apt install python3-venv); name one: make PYTHON=python3.13 ..." >&2; exit 1; }
	@echo "Installing what requirements.txt pins into .venv (about 550 MB, once)" >&2
	@"$(PYTHON)" -I tools/environment.py requirements.txt
	@touch $@

$(TESTS): $(VENV) tests/requirements.txt
	@echo "Installing what tests/requirements.txt pins into .venv (about 350 MB, once)" >&2
	@.venv/bin/python -I tools/environment.py --add tests/requirements.txt
	@touch $@

$(BENCH): $(TESTS) bench/requirements.txt
	@echo "Installing what bench/requirements.txt pins into .venv (once)" >&2
	@.venv/bin/python -I tools/environment.py --add bench/requirements.txt
	@touch $@

$(NODE): package.json package-lock.json $(VENV)
	@echo "Installing the CDK's command line into node_modules (about 30 MB, once)" >&2
	@$(NPM) --omit=dev || $(NPM_FAILED)
	@touch $@

$(NODE_TESTS): package.json package-lock.json $(VENV)
	@echo "Installing the CDK's command line and what the tests need into node_modules (about 110 MB, once)" >&2
	@$(NPM) --include=dev || $(NPM_FAILED)
	@touch $(NODE) $@

# Without Java the tests that need it are skipped, and say so.
$(ENGINE): $(VENV)
	@python -m tools.dynamodb_local
