"""Items made in a thread: order, bounds, errors, and no thread that stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from gfla_video.utils.background import BackgroundIterator
from gfla_video.utils.errors import UserError

NAME = "test_background"


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """Whatever happened, the thread is gone."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(NAME)]


def ahead(items, depth: int = 2) -> BackgroundIterator:
    return BackgroundIterator(items, depth, NAME)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("depth", [1, 2, 7])
def test_every_item_in_order_and_made_elsewhere(count: int, depth: int) -> None:
    threads = set()

    def items() -> Iterator[int]:
        for index in range(count):
            threads.add(threading.current_thread().name)
            yield index

    with ahead(items(), depth) as made:
        assert list(made) == list(range(count))
        assert next(made, "over") == "over"
    assert all(name.startswith(NAME) for name in threads)
    assert len(threads) == min(count, 1)


def test_it_works_while_the_taker_works() -> None:
    """Each side waits for the other's event: a plain loop would never end."""
    started = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for index in range(3):
            started[index].set()
            yield index

    with ahead(items(), 1) as made:
        for index in made:
            if index < 2:
                assert started[index + 1].wait(10)


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_depth_items_wait(depth: int) -> None:
    done = []

    def items() -> Iterator[int]:
        for index in range(30):
            done.append(index)
            yield index

    with ahead(items(), depth) as made:
        for taken in range(1, 31):
            next(made)
            if taken in (5, 20):
                time.sleep(0.05)  # time enough to run away
            assert len(done) <= taken + depth
            if taken == 5:
                assert len(done) == taken + depth  # and it did work ahead


@pytest.mark.parametrize("error", [UserError("one sentence"), KeyboardInterrupt()])
def test_an_error_comes_in_its_place_as_it_was(error: BaseException) -> None:
    class Counting:
        """An iterator that could go on after its error, unlike a generator."""

        def __init__(self) -> None:
            self.index = -1

        def __iter__(self) -> Counting:
            return self

        def __next__(self) -> int:
            self.index += 1
            if self.index == 4:
                raise error
            return self.index

    items, taken = Counting(), []
    with pytest.raises(type(error)) as raised, ahead(items, 3) as made:
        for item in made:
            taken.append(item)
    assert raised.value is error
    assert taken == [0, 1, 2, 3]
    assert items.index == 4  # nothing was made after it


def test_an_object_that_cannot_be_gone_through() -> None:
    with pytest.raises(TypeError, match="not iterable"), ahead(5) as made:
        next(made)


@pytest.mark.parametrize("error", [None, ValueError("the taker's"), KeyboardInterrupt()])
def test_leaving_early_closes_the_generator_in_its_thread(error: BaseException | None) -> None:
    closed_by, done = [], []

    def items() -> Iterator[int]:
        try:
            for index in range(1000):
                done.append(index)
                yield index
        finally:
            closed_by.append(threading.current_thread().name)

    def take() -> None:
        with ahead(items()) as made:
            assert next(made) == 0
            if error is not None:
                raise error

    if error is None:
        take()
    else:
        with pytest.raises(type(error)) as raised:
            take()
        assert raised.value is error
    assert len(closed_by) == 1 and closed_by[0].startswith(NAME)
    assert len(done) <= 3


def test_one_inside_another_is_closed_too() -> None:
    closed = []

    def inner() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append("inner")

    def outer() -> Iterator[int]:
        with ahead(inner()) as made:
            for item in made:
                yield item * 2

    with ahead(outer()) as made:
        assert [next(made), next(made)] == [0, 2]
    assert closed == ["inner"]


def test_wrong_use() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        ahead([], 0)
    with pytest.raises(RuntimeError, match="inside its with block only"):
        next(ahead([1]))
