"""Metrics of whole pictures. All on images in [0, 1], RGB, not rounded to 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from gfla_video.evaluation.metrics.base import (
    Prediction,
    StreamingMetric,
    ratio,
    stacked,
    unit_range,
)
from gfla_video.evaluation.metrics.masking import mask_targets, read_mask
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError

_REACH = 3.5  # of scikit-image's Gaussian window, in sigmas


@METRICS.register_module()
class SSIM(StreamingMetric):
    """Structural similarity (Wang et al., 2004), averaged over pictures: ``ssim``.

    By scikit-image, K1 = 0.01, K2 = 0.03, mean over the colour channels. The default is the
    standard: a Gaussian window of sigma 1.5 (11 x 11), data range 1, population covariance, without
    the border that the window does not fit in. What other programs report:

    - GFLA's ``ssim_256`` and PATN: ``data_range="prediction"``;
    - GFLA's ``ssim``: ``window=51, sigma=None, sample_covariance=True``;
    - mask-SSIM: ``mask="mask"`` or ``"points"``.

    Args:
        window: width of the window in pixels, odd.
        sigma: of the Gaussian window, whose width must then be 2 * int(3.5 * sigma + 0.5) + 1; None
            for a window whose pixels all weigh the same.
        data_range: of pictures in [0, 1]; "prediction": maximum minus minimum of each generated
            picture (a flat one counts 0).
        sample_covariance: divide by N - 1 (scikit-image's own default), not by N.
        border: "crop" leaves out the border of window // 2 pixels; "reflect" counts the whole
            picture, continued by its mirror image.
        mask: None, "mask" or "points": black outside the person, see :func:`mask_targets`; then a
            picture without a person does not count.
        name: of the value; ``ssim``, or ``mask_ssim`` with a mask.
        optional: see :class:`StreamingMetric`; also ``whole_batches``.

    Raises:
        UserError: a setting that is none of these, or pictures smaller than the window.
    """

    def __init__(
        self,
        window: int = 11,
        sigma: float | None = 1.5,
        data_range: float | str = 1.0,
        sample_covariance: bool = False,
        border: str = "crop",
        mask: str | None = None,
        name: str | None = None,
        optional: bool = False,
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix, whole_batches=whole_batches)
        _check_window(window, sigma)
        if border not in ("crop", "reflect"):
            raise UserError(f"SSIM: border must be 'crop' or 'reflect', not {border!r}")
        if isinstance(data_range, str) and data_range != "prediction":
            raise UserError(f"SSIM: data_range must be a number or 'prediction', not {data_range}")
        self.needs_targets = ("image", *mask_targets(mask, "SSIM"))
        self.name = name or ("ssim" if mask is None else "mask_ssim")
        self.window, self.mask, self.border, self.data_range = window, mask, border, data_range
        self.settings = {
            "gaussian_weights": sigma is not None,
            "sigma": 1.5 if sigma is None else sigma,
            "win_size": window,
            "use_sample_covariance": sample_covariance,
        }

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """SSIM of each picture and a count of 1 (0 where a mask is empty)."""
        made, true, counts = unit_pictures(predictions, targets, self.mask)
        if min(made.shape[-2:]) < self.window:
            raise UserError(
                f"SSIM: the window of {self.window} pixels does not fit into pictures of "
                f"{made.shape[-2]}x{made.shape[-1]}; take a smaller window or larger pictures"
            )
        pairs = zip(_channels_last(made), _channels_last(true), strict=True)
        values = torch.tensor([self._one(a, b) for a, b in pairs], dtype=torch.float64)
        return torch.stack([values * counts, counts], dim=1)

    def _one(self, made: np.ndarray, true: np.ndarray) -> float:
        """SSIM of one pair ``[H, W, 3]``, float64 in [0, 1]."""
        measured = self.data_range == "prediction"
        data_range = float(made.max() - made.min()) if measured else self.data_range
        if data_range == 0:
            return 0.0
        found = structural_similarity(
            true,
            made,
            data_range=data_range,
            channel_axis=2,
            full=self.border == "reflect",
            **self.settings,
        )
        return float(found[1].mean() if self.border == "reflect" else found)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {self.name: ratio(totals[0], totals[1])}


@METRICS.register_module()
class MSSSIM(StreamingMetric):
    """Multi-scale structural similarity (Wang et al., 2003), averaged over pictures: ``ms_ssim``.

    By TorchMetrics: Gaussian window of sigma 1.5 (11 x 11), data range 1; negative similarities of
    a scale are taken as 0.

    Args:
        betas: exponents of the scales, finest first; the paper's five need pictures of more than
            160 pixels.
        optional: see :class:`StreamingMetric`.

    Raises:
        UserError: pictures too small for so many scales.
    """

    WINDOW = 11

    def __init__(
        self,
        betas: Sequence[float] = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333),
        optional: bool = False,
        prefix: str | None = None,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix)
        self.betas = tuple(betas)

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """MS-SSIM of each picture and a count of 1."""
        # here, because it imports all of torchvision's models
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

        made, true, counts = unit_pictures(predictions, targets)
        smallest = (self.WINDOW - 1) * 2 ** (len(self.betas) - 1)
        if min(made.shape[-2:]) <= smallest:
            raise UserError(
                f"MSSSIM: {len(self.betas)} scales need pictures of more than {smallest} pixels, "
                f"these are {made.shape[-2]}x{made.shape[-1]}; give it fewer betas, or take it out"
            )
        values = multiscale_structural_similarity_index_measure(
            made,
            true,
            kernel_size=self.WINDOW,
            reduction="none",
            data_range=1.0,
            betas=self.betas,
            normalize="relu",
        )
        return torch.stack([values.cpu().double(), counts], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"ms_ssim": ratio(totals[0], totals[1])}


@METRICS.register_module()
class L1(StreamingMetric):
    """Mean absolute difference over all pixels and channels, images in [0, 1]: ``l1``."""

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Mean difference of each picture and a count of 1."""
        return _with_count(absolute_error(predictions, targets).mean((1, 2, 3)))

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"l1": ratio(totals[0], totals[1])}


