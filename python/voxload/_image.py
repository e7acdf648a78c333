"""`Image` and `load`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _files
from ._core import Volume
from ._errors import BadIndexError, UsageError
from ._header import Header
from ._origin import FileHolder, Origin
from ._proxy import ArrayProxy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["ExpiredDeprecationError", "Image", "load"]


class ExpiredDeprecationError(RuntimeError):
    """A call that nibabel had once, and does not have any more."""


def load(
    path_or_file: Any,
    *,
    mmap: bool | str = True,
    keep_file_open: bool | None = None,
    gzip_index: str | os.PathLike[str] | None = None,
    format: str | None = None,
    limits: Mapping[str, int] | None = None,
) -> Image:
    """Loads an image: reads its header, and no voxel.

    Parameters
    ----------
    path_or_file : str, os.PathLike, bytes-like, or file object
        Any file of the image, its content, or an open file (of fsspec's, too), gzipped or not. Names like `s3://..` are
        opened by fsspec. The format is recognised by the content.
    mmap : bool, "c" or "r"
        Whether files that are not compressed are mapped. `False` for files that may be written to meanwhile.
    keep_file_open : bool, optional
        Whether a file stays open after a read.
    gzip_index : str or os.PathLike, optional
        A file, or a folder of files, that keeps the places in a gzip file: later processes then read slices at once.
        Made if it is not there; an index of indexed_gzip is used, too.
    format : str, optional
        The name of the format (`"analyze75"`, `"spm99 analyze"`), for files whose content does not show it.
    limits : mapping, optional
        What the file may cost, for files that are not trusted: `output`, `header`, `extensions` (bytes), `members`,
        `inflate_ratio`.

    Returns
    -------
    Image

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be read, or is damaged.
    ValueError
        If it is of no known format, its header cannot be used, or a limit is exceeded.
    """
    options = _options(mmap, keep_file_open, gzip_index, format, limits)
    return Image._of_origin(Origin(_source(path_or_file), options))


def _options(
    mmap: bool | str,
    keep_file_open: bool | None,
    gzip_index: str | os.PathLike[str] | None,
    format: str | None,
    limits: Mapping[str, int] | None,
) -> dict[str, Any]:
    """What differs from the defaults, as the native part takes it."""
    if mmap not in (True, False, "c", "r"):
        raise UsageError("mmap should be one of {True, False, 'c', 'r'}")
    if keep_file_open not in (None, True, False):
        raise UsageError("keep_file_open must be one of {None, True, False}")
    options: dict[str, Any] = {}
    if not mmap:
        options["mmap"] = False
    if keep_file_open is not None:
        options["keep_file_open"] = bool(keep_file_open)
    if gzip_index is not None:
        options["gzip_index"] = os.path.abspath(os.path.expanduser(gzip_index))
    if format is not None:
        options["format"] = format
    if limits is not None:
        options["limits"] = dict(limits)
    return options


def _source(given: Any) -> Any:
    """A path that is the same in any folder, bytes that nobody changes, or the file object."""
    if isinstance(given, (str, os.PathLike)):
        name = os.fspath(given)
        if isinstance(name, bytes):
            name = os.fsdecode(name)
        return name if _files.is_url(name) else os.path.abspath(os.path.expanduser(name))
    if isinstance(given, bytes):
        return given
    if isinstance(given, (bytearray, memoryview)):
        return bytes(given)
    if hasattr(given, "read") and hasattr(given, "seek"):
        return given if _can_seek(given) else given.read()
    if hasattr(given, "read"):
        return given.read()
    raise TypeError(f"a path, bytes or a file object is needed, not {type(given).__name__}")


def _can_seek(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if callable(seekable) else True


class Image:
    """A header, and voxels that are read when they are asked for: as an image of nibabel's.

    Made by `load`. The constructor makes an image of an array, or of the proxy of another image.

    Parameters
    ----------
    dataobj : numpy.ndarray or ArrayProxy
    affine : array_like of shape (4, 4), optional
        Voxel index to millimetres.
    header : Header, optional
    extra : dict, optional
        The caller's own notes on the image.
    file_map : mapping of str to FileHolder, optional

    Attributes
    ----------
    shape : tuple of int
        Voxels along each axis.
    dtype : numpy.dtype
        The type of values, `dataobj.dtype`; `header.dtype` is that of the stored numbers.
    """

    _volume: Volume | None
    _origin: Origin | None

    def __init__(
        self,
        dataobj: ArrayLike | ArrayProxy,
        affine: ArrayLike | None = None,
        header: Header | None = None,
        extra: Mapping[str, Any] | None = None,
        file_map: Mapping[str, Any] | None = None,
    ) -> None:
        self._dataobj: ArrayProxy | NDArray[Any]
        self._dataobj = dataobj if isinstance(dataobj, ArrayProxy) else np.asanyarray(dataobj)
        self._affine = None if affine is None else np.array(affine, dtype=np.float64, copy=True)
        if self._affine is not None and self._affine.shape != (4, 4):
            raise ValueError("Affine should be shape 4,4")
        self._header = header
        self.extra = dict(extra or {})
        self._file_map = None if file_map is None else dict(file_map)
        self._volume = None
        self._origin = None
        self._fdata_cache: NDArray[Any] | None = None

    @classmethod
    def _of_origin(cls, origin: Origin, volume: Volume | None = None) -> Image:
        """The image of an origin, whose files are in the state that it says."""
        if volume is None:
            volume = origin.first()
            origin.identify(volume)
        rows = volume.affine
        image = cls(ArrayProxy(volume.proxy(), origin), None)
        image._affine = None if rows is None else np.array(rows)
        image._origin = origin
        image._volume = volume
        return image

    @classmethod
    def from_filename(
        cls, filename: str | os.PathLike[str], *, mmap: bool | str = True, keep_file_open: bool | None = None
    ) -> Image:
        """`voxload.load` of a path, under nibabel's name.

        Raises
        ------
        OSError, ValueError
            As `voxload.load`.
        """
        return cls._of_origin(Origin(_source(filename), _options(mmap, keep_file_open, None, None, None)))

    load = from_filename

    @classmethod
    def from_file_map(
        cls, file_map: Mapping[str, Any], *, mmap: bool | str = True, keep_file_open: bool | None = None
    ) -> Image:
        """Loads an image from its files, by name or as file objects.

        Parameters
        ----------
        file_map : mapping
            `"image"`, and for formats of two files `"header"`, to a `FileHolder` (nibabel's will do).
        mmap, keep_file_open
            As of `voxload.load`.

        Returns
        -------
        Image

        Raises
        ------
        OSError, ValueError
            As `voxload.load`.
        """
        holders = {role: FileHolder(h.filename, h.fileobj, h.pos) for role, h in file_map.items()}
        for holder in holders.values():
            if holder.filename is not None:
                holder.filename = os.path.abspath(os.path.expanduser(holder.filename))
        image = cls._of_origin(Origin(holders, _options(mmap, keep_file_open, None, None, None)))
        image._file_map = dict(file_map)
        return image

    @classmethod
    def from_bytes(cls, data: bytes) -> Image:
        """Loads an image from the content of its file, gzipped or not.

        Raises
        ------
        OSError, ValueError
            As `voxload.load`.
        """
        return cls._of_origin(Origin(_source(data), {}))

    @classmethod
    def from_stream(cls, stream: Any) -> Image:
        """Loads an image from an open file.

        Raises
        ------
        OSError, ValueError
            As `voxload.load`.
        """
        return cls._of_origin(Origin(_source(stream), {}))

    # What it is.

    @property
    def dataobj(self) -> ArrayProxy | NDArray[Any]:
        """The voxels: a proxy of those in a file, or the array of an image of an array."""
        return self._dataobj

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self._dataobj.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._dataobj.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of values: that of `dataobj[index]`."""
        return self._dataobj.dtype

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """Voxel index to millimetres (RAS+), 4 x 4; None if the file has none. Editing the array edits the image."""
        return self._affine

    @property
    def header(self) -> Header:
        """The header."""
        if self._header is None:
            facts = self._native().header()
            self._header = Header(facts, self._affine)
        return self._header

    @property
    def notes(self) -> list[str]:
        """Faults of the header that were repaired, and names that do not fit the content."""
        return [] if self._volume is None else self._volume.notes

    @property
    def file_map(self) -> dict[str, Any]:
        """The files of the image, by their role (`"image"`, `"header"`)."""
        if self._file_map is None:
            files = [] if self._volume is None else self._volume.files
            self._file_map = {role: FileHolder(name) for role, name in files}
            if not files:
                self._file_map["image"] = FileHolder()
        return self._file_map

    def get_filename(self) -> str | None:
        """The name of the image's file, if it has one."""
        holder = self.file_map.get("image")
        return None if holder is None else holder.filename

    # Values.

    def get_fdata(self, caching: str = "fill", dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """The values as floats, as nibabel's `get_fdata` gives them: the same bits.

        Parameters
        ----------
        caching : {"fill", "unchanged"}
            Whether the array is kept, and returned by the next call for its type.
        dtype : numpy.dtype
            A float or complex type.

        Returns
        -------
        numpy.ndarray
            Of the image's shape, in Fortran order. Editing a kept array edits what later calls return.

        Raises
        ------
        ValueError
            For another caching mode, or a type that is no float.
        OSError
            If the file is damaged, or was changed.
        """
        if caching not in ("fill", "unchanged"):
            raise ValueError('caching value should be "fill" or "unchanged"')
        wanted = np.dtype(dtype)
        if not issubclass(wanted.type, np.inexact):
            raise ValueError(f"{wanted} should be floating point type")
        kept = self._fdata_cache
        if kept is not None and kept.dtype.type == wanted.type:
            return kept
        dataobj = self._dataobj
        values: NDArray[Any]
        values = dataobj.read(dtype=wanted) if isinstance(dataobj, ArrayProxy) else np.asanyarray(dataobj, dtype=wanted)
        if caching == "fill":
            self._fdata_cache = values
        return values

    def get_data(self, caching: str = "fill") -> NDArray[Any]:
        """Raises, as nibabel's does: `get_fdata()`, or `np.asanyarray(img.dataobj)`."""
        raise ExpiredDeprecationError(
            "get_data() is deprecated in favor of get_fdata(), which has a more predictable return type. To obtain "
            "get_data() behavior going forward, use numpy.asanyarray(img.dataobj)."
        )

    @property
    def in_memory(self) -> bool:
        """Whether there are values in memory: the image is of an array, or one is kept."""
        return not isinstance(self._dataobj, ArrayProxy) or self._fdata_cache is not None

    def uncache(self) -> None:
        """Drops the array that `get_fdata` has kept, with its edits."""
        self._fdata_cache = None

    def frames(self, dtype: DTypeLike = np.float32) -> Iterator[NDArray[Any]]:
        """The frames of a series one after the other, read ahead, in memory that does not grow with their number.

        Parameters
        ----------
        dtype : numpy.dtype
            float16, float32 or float64.

        Returns
        -------
            Each of the image's shape without the frame axis: that of time (an image without one is one frame).
            Each of the image's shape without the last axis (of three axes and fewer: one, of all voxels).

        Raises
        ------
        TypeError
            For another type.
        OSError
            If the file is damaged; for what is found at its end only, after the last frame.
        """
        return self._native().frames(np.dtype(dtype))

    def temporal_statistics(self, dtype: DTypeLike = np.float32) -> tuple[NDArray[Any], NDArray[Any]]:
        """Mean and standard deviation of each voxel over the last axis.

        Values of this type are summed in float64 and rounded once. NaN and infinities are left out.

        Parameters
        ----------
        dtype : numpy.dtype
            float16, float32 or float64.

        Returns
        -------
        mean, std : numpy.ndarray
            Of the image's shape without the last axis; `std` is that of the population, as numpy's.

        Raises
        ------
        ValueError
            For an image of fewer than two axes.
        TypeError
            For another type.
        OSError
            If the file is damaged, or was changed.
        """
        return self._native().temporal_statistics(np.dtype(dtype))

    def dask(self, dtype: DTypeLike = np.float32, chunks: Any = "frames") -> Any:
        """The values as an array of dask's: read, in parts, by whoever computes it.

        Parameters
        ----------
        dtype : numpy.dtype
            The type of values.
        chunks
            `"frames"` for chunks of whole frames, of some 16 MiB; or what dask takes.

        Returns
        -------
        dask.array.Array

        Raises
        ------
        ImportError
            Without dask.
        """
        from ._dask import from_image

        return from_image(self, dtype, chunks)

    def to_torch(self, device: Any = "cpu", dtype: Any = None) -> Any:
        """The values as a tensor of torch's, with the bits of `get_fdata`.

        On CUDA the stored numbers are sent through pinned memory and scaled on the device.

        Parameters
        ----------
        device : torch.device or str
        dtype : torch.dtype, optional
            torch.float32 by default; torch.float16 and torch.float64.

        Returns
        -------
        torch.Tensor
            Of the image's shape, with the strides of Fortran order.

        Raises
        ------
        ImportError
            Without torch.
        TypeError
            For another type.
        """
        from ._torch import from_image

        return from_image(self, device, dtype)

    # Others made of it.

    @property
    def slicer(self) -> Slicer:
        """`img.slicer[index]`: the image of a part, whose affine follows. Nothing is read."""
        return Slicer(self)

    def to_filename(self, filename: str | os.PathLike[str], dtype: DTypeLike | None = None) -> None:
        """Writes NIfTI: `.nii`, `.nii.gz`, or a pair of `.hdr` and `.img`.

        The file appears whole or not at all. The voxels written are those of `dataobj`.

        NIfTI orders axes by their kinds: space, time, components. A `UserWarning` says when axes were reordered,
        or when NIfTI-2 was written because a side is too long for NIfTI-1.

        Parameters
        ----------
        filename : str or os.PathLike
        dtype : numpy.dtype, optional
            The type to store; that of the header by default.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            For a name or a type that NIfTI does not have.
        """
        path = os.path.abspath(os.path.expanduser(filename))
        for note in self._native().save(path, None if dtype is None else np.dtype(dtype)):
            warnings.warn(note, UserWarning, stacklevel=2)
        self._file_map = {"image": FileHolder(path)}

    def to_nibabel(self) -> Any:
        """The image as one of nibabel's classes, which reads through voxload.

        Of a format that nibabel does not know, and of a part, a `Nifti1Image` over `dataobj`.

        Returns
        -------
        nibabel.spatialimages.SpatialImage

        Raises
        ------
        ImportError
            Without nibabel.
        """
        from .nib import from_image

        return from_image(self)

    def __getitem__(self, index: Any) -> Any:
        """Refused, as in nibabel: `img.slicer[..]` is the image of a part, `img.dataobj[..]` its values."""
        raise TypeError(
            "Cannot slice image objects; consider using `img.slicer[slice]` to generate a sliced image (see "
            "documentation for caveats) or slicing image array data with `img.dataobj[slice]` or "
            "`img.get_fdata()[slice]`"
        )

    def __repr__(self) -> str:
        name = self._origin.name if self._origin is not None else "an array"
        return f"<voxload.Image shape={self.shape} dtype={self.dtype} of {name}>"

    def __reduce__(self) -> Any:
        state = (self._affine, self.extra)
        if self._origin is None:
            return _from_parts, (self._dataobj, *state, self._header)
        return _from_origin, (self._origin, *state)

    def _native(self) -> Volume:
        """The image of the native part."""
        if self._volume is None:
            rows = None if self._affine is None else self._affine.tolist()
            dataobj = self._dataobj
            if isinstance(dataobj, ArrayProxy):
                self._volume = Volume.from_proxy(dataobj._native, rows)
            else:
                native = dataobj.astype(dataobj.dtype.newbyteorder("="), copy=False)
                self._volume = Volume.from_array(np.asarray(native), rows)
        return self._volume


class Slicer:
    """`img.slicer`."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def __getitem__(self, index: Any) -> Image:
        """The image of a part.

        Parameters
        ----------
        index
            Slices of the first three axes; of further ones integers, too.

        Raises
        ------
        IndexError
            For an index that drops or adds an axis of space, does not fit, or selects no voxel.
        """
        image = self._image
        volume = image._native().slicer(index)
        if volume is None:
            raise BadIndexError(f"an image is sliced by slices and integers, not by {index!r}")
        if image._origin is not None:
            part = Image._of_origin(image._origin.sliced(index), volume)
        else:
            items = index if isinstance(index, tuple) else (index,)
            part = Image(np.asarray(image._dataobj)[items], volume.affine)
        part.extra = dict(image.extra)
        return part


def _from_origin(origin: Origin, affine: NDArray[np.float64] | None, extra: dict[str, Any]) -> Image:
    image = Image._of_origin(origin, origin.open())
    image._affine = affine
    image.extra = extra
    return image


def _from_parts(
    dataobj: Any, affine: NDArray[np.float64] | None, extra: dict[str, Any], header: Header | None
) -> Image:
    return Image(dataobj, affine, header, extra)
