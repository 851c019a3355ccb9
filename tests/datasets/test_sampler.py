"""The endless sampler: orders, ranks, and an exact and cheap resume."""

from __future__ import annotations

from itertools import islice

import pytest
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader, Dataset

from gfla_video.datasets import sampler as module
from gfla_video.datasets.sampler import ResumableInfiniteSampler, SampleKey
from gfla_video.registry import DATA_SAMPLERS


class Numbers(Dataset[int]):
    def __len__(self) -> int:
        return 7

    def __getitem__(self, key: SampleKey | int) -> int:
        index, epoch = key if isinstance(key, tuple) else (key, 0)
        return 100 * epoch + index


def take(sampler: ResumableInfiniteSampler, count: int) -> list[SampleKey]:
    return list(islice(iter(sampler), count))


def ranks(monkeypatch: pytest.MonkeyPatch, rank: int, world: int) -> ResumableInfiniteSampler:
    monkeypatch.setattr(module, "get_dist_info", lambda: (rank, world))
    return ResumableInfiniteSampler(Numbers(), seed=5)


def test_each_pass_has_every_sample_once_in_another_order() -> None:
    keys = take(ResumableInfiniteSampler(Numbers(), seed=1), 21)
    passes = [keys[start : start + 7] for start in (0, 7, 14)]
    for epoch, part in enumerate(passes):
        assert {key.epoch for key in part} == {epoch}
        assert sorted(key.index for key in part) == list(range(7))
    orders = {tuple(key.index for key in part) for part in passes}
    assert len(orders) == 3


def test_the_seed_decides() -> None:
    assert take(ResumableInfiniteSampler(Numbers(), 1), 14) == take(
        ResumableInfiniteSampler(Numbers(), 1), 14
    )
    assert take(ResumableInfiniteSampler(Numbers(), 1), 14) != take(
        ResumableInfiniteSampler(Numbers(), 2), 14
    )
    assert take(ResumableInfiniteSampler(Numbers(), None), 3)


def test_without_shuffle_the_order_is_the_datasets() -> None:
    keys = take(ResumableInfiniteSampler(Numbers(), shuffle=False), 9)
    assert [key.index for key in keys] == [*range(7), 0, 1]
    assert keys[-1] == SampleKey(1, 1)


@pytest.mark.parametrize("start", [0, 3, 7, 25, 1000003])
def test_resume_is_exact(start: int) -> None:
    sampler = ResumableInfiniteSampler(Numbers(), seed=2)
    sampler.start = start
    resumed = take(sampler, 10)
    if start < 100:
        whole = take(ResumableInfiniteSampler(Numbers(), seed=2), start + 10)
        assert resumed == whole[start:]
    assert resumed[0].epoch == start // 7


@pytest.mark.parametrize("start", [0, 4])
def test_ranks_share_one_stream(monkeypatch: pytest.MonkeyPatch, start: int) -> None:
    whole = take(ranks(monkeypatch, 0, 1), 40)
    for rank in range(3):
        sampler = ranks(monkeypatch, rank, 3)
        sampler.start = start
        assert take(sampler, 8) == whole[start * 3 + rank :: 3][:8]


@pytest.mark.parametrize("workers", [0, 2])
def test_it_drives_a_loader(workers: int) -> None:
    sampler = DATA_SAMPLERS.build(
        {"type": "ResumableInfiniteSampler"}, default_args={"dataset": Numbers(), "seed": 9}
    )
    assert len(sampler) == 7
    sampler.set_epoch(3)
    sampler.start = 4
    loader = iter(DataLoader(Numbers(), 2, sampler=sampler, num_workers=workers))
    drawn = [int(value) for _ in range(3) for value in next(loader)]
    assert drawn == [100 * key.epoch + key.index for key in take(sampler, 6)]


def test_mmengines_sequential_sampler_is_found_for_tests() -> None:
    sampler = DATA_SAMPLERS.build(
        {"type": "DefaultSampler", "shuffle": False}, default_args={"dataset": Numbers()}
    )
    assert isinstance(sampler, DefaultSampler)
    assert list(sampler) == list(range(7))


def test_an_empty_dataset_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        ResumableInfiniteSampler([])
