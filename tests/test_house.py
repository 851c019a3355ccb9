"""The house rules that no linter holds: sizes, annotations, docstrings, floors, forbidden marks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE_FOLDERS = ("gfla_video", "tools", "data_prep", "native_build", "tests", "configs")
MAX_FILE, MAX_FUNCTION, MAX_CONFIG = 400, 60, 80
MAX_BYTES = 1_000_000
MIN_ANNOTATED = 0.95
NATIVE_SUFFIXES = {".cpp", ".cu", ".cuh", ".h", ".inc"}
TEXT_SUFFIXES = {".py", ".sh", ".md", ".cfg", ".toml", ".txt", ".args", ".in", ".yml"} | (
    NATIVE_SUFFIXES
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Written so that this file does not contain what it forbids.
UNFINISHED = re.compile(
    r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|raise NotImplemented" r"Error\b"
)
SWALLOWED = re.compile(r"except\s*:|except Exception(\s+as\s+\w+)?\s*:")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:ho" r"me|ro" r"ot|tm" r"p|wo" r"rk|fa" r"rm)(?=/\w)")
REGISTRY_HOST = re.compile(r"(?:py" r"pi\.org|python" r"hosted\.org|pypi\.ng" r"c)", re.IGNORECASE)
DEVICE_CALL = re.compile(r"\.cu" r"da\(\)")
DEVICE_STRING = re.compile(r"[\"']cuda(:\d+)?[\"']")


def files(*suffixes: str) -> list[Path]:
    """Files of the project with one of the suffixes, build products left out."""
    found = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in suffixes]
    for folder in (*CODE_FOLDERS, "docs", "requirements", ".ci"):
        found += [path for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def python_files(*folders: str) -> list[Path]:
    """Python files in the given folders (all code folders without an argument)."""
    chosen = folders or CODE_FOLDERS
    return [path for path in files(".py") if path.relative_to(ROOT).parts[0] in chosen]


def tree(path: Path) -> ast.Module:
    """Parse one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path, line: int | None = None) -> str:
    """How a finding names its place."""
    place = path.relative_to(ROOT).as_posix()
    return place if line is None else f"{place}:{line}"


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    """Every line that the pattern is found in."""
    return [
        f"{name(path, number)}: {line.strip()[:90]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path, node.lineno)}: relative import"
            module = node.module or ""
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def test_files_are_short() -> None:
    too_long = []
    for path in [*python_files(), *files(*NATIVE_SUFFIXES)]:
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > (MAX_CONFIG if path.is_relative_to(ROOT / "configs") else MAX_FILE):
            too_long.append(f"{name(path)} ({count})")
    assert not too_long


def test_functions_are_short() -> None:
    too_long = [
        f"{name(path, node.lineno)} {node.name} ({node.end_lineno - node.lineno + 1})"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, FUNCTIONS) and node.end_lineno - node.lineno + 1 > MAX_FUNCTION
    ]
    assert not too_long


def test_native_sources_say_what_they_are_and_stay_apart() -> None:
    """Two sources with one stem would write one object file."""
    sources = files(*NATIVE_SUFFIXES)
    assert sources
    silent = [
        name(p) for p in sources if not p.read_text(encoding="utf-8").startswith(("//", "/*"))
    ]
    assert not silent
    stems = [path.stem for path in sources if path.suffix in (".cpp", ".cu")]
    assert len(stems) == len(set(stems)), sorted(stems)


def test_no_file_is_big() -> None:
    every = files(*TEXT_SUFFIXES, ".png", ".jpg", ".npz", ".pth", ".mp4", ".gif", ".csv", ".json")
    assert not [name(path) for path in every if path.stat().st_size > MAX_BYTES]


def test_almost_everything_is_annotated() -> None:
    total, missing = 0, []
    for path in python_files("gfla_video", "tools", "data_prep", "native_build"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, FUNCTIONS):
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            slots = [a.annotation for a in arguments if a.arg not in ("self", "cls")]
            slots.append(node.returns)
            total += len(slots)
            missing += [name(path, node.lineno)] * sum(slot is None for slot in slots)
    assert total, "no function was found"
    assert len(missing) <= (1 - MIN_ANNOTATED) * total, missing


def test_public_functions_and_classes_have_a_docstring() -> None:
    """Methods count where their class has no base (others inherit the base's contract)."""
    bare = []
    for path in python_files("gfla_video", "data_prep", "native_build"):
        for node in tree(path).body:
            if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                continue
            members = node.body if isinstance(node, ast.ClassDef) and not node.bases else []
            for item in (node, *(m for m in members if isinstance(m, FUNCTIONS))):
                if not item.name.startswith("_") and ast.get_docstring(item) is None:
                    bare.append(f"{name(path, item.lineno)} {item.name}")
    assert not bare


