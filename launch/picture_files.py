"""Pictures that commands write: a file's name is checked before anything is computed for it.

Decides nothing about what is drawn. Read next: ``launch/commands/similar.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trendloom.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_target_file", "picture_format", "save_picture"]


def check_target_file(out: Path | None) -> None:
    """Raise :class:`InputError` where no file can be written: its folder is missing, or a folder has its name."""
    if out is None:
        return
    if not out.absolute().parent.is_dir():
        raise InputError(f"There is no folder {out.parent} to write {out.name} into. Action: make it first.")
    if out.is_dir():
        raise InputError(f"{out} is a folder. Action: name a file.")


def picture_format(out: Path | None) -> str:
    """Return the format that a picture's file name asks for, "" for none; raises :class:`InputError`.

    >>> picture_format(Path("grid.jpg")), picture_format(None)
    ('JPEG', '')
    """
    from PIL import Image

    if out is None:
        return ""
    found = Image.registered_extensions().get(out.suffix.lower(), "")
    if found not in {"JPEG", "PNG", "WEBP"}:
        raise InputError(f"{out} does not end like a picture's name. Action: end it with .png, .jpg or .webp.")
    check_target_file(out)
    return found


def save_picture(picture: Image.Image, out: Path, kind: str) -> None:
    """Write a picture as :func:`picture_format` said; raises :class:`InputError` when that fails."""
    try:
        picture.save(out, kind)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror or error}). Action: name another file.") from error
