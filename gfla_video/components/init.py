"""Initial weights."""

from __future__ import annotations

from torch import nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


def init_orthogonal(network: nn.Module, gain: float = 0.02) -> None:
    """Orthogonal weights of the given gain and zero biases in every convolution (facts 1.6).

    Normalisation layers keep 1 and 0. The released programs use gain 0.02; a gain of 1 starts
    with a signal of natural size and learns much faster where training is short. Parts that say
    ``unnormalised = True`` get gain 1 always: nothing after a layer would bring its signal back.
    """
    plain = {
        id(part)
        for module in network.modules()
        if getattr(module, "unnormalised", False)
        for part in module.modules()
    }
    for module in network.modules():
        if isinstance(module, _CONVOLUTIONS):
            nn.init.orthogonal_(module.weight, 1.0 if id(module) in plain else gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
