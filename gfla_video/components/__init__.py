"""Building blocks of the networks and their losses, all registered."""

from gfla_video.components import (
    attention,
    discriminator,
    encoder,
    features,
    flow_estimator,
    fusion,
    losses,
    renderer,
)

__all__ = [
    "attention",
    "discriminator",
    "encoder",
    "features",
    "flow_estimator",
    "fusion",
    "losses",
    "renderer",
]