def test_every_module_says_what_it_is() -> None:
    paths = python_files("gfla_video", "tools", "data_prep", "native_build")
    empty = [name(p) for p in paths if p.read_text().strip() and not ast.get_docstring(tree(p))]
    assert not empty


@pytest.mark.parametrize(
    ("pattern", "suffixes"),
    [
        (UNFINISHED, TEXT_SUFFIXES),
        (SWALLOWED, {".py"}),
        (MACHINE_PATH, TEXT_SUFFIXES - {".txt"}),
        (REGISTRY_HOST, TEXT_SUFFIXES),
        (DEVICE_CALL, {".py"}),
    ],
    ids=["unfinished", "swallowed", "machine_path", "registry_host", "device_call"],
)
def test_forbidden_marks(pattern: re.Pattern[str], suffixes: set[str]) -> None:
    assert not lines_with(pattern, files(*suffixes))


def test_no_device_string_below_apis() -> None:
    package = ROOT / "gfla_video"
    below = [
        path
        for path in python_files("gfla_video")
        if path.relative_to(package).parts[0] not in ("apis", "testing")
    ]
    assert not lines_with(DEVICE_STRING, below)


def test_no_star_imports() -> None:
    stars = [
        f"{name(path, line)}"
        for path in python_files()
        for line, imported in imports(path)
        if imported.endswith(".*")
    ]
    assert not stars


def test_no_numbered_attributes() -> None:
    numbered = re.compile(r"[sg]etattr\([^)]*(\+\s*str\(|f[\"'][^\"']*\{)")
    assert not lines_with(numbered, python_files("gfla_video"))


def test_ops_import_torch_and_themselves_only() -> None:
    allowed = {"torch", "__future__", *sys.stdlib_module_names}
    wrong = [
        f"{name(path, line)} {imported}"
        for path in python_files("gfla_video")
        if path.is_relative_to(ROOT / "gfla_video" / "ops")
        for line, imported in imports(path)
        if imported.split(".")[0] not in allowed and not imported.startswith("gfla_video.ops")
    ]
    assert not wrong


def test_nothing_imports_data_prep_and_it_imports_little() -> None:
    wrong = []
    for path in python_files("gfla_video", "tools", "data_prep", "configs"):
        inside = path.is_relative_to(ROOT / "data_prep")
        for line, imported in imports(path):
            parts = [*imported.split("."), ""]
            if parts[0] == "data_prep" and not inside:
                wrong.append(f"{name(path, line)} {imported}")
            if parts[0] == "gfla_video" and inside and parts[1] != "detectors":
                wrong.append(f"{name(path, line)} {imported}")
    assert not wrong


def test_tasks_share_no_copied_code() -> None:
    """What two tasks both need lies below them: no run of 7 equal lines of code in both."""
    run = 7
    seen: dict[tuple[str, ...], tuple[str, str]] = {}
    copied = []
    folders = [path for path in (ROOT / "gfla_video" / "tasks").iterdir() if path.is_dir()]
    tasks = [folder for folder in folders if (folder / "driver.py").is_file()]
    assert len(tasks) > 1
    for task in tasks:
        for path in sorted(task.glob("*.py")):
            text = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
            lines = [
                (number, line)
                for number, line in enumerate(text, 1)
                if line and not line.startswith(("#", "from ", "import "))
            ]
            for place in range(len(lines) - run + 1):
                window = tuple(line for _, line in lines[place : place + run])
                owner, where = seen.setdefault(window, (task.name, name(path, lines[place][0])))
                if owner != task.name:
                    copied.append(f"{where} = {name(path, lines[place][0])}")
    assert not copied


def test_tools_call_apis_only() -> None:
    """And ``testing``, the floor between them, where measuring code lives."""
    wrong = [
        f"{name(path, line)} {imported}"
        for path in python_files("tools")
        for line, imported in imports(path)
        if imported.startswith("gfla_video.")
        and not imported.startswith(("gfla_video.apis", "gfla_video.testing", "gfla_video.utils"))
    ]
    assert not wrong


def test_shell_scripts_are_strict() -> None:
    scripts = [*files(".sh"), ROOT / ".ci" / "run"]
    assert scripts
    loose = [name(path) for path in scripts if "set -euo pipefail" not in path.read_text()]
    assert not loose
    for path in scripts:
        done = subprocess.run(
            ["bash", "-n", str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert path.stat().st_mode & 0o111, f"{name(path)} is not executable"


def test_importing_the_package_is_light() -> None:
    """Importing never builds, downloads, or pulls in what only one task needs."""
    heavy = ("lpips", "timm", "av", "cv2")
    code = f"import sys, gfla_video; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
