"""The exceptions of voxload: each is also what a user of Python catches for the same trouble."""

from __future__ import annotations

__all__ = [
    "BadIndexError",
    "ChangedError",
    "DamagedError",
    "FileError",
    "FormatError",
    "HeaderError",
    "LimitError",
    "NotFoundError",
    "OutOfMemoryError",
    "UsageError",
    "VoxelTypeError",
    "VoxloadError",
]


class VoxloadError(Exception):
    """Any error of voxload.

    Attributes
    ----------
    path : str or None
        The file concerned.
    field : str or None
        The field of its header, as the format names it.
    """

    path: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        # OSError would say its number and the name of the file once more.
        return str(self.args[0]) if self.args else ""


class FileError(VoxloadError, OSError):
    """Reading or writing failed in the operating system, or the path is no regular file."""


class NotFoundError(FileError, FileNotFoundError):
    """There is no such file, or it may not be opened."""


class DamagedError(FileError):
    """The file ends too early, or its compressed data is damaged: no wrong voxels are returned."""


class ChangedError(FileError):
    """The file was changed after it was loaded. Load it again."""


class FormatError(VoxloadError, ValueError):
    """The file is of no known format, is no volume, or needs what voxload does not have."""


class HeaderError(VoxloadError, ValueError):
    """A field of the header holds what cannot be used."""


class LimitError(VoxloadError, ValueError):
    """Something in the file exceeds one of the limits."""


class UsageError(VoxloadError, ValueError):
    """The call does not fit the image or its options."""


class BadIndexError(VoxloadError, IndexError, ValueError):
    """An index does not fit the shape: `IndexError` as in numpy, `ValueError` as in nibabel."""


class VoxelTypeError(VoxloadError, TypeError):
    """Voxels of this type cannot be converted to that."""


class OutOfMemoryError(VoxloadError, MemoryError):
    """The system has not this much memory. Nothing was read."""
