"""An error of a worker process is one sentence again."""

from __future__ import annotations

import pytest
from torch.utils.data import DataLoader, Dataset

from gfla_video.utils.errors import UserError
from gfla_video.utils.workers import plain_worker_errors


class BrokenDataset(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        raise UserError("a.jpg: is cut off, replace it")


@pytest.mark.parametrize("workers", [0, 1])
def test_the_sentence_comes_through(workers: int) -> None:
    with pytest.raises(UserError) as caught, plain_worker_errors():
        next(iter(DataLoader(BrokenDataset(), num_workers=workers)))
    assert str(caught.value) == "a.jpg: is cut off, replace it"
