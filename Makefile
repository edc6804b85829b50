# Journal Collector.  Needs python3 (3.11 or later) and make; everything else is set up here:
# a virtual environment in .venv, and, for the tests only, some Debian packages.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := build/program
CONFIG ?= collector.toml
SLOW := -m slow
FAST := -m "not slow"
SECONDS ?= 600
WORKERS ?= $(shell nproc)
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

# Dovecot lies in /usr/sbin, which is not on an ordinary user's path.
export PATH := $(PATH):/usr/sbin:/sbin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test test-slow check format lint types layers fix corpus faults mutants bench
.PHONY: bench-formats fuzz clean tools compiler ensurepip install deb

help:
	@echo 'make demo       the whole flow on a built-in mailbox; nothing to configure'
	@echo 'make run        the same with your mailbox: put a collector.toml beside the Makefile'
	@echo 'make install    the service, from this checkout, onto this machine (as root)'
	@echo 'make deb        a Debian package for the release it is built on, in dist/'
	@echo 'make test       every test but the slow ones; sets up what it needs, Dovecot included'
	@echo 'make test-slow  the slow ones'
	@echo 'make check      format, lint, types, layers, tests'
	@echo 'make fix        let the formatter and the linter mend what they can'
	@echo 'make faults     kills and failures at every system call, 3,000 power cuts; half an hour'
	@echo 'make mutants    plants mistakes in the program and looks which tests find them; an hour'
	@echo 'make corpus CORPUS=DIR   a whole mail corpus through a real Dovecot, compared'
	@echo 'make bench [BENCH=...]   beside other programs and the limit of this machine'
	@echo 'make fuzz [SECONDS=600]  feeds the message reader until it breaks'
	@echo 'make bench-formats       what taking a message apart costs'

demo: $(VENV)/.runs
	@$(BIN)/collector demo

run: $(VENV)/.runs
	@test -e $(CONFIG) || { \
	  echo 'There is no $(CONFIG) here.  Answer five questions, and it is written:' >&2; \
	  echo '  $(BIN)/collector --config $(CONFIG) init' >&2; \
	  echo 'or see it work without one: make demo' >&2; exit 2; }
	@$(BIN)/collector --config $(CONFIG) run

# With the Python of the system, whose libraries they bring; PYTHON names another.
install deb bench: export PYTHON := $(if $(filter file,$(origin PYTHON)),/usr/bin/python3,$(PYTHON))

install:
	@sh packaging/install.sh $(INSTALL)

deb: ensurepip
	@sh packaging/build-deb.sh

test: $(VENV)/.checks tools
	$(PYTEST) $(FAST)

test-slow: $(VENV)/.checks tools
	$(PYTEST) $(SLOW)

check: format lint types layers test

format: $(VENV)/.checks
	$(BIN)/ruff format --check .

lint: $(VENV)/.checks
	$(BIN)/ruff check .

types: $(VENV)/.checks
	$(BIN)/mypy

layers: $(VENV)/.checks
	$(BIN)/lint-imports

fix: $(VENV)/.checks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

corpus: $(VENV)/.checks tools
	@test -d "$(CORPUS)" || { echo 'Which mail?  make corpus CORPUS=DIR' >&2; exit 2; }
	$(BIN)/python tests/corpus/run_corpus.py "$(CORPUS)"

faults: $(VENV)/.checks tools
	$(BIN)/python tests/faults/run_faults.py

mutants: $(VENV)/.checks tools
	$(BIN)/python tests/faults/run_mutants.py

# As `make install` leaves it: what a developer's environment costs is nobody else's.
bench: ensurepip tools compiler
	@sh packaging/program.sh '' '$(CURDIR)/$(INSTALLED)'
	@$(INSTALLED)/bin/python3 -I -m compileall -q $(INSTALLED)/lib
	$(INSTALLED)/bin/python3 tests/bench/run_bench.py $(BENCH)

fuzz: $(VENV)/.checks
	@$(PIP) install --group fuzz
	$(BIN)/python tests/formats/fuzz_unwrap.py -max_total_time=$(SECONDS)

bench-formats: $(VENV)/.checks
	$(BIN)/python tests/formats/bench_formats.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- setting up -------------------------------------------------------------------------

# How to become root without being asked for a password; empty when that cannot be.
AS_ROOT = $(shell if [ "$$(id -u)" = 0 ]; then echo env; \
  elif sudo -n true 2>/dev/null; then echo sudo -n; fi)
APT_GET = $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300

# $(call install,PACKAGES,WHO NEEDS): Debian packages, or a clear message.
define install
if ! command -v apt-get >/dev/null || [ -z "$(AS_ROOT)" ]; then \
  echo "$(2) some packages that only root can install.  As root, do:" >&2; \
  echo "  apt-get install $(1)" >&2; exit 1; fi; \
echo "$(2) some packages; installing $(1)"; \
$(APT_GET) install --no-install-recommends $(1) >/dev/null 2>&1 || { \
  $(APT_GET) update >/dev/null && \
  $(APT_GET) install --no-install-recommends $(1) >/dev/null; }
endef

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Python 3.11 or later is needed; name it: make PYTHON=python3.12 ...' >&2; exit 1; }
	@echo 'Setting up $(VENV) (once)'
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --without-pip $(VENV) && \
	  $(PYTHON) -m pip --quiet --python $(BIN)/python install pip; \
	else $(call install,python3-venv,$(VENV) needs) && $(PYTHON) -m venv $(VENV); fi

# Editable: the installed command runs this checkout.  The backend's warnings about that are
# for packagers.
PIP = PYTHONWARNINGS=ignore $(BIN)/python -m pip --quiet --disable-pip-version-check

# What the program needs to run, the demonstration's mail server included.
$(VENV)/.runs: pyproject.toml $(BIN)/python
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable '.[demo]'
	@touch $@

# What the checks need besides.
$(VENV)/.checks: pyproject.toml $(VENV)/.runs
	@$(PIP) install --group dev --editable '.[demo,oauth]'
	@touch $@

# Programs that the tests start or compare with.
TOOLS := dovecot strace zstd sqlite3 openssl systemd-analyze
TOOL_PACKAGES := dovecot-imapd dovecot-lmtpd strace zstd sqlite3 openssl systemd

tools:
	@for tool in $(TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	test -x /usr/lib/dovecot/lmtp || missing="$$missing lmtp"; \
	test -z "$$missing" || { $(call install,$(TOOL_PACKAGES),The tests need); }

# For programs that are put together as they are installed.
ensurepip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(call install,python3-venv,Packaging needs); }

# For the benchmark's bare C client.
compiler:
	@{ command -v cc && test -e /usr/include/zstd.h && test -e /usr/include/openssl/ssl.h; } \
	  >/dev/null || { $(call install,gcc libc6-dev libssl-dev libzstd-dev,The benchmark needs); }
