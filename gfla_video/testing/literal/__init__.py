"""The released formulation, materialised (facts 1.3 and 1.5), written down apart from the algebra.

``patches`` builds every k x k patch, ``attention`` and ``generator`` put them in the place of
``LocalAttention``, ``losses`` and ``training`` are the released training step with its redundancy.
Slow, memory-hungry and plain: tests and benchmarks compare with it; nothing else should use it.
"""

from gfla_video.testing.literal.attention import MaterialisedAttention, literal_attention
from gfla_video.testing.literal.generator import materialised
from gfla_video.testing.literal.patches import extract_patches, grid_sample_patches
from gfla_video.testing.literal.training import LiteralStep, LossWeights

__all__ = [
    "LiteralStep",
    "LossWeights",
    "MaterialisedAttention",
    "extract_patches",
    "grid_sample_patches",
    "literal_attention",
    "materialised",
]
