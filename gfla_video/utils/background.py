"""Work ahead in a thread, a bounded number of items at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()


class BackgroundIterator(Generic[T]):
    """Goes through ``items`` in a thread of its own, up to ``depth`` items ahead.

        with BackgroundIterator(frames, depth=2) as ahead:
            for frame in ahead:
                ...

    Order is kept, and every item is made in the same thread. An error, Ctrl-C included, comes
    where the plain loop would have met it, as the same object. Leaving the ``with`` block waits
    for the item that is being made, makes no further one, closes a generator and ends the thread.

    Args:
        items: what to go through; nothing else may use it meanwhile.
        depth: how many items may be finished or in work and not taken yet, at least 1.
        name: of the thread.
    """

    def __init__(self, items: Iterable[T], depth: int = 2, name: str = "background") -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self._items = items
        self._depth = depth
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._iterator: Iterator[T] | None = None
        self._failed = False
        self._waiting: deque[Future[T | object]] = deque()

    def __enter__(self) -> BackgroundIterator[T]:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self._name)
        for _ in range(self._depth):
            self._waiting.append(self._pool.submit(self._next))
        return self

    def __iter__(self) -> BackgroundIterator[T]:
        return self

    def __next__(self) -> T:
        if self._pool is None:
            raise RuntimeError("a BackgroundIterator works inside its with block only")
        if not self._waiting:
            raise StopIteration
        item = self._waiting.popleft().result()
        if item is _END:
            self._waiting.clear()
            raise StopIteration
        self._waiting.append(self._pool.submit(self._next))
        return item  # type: ignore[return-value]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._pool is not None  # entered
        pool, self._pool = self._pool, None
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()
        closing = pool.submit(self._close)
        pool.shutdown(wait=True)
        closing.result()

    def _next(self) -> T | object:
        if self._failed:
            return _END
        try:
            if self._iterator is None:
                self._iterator = iter(self._items)
            return next(self._iterator, _END)
        except BaseException:  # raised again where the item is taken; nothing comes after it
            self._failed = True
            raise

    def _close(self) -> None:
        """End a generator where it ran, so that its ``finally`` blocks see their own thread."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
