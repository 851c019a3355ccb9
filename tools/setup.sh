#!/usr/bin/env bash
# Makes .venv in the checkout: the tried versions of requirements/lock.txt and the package itself (editable).
# Run again at will: an unchanged lock is not installed twice, an interrupted set-up starts over.
# pip's own configuration decides where packages come from. PYTHON=... chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "[setup] $*"; }
fail() {
    echo "error: $*" >&2
    exit 2
}

if command -v flock >/dev/null 2>&1; then
    exec 9>.setup.lock
    flock -n 9 || {
        say "another set-up runs in this checkout, waiting for it"
        flock 9
    }
fi

venv=.venv
python="$venv/bin/python"
unfinished="$venv/.unfinished" # there while the set-up works: what it finds at its start is half-made
stamp="$venv/.gfla_video_stamp"

digest() {
    "$1" - "$PWD" requirements/lock.txt setup.cfg setup.py pyproject.toml <<'PY'
import hashlib
import pathlib
import sys

total = hashlib.sha256(sys.argv[1].encode())
for name in sys.argv[2:]:
    total.update(pathlib.Path(name).read_bytes())
print(total.hexdigest())
PY
}

if [ -x "$python" ] && [ ! -e "$unfinished" ] && [ -f "$stamp" ] &&
    [ "$(cat "$stamp")" = "$(digest "$python" 2>/dev/null)" ]; then
    say "$venv is up to date"
    exit 0
fi

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
say "installing gfla_video from this checkout (editable)"
"$python" -m pip install --disable-pip-version-check --no-build-isolation -e . |
    { grep -v "^Requirement already satisfied" || true; }

digest "$python" >"$stamp"
rm "$unfinished"
say "done: $venv ($(du -sh "$venv" | cut -f1))"
