"""Mean and covariance of the features of many pictures, and where they are kept."""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from mmengine.logging import print_log
from torch import Tensor

from gfla_video.evaluation.inception import FeatureExtractor
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import atomic_path
from gfla_video.utils.progress import progress

Picture = npt.NDArray[np.uint8]
# The picture as it is measured, and what was done because it came in another size, if anything.
Prepare = Callable[[Picture], tuple[Picture, str | None]]
_FORMAT = 2  # of the files in the cache; another number makes them anew
_NOTES = 3  # that are kept
_DAMAGED = (  # what reading an archive raises, as its bytes lead to
    *(OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, SyntaxError),
    *(ArithmeticError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error),
)


@dataclass(frozen=True)
class Statistics:
    """Features of a set of pictures.

    Attributes:
        mean: float64 ``[D]``.
        covariance: float64 ``[D, D]``, divided by count - 1.
        count: of pictures; 0 where a file does not say it.
        features: float32 ``[count, D]``, where they were kept (KID needs them).
        digest: of the prepared pictures and the network; "" where a file does not say it.
        broken: "name: why" of each picture that could not be read.
        notes: what the preparation said, each sentence once, the first few of them.
    """

    mean: Tensor
    covariance: Tensor
    count: int
    features: Tensor | None = None
    digest: str = ""
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
        eps: added to both diagonals under the root where scipy's root of ``C1 C2`` is not finite,
            as in the programs that take that one (1e-6). It can be so of singular matrices only,
            and hardly ever is; to know takes a while (2048 features: a minute).
    """
    first, second = one.covariance, other.covariance
    spread = first.trace() + second.trace()
    gap = (one.mean - other.mean).square().sum()
    roots = _root_eigenvalues(first, second)
    if eps and _is_singular(roots) and not _scipy_has_root(first, second):
        offset = eps * torch.eye(len(one.mean), dtype=torch.float64)
        roots = _root_eigenvalues(first + offset, second + offset)
    return float(gap + spread - 2 * roots.sum())


def _root_eigenvalues(first: Tensor, second: Tensor) -> Tensor:
    """Eigenvalues of the root of a product of covariances ``[D, D]``, ascending."""
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ second @ root
    return torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt()


def _is_singular(roots: Tensor) -> bool:
    """Whether a matrix is so but for rounding, from the ascending eigenvalues of its root."""
    tolerance = len(roots) * torch.finfo(roots.dtype).eps
    return bool(roots[0].square() <= tolerance * roots[-1].square())


def _scipy_has_root(first: Tensor, second: Tensor) -> bool:
    from scipy.linalg import sqrtm  # here, so that importing the metrics stays light

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of singular matrices, which are expected
        return bool(np.isfinite(sqrtm((first @ second).numpy())).all())


def load_statistics(path: str | Path) -> Statistics:
    """Read an ``.npz`` with ``mu`` and ``sigma``, as FID programs write them; perhaps ``features``.

    Raises:
        UserError: no such file, or it is damaged or holds something else.
    """
    path = Path(path)
    try:
        with np.load(path) as arrays:
            mean, covariance = (torch.from_numpy(arrays[k]).double() for k in ("mu", "sigma"))
            features = torch.from_numpy(arrays["features"]) if "features" in arrays else None
            count = int(arrays["count"]) if "count" in arrays else 0
            digest = str(arrays["digest"]) if "digest" in arrays else ""
            broken, notes = (
                tuple(map(str, arrays[key])) if key in arrays else () for key in ("broken", "notes")
            )
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file of statistics; give an .npz") from error
    except _DAMAGED as error:
        raise UserError(
            f"{path}: is no file of statistics, or damaged; give an .npz with 'mu' [D] and 'sigma' "
            "[D, D]"
        ) from error
    if not (mean.isfinite().all() and covariance.isfinite().all()):
        raise UserError(f"{path}: holds values that are no numbers; make the statistics anew")
    if features is not None and features.shape[1:] != mean.shape:
        raise UserError(
            f"{path}: features are {list(features.shape)} and mu is {list(mean.shape)}, which do "
            "not belong together; make the statistics anew"
        )
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(
            f"{path}: mu is {list(mean.shape)} and sigma {list(covariance.shape)}, which do not "
            "belong together; make the statistics anew"
        )
    return Statistics(mean, covariance, count, features, digest, broken, notes)


def default_cache() -> Path:
    """Where statistics are kept: ``GFLA_CACHE``, else ``~/.cache/gfla_video``."""
    return Path(os.environ.get("GFLA_CACHE") or Path.home() / ".cache" / "gfla_video")


def folder_statistics(
    pictures: Sequence[Path | Picture],
    extractor: FeatureExtractor,
    *,
    read: Callable[[Path], Picture],
    prepare: Prepare | None = None,
    preparation: str = "",
    batch_size: int = 64,
    whole_batches: int = 0,
    keep_features: bool = False,
    cache_dir: str | Path | None = None,
    data_folders: Sequence[str | Path] = (),
) -> Statistics:
    """Statistics of many pictures, from the cache where the same ones were measured before.

    The key is made of the pictures' content (the files' bytes) and order, the preparation and the
    network, so a changed picture is measured anew, and so is a damaged file of the cache. Nothing
    is written beside the pictures.

    Args:
        pictures: files, or pictures uint8 ``[H, W, 3]``; read one after the other, twice. One whose
            reading is a UserError is named in the result and left out.
        extractor: of the features.
        read: gives a file's picture uint8 ``[H, W, 3]``, by the reader of the data sets.
        prepare: what is done to each picture before (crop, pad, resize), and what to say of it.
        preparation: names ``read``, ``prepare`` and their settings, for the key.
        batch_size: pictures at once; pictures of different sizes go one size after the other.
        whole_batches: count the pictures of whole batches of so many only, see
            :class:`~gfla_video.evaluation.StreamingMetric`; 0: all.
        keep_features: for KID, 4 D bytes per picture (8 kB of Inception).
        cache_dir: :func:`default_cache` where None.
        data_folders: of the data that the pictures belong to.

    Raises:
        UserError: no picture can be read, or the cache lies in the folder of the data or of the
            pictures.
    """
    cache = Path(cache_dir) if cache_dir is not None else default_cache()
    folders = {path.parent for path in _files(pictures)}
    data = [Path(folder) for folder in data_folders]
    _check_cache(cache, [*data, *folders])
    base = Path(os.path.commonpath(folders)) if folders else next(iter(data), Path())
    settings = (_FORMAT, extractor.digest, preparation, whole_batches, keep_features)
    key = hashlib.sha256(repr(settings).encode())
    for number in progress(range(len(pictures)), "looking at the real pictures"):
        key.update(_content(pictures, number))
    kept = cache / "statistics" / f"{key.hexdigest()[:32]}.npz"
    if kept.is_file():
        try:
            return load_statistics(kept)
        except UserError as error:
            print_log(f"{error}; it is made anew", logger="current", level=logging.WARNING)
    collected = _Collected(extractor, batch_size, whole_batches, keep_features, base)
    for number in progress(range(len(pictures)), "features of the real pictures"):
        collected.add(pictures, number, read, prepare)
    found = collected.statistics()
    _write(kept, found)
    return found


def _write(path: Path, found: Statistics) -> None:
    arrays = {"mu": found.mean.numpy(), "sigma": found.covariance.numpy(), "count": found.count}
    if found.features is not None:
        arrays["features"] = found.features.numpy()
    texts = {"broken": np.array(found.broken, dtype=str), "notes": np.array(found.notes, dtype=str)}
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays, **texts, digest=found.digest)


class _Collected:
    """Features of pictures, a batch at a time."""

    def __init__(
        self,
        extractor: FeatureExtractor,
        batch_size: int,
        whole_batches: int,
        keep: bool,
        base: Path,
    ) -> None:
        self.extractor, self.batch_size, self.base = extractor, batch_size, base
        self.whole_batches, self.keep = whole_batches, keep
        self.pictures: list[Picture] = []
        self.waiting: list[Tensor] = []
        self.features: list[Tensor] = []
        self.moments: Moments | None = None
        self.broken: list[str] = []
        self.notes: dict[str, None] = {}
        self.digest = hashlib.sha256(repr((extractor.digest, whole_batches)).encode())

    def add(
        self,
        pictures: Sequence[Path | Picture],
        number: int,
        read: Callable[[Path], Picture],
        prepare: Prepare | None,
    ) -> None:
        """Read one; a picture that cannot be read is noted and left out."""
        picture: Path | Picture | None = None
        try:
            picture = pictures[number]
            pixels = read(picture) if isinstance(picture, Path) else picture
        except UserError as error:  # a data set reads its pictures itself and says which one it was
            path = picture if isinstance(picture, Path) else Path(getattr(error, "path", ""))
            self._note_broken(path, number, str(error))
            return
        if prepare is not None:
            pixels, note = prepare(pixels)
            if note is not None and len(self.notes) < _NOTES:
                self.notes[note] = None
        self.digest.update(_pixels_digest(pixels))
        full = len(self.pictures) == self.batch_size
        if full or (self.pictures and self.pictures[0].shape != pixels.shape):
            self._describe()
        self.pictures.append(pixels)

    def _note_broken(self, path: Path, number: int, error: str) -> None:
        name = path.relative_to(self.base) if path.is_relative_to(self.base) else path.name
        why = error.removeprefix(f"{path}: ").partition("; ")[0]
        self.broken.append(f"{name if path.name else f'picture {number}'}: {why}")

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

    def statistics(self) -> Statistics:
        """Of all that were added."""
        self._describe()
        if self.moments is None and self.waiting:  # less than one batch: all count
            self._count(len(self.waiting))
        if self.moments is None:
            why = f" ({self.broken[0]})" if self.broken else ""
            raise UserError(f"no real picture can be read{why}; check the folder")
        return self.moments.statistics(
            features=torch.cat(self.features) if self.keep else None,
            digest=self.digest.hexdigest(),
            broken=tuple(self.broken),
            notes=tuple(self.notes),
        )


def _files(pictures: Sequence[Path | Picture]) -> list[Path]:
    """The files of a list; the pictures of a data set are not read for that."""
    if not isinstance(pictures, (list, tuple)):
        return []
    return [picture for picture in pictures if isinstance(picture, Path)]


def _content(pictures: Sequence[Path | Picture], number: int) -> bytes:
    """Digest of a file's bytes, or of a picture's shape and pixels."""
    try:
        picture = pictures[number]
        if not isinstance(picture, Path):
            return _pixels_digest(picture)
        return hashlib.sha256(picture.read_bytes()).digest()
    except (OSError, UserError) as error:  # counted as broken afterwards
        return f"{number} {error}".encode()


def _pixels_digest(picture: Picture) -> bytes:
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


def _check_cache(cache: Path, folders: Sequence[Path]) -> None:
    place = cache.resolve()
    for folder in folders:
        if place.is_relative_to(folder.resolve()):
            raise UserError(
                f"{cache}: the cache must not lie in the folder of the data ({folder}); choose "
                "another one by GFLA_CACHE"
            )
