"""How far a worker's partitions are: what the state has applied, which journals are kept, what the group has committed.

It never asks a store: :mod:`trendloom.refresh.applying` does, and tells it what it hears.
"""

from __future__ import annotations

from trendloom.errors import StateLost
from trendloom.state.store import Part, Partition

__all__ = ["Progress"]


class Progress:
    """Offsets of the partitions that a worker has taken up.

    >>> place, progress = Partition("purchases", 0), Progress()
    >>> progress.take_up(place, applied=7, journaled=[3, 7])
    >>> progress.committed(place, 5)
    >>> progress.applied(place), progress.forgettable(place)
    (7, [3])
    """

    def __init__(self) -> None:
        self._applied: dict[Partition, int] = {}
        self._journaled: dict[Partition, list[int]] = {}
        self._committed: dict[Partition, int] = {}

    def take_up(self, partition: Partition, *, applied: int, journaled: list[int]) -> None:
        """Begin with a partition; ``journaled`` are the last offsets of the batches whose journals are kept."""
        self._applied[partition] = applied
        self._journaled[partition] = journaled
        self._committed.pop(partition, None)

    def let_go(self, partition: Partition) -> None:
        """Forget a partition."""
        for known in (self._applied, self._journaled, self._committed):
            known.pop(partition, None)

    def committed(self, partition: Partition, offset: int) -> None:
        """Note that everything up to ``offset`` is committed."""
        self._committed[partition] = offset

    def applied(self, partition: Partition) -> int:
        """Return the last offset that is known to be applied; -1: none."""
        return self._applied.get(partition, -1)

    def advance(self, partition: Partition, fence: int) -> None:
        """Note that everything up to ``fence`` is applied."""
        self._applied[partition] = fence

    def written(self, part: Part) -> None:
        """Note what was written of a partition."""
        forgotten = set(part.forget)
        kept = [offset for offset in self._journaled.get(part.partition, []) if offset not in forgotten]
        if part.journal.size:
            kept.append(part.fence)
        self.journaled(part.partition, kept)
        self.advance(part.partition, part.fence)

    def journaled(self, partition: Partition, offsets: list[int]) -> None:
        """Note which batches' journals are kept."""
        self._journaled[partition] = offsets

    def forgettable(self, partition: Partition) -> list[int]:
        """Return the last offsets of a partition's batches that are committed, and journaled still."""
        committed = self._committed.get(partition, -1)
        return [offset for offset in self._journaled.get(partition, []) if offset <= committed]

    def check(self, partition: Partition, fence: int) -> None:
        """Raise StateLost where the store holds less than was applied to it."""
        if fence < self.applied(partition):
            msg = (
                f"{partition.topic}-{partition.partition}: the store's fence fell from {self.applied(partition)} to "
                f"{fence}: it lost its latest changes. Action: start the worker again; it reads the log from there."
            )
            raise StateLost(msg)
