"""LPIPS with weights that are passed by path: nothing is downloaded."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from gfla_video.evaluation.metrics.base import Prediction, StreamingMetric, ratio
from gfla_video.evaluation.metrics.image import unit_pictures
from gfla_video.evaluation.metrics.masking import mask_targets
from gfla_video.registry import METRICS
from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict, load_weights

_GREY = 0.5  # 0 in [-1, 1]
_SMALLEST = {
    "alex": 31,
    "vgg": 16,
    "squeeze": 17,
}  # pixels a side that the networks' poolings leave


@METRICS.register_module()
class LPIPSMetric(StreamingMetric):
    """Learned perceptual distance (Zhang et al., 2018), averaged over pictures: ``lpips_<net>``.

    Args:
        trunk: weights of the torchvision network, ``.npz`` or ``.pth``, named as torchvision names
            them (``features.0.weight`` ...; half precision is widened; the classifier is not used).
        heads: LPIPS's linear heads, ``.pth``; those that come with the lpips package by default.
        net: "squeeze", "alex" or "vgg".
        version: of LPIPS: "0.1", or "0.0", which did not scale its input.
        mask: None, "mask" or "points": grey outside the person, see :func:`mask_targets`, as in the
            released program, which masks pictures in [-1, 1]. A picture without a person does not
            count (there it counts as 0).
        name: of the value; ``lpips_<net>``, or ``mask_lpips_<net>`` with a mask.
        optional: see :class:`StreamingMetric`; also ``whole_batches`` (GFLA: 64).

    Raises:
        UserError: a file is missing, unreadable, or of another network.
    """

    def __init__(
        self,
        trunk: str,
        heads: str | None = None,
        net: str = "squeeze",
        version: str = "0.1",
        mask: str | None = None,
        name: str | None = None,
        optional: bool = False,
        prefix: str | None = None,
        whole_batches: int = 0,
    ) -> None:
        super().__init__(optional=optional, prefix=prefix, whole_batches=whole_batches)
        self.needs_targets = ("image", *mask_targets(mask, "LPIPSMetric"))
        self.mask = mask
        self.name = name or f"{'mask_' if mask else ''}lpips_{net}"
        self.net = net
        self.network = load_lpips(net, version, trunk, heads)

    def sums(self, predictions: list[Prediction], targets: dict[str, Tensor]) -> Tensor:
        """Distance of each picture and a count of 1 (0 where a mask is empty)."""
        made, true, counts = unit_pictures(predictions, targets, self.mask, outside=_GREY)
        if min(made.shape[-2:]) < _SMALLEST[self.net]:
            raise UserError(
                f"LPIPS of {self.net} needs pictures of at least {_SMALLEST[self.net]} pixels a "
                f"side, these are {made.shape[-2]}x{made.shape[-1]}; leave it out for them"
            )
        self.network.to(made.device)
        with torch.no_grad():
            distance = self.network(made, true, normalize=True).flatten(1).mean(1)
        return torch.stack([distance.cpu().double() * counts, counts], dim=1)

    def finish(self, totals: Tensor) -> dict[str, float]:
        """Mean over pictures."""
        return {self.name: ratio(totals[0], totals[1])}


def load_lpips(net: str, version: str, trunk: str | Path, heads: str | Path | None) -> nn.Module:
    """LPIPS in eval mode with its weights; arguments and errors as for :class:`LPIPSMetric`."""
    import lpips  # here, because it imports all of torchvision's models

    if net not in ("squeeze", "alex", "vgg"):
        raise UserError(f"LPIPS has no network '{net}'; choose squeeze, alex or vgg")
    with warnings.catch_warnings():  # lpips still passes torchvision's old `pretrained` argument
        warnings.filterwarnings("ignore", message=".*(pretrained|Arguments other than a weight).*")
        model = lpips.LPIPS(
            net=net, version=version, pretrained=False, pnet_rand=True, verbose=False
        )
    if heads is None:
        heads = Path(lpips.__file__).parent / "weights" / f"v{version}" / f"{net}.pth"
    load_strict(model.net, _trunk_names(model.net, load_weights(trunk)), trunk)
    load_strict(model.lins, _head_names(load_weights(heads)), heads)
    return model.eval().requires_grad_(False)


def _trunk_names(trunk: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """``features.3.x`` of torchvision to ``slice2.3.x`` of lpips.

    Dropped on purpose: the classifier, and layers behind the last one that LPIPS reads.
    """
    slices = {
        layer: name for name, part in trunk.named_children() for layer, _ in part.named_children()
    }
    renamed = {}
    for key, value in weights.items():
        match = re.fullmatch(r"features\.(\d+)\.(.+)", key)
        if match and match[1] in slices:
            renamed[f"{slices[match[1]]}.{match[1]}.{match[2]}"] = value
        elif not match and not key.startswith("classifier."):
            renamed[key] = value
    return renamed


def _head_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """``lin3.model.1.weight`` of the files to ``3.model.1.weight`` of the module list."""
    return {key.removeprefix("lin"): value for key, value in weights.items()}
