"""Building blocks of the networks and their losses, all registered."""

from gfla_video.components import (
    attention,
    auto_encoder,
    bilinear_sampling,
    clip_discriminators,
    dense_flow,
    discriminator,
    encoder,
    features,
    flow_estimator,
    fusion,
    global_attention,
    joint_flow,
    losses,
    reference_kinds,
    renderer,
)

__all__ = [
    "attention",
    "auto_encoder",
    "bilinear_sampling",
    "clip_discriminators",
    "dense_flow",
    "discriminator",
    "encoder",
    "features",
    "flow_estimator",
    "fusion",
    "global_attention",
    "joint_flow",
    "losses",
    "reference_kinds",
    "renderer",
]
