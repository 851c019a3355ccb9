"""Dividing a data set into training and test by who is on the pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gfla_video.utils.errors import UserError
from gfla_video.utils.options import read_options


@dataclass(frozen=True)
class IdSplit:
    """Divide persons, not pictures, between training and test.

    Attributes:
        fraction: part of the persons that is for training, between 0 and 1.
        part: ``train`` or ``test``.
        seed: another seed divides otherwise.
    """

    fraction: float
    part: str
    seed: int = 0

    @classmethod
    def read(cls, values: IdSplit | Mapping[str, Any]) -> IdSplit:
        """Take a split or its plain values.

        Raises:
            UserError: a key is unknown or a value makes no split.
        """
        split = read_options(cls, values, "split")
        if split.part not in ("train", "test"):
            raise UserError(f"split.part must be 'train' or 'test', got {split.part!r}")
        if not 0.0 < split.fraction < 1.0:
            raise UserError(f"split.fraction must lie between 0 and 1, got {split.fraction}")
        return split

    def holds(self, identity: str) -> bool:
        """Whether a person is in this part; it depends on the name and the seed alone."""
        digest = hashlib.blake2b(f"{self.seed}:{identity}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest, "big") / 2**64
        return (place < self.fraction) == (self.part == "train")
