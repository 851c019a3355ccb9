"""The fully connected layers of appearance flow (facts 4), for pictures of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from torch import Tensor, nn

from gfla_video.utils.errors import UserError

GRID = 8  # height and width that the published decoders begin with
Head = TypeVar("Head", bound=nn.Conv2d)
FIRST_FLOW = 0.01  # standard deviation of the last weights: flows begin at a fraction of a pixel


def image_branch(
    size: tuple[int, int], channels: Sequence[int], width: int, dropout: float = 0.0
) -> nn.Sequential:
    """A picture ``[B, 3, H, W]`` to ``[B, width]``: convolutions of stride 2, two dense layers.

    Args:
        size: (H, W) of the pictures.
        channels: of the convolutions, each of which halves the resolution.
        width: of the dense layers.
        dropout: after each of them.
    """
    layers: list[nn.Module] = []
    for c, o in zip([3, *channels], channels, strict=False):
        layers += [nn.Conv2d(c, o, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
    rows, columns = (-(-side // 2 ** len(channels)) for side in size)
    layers += [nn.Flatten()]
    for c in (channels[-1] * rows * columns, width):
        layers += [nn.Linear(c, width), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


def grid_decoder(
    joint: int, width: int, grid_channels: int, channels: Sequence[int]
) -> nn.Sequential:
    """Joint features ``[B, joint]`` to maps: two dense layers, then from 8 x 8 upwards.

    Args:
        joint: features of picture and view together.
        width: of the first dense layer.
        grid_channels: at 8 x 8.
        channels: of the transposed convolutions, to 15, 29, 57, 113, 225 pixels.
    """
    cells = grid_channels * GRID * GRID
    layers: list[nn.Module] = [nn.Linear(joint, width), nn.ReLU(inplace=True)]
    layers += [nn.Linear(width, cells), nn.ReLU(inplace=True)]
    layers += [nn.Unflatten(1, (grid_channels, GRID, GRID))]
    for c, o in zip([grid_channels, *channels], channels, strict=False):
        layers += [nn.ConvTranspose2d(c, o, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def init_for_relu(network: nn.Module) -> None:
    """Normal weights that keep a signal's size through ReLUs (He et al. 2015), zero biases.

    Orthogonal ones would take a minute for the published fully connected layers.
    """
    for module in network.modules():
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            continue
        transposed = isinstance(module, nn.ConvTranspose2d)
        nn.init.kaiming_normal_(module.weight, mode="fan_out" if transposed else "fan_in")
        if isinstance(module, nn.ConvTranspose2d):  # only every stride-th tap meets a value
            module.weight.data.mul_(module.stride[0])
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def first_flow(head: Head) -> Head:
    """A head whose first flows are a fraction of a pixel: training starts near the identity."""
    nn.init.normal_(head.weight, std=FIRST_FLOW)
    if head.bias is not None:
        nn.init.zeros_(head.bias)
    return head


def check_size(source: Tensor, size: tuple[int, int], name: str) -> None:
    """Refuse a picture ``[B, 3, H, W]`` of another size than the network ``name`` was made for.

    Raises:
        UserError: that.
    """
    if tuple(source.shape[-2:]) != size:
        height, width = source.shape[-2:]
        raise UserError(
            f"size: this {name} is made for {size[0]} x {size[1]}, got a picture of {height} x "
            f"{width}; use the config that it was trained with, or the same size for pictures and "
            "network"
        )
