"""What every feature extractor has: roles, layers, frozen weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from torch import Tensor, nn

from gfla_video.components.recompute import run

LEVELS = ("level1", "level2", "level3")


class FeatureExtractor(nn.Module):
    """Maps pictures ``[B, 3, H, W]`` in [-1, 1] to named feature maps.

    ``roles`` names the layers that losses ask for: ``content`` (perceptual loss), ``style`` and
    ``level1``, ``level2``, ``level3`` (sampling correctness at 1/2, 1/4, 1/8).
    """

    roles: Mapping[str, tuple[str, ...]] = {}

    def layers_of(self, roles: Iterable[str]) -> set[str]:
        """Names of all layers that the roles stand for.

        Raises:
            ValueError: a role that this extractor does not have.
        """
        roles = list(roles)
        missing = sorted(set(roles) - set(self.roles))
        if missing:
            raise ValueError(
                f"{type(self).__name__} has no layers for {', '.join(missing)}; "
                f"it has {', '.join(self.roles)}"
            )
        return {name for role in roles for name in self.roles[role]}

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Feature maps of the asked layers; nothing deeper is computed."""
        raise TypeError(f"{type(self).__name__} does not define forward")


def freeze(module: nn.Module) -> None:
    """Turn all parameters and buffers into buffers that no checkpoint holds.

    Then the weights get no gradient, no optimiser or distributed wrapper sees them, checkpoints
    stay small and a strict load neither misses nor finds them.
    """
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach(), persistent=False)
        for name, buffer in list(part.named_buffers(recurse=False)):
            part.register_buffer(name, buffer, persistent=False)


class SequentialFeatures(FeatureExtractor):
    """An extractor that runs a chain of stages and keeps the outputs of some.

    Args:
        stages: modules run one after the other.
        names: index of the stage whose output has that name.
        checkpointing: keep only the asked maps for the backward pass (of the generated picture) and
            compute what lies between two of them again.
    """

    def __init__(
        self, stages: Iterable[nn.Module], names: Mapping[str, int], checkpointing: bool = False
    ) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.stages = nn.ModuleList(stages)
        self.names = dict(names)
        freeze(self)
        self.eval()

    def train(self, mode: bool = True) -> SequentialFeatures:
        """Stays in eval mode: the weights are constants."""
        return super().train(False)  # type: ignore[return-value]

    def prepare(self, images: Tensor) -> Tensor:
        """What happens to the pictures first; nothing unless a subclass says otherwise."""
        return images

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Feature maps by layer name, ``[B, c, h, w]`` each."""
        wanted = {self.names[name]: name for name in layers}
        found: dict[str, Tensor] = {}
        x = self.prepare(images)
        begin = 0
        for last in sorted(wanted):
            stages = self.stages[begin : last + 1]
            # what one convolution and its rectifier keep is kept anyway
            again = self.checkpointing and _convolutions(stages) > 1
            x = run(partial(_through, stages), x, again)
            found[wanted[last]] = x
            begin = last + 1
        return found


def _convolutions(stages: nn.ModuleList) -> int:
    return sum(isinstance(part, nn.Conv2d) for part in stages.modules())


def _through(stages: Iterable[nn.Module], x: Tensor) -> Tensor:
    for stage in stages:
        x = stage(x)
    return x
