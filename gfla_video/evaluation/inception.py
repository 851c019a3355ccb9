"""Features of pictures for FID, KID and the Inception score; weights by path, nothing is loaded
from the network."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gfla_video.utils.errors import UserError
from gfla_video.utils.weights import load_strict, load_weights

_TF_FILE = "weights-inception-2015-12-05-6726825d.pth, from the releases (v0.2.0) of torch-fidelity"
_VISION_FILE = "inception_v3_google-0cc3c7bd.pth, torchvision's Inception_V3_Weights.IMAGENET1K_V1"
_SIDE = 299
_REMEMBERED = 8  # batches, so that several metrics of the same pictures run the network once


class Features(NamedTuple):
    """What a network makes of B pictures.

    Attributes:
        pooled: ``[B, D]`` float32, what FID and KID compare (pool3, D = 2048, of Inception).
        logits: ``[B, classes]`` float32, what the Inception score reads.
    """

    pooled: Tensor
    logits: Tensor


class FeatureExtractor:
    """A network that describes 8-bit pictures.

    Args:
        network: takes uint8 ``[B, 3, H, W]`` RGB, gives (pooled ``[B, D]``, logits ``[B, K]``).
        digest: tells networks, weights and preparations apart, for caches and for results.
    """

    def __init__(self, network: nn.Module, digest: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.digest = digest
        self._recent: OrderedDict[tuple[bytes, torch.Size], Features] = OrderedDict()

    def __call__(self, pictures: Tensor) -> Features:
        """Features of uint8 ``[B, 3, H, W]``, on the CPU; computed where the pictures are.

        Raises:
            ValueError: pictures of another type.
        """
        if pictures.dtype != torch.uint8:
            raise ValueError(f"features are taken of uint8 pictures, got {pictures.dtype}")
        key = hashlib.sha256(pictures.cpu().contiguous().numpy()).digest(), pictures.shape
        found = self._recent.pop(key, None)
        if found is None:
            self.network.to(pictures.device)
            with torch.no_grad():
                found = Features(*(part.float().cpu() for part in self.network(pictures)))
        self._recent[key] = found
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return found


def load_extractor(extractor: str | FeatureExtractor, weights: str | None) -> FeatureExtractor:
    """The extractor of a name; several callers of the same file share one network.

    Args:
        extractor: "torch-fidelity" (the TensorFlow Inception of 2015, which FID is defined by),
            "torchvision" (ImageNet weights: other numbers), or one that is built already.
        weights: file of the named network, ``.pth``, ``.npz`` or ``.safetensors``.

    Raises:
        UserError: an unknown name, no file, or the file of another network.
    """
    if isinstance(extractor, FeatureExtractor):
        return extractor
    if extractor not in _NETWORKS:
        raise UserError(
            f"no feature extractor '{extractor}'; choose {' or '.join(map(repr, _NETWORKS))}"
        )
    _, wanted = _NETWORKS[extractor]
    if weights is None:
        raise UserError(
            f"FID, KID and IS by '{extractor}' need weights, which are not downloaded; fetch "
            f"{wanted}, and give its path (weights=..., or --weights inception=PATH)"
        )
    path = Path(weights).resolve()
    if not path.is_file():
        raise UserError(f"{weights}: no such weights file; put {wanted} there")
    status = path.stat()
    return _load(extractor, path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=2)
def _load(extractor: str, path: Path, *_changes: int) -> FeatureExtractor:
    build, _ = _NETWORKS[extractor]
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return FeatureExtractor(build(path), f"{extractor} {content}")


class _TorchvisionInception(nn.Module):
    """torchvision's Inception v3; pictures stretched to 299 x 299 (bilinear), to [-1, 1].

    That is what its weights were trained on; torchvision's ``transform_input`` leads there from
    pictures normalised for ImageNet.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        from torchvision.models import inception_v3  # here, because it imports all models

        self.network = inception_v3(weights=None, transform_input=False, init_weights=False)
        load_strict(self.network, load_weights(path), path, f"pass {_VISION_FILE}")
        self.classifier, self.network.fc = self.network.fc, nn.Identity()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        size = (_SIDE, _SIDE)
        resized = F.interpolate(pictures.float(), size, mode="bilinear", align_corners=False)
        pooled = self.network(resized / 127.5 - 1)
        return pooled, self.classifier(pooled)


def _fidelity_inception(path: Path) -> nn.Module:
    """torch-fidelity's Inception, its own resizing included; (pool3, logits without bias)."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # It would unpickle whatever the file holds, so it gets what was read safely before.
    buffer = io.BytesIO()
    torch.save(load_weights(path), buffer)
    buffer.seek(0)
    names = ["2048", "logits_unbiased"]
    try:
        network: nn.Module = FeatureExtractorInceptionV3(
            "inception", names, feature_extractor_weights_path=buffer
        )
    except RuntimeError as error:
        raise UserError(
            f"{path}: does not fit torch-fidelity's Inception ({str(error).split(chr(10))[0]}); "
            f"pass {_TF_FILE}"
        ) from error
    return network


_NETWORKS: dict[str, tuple[Callable[[Path], nn.Module], str]] = {
    "torch-fidelity": (_fidelity_inception, _TF_FILE),
    "torchvision": (_TorchvisionInception, _VISION_FILE),
}
