"""Training: optimisers, checkpoints, hooks, several processes, stages.

Importing it registers the optimisers' constructor and wrapper, the loop and the hooks.
"""

from gfla_video.engine.autocast import AutocastOptimWrapper
from gfla_video.engine.hooks import AtomicCheckpointHook, ProgressHook
from gfla_video.engine.loop import ResumableTrainLoop
from gfla_video.engine.optim import PerNetworkOptimConstructor
from gfla_video.engine.panels_hook import PanelsHook

__all__ = [
    "AtomicCheckpointHook",
    "AutocastOptimWrapper",
    "PanelsHook",
    "PerNetworkOptimConstructor",
    "ProgressHook",
    "ResumableTrainLoop",
]