@METRICS.register_module()
class MAE(StreamingMetric):
    """GFLA's relative error, sum |a - b| / sum (a + b) of each picture in [0, 1]; mean: ``mae``.

    Two black pictures count 0.
    """

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Relative error of each picture and a count of 1."""
        made, true, _ = unit_pictures(predictions, targets)
        error, total = (x.double().sum((1, 2, 3)) for x in ((made - true).abs(), made + true))
        return _with_count(error / total.clamp(min=1e-12))

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"mae": ratio(totals[0], totals[1])}


@METRICS.register_module()
class PSNR(StreamingMetric):
    """Peak signal-to-noise ratio in dB, images in [0, 1], averaged over pictures: ``psnr``.

    Equal pictures count as 100 dB (a mean squared error below 1e-10 is taken as 1e-10).
    """

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """PSNR of each picture and a count of 1."""
        squared = absolute_error(predictions, targets).double().square().mean((1, 2, 3))
        return _with_count(-10 * torch.log10(squared.clamp(min=1e-10)))

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {"psnr": ratio(totals[0], totals[1])}


@METRICS.register_module()
class ForegroundL1(StreamingMetric):
    """Mean absolute difference over the union of both people's pixels: ``foreground_l1``.

    The union of target and source person: a flat background favours copying the source, and
    the target person's pixels alone would not see a source that was left standing. Images in
    [0, 1]; every pixel of all pictures weighs the same.
    """

    needs_targets = ("image", "foreground", "source_foreground")

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Summed difference (mean over channels) and the number of pixels of the union."""
        union = torch.maximum(targets["foreground"], targets["source_foreground"]) > 0.5
        error = absolute_error(predictions, targets).mean(1, keepdim=True).double()
        return torch.stack([(error * union).sum((1, 2, 3)), union.double().sum((1, 2, 3))], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pixels."""
        return {"foreground_l1": ratio(totals[0], totals[1])}


def unit_pictures(
    predictions: list[Prediction],
    targets: dict[str, Tensor],
    mask: str | None = None,
    outside: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Predicted and true images ``[B, 3, H, W]`` in [0, 1], and which count.

    Args:
        predictions: with ``image``.
        targets: with ``image`` and what ``mask`` reads.
        mask: see :func:`mask_targets`.
        outside: what both images are outside it, black by default.

    Returns:
        the two, and 1 or 0 ``[B]`` (float64, on the CPU): 0 where a mask is empty.
    """
    made, true = unit_range(stacked(predictions, "image")), unit_range(targets["image"])
    inside = read_mask(mask, targets, made)
    if inside is None:
        return made, true, torch.ones(len(made), dtype=torch.float64)
    made, true = (image * inside + outside * (1 - inside) for image in (made, true))
    return made, true, inside.flatten(1).any(1).cpu().double()


def absolute_error(predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
    """Absolute difference ``[B, 3, H, W]`` of predicted and true images in [0, 1]."""
    made, true, _ = unit_pictures(predictions, targets)
    return (made - true).abs()


def _channels_last(images: Tensor) -> np.ndarray:
    """``[B, 3, H, W]`` to float64 ``[B, H, W, 3]``."""
    return images.permute(0, 2, 3, 1).cpu().double().numpy()


def _check_window(window: int, sigma: float | None) -> None:
    if sigma is None:
        if window < 3 or window % 2 == 0:
            raise UserError(f"SSIM: the window must be odd and at least 3 wide, not {window}")
    elif sigma <= 0 or window != (width := 2 * int(_REACH * sigma + 0.5) + 1):
        told = f"a Gaussian window of sigma {sigma} is {width} wide" if sigma > 0 else "sigma > 0"
        raise UserError(f"SSIM: {told}, got window {window} and sigma {sigma}; change one of them")


def _with_count(values: Tensor) -> Tensor:
    return torch.stack([values, torch.ones_like(values)], dim=1)
