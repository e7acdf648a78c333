"""File objects of Python as the native part reads them, and where bytes come from."""

from __future__ import annotations

import io
import os
import threading
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["NOT_THERE", "Reader", "identity", "is_url", "open_url"]

# A request over a network costs about as much as a mebibyte does.
_REMOTE_GAP = 1 << 20
_REMOTE_LEAST = 1 << 20
# A call of a file object in this process costs about as much as some kibibytes do.
_LOCAL_GAP = 64 << 10


class Reader:
    """A file object that is read by position, by one thread at a time.

    Parameters
    ----------
    file
        An object with `seek` and `read`.
    lock
        What is held while it is read; a lock of its own by default.
    """

    __slots__ = ("_lock", "file", "merge_gap", "min_read")

    def __init__(self, file: Any, lock: AbstractContextManager[Any] | None = None) -> None:
        self.file = file
        self._lock = threading.RLock() if lock is None else lock
        local = isinstance(file, (io.BytesIO, io.BufferedReader, io.BufferedRandom, io.FileIO))
        self.merge_gap = _LOCAL_GAP if local or not _is_remote(file) else _REMOTE_GAP
        self.min_read = 0 if local or not _is_remote(file) else _REMOTE_LEAST

    def length(self) -> int | None:
        """The number of bytes; None if that is known only after reading all of them."""
        size = getattr(self.file, "size", None)
        if isinstance(size, int):
            return size
        if not isinstance(self.file, io.IOBase) or _is_stream_of_another(self.file):
            return None
        if isinstance(self.file, io.BytesIO):
            return self.file.getbuffer().nbytes
        with self._lock:
            return self.file.seek(0, io.SEEK_END)

    def read_at(self, offset: int, count: int) -> bytes:
        """The bytes from `offset` on; fewer than `count` where the file ends before."""
        with self._lock:
            self.file.seek(offset)
            piece = self.file.read(count)
            if len(piece) == count or not piece:
                return bytes(piece)
            # A raw file may give less than it has.
            pieces = [piece]
            count -= len(piece)
            while count:
                piece = self.file.read(count)
                if not piece:
                    break
                pieces.append(piece)
                count -= len(piece)
            return b"".join(pieces)

    def __reduce__(self) -> tuple[type[Reader], tuple[Any]]:
        return Reader, (self.file,)


def _is_remote(file: Any) -> bool:
    """Whether it is a file of fsspec's, or one like it, that is not on this machine's disk."""
    return hasattr(file, "fs") or hasattr(file, "cache") or hasattr(file, "blocksize")


def _is_stream_of_another(file: Any) -> bool:
    """Whether it decompresses: then its end is found by reading all of it."""
    return type(file).__module__.split(".")[0] in {
        "bz2",
        "compression",
        "gzip",
        "indexed_gzip",
        "lzma",
    }


def is_url(path: str) -> bool:
    """Whether a name is one of fsspec's: `s3://..`, `https://..`, `memory://..`."""
    scheme, mark, _ = path.partition("://")
    return bool(mark) and scheme.replace("+", "").replace("::", "").isalnum()


def open_url(url: str) -> Any:
    """The file object of a URL, by fsspec."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        message = f"{url}: names like this one need fsspec (pip install fsspec)"
        raise ImportError(message) from error
    system, path = url_to_fs(url)
    # Without a cache of its own: pieces are joined and kept here.
    return system.open(path, "rb", cache_type="none")


#: Size and time of a file that is not there.
NOT_THERE = (-1, 0)


def identity(paths: list[str]) -> tuple[tuple[str, int, int], ...]:
    """What shows whether files are still the same: their names, sizes and times."""
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            found.append((path, *NOT_THERE))
        else:
            found.append((path, status.st_size, status.st_mtime_ns))
    return tuple(found)
