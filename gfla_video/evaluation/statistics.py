"""Mean and covariance of the features of many pictures, and where they are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from gfla_video.evaluation.inception import FeatureExtractor
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path
from gfla_video.utils.progress import progress

Picture = npt.NDArray[np.uint8]
_FORMAT = 1  # of the files in the cache; another number makes them anew
_UNREADABLE = (OSError, ValueError, KeyError, EOFError)


@dataclass(frozen=True)
class Statistics:
    """Features of a set of pictures.

    Attributes:
        mean: float64 ``[D]``.
        covariance: float64 ``[D, D]``, divided by count - 1.
        count: of pictures; 0 where a file does not say it.
        features: float32 ``[count, D]``, where they were kept (KID needs them).
        digest: of pictures, preparation and network; "" where a file does not say it.
        broken: "name: why" of each picture that could not be read.
    """

    mean: Tensor
    covariance: Tensor
    count: int
    features: Tensor | None = None
    digest: str = ""
    broken: tuple[str, ...] = ()


class Moments:
    """Sums over features that add up: what mean and covariance are made of, in float64.

    Args:
        size: D, of one picture's features.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.total = torch.zeros(size, dtype=torch.float64)
        self.products = torch.zeros(size, size, dtype=torch.float64)

    def add(self, features: Tensor) -> None:
        """Take in ``[N, D]``."""
        features = features.double()
        self.count += len(features)
        self.total += features.sum(0)
        self.products.addmm_(features.T, features)

    def merge(self, other: Moments) -> None:
        """Take in what another one has seen."""
        self.count += other.count
        self.total += other.total
        self.products += other.products

    def statistics(self, **more: object) -> Statistics:
        """Mean and covariance; NaN of no picture, covariance NaN of one.

        Args:
            more: further fields of the result.
        """
        mean = self.total / self.count
        centred = self.products - self.count * torch.outer(mean, mean)
        return Statistics(mean, centred / (self.count - 1), self.count, **more)  # type: ignore[arg-type]


def frechet_distance(one: Statistics, other: Statistics, eps: float = 0.0) -> float:
    """Squared Fréchet distance of two Gaussians (Dowson and Landau, 1982; Heusel et al., 2017).

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``. The root's trace is that of the symmetric
    ``(C1^(1/2) C2 C1^(1/2))^(1/2)``: no complex numbers, and no failure at singular matrices.

    Args:
        one: of D features.
        other: of as many.
        eps: added to both diagonals where a covariance is singular for want of pictures, as
            programs do whose matrix root failed there (1e-6).
    """
    first, second = one.covariance, other.covariance
    if eps and any(0 < count <= len(one.mean) for count in (one.count, other.count)):
        offset = eps * torch.eye(len(one.mean), dtype=torch.float64)
        first, second = first + offset, second + offset
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ second @ root
    trace = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    gap = (one.mean - other.mean).square().sum()
    return float(gap + first.trace() + second.trace() - 2 * trace)


def load_statistics(path: str | Path) -> Statistics:
    """Read an ``.npz`` with ``mu`` and ``sigma``, as FID programs write them; perhaps ``features``.

    Raises:
        UserError: no such file, or it holds something else.
    """
    path = Path(path)
    try:
        with np.load(path) as arrays:
            mean, covariance = (torch.from_numpy(arrays[k]).double() for k in ("mu", "sigma"))
            features = torch.from_numpy(arrays["features"]) if "features" in arrays else None
            count = int(arrays["count"]) if "count" in arrays else 0
            digest = str(arrays["digest"]) if "digest" in arrays else ""
            broken = tuple(map(str, arrays["broken"])) if "broken" in arrays else ()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file of statistics; give an .npz") from error
    except _UNREADABLE as error:
        raise UserError(
            f"{path}: is no file of statistics; give an .npz with 'mu' [D] and 'sigma' [D, D]"
        ) from error
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(
            f"{path}: mu is {list(mean.shape)} and sigma {list(covariance.shape)}, which do not "
            "belong together; make the statistics anew"
        )
    return Statistics(mean, covariance, count, features, digest, broken)


def default_cache() -> Path:
    """Where statistics are kept: ``GFLA_CACHE``, else ``~/.cache/gfla_video``."""
    return Path(os.environ.get("GFLA_CACHE") or Path.home() / ".cache" / "gfla_video")


