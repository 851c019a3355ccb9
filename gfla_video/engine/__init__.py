"""Training: optimisers, checkpoints, hooks, several processes, stages.

Importing it registers the optimiser constructor, the loop and the hooks.
"""

from gfla_video.engine.hooks import AtomicCheckpointHook, ProgressHook
from gfla_video.engine.loop import ResumableTrainLoop
from gfla_video.engine.optim import PerNetworkOptimConstructor

__all__ = [
    "AtomicCheckpointHook",
    "PerNetworkOptimConstructor",
    "ProgressHook",
    "ResumableTrainLoop",
]
