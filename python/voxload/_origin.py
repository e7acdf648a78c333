"""Where an image came from: enough to open it again, in another process too."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import _files
from ._core import Volume
from ._errors import ChangedError, UsageError

if TYPE_CHECKING:
    from ._core import FileEntry

__all__ = ["FileHolder", "Origin"]


class FileHolder:
    """A file of an image, as nibabel's: by name or as a file object, and the byte at which it begins.

    Parameters
    ----------
    filename : str or os.PathLike, optional
    fileobj : file object, optional
        Read instead of the file of that name.
    pos : int
        All offsets in the header count from here.
    """

    filename: str | None
    fileobj: Any
    pos: int

    def __init__(self, filename: str | os.PathLike[str] | None = None, fileobj: Any = None, pos: int = 0) -> None:
        self.filename = None if filename is None else os.fspath(filename)
        self.fileobj = fileobj
        self.pos = pos

    def __repr__(self) -> str:
        return f"FileHolder(filename={self.filename!r}, fileobj={self.fileobj!r}, pos={self.pos})"


class Origin:
    """The source of an image, the options that it was loaded with, and the slices that were taken of it.

    `source` is a path, a URL, bytes, a file object, or a mapping of roles to file holders.
    """

    __slots__ = ("_unique", "identity", "options", "source", "steps")

    def __init__(
        self,
        source: Any,
        options: dict[str, Any],
        identity: tuple[tuple[str, int, int], ...] = (),
        steps: tuple[Any, ...] = (),
        unique: str | None = None,
    ) -> None:
        self.source = source
        self.options = options
        self.identity = identity
        self.steps = steps
        self._unique = unique

    @property
    def name(self) -> str:
        """What messages call it."""
        if isinstance(self.source, str):
            return self.source
        if isinstance(self.source, Mapping):
            return ", ".join(str(holder.filename) for holder in self.source.values())
        return type(self.source).__name__

    def identify(self, volume: Volume) -> None:
        """Notes in which state the files are that were found."""
        holders = self.source if isinstance(self.source, Mapping) else {}
        objects = {role for role, holder in holders.items() if holder.fileobj is not None}
        known = isinstance(self.source, str) and not _files.is_url(self.source)
        if not known and not holders:
            return
        names = [name for role, name in volume.files if name is not None and role not in objects]
        # One text for the name that was given and for the file that was found, also in pickles.
        names = [self.source if name == self.source else name for name in names]
        self.identity = _files.identity(names)

    def sliced(self, index: Any) -> Origin:
        """The origin of a part."""
        return Origin(self.source, self.options, self.identity, (*self.steps, index), self._unique)

    def open(self) -> Volume:
        """Opens it anew.

        Raises
        ------
        ChangedError
            If a file is not what it was.
        """
        for was, now in zip(self.identity, _files.identity([name for name, *_ in self.identity]), strict=True):
            if was != now and now[1:] != _files.NOT_THERE:
                text = f"{was[0]}: the file changed after it was loaded: size and time were {was[1:]}, are {now[1:]}"
                error = ChangedError(text)
                error.path = was[0]
                raise error
        volume = self.first()
        for step in self.steps:
            sliced = volume.slicer(step)
            if sliced is None:
                raise UsageError(f"cannot slice an image by {step!r}")
            volume = sliced
        return volume

    def first(self) -> Volume:
        """Opens what was loaded, whatever state it is in."""
        source = self.source
        if isinstance(source, str) and not _files.is_url(source):
            return Volume.open(source, self.options)
        if isinstance(source, bytes) and not self.options.keys() & {"format", "limits", "gzip_index"}:
            return Volume.from_bytes(source)
        return Volume.from_files(self._entries(), self.options)

    def _entries(self) -> list[FileEntry]:
        source = self.source
        if isinstance(source, bytes):
            return [("image", None, _files.Reader(io.BytesIO(source)), 0)]
        if isinstance(source, str):
            return [("image", _last_part(source), _files.Reader(_files.open_url(source)), 0)]
        if isinstance(source, Mapping):
            entries: list[FileEntry] = []
            for role, holder in source.items():
                reader = None if holder.fileobj is None else _files.Reader(holder.fileobj)
                entries.append((role, holder.filename, reader, holder.pos))
            return entries
        return [("image", None, _files.Reader(source), 0)]

    def token(self) -> tuple[Any, ...]:
        """The same for the same voxels, in any process; another one for others."""
        options = tuple(sorted((key, str(value)) for key, value in self.options.items() if key not in _NO_VALUES))
        return self._source_token(), self.identity, options, repr(self.steps)

    def _source_token(self) -> Any:
        import hashlib
        import uuid

        source = self.source
        if isinstance(source, str):
            return source
        if isinstance(source, bytes):
            return hashlib.sha256(source).hexdigest()
        if isinstance(source, io.BytesIO):
            return hashlib.sha256(source.getbuffer()).hexdigest()
        if isinstance(source, Mapping) and all(holder.fileobj is None for holder in source.values()):
            return tuple((role, holder.filename, holder.pos) for role, holder in source.items())
        named = getattr(source, "full_name", None)
        if isinstance(named, str):
            return named, getattr(source, "size", None)
        if self._unique is None:
            self._unique = uuid.uuid4().hex
        return self._unique

    def __reduce__(self) -> Any:
        return Origin, (self.source, self.options, self.identity, self.steps, self._unique)


# Options that change how voxels are read, and not what they are.
_NO_VALUES = {"gzip_index", "keep_file_open", "limits", "mmap"}


def _last_part(url: str) -> str:
    """The name of the file, whose ending says what it is."""
    return url.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
