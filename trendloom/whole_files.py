"""Files that appear complete or not at all: whoever watches a file never reads half of it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and put it there at once; folders that are missing are made.

    Who may read it is the process's umask's business, as for any file. Raises ``OSError`` where nothing can be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     place = Path(folder) / "new" / "file"
    ...     write_whole(place, b"whole")
    ...     place.read_bytes(), [one.name for one in place.parent.iterdir()]
    (b'whole', ['file'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
