"""The product from Python: train, evaluate, animate, load a generator.

    from gfla_video.apis import Animator, evaluate, load_generator, train

The names are imported when they are first used: looking at a generator needs no video library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gfla_video.apis.animate import Animator
    from gfla_video.apis.evaluation.evaluate import evaluate
    from gfla_video.apis.inference import InferenceOptions, PreparedGenerator
    from gfla_video.apis.load import load_generator
    from gfla_video.apis.training import train

_HOMES = {
    "Animator": "gfla_video.apis.animate",
    "InferenceOptions": "gfla_video.apis.inference",
    "PreparedGenerator": "gfla_video.apis.inference",
    "evaluate": "gfla_video.apis.evaluation.evaluate",
    "load_generator": "gfla_video.apis.load",
    "train": "gfla_video.apis.training",
}
__all__ = [
    "Animator",
    "InferenceOptions",
    "PreparedGenerator",
    "evaluate",
    "load_generator",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
