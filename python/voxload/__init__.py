"""Loads medical and scientific volumes as nibabel does: a header, and voxels that are read when they are asked for.

>>> import voxload
>>> img = voxload.load("bold.nii.gz")                # reads the header
>>> data = img.get_fdata(dtype="float32")            # scaled, cached
>>> frame = img.dataobj[..., 30]                     # reads one frame

`voxload.nib` puts the same reading under nibabel's own classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._core import format_names, get_num_threads, set_num_threads
from ._errors import (
    BadIndexError,
    ChangedError,
    DamagedError,
    FileError,
    FormatError,
    HeaderError,
    LimitError,
    NotFoundError,
    OutOfMemoryError,
    UsageError,
    VoxelTypeError,
    VoxloadError,
)
from ._header import Header
from ._image import ExpiredDeprecationError, Image, load
from ._origin import FileHolder
from ._proxy import ArrayProxy

if TYPE_CHECKING:
    from ._many import Loaded, load_many

__all__ = [
    "ArrayProxy",
    "BadIndexError",
    "ChangedError",
    "DamagedError",
    "ExpiredDeprecationError",
    "FileError",
    "FileHolder",
    "FormatError",
    "Header",
    "HeaderError",
    "Image",
    "LimitError",
    "Loaded",
    "NotFoundError",
    "OutOfMemoryError",
    "UsageError",
    "VoxelTypeError",
    "VoxloadError",
    "format_names",
    "get_num_threads",
    "load",
    "load_many",
    "set_num_threads",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What is imported when it is used first, as it needs modules that take long."""
    if name in ("Loaded", "load_many"):
        from . import _many

        return getattr(_many, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
