"""Local attention between target features and the flowed source (paper section 3.2, Eq. 8-9)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.blocks import activation
from gfla_video.ops.sampling import Location, attend_at, bilinear_at, locate, positions
from gfla_video.registry import MODELS


class EncodedSource(NamedTuple):
    """What an attention block needs of a source, whatever the target.

    ``values [B, C, H, W]`` are sampled; ``keys`` is the block's own (see the block).
    """

    values: Tensor
    keys: Tensor

    def expand(self, batch: int) -> EncodedSource:
        """The same source for each of ``batch`` targets, without a copy."""
        return EncodedSource(*(x.expand(batch, -1, -1, -1) for x in self))


def replicate_pad(x: Tensor, before: int, after: int) -> Tensor:
    """Repeat the borders of ``[B, C, H, W]``: to ``[B, C, H + before + after, W + ...]``.

    A traced graph concatenates instead: torch's tracer expects the gradient of the replicate mode
    in another layout than its kernel gives it for channels-last maps.
    """
    if not torch.compiler.is_compiling():
        return F.pad(x, (before, after, before, after), mode="replicate")
    for dim in (3, 2):
        first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
        x = torch.cat([first] * before + [x] + [last] * after, dim=dim)
    return x


@MODELS.register_module()
class LocalAttention(nn.Module):
    """Content-aware k x k sampling of the source around ``l + flow(l)``.

    The released kernel prediction network is a k x k convolution with stride k over materialised
    patches of target and source. Both halves are ordinary convolutions (DESIGN section 4): the
    target's one over the replicate-padded target, the source's one over the padded source, sampled
    once at the flow. Taps run from -r to q with r = k // 2, q = k - 1 - r.

    Args:
        channels: C of source and target features.
        kernel_size: k.
        hidden: channels of the kernel prediction (released: 128).
        pooled: divide by k^2 as released, Eq. 9 pools by the mean. The result is then 9 or 25 times
            smaller than the source's features, which the decoder has to learn to undo; False keeps
            their size and learns faster.
        centre: added to the logit of the tap at the flow's end (released: 0, all taps start alike).
            Above 0 the block starts as a warp by the flow instead of as a blur of k x k pixels.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        hidden: int = 128,
        pooled: bool = True,
        centre: float = 0.0,
    ) -> None:
        super().__init__()
        self.scale = 1 / kernel_size**2 if pooled else 1.0
        self.channels = channels
        self.kernel_size = kernel_size
        self.before = kernel_size // 2  # r
        self.after = kernel_size - 1 - self.before  # q
        self.target_conv = nn.Conv2d(channels, hidden, kernel_size)
        self.source_conv = nn.Conv2d(channels, hidden, kernel_size, bias=False)
        self.act = activation(inplace=True)
        self.to_kernel = nn.Conv2d(hidden, kernel_size**2, 1)
        self.centre = float(centre)

    def encode_source(self, source: Tensor) -> EncodedSource:
        """Convolve the source once: keys ``[B, hidden, H+r+q, W+r+q]``, positions from -q on."""
        reach = self.before + self.after
        return EncodedSource(source, self.source_conv(replicate_pad(source, reach, reach)))

    def predict_kernel(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        """The attention over the k x k taps (Eq. 8): ``[B, k*k, H, W]``, sums to 1."""
        return self._predict(encoded, target, self._locate(encoded, flow))

    def _locate(self, encoded: EncodedSource, flow: Tensor) -> Location:
        return locate(positions(flow), (encoded.values.shape[2], encoded.values.shape[3]))

    def _predict(self, encoded: EncodedSource, target: Tensor, at: Location) -> Tensor:
        query = self.target_conv(replicate_pad(target, self.before, self.after))
        key = bilinear_at(encoded.keys, at._replace(corner=at.corner + self.after))
        logits = self.to_kernel(self.act(query + key))
        if self.centre:
            tap = self.before * (self.kernel_size + 1)  # row and column number r
            logits[:, tap] += self.centre
        return torch.softmax(logits, dim=1, dtype=at.fraction.dtype)  # not in a half type

    def forward(self, encoded: EncodedSource, target: Tensor, flow: Tensor) -> Tensor:
        """The flowed feature (Eq. 9): ``[B, C, H, W]``.

        Args:
            encoded: of :meth:`encode_source`, ``[B, C, H, W]``.
            target: ``[B, C, H, W]``.
            flow: ``[B, 2, H, W]`` in feature pixels.
        """
        at = self._locate(encoded, flow)  # keys and values are read at the same positions
        kernel = self._predict(encoded, target, at)
        return attend_at(encoded.values, kernel * self.scale, at)
