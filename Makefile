# Everything happens in Python (mechcourse/lab.py, environment.py); this only finds one to run it.

# Options for JupyterLab: make lab LAB_ARGS="--no-browser --port 8899"
LAB_ARGS ?=
# Options for pytest: make test TEST_ARGS="-k release"
TEST_ARGS ?=
# The package index to take torch from, for a CPU or a CUDA build: make lab TORCH_INDEX=https://...
TORCH_INDEX ?=
export TORCH_INDEX

# The first of these that starts and is new enough; choose another with make lab PYTHON=/path/to/it
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python3.14 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { command -v "$$python"; break; }; done)
COURSE = "$(PYTHON)" -m mechcourse

.PHONY: help lab author release test lint verify install doctor python browser

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1: /p' Makefile

lab: python ## open the course in JupyterLab
	@$(COURSE) lab $(LAB_ARGS)

doctor: python ## what is missing, and the command that mends it
	@$(COURSE) doctor

author: python ## JupyterLab for instructors: Formgrader, Create Assignment, Validate
	@$(COURSE) author $(LAB_ARGS)

release: install ## make course/ from solutions/
	@.venv/bin/mechcourse release

lint: install ## ruff
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

test: install browser lint ## every test but the retraining ones
	@.venv/bin/python -m pytest -n 2 -m "not (verify or every)" $(TEST_ARGS)

verify: install ## retrain the shipped models, and try every wrong answer in a worker
	@.venv/bin/python -m pytest -n 2 -m every $(TEST_ARGS)
	@.venv/bin/python -m pytest -m verify $(TEST_ARGS)

install: python ## all that tests and authors need, into .venv
	@$(COURSE) install lab test

python:
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11 or newer, and none was found." \
	"Install one (Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python;" \
	"or python.org), or say where yours is: make lab PYTHON=/path/to/python" >&2; exit 1; }

# The browser tests drive Debian's Chromium. Without it they are skipped, or fail where CI=true.
browser:
	@command -v chromium >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else echo "The browser tests need Chromium: sudo apt install chromium" >&2; fi
