"""The measurement helper on a fake clock, on known allocations and on known products."""

from __future__ import annotations

import gc
import sys

import pytest
import torch

from gfla_video.testing.benchmark.cases import Case, Settings, Variant, measure_case
from gfla_video.testing.benchmark.floors import Rates, count_flops, gather_flops, nbytes
from gfla_video.testing.benchmark.measure import interleave, peak_extra_bytes, ratio, spread
from gfla_video.utils.errors import UserError

CPU = torch.device("cpu")
MIB = 2**20
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the kernel's high-water mark is Linux's"
)


class FakeClock:
    """A clock that only the runs move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.order: list[str] = []

    def __call__(self) -> float:
        return self.now

    def run(self, name: str, *durations: float) -> object:
        left = list(durations)

        def work() -> None:
            self.order.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


def test_variants_take_turns() -> None:
    clock = FakeClock()
    runs = {
        "a": clock.run("a", 1.0),
        "b": clock.run("b", 9.0, 2.0, 3.0, 4.0),
        "c": clock.run("c", 5.0),
    }
    samples = interleave(runs, repeats=3, warmup=1, clock=clock)
    assert "".join(clock.order) == "abc" * 4
    assert samples == {"a": [1.0] * 3, "b": [2.0, 3.0, 4.0], "c": [5.0] * 3}  # the warm-up is gone


def test_short_runs_are_repeated_within_a_sample() -> None:
    clock = FakeClock()
    samples = interleave(
        {"short": clock.run("s", 0.003), "long": clock.run("l", 0.5)},
        repeats=2,
        warmup=2,
        min_sample=0.02,
        clock=clock,
    )
    assert "".join(clock.order) == "sl" * 2 + ("s" * 7 + "l") * 2
    assert samples["short"] == pytest.approx([0.003, 0.003])
    assert samples["long"] == pytest.approx([0.5, 0.5])


def test_the_device_is_waited_for_around_every_sample() -> None:
    clock, waits = FakeClock(), []
    interleave(
        {"a": clock.run("a", 1.0)},
        repeats=2,
        clock=clock,
        synchronize=lambda: waits.append(len(clock.order)),
    )
    assert waits == [0, 1, 1, 2, 2, 3]


def test_no_collection_falls_into_a_sample() -> None:
    seen = []
    case = Case("c", {}, {"a": Variant(lambda: seen.append(gc.isenabled()))}, memory=False)
    measure_case(case, Settings(quick=True, repeats=1, warmup=1), Rates(CPU, quick=True))
    assert seen[0] is True  # the first run only tells whether it works
    assert not any(seen[1:]) and len(seen) > 2
    assert gc.isenabled() and gc.get_freeze_count() == 0


def test_spread_and_ratio() -> None:
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert [found[key] for key in ("min", "q1", "median", "q3", "max")] == [1, 2, 3, 4, 5]
    assert found["samples"] == [5, 1, 2, 4, 3]
    assert spread([7.0])["q1"] == spread([7.0])["q3"] == 7.0
    compared = ratio([8.0, 4.0, 6.0], [2.0, 2.0, 2.0])
    assert (compared["median"], compared["min"], compared["max"]) == (3.0, 2.0, 4.0)


@linux
def test_peak_memory_sees_what_is_freed_again_and_not_what_was_there() -> None:
    held = torch.ones(32 * MIB // 4)

    def work() -> None:
        first = torch.ones(48 * MIB // 4)
        second = first + 1  # both at once: 96 MiB
        del first
        second += 1

    def nothing() -> None:
        held.add_(1)

    work()
    assert peak_extra_bytes(work, CPU) == pytest.approx(96 * MIB, rel=0.05)
    assert peak_extra_bytes(nothing, CPU) < 4 * MIB
    assert peak_extra_bytes(work, CPU) == pytest.approx(96 * MIB, rel=0.05)


def test_counted_operations() -> None:
    conv = torch.nn.Conv2d(3, 8, 3, bias=False)
    picture = torch.randn(2, 3, 10, 12)
    assert count_flops(lambda: conv(picture)) == 2 * 2 * 8 * 8 * 10 * 3 * 9
    assert gather_flops(taps=36, channels=128, positions=64 * 64) == 2 * 36 * 128 * 4096
    assert nbytes(picture, None, picture.double()) == 720 * (4 + 8)


def test_floor_is_the_longer_of_both() -> None:
    rates = Rates(CPU, quick=True)
    assert rates.copy_bytes_per_second > 1e8
    product = rates.arithmetic(torch.float32)
    told = rates.as_dict()
    both = [told[f"{kind}_flops_per_second"]["float32"] for kind in ("matmul", "convolution")]
    assert product == max(both) and min(both) > 1e8
    busy = rates.floor(int(product), 1, torch.float32)
    assert busy == {"seconds": pytest.approx(1.0), "bound_by": "arithmetic"}
    moved = int(3 * rates.copy_bytes_per_second)
    assert rates.floor(1, moved, torch.float32) == {
        "seconds": pytest.approx(3.0),
        "bound_by": "memory",
    }


def test_a_case_with_a_variant_that_cannot_run() -> None:
    settings = Settings(repeats=3, warmup=1)
    source = torch.randn(64, 64)

    def broken() -> None:
        raise RuntimeError("no such kernel\nmore")

    case = Case(
        "products",
        {"n": 64},
        {
            "twice": Variant(lambda: source @ source @ source, moved=100, items=2, state=7),
            "once": Variant(lambda: source @ source, moved=100, more_flops=5),
            "broken": Variant(broken),
        },
        [("twice", "once"), ("broken", "once")],
    )
    found = measure_case(case, settings, Rates(CPU, quick=True))
    assert found["left_out"] == {"broken": "RuntimeError: no such kernel"}
    assert set(found["variants"]) == {"twice", "once"}
    assert set(found["ratios"]) == {"twice / once"}
    assert found["variants"]["once"]["flops"] == 2 * 64**3 + 5
    twice = found["variants"]["twice"]
    assert twice["flops"] == 4 * 64**3
    assert len(twice["seconds"]["samples"]) == 3
    assert twice["items_per_second"] == pytest.approx(2 / twice["seconds"]["median"])
    if twice["peak_extra_bytes"] is not None:
        assert twice["peak_bytes"] == twice["peak_extra_bytes"] + 7


def test_ratios_are_per_item() -> None:
    case = Case(
        "items",
        {},
        {"one": Variant(lambda: None, items=1), "ten": Variant(lambda: None, items=10)},
        [("one", "ten")],
        memory=False,
    )
    found = measure_case(case, Settings(repeats=5), Rates(CPU, quick=True))
    one, ten = (found["variants"][name]["seconds"]["samples"] for name in ("one", "ten"))
    expected = 10 * ratio(one, ten)["median"]
    assert found["ratios"]["one / ten"]["time"]["median"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"repeats": 0}, "--repeats 0: at least 1"),
        ({"batches": (2, 0)}, "--batch 2 0"),
        ({"dtype": "int8"}, "--dtype int8: choose float32"),
        ({"formats": ("nhwc",)}, "--memory-format nhwc"),
        ({"graphs": True}, "--graphs: needs --device cuda"),
        ({"frames": 1}, "--frames 1: at least 2"),
    ],
)
def test_bad_settings(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Settings(**wrong)
