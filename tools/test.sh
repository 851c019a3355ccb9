#!/usr/bin/env bash
# Sets up, then checks everything: native libraries, lint, format, import floors, house rules and all
# tests. Where a C++ compiler or nvcc works, its library must have been built.
# Arguments go to pytest (tools/test.sh -k metric). GFLA_TEST_PROCESSES: parallel test processes (default 2).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/setup.sh

say() { echo "[test] $*"; }
bin=.venv/bin
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

say "native libraries"
"$bin/python" -m native_build --require
say "ruff check"
"$bin/ruff" check .
say "ruff format --check"
"$bin/ruff" format --check .
say "import floors (lint-imports)"
PYTHONPATH=. "$bin/lint-imports" --config setup.cfg --no-cache
say "pytest (house rules among the tests)"
"$bin/python" -m pytest -n "${GFLA_TEST_PROCESSES:-2}" --dist worksteal --durations 15 "$@"
say "all passed"