def folder_statistics(
    pictures: Sequence[Path | Picture],
    extractor: FeatureExtractor,
    *,
    prepare: Callable[[Picture], Picture] | None = None,
    preparation: str = "",
    batch_size: int = 64,
    whole_batches: int = 0,
    keep_features: bool = False,
    cache_dir: str | Path | None = None,
) -> Statistics:
    """Statistics of many pictures, from the cache where the same ones were measured before.

    The key is made of the pictures' content (the files' bytes) and order, the preparation and the
    network, so a changed picture is measured anew. Nothing is written beside the pictures.

    Args:
        pictures: files, or pictures uint8 ``[H, W, 3]``; read one after the other, twice.
        extractor: of the features.
        prepare: what is done to each picture before (crop, pad, resize).
        preparation: names ``prepare`` and its settings, for the key.
        batch_size: pictures at once; pictures of different sizes go one size after the other.
        whole_batches: count the pictures of whole batches of so many only, see
            :class:`~gfla_video.evaluation.StreamingMetric`; 0: all.
        keep_features: for KID, 4 D bytes per picture (8 kB of Inception).
        cache_dir: :func:`default_cache` where None.

    Raises:
        UserError: no picture can be read, or the cache lies in a folder of the pictures.
    """
    cache = Path(cache_dir) if cache_dir is not None else default_cache()
    _check_cache(cache, pictures)
    settings = (_FORMAT, extractor.digest, preparation, whole_batches, keep_features)
    key = hashlib.sha256(repr(settings).encode())
    for picture in progress(pictures, "looking at the real pictures"):
        key.update(_content(picture))
    digest = key.hexdigest()
    kept = cache / "statistics" / f"{digest[:32]}.npz"
    if kept.is_file():
        return load_statistics(kept)
    collected = _Collected(extractor, batch_size, whole_batches, keep_features)
    for number, picture in enumerate(progress(pictures, "features of the real pictures")):
        collected.add(picture, number, prepare)
    found = collected.statistics(digest)
    arrays = {"mu": found.mean.numpy(), "sigma": found.covariance.numpy(), "count": found.count}
    if found.features is not None:
        arrays["features"] = found.features.numpy()
    with atomic_path(kept) as temporary:
        np.savez(temporary, **arrays, digest=digest, broken=np.array(found.broken, dtype=str))
    return found


class _Collected:
    """Features of pictures, a batch at a time."""

    def __init__(
        self, extractor: FeatureExtractor, batch_size: int, whole_batches: int, keep: bool
    ) -> None:
        self.extractor, self.batch_size = extractor, batch_size
        self.whole_batches, self.keep = whole_batches, keep
        self.pictures: list[Picture] = []
        self.waiting: list[Tensor] = []
        self.features: list[Tensor] = []
        self.moments: Moments | None = None
        self.broken: list[str] = []

    def add(
        self, picture: Path | Picture, number: int, prepare: Callable[[Picture], Picture] | None
    ) -> None:
        """Read one; a picture that cannot be read is noted and left out."""
        try:
            pixels = _pixels(picture)
        except _UNREADABLE as error:
            name = picture.name if isinstance(picture, Path) else f"picture {number}"
            self.broken.append(f"{name}: {str(error).splitlines()[0] or type(error).__name__}")
            return
        if prepare is not None:
            pixels = prepare(pixels)
        full = len(self.pictures) == self.batch_size
        if full or (self.pictures and self.pictures[0].shape != pixels.shape):
            self._describe()
        self.pictures.append(pixels)

    def _describe(self) -> None:
        if self.pictures:
            stack = torch.from_numpy(np.stack(self.pictures)).permute(0, 3, 1, 2)
            self.waiting += list(self.extractor(stack).pooled)
            self.pictures = []
        enough = self.whole_batches or 1
        while len(self.waiting) >= enough:
            count = enough if self.whole_batches else len(self.waiting)
            self._count(count)

    def _count(self, number: int) -> None:
        rows = torch.stack(self.waiting[:number])
        self.waiting = self.waiting[number:]
        if self.moments is None:
            self.moments = Moments(rows.shape[1])
        self.moments.add(rows)
        if self.keep:
            self.features.append(rows)

    def statistics(self, digest: str) -> Statistics:
        """Of all that were added."""
        self._describe()
        if self.moments is None and self.waiting:  # less than one batch: all count
            self._count(len(self.waiting))
        if self.moments is None:
            why = f" ({self.broken[0]})" if self.broken else ""
            raise UserError(f"no real picture can be read{why}; check the folder")
        features = torch.cat(self.features) if self.keep else None
        return self.moments.statistics(features=features, digest=digest, broken=tuple(self.broken))


def _pixels(picture: Path | Picture) -> Picture:
    if isinstance(picture, Path):
        with Image.open(picture) as image:
            return np.array(image.convert("RGB"))
    return picture


def _content(picture: Path | Picture) -> bytes:
    """Digest of a file's bytes, or of a picture's shape and pixels."""
    if isinstance(picture, Path):
        try:
            return hashlib.sha256(picture.read_bytes()).digest()
        except OSError as error:  # counted as broken afterwards
            return f"{picture.name} {type(error).__name__}".encode()
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


def _check_cache(cache: Path, pictures: Sequence[Path | Picture]) -> None:
    place = cache.resolve()
    folders = {picture.parent for picture in pictures if isinstance(picture, Path)}
    for folder in folders:
        if place.is_relative_to(folder.resolve()):
            raise UserError(
                f"{cache}: the cache must not lie in the folder of the pictures ({folder}); choose "
                "another one by GFLA_CACHE"
            )
