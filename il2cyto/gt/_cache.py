"""What was made once for a kind of file, kept for the next file of that kind."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T", bound=object)


class Recent(Generic[T]):
    """The most recently used results by key; safe for threads. Two threads may make the same one at once, and keep one."""

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, Lock()
        self._known: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result for a key, made if it is not known; what `make` raises is not kept."""
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        made = make()
        with self._lock:
            kept = self._known.setdefault(key, made)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return kept

    def __len__(self) -> int:
        return len(self._known)
