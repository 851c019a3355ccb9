"""Tasks: what a picture is moved by (joints of a body, a camera, edges of a face).

Every sub-package here is a task. Its modules are found and imported, which registers what they
hold; nothing lists the tasks. A task outside this package is named in a config's
``custom_imports``.
"""

from __future__ import annotations

import importlib
import pkgutil

__all__ = ["task_names"]


def _import_tasks() -> tuple[str, ...]:
    names = []
    for package in pkgutil.iter_modules(__path__):
        if not package.ispkg:
            continue
        names.append(package.name)
        found = importlib.import_module(f"{__name__}.{package.name}")
        for module in pkgutil.iter_modules(found.__path__):
            importlib.import_module(f"{found.__name__}.{module.name}")
    return tuple(names)


_NAMES = _import_tasks()


def task_names() -> tuple[str, ...]:
    """Names of the tasks that come with the package, sorted."""
    return tuple(sorted(_NAMES))
