#!/usr/bin/env bash
# Makes .venv in the checkout: the tried versions of requirements/lock.txt and the package itself (editable).
# Run again at will: an unchanged lock is not installed twice, an interrupted set-up starts over.
# pip's own configuration decides where packages come from. PYTHON=... chooses the interpreter.
# The native libraries are built with the package, and again when their sources or torch change
# (native_build/__init__.py lists the environment variables: GFLA_BUILD=none leaves them out).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "[setup] $*"; }
fail() {
    echo "error: $*" >&2
    exit 2
}

case "${GFLA_BUILD:-all}" in
none | cpu | cuda | all) ;;
*) fail "GFLA_BUILD=$GFLA_BUILD: choose none, cpu, cuda or all" ;;
esac

if command -v flock >/dev/null 2>&1; then
    exec 9>.setup.lock
    flock -n 9 || {
        say "another set-up runs in this checkout, waiting for it"
        flock 9
    }
fi

venv=.venv
python="$venv/bin/python"
unfinished="$venv/.unfinished" # there while packages are installed: what is found then is half-made
stamp="$venv/.gfla_video_stamp"
build_stamp="$venv/.gfla_video_build_stamp"
record=gfla_video/ops/_native_build.json

digest() {
    "$1" - "$PWD" requirements/lock.txt <<'PY'
import hashlib
import pathlib
import sys

total = hashlib.sha256(sys.argv[1].encode())
for name in sys.argv[2:]:
    total.update(pathlib.Path(name).read_bytes())
print(total.hexdigest())
PY
}

build_digest() {
    "$1" - setup.cfg setup.py pyproject.toml native_build gfla_video/ops/csrc <<'PY'
import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import sys

total = hashlib.sha256(importlib.metadata.version("torch").encode())
for name in sys.argv[1:]:
    for path in [pathlib.Path(name), *sorted(pathlib.Path(name).rglob("*"))]:
        if path.is_file() and path.suffix != ".pyc":
            total.update(str(path).encode() + path.read_bytes())
for name in ("GFLA_BUILD", "CC", "CXX", "CUDA_HOME", "CUDA_PATH", "TORCH_CUDA_ARCH_LIST"):
    total.update(f"{name}={os.environ.get(name)}".encode())
total.update(str([shutil.which(name) for name in ("g++", "c++", "clang++", "nvcc")]).encode())
print(total.hexdigest())
PY
}

ready=no
if [ -x "$python" ] && [ ! -e "$unfinished" ] && [ -f "$stamp" ] &&
    [ "$(cat "$stamp")" = "$(digest "$python" 2>/dev/null)" ]; then
    ready=yes
fi
if [ "$ready" = yes ] && [ -f "$record" ] && [ -f "$build_stamp" ] &&
    [ "$(cat "$build_stamp")" = "$(build_digest "$python" 2>/dev/null)" ] &&
    "$python" -m native_build --intact >/dev/null; then
    say "$venv is up to date; $("$python" -m native_build)"
    exit 0
fi

if [ "$ready" = no ]; then
    base="${PYTHON:-python3}"
    command -v "$base" >/dev/null 2>&1 || fail "'$base' was not found: install Python 3.11 or newer, or name one with PYTHON=..."
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "'$base' is Python $("$base" -c 'import platform; print(platform.python_version())'): 3.11 or newer is needed, name one with PYTHON=..."

    if [ -e "$unfinished" ] || { [ -e "$venv" ] && ! "$python" -c '' 2>/dev/null; }; then
        say "$venv is half-made (an earlier set-up was interrupted): making it anew"
        rm -rf "$venv"
    fi
    if [ ! -e "$venv" ]; then
        say "making $venv with $("$base" --version)"
        mkdir "$venv"
        touch "$unfinished"
        "$base" -m venv "$venv" ||
            fail "'$base -m venv' could not make $venv: install your system's package for venv (often python3-venv), then run this again"
    fi
    touch "$unfinished"

    say "installing requirements/lock.txt (about 6 GB with torch, 1 to 3 minutes on a fast line)"
    "$python" -m pip install --disable-pip-version-check -r requirements/lock.txt |
        { grep -v "^Requirement already satisfied" || true; }
    digest "$python" >"$stamp"
    rm "$unfinished"
fi

say "installing gfla_video from this checkout (editable) and building its native libraries (under a minute; with CUDA 2 to 5)"
rm -f "$build_stamp"
"$python" -m pip install --disable-pip-version-check --no-build-isolation -e . |
    { grep -v "^Requirement already satisfied" || true; }
say "$("$python" -m native_build)"
build_digest "$python" >"$build_stamp"
say "done: $venv ($(du -sh "$venv" | cut -f1))"
