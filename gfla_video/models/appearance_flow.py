"""Appearance flow (Zhou et al., ECCV 2016; facts 4): a new view is the old picture, warped.

The method that the paper compares view synthesis with. It answers the same one call as
:class:`TransferGenerator`, for structures that are codes ``[B, C, 1, 1]``: from a source picture
and a code of the turn a network tells, for every pixel of the target, where to look in the source.
No pixel is painted, so what the source does not show can't appear.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.components.blocks import DecoderBlock, level_width
from gfla_video.components.code_join import CODE_WIDTHS, CodeJoin, code_layers
from gfla_video.components.dense_layers import (
    check_size,
    first_flow,
    grid_decoder,
    image_branch,
    init_for_relu,
)
from gfla_video.components.encoder import PyramidEncoder
from gfla_video.components.flow_estimator import CODES, FloatConv
from gfla_video.components.init import init_orthogonal
from gfla_video.components.recompute import run
from gfla_video.ops import bilinear_warp
from gfla_video.registry import MODELS
from gfla_video.structures import GeneratorOutput


class ViewWarp(nn.Module, ABC):
    """What both networks share: the one call, the warp, and several views of one object.

    Each view is warped by a flow of its own with the same weights. A confidence, softmax over the
    views, says how much of each is taken; a single view has confidence 1 everywhere.

    Args:
        code: ``difference``, target code - source code: the turn, as the network released for view
            synthesis is told it (there with the other sign); or ``both``, for codes whose
            difference leaves open where the turn begins (sines of angles).
        background: colour (R, G, B) of 0..255 behind the object. Given one, the network also
            tells where the object is and puts the warped picture on this colour elsewhere, and
            ``ForegroundMaskLoss`` teaches it where. None: the warped picture is the result.

    Raises:
        ValueError: another ``code``.
    """

    previous = 0  # of the frames generated before it sees none
    flow_levels = (0,)  # of the flows in what it returns: the picture's own resolution

    def __init__(self, code: str, background: Sequence[int] | None) -> None:
        super().__init__()
        if code not in CODES:
            raise ValueError(f"code must be {' or '.join(CODES)}, got {code!r}")
        self.code = code
        self.composes = background is not None
        colour = torch.tensor(list(background or (255, 255, 255))).view(1, 3, 1, 1)
        self.register_buffer("background", colour / 127.5 - 1, persistent=False)

    @abstractmethod
    def encode(self, source: Tensor) -> Tensor:
        """What depends on a source ``[B, 3, H, W]`` alone: features ``[B, ...]``."""

    @abstractmethod
    def estimate(self, features: Tensor, code: Tensor) -> Tensor:
        """Features and code ``[B, C']`` to maps ``[B, 3, h, w]``, 5 channels with a background.

        They are x and y of the flow in pixels of the picture, the confidence, and the two logits of
        background and object. The maps are resized to the picture's size afterwards.
        """

    def encode_sources(self, sources: Sequence[Tensor]) -> list[Tensor]:
        """What depends on the sources alone: compute it once per source.

        Args:
            sources: R pictures ``[B, 3, H, W]`` in [-1, 1].
        """
        return [self.encode(source) for source in sources]

    def forward(
        self,
        sources: Sequence[Tensor],
        source_structures: Sequence[Tensor],
        target_structure: Tensor,
        encoded: Sequence[Tensor] | None = None,
    ) -> GeneratorOutput:
        """Warp the sources to the target's view.

        Args:
            sources: R pictures ``[B, 3, H, W]`` in [-1, 1] of one object. A batch of 1 serves every
                target of a larger batch.
            source_structures: R codes ``[B, C, 1, 1]``.
            target_structure: ``[B, C, 1, 1]``.
            encoded: of :meth:`encode_sources`, to save the work for the next views.

        Returns:
            The picture; ``flows[r]`` is one flow ``[B, 2, H, W]``; ``masks[r]`` one map
            ``[B, 1, H, W]``: the object as view r tells it where there is a background, else the
            confidence of view r.

        Raises:
            ValueError: structures that are maps.
        """
        if target_structure.shape[-2:] != (1, 1):
            raise ValueError(
                "appearance flow takes structures that are codes [B, C, 1, 1], got "
                f"{list(target_structure.shape)}; choose a structure that makes codes"
            )
        batch, size = target_structure.shape[0], sources[0].shape[-2:]
        encoded = self.encode_sources(sources) if encoded is None else encoded
        maps = []
        for features, structure in zip(encoded, source_structures, strict=True):
            shared = features.expand(batch, *features.shape[1:])
            made = self.estimate(shared, self._code(structure, target_structure))
            maps.append(F.interpolate(made, size=size, mode="bilinear", align_corners=False))
        flows = [view[:, :2] for view in maps]
        views = [
            bilinear_warp(source.expand(batch, -1, -1, -1), flow)
            for source, flow in zip(sources, flows, strict=True)
        ]
        confidence = torch.stack([view[:, 2:3] for view in maps]).softmax(dim=0)  # [R, B, 1, H, W]
        image = (confidence * torch.stack(views)).sum(dim=0)
        masks = confidence
        if self.composes:
            masks = torch.stack([view[:, 3:].softmax(dim=1)[:, 1:] for view in maps])
            shown = (confidence * masks).sum(dim=0)
            image = shown * image + (1 - shown) * self.background  # type: ignore[operator]
        return GeneratorOutput(image, [[flow] for flow in flows], [[mask] for mask in masks])

    def _code(self, source: Tensor, target: Tensor) -> Tensor:
        if self.code == "difference":
            return (target - source).flatten(1)
        return torch.cat([source.expand_as(target), target], dim=1).flatten(1)


@MODELS.register_module()
class AppearanceFlow(ViewWarp):
    """The published network: fully connected in the middle, for pictures of one size.

    Two things differ from the paper: pictures come in [-1, 1] instead of mean-subtracted, and the
    turn is told by a difference of codes instead of a one-hot change of azimuth.

    Args:
        structure_channels: C of the codes.
        size: (H, W) of the pictures.
        encoder_channels: of the convolutions, each of which halves the resolution.
        decoder_channels: of the transposed convolutions, which go from 8 to 15, 29, 57, 113, 225
            pixels; the maps are resized from there.
        width: of the fully connected layers, a quarter of it in the foreground's decoder.
        grid_channels: at 8 x 8, where the decoder of the flow begins; a quarter of it in the
            foreground's.
        dropout: after the image branch's fully connected layers (published without the rate).
        code, background: see :class:`ViewWarp`.
    """

    def __init__(
        self,
        structure_channels: int,
        size: tuple[int, int] = (224, 224),
        encoder_channels: Sequence[int] = (16, 32, 64, 128, 256, 512),
        decoder_channels: Sequence[int] = (256, 128, 64, 32, 16),
        width: int = 4096,
        grid_channels: int = 64,
        dropout: float = 0.5,
        code: str = "difference",
        background: Sequence[int] | None = None,
    ) -> None:
        super().__init__(code, background)
        self.size = (int(size[0]), int(size[1]))
        self.image_branch = image_branch(self.size, encoder_channels, width, dropout)
        self.view_branch = code_layers(structure_channels * (1 + (code == "both")))
        joint = width + CODE_WIDTHS[-1]
        self.flow_decoder = grid_decoder(joint, width, grid_channels, decoder_channels)
        self.foreground_decoder = (
            grid_decoder(joint, width // 4, grid_channels // 4, decoder_channels)
            if self.composes
            else None
        )
        init_for_relu(self)
        self.flow_head = first_flow(FloatConv(decoder_channels[-1], 3, 3, padding=1))
        self.foreground_head = (
            FloatConv(decoder_channels[-1], 2, 3, padding=1) if self.composes else None
        )

    def encode(self, source: Tensor) -> Tensor:
        """``[B, 3, H, W] -> [B, width]``.

        Raises:
            UserError: a picture of another size than the network was made for.
        """
        check_size(source, self.size, type(self).__name__)
        features: Tensor = self.image_branch(source)
        return features

    def estimate(self, features: Tensor, code: Tensor) -> Tensor:
        """``[B, width]`` and code to maps ``[B, 3 or 5, h, w]``."""
        joint = torch.cat([features, self.view_branch(code)], dim=1)
        maps: Tensor = self.flow_head(self.flow_decoder(joint))
        if self.foreground_decoder is None or self.foreground_head is None:
            return maps
        return torch.cat([maps, self.foreground_head(self.foreground_decoder(joint))], dim=1)


@MODELS.register_module()
class ConvAppearanceFlow(ViewWarp):
    """The same idea on this project's blocks, for comparisons that share them.

    Fully convolutional, for every size whose sides are multiples of 2^levels: the shared encoder;
    at the bottleneck code and position (:class:`CodeJoin`); the shared decoder blocks up to the
    picture's own resolution. As published it has no skips: the source's details do not lie where
    the target's do.

    Args:
        structure_channels: C of the codes.
        base_channels: channels at 1/2 and at full resolution.
        max_channels: upper limit; channels double per level up to it.
        levels: halvings of the encoder; few pixels should be left, so that every place of the
            target can look everywhere in the source.
        norm: ``none`` or ``instance``, see :class:`PyramidEncoder`.
        gain: of the orthogonal initial weights.
        code, background: see :class:`ViewWarp`.
    """

    def __init__(
        self,
        structure_channels: int,
        base_channels: int = 32,
        max_channels: int = 256,
        levels: int = 5,
        norm: str = "none",
        gain: float = 1.0,
        code: str = "difference",
        background: Sequence[int] | None = None,
    ) -> None:
        super().__init__(code, background)
        self.checkpointing = False
        widths = [base_channels]
        widths += [level_width(i, base_channels, max_channels) for i in range(1, levels + 1)]
        self.encoder = PyramidEncoder(3, base_channels, max_channels, levels, norm)
        codes = structure_channels * (1 + (code == "both"))
        self.join = CodeJoin(codes, widths[-1], feature_channels=widths[-1])
        self.decoders = nn.ModuleList(
            DecoderBlock(widths[level], widths[level - 1], norm_kind=norm)
            for level in range(levels, 0, -1)
        )
        init_orthogonal(self, gain)
        self.head = first_flow(FloatConv(base_channels, 5 if self.composes else 3, 3, padding=1))

    def encode(self, source: Tensor) -> Tensor:
        """``[B, 3, H, W]`` to the coarsest features ``[B, w, h, w']``, 1 / 2^levels of the size."""
        features: Tensor = self.encoder(source)[-1]
        return features

    def estimate(self, features: Tensor, code: Tensor) -> Tensor:
        """Features and code to maps ``[B, 3 or 5, H, W]``."""
        out = self.join(code[:, :, None, None], features.shape[-2:], features)
        for decoder in self.decoders:
            out = run(decoder, out, self.checkpointing)
        maps: Tensor = self.head(out)
        return maps
