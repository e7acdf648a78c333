"""voxload under nibabel's own classes.

>>> import voxload.nib
>>> img = voxload.nib.load("bold.nii.gz")    # a nibabel.Nifti1Image, which reads through voxload
>>> voxload.nib.wrap(img)                    # the same for an image that nibabel has loaded
>>> voxload.nib.install()                    # for every image that nibabel loads from here on

Headers, affines, saving and caches stay nibabel's. What is read has nibabel's values and types, to the bit; slices have
numpy's meaning where nibabel's differs, and damage in a gzip file is an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from nibabel import arrayproxy as _arrayproxy
from nibabel import brikhead as _brikhead
from nibabel import ecat as _ecat
from nibabel import filebasedimages as _filebasedimages
from nibabel import fileslice as _fileslice
from nibabel import minc1 as _minc1
from nibabel import parrec as _parrec

from . import _files
from ._core import Proxy
from ._errors import ChangedError, VoxloadError
from ._image import Image as _Image
from ._image import load as _load

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

__all__ = ["AFNIArrayProxy", "ArrayProxy", "counts", "install", "load", "uninstall", "wrap"]

_Base: Any = _arrayproxy.ArrayProxy
_canonical: Any = _fileslice.canonical_slicers

#: Reads that voxload has served, and those that were left to nibabel: because voxload does not have them (`fallback`),
#: or because nibabel maps the file, so that the array is a `numpy.memmap` (`mapped`).
counts: dict[str, int] = {"served": 0, "fallback": 0, "mapped": 0}

_settings: dict[str, Any] = {"gzip_index": None}

_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))
_WHOLE: tuple[Any, ...] = ()


class _Reading:
    """What is common to proxies whose stored numbers voxload reads, beside nibabel's `ArrayProxy` as a base."""

    file_like: Any
    order: str
    _shape: tuple[int, ...]
    _dtype: np.dtype[Any]
    _offset: int
    _slope: Any
    _inter: Any
    _mmap: Any
    _keep_file_open: bool
    _lock: Any
    _has_fh: Callable[[], bool]

    # The voxels, `False` where nibabel reads them, `None` before the first read.
    _core: Proxy | bool | None = None
    _gzip_index: str | None = None

    def _voxels(self) -> Proxy | None:
        """The voxels of the native part; None where nibabel reads them."""
        core = self._core
        if core is None:
            core = self._open() or False
            self._core = core
        return core if isinstance(core, Proxy) else None

    def _open(self) -> Proxy | None:
        arithmetic = _arithmetic(self._slope, self._inter)
        if arithmetic is None or self._dtype.kind not in "iufc":
            return None
        source: Any
        if self._has_fh():
            source = _files.Reader(self.file_like, self._lock)
        elif isinstance(self.file_like, (str, os.PathLike)):
            source = os.fspath(self.file_like)
        else:
            return None
        options: dict[str, Any] = {"keep_file_open": bool(self._keep_file_open)}
        if not self._mmap:
            options["mmap"] = False
        index = self._gzip_index or _settings["gzip_index"]
        if index is not None:
            options["gzip_index"] = os.fspath(index)
        slope, inter, narrow = arithmetic
        shape = [int(length) for length in self._shape]
        try:
            return Proxy.from_spec(
                source, shape, self._dtype, int(self._offset), slope, inter, self.order, narrow, options
            )
        except (OSError, TypeError, ValueError, OverflowError):
            # nibabel says what is wrong, in its own words.
            return None

    def _serve(self, index: Any, dtype: np.dtype[Any] | None = None, stored: bool = False) -> Any:
        """A read by voxload; None where nibabel reads."""
        core = self._voxels()
        if core is None:
            counts["fallback"] += 1
            return None
        whole = isinstance(index, tuple) and not index
        try:
            result = core.read(None if whole else index, dtype, None, stored)
        except ChangedError:
            # nibabel opens the file for each read, and so finds the new one.
            self._core = None
            core = self._voxels()
            result = None if core is None else core.read(None if whole else index, dtype, None, stored)
        counts["fallback" if result is None else "served"] += 1
        return result

    def _maps(self, index: Any) -> bool:
        """Whether nibabel gives a mapping of the file."""
        if not self._mmap or self._has_fh():
            return False
        if str(self.file_like).lower().endswith((".gz", ".bz2", ".zst", ".mgz")):
            return False
        if isinstance(index, tuple) and not index:
            return True
        try:
            whole = _canonical((), self._shape, False)
            return bool(_canonical(index, self._shape, False) == whole)
        except (IndexError, TypeError, ValueError, ZeroDivisionError):
            return False

    def _get_unscaled(self, slicer: Any) -> Any:
        if self._maps(slicer):
            counts["mapped"] += 1
            return super()._get_unscaled(slicer)  # type: ignore[misc]
        result = self._serve(slicer, stored=True)
        if result is None:
            return super()._get_unscaled(slicer)  # type: ignore[misc]
        return _in_order(result, self._dtype)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        state.pop("_core", None)
        # An index of the gzip file and an open file, which nibabel keeps here.
        state.pop("_opener", None)
        return state

    def __dask_tokenize__(self) -> Any:
        path = None if self._has_fh() else os.path.abspath(self.file_like)
        if path is None:
            # Dask finds a token of its own, or a random one.
            return object()
        facts = (self._shape, self._dtype.str, self._offset, float(self._slope), float(self._inter), self.order)
        return type(self).__name__, path, _files.identity([path]), facts


class ArrayProxy(_Reading, _Base):  # type: ignore[misc]
    """nibabel's `ArrayProxy` that reads through voxload: the same constructor, attributes and results."""

    def _get_scaled(self, dtype: DTypeLike, slicer: Any) -> Any:
        identity = _is_identity(self._slope, self._inter)
        if identity and self._maps(slicer):
            counts["mapped"] += 1
            return super()._get_scaled(dtype, slicer)
        result = self._serve(slicer)
        if result is None:
            return super()._get_scaled(dtype, slicer)
        if identity:
            result = _in_order(result, self._dtype)
        if dtype is not None:
            result = result.astype(np.promote_types(result.dtype, dtype), copy=False)
        return result

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("values of a file are a new array: copy=False cannot be granted")
        if dtype is not None and self._dtype.kind in "iuf":
            wanted = np.dtype(dtype)
            mapped = wanted == self._dtype and _is_identity(self._slope, self._inter) and self._maps(_WHOLE)
            if wanted in _FLOATS and wanted.isnative and not mapped:
                result = self._serve(_WHOLE, wanted)
                if result is not None:
                    return result  # type: ignore[no-any-return]
        return super().__array__(dtype)  # type: ignore[no-any-return]


class AFNIArrayProxy(_Reading, _brikhead.AFNIArrayProxy):
    """nibabel's `AFNIArrayProxy` whose stored numbers are read by voxload."""


def _arithmetic(slope: Any, inter: Any) -> tuple[float, float, bool] | None:
    """Slope, inter, and whether nibabel computes with float32; None if it does so in yet another way."""
    factors = [np.asanyarray(slope), np.asanyarray(inter)]
    if any(factor.ndim for factor in factors) or not all(np.isfinite(factor) for factor in factors):
        return None
    types = [factor.dtype for factor in factors]
    if types == [np.float64, np.float64] or _is_identity(slope, inter):
        return float(slope), float(inter), False
    # SPM99: a slope of the header, and nothing to add.
    if types[0] == np.float32 and (types[1] == np.float32 or (isinstance(inter, float) and inter == 0)):
        return float(slope), float(inter), True
    return None


def _is_identity(slope: Any, inter: Any) -> bool:
    return bool(np.ndim(slope) == 0 and np.ndim(inter) == 0 and slope == 1 and inter == 0)


def _in_order(array: Any, dtype: np.dtype[Any]) -> Any:
    """Stored numbers in the byte order of the file, which nibabel's have."""
    if array.dtype == dtype:
        return array
    if isinstance(array, np.ndarray) and array.ndim:
        return array.byteswap(inplace=True).view(dtype)
    return np.asarray(array).astype(dtype)[()]


class _Loaded:
    """What is common to proxies of formats whose voxels voxload finds by itself."""

    _voxload: _Image

    def _values(self) -> Any:
        return self._voxload.dataobj

    def __getitem__(self, slicer: Any) -> Any:
        values = self._values()
        result = values._native.read(slicer, None, None, False)
        if result is None:
            counts["fallback"] += 1
            return super().__getitem__(slicer)  # type: ignore[misc]
        counts["served"] += 1
        return result

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("values of a file are a new array: copy=False cannot be granted")
        counts["served"] += 1
        result: NDArray[Any] = self._values().read(dtype=dtype)
        return result


class _LoadedAFNI(_Loaded, _brikhead.AFNIArrayProxy):  # type: ignore[misc]
    pass


class _LoadedPARREC(_Loaded, _parrec.PARRECArrayProxy):
    pass


class _LoadedMINC(_Loaded, _minc1.MincImageArrayProxy):
    pass


class _LoadedECAT(_Loaded, _ecat.EcatImageArrayProxy):
    pass


_LOADED: dict[type, type] = {
    _brikhead.AFNIArrayProxy: _LoadedAFNI,
    _parrec.PARRECArrayProxy: _LoadedPARREC,
    _minc1.MincImageArrayProxy: _LoadedMINC,
    _ecat.EcatImageArrayProxy: _LoadedECAT,
}


def load(path: str | os.PathLike[str], *, gzip_index: str | os.PathLike[str] | None = None, **kwargs: Any) -> Any:
    """`nibabel.load`, with the voxels read by voxload.

    Parameters
    ----------
    path : str or os.PathLike
    gzip_index : str or os.PathLike, optional
        As of `voxload.load`.
    **kwargs
        Those of `nibabel.load`.

    Returns
    -------
    nibabel.spatialimages.SpatialImage
        Of the class that `nibabel.load` gives.

    Raises
    ------
    OSError, nibabel.filebasedimages.ImageFileError
        As `nibabel.load`.
    """
    return wrap(nibabel.load(path, **kwargs), gzip_index=gzip_index)


def wrap(img: Any, *, gzip_index: str | os.PathLike[str] | None = None) -> Any:
    """Has an image of nibabel's read through voxload from here on.

    Parameters
    ----------
    img : nibabel.spatialimages.SpatialImage
        Changed in place: its `dataobj`, if that is a proxy that voxload can stand for.
    gzip_index : str or os.PathLike, optional
        As of `voxload.load`.

    Returns
    -------
    nibabel.spatialimages.SpatialImage
        The same image.
    """
    old = getattr(img, "_dataobj", None)
    index = None if gzip_index is None else os.path.abspath(os.path.expanduser(gzip_index))
    if type(old) is _Base:
        img._dataobj = _of_class(old, ArrayProxy)
        img._dataobj._gzip_index = index
    elif type(old) is ArrayProxy and index is not None:
        old._gzip_index = index
    elif type(old) in _LOADED:
        loaded = _loaded(img, old, index)
        if loaded is not None:
            img._dataobj = _of_class(old, _LOADED[type(old)])
            img._dataobj._voxload = loaded
    return img


def _of_class(old: Any, klass: type) -> Any:
    """The same proxy of another class."""
    new: Any = object.__new__(klass)
    state = dict(old.__dict__)
    # The old one closes it.
    state.pop("_opener", None)
    new.__dict__.update(state)
    return new


def _loaded(img: Any, old: Any, index: str | None) -> _Image | None:
    """The same image by voxload alone, for formats whose voxels are more than one run of numbers."""
    names = [holder.filename for key, holder in img.file_map.items() if holder.fileobj is None]
    if not names or names[0] is None or len(names) != len(img.file_map):
        return None
    if type(old) is _parrec.PARRECArrayProxy and not _is_plain_par(img, old):
        return None
    try:
        image = _load(names[0], gzip_index=index)
    except (VoxloadError, OSError):
        return None
    return image if tuple(image.shape) == tuple(old.shape) else None


def _is_plain_par(img: Any, old: Any) -> bool:
    """Whether a PAR/REC image was loaded with nibabel's default options."""
    header = img.header
    if getattr(header, "permit_truncated", False) or getattr(header, "strict_sort", False):
        return False
    plain = header.get_data_scaling("dv")
    if plain is None or old._slice_scaling is None:
        return plain is old._slice_scaling
    return all(np.array_equal(a, b) for a, b in zip(plain, old._slice_scaling, strict=True))


_replaced: list[tuple[Any, str, Any]] = []


def install(*, gzip_index: str | os.PathLike[str] | None = None) -> None:
    """Has all images that nibabel loads from here on read through voxload: NIfTI, Analyze, SPM, MGH, AFNI, CIFTI-2.

    `nibabel.arrayproxy.ArrayProxy` and the attribute `ImageArrayProxy` of nibabel's classes are replaced, until
    `uninstall()`.

    Parameters
    ----------
    gzip_index : str or os.PathLike, optional
        A folder for the indices of gzip files, as of `voxload.load`.
    """
    if gzip_index is not None:
        _settings["gzip_index"] = os.path.abspath(os.path.expanduser(gzip_index))
    ours = {_Base: ArrayProxy, _brikhead.AFNIArrayProxy: AFNIArrayProxy}
    for klass in _classes(_filebasedimages.FileBasedImage):
        old = klass.__dict__.get("ImageArrayProxy")
        if old in ours:
            _replace(klass, "ImageArrayProxy", ours[old])
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "nibabel" and getattr(module, "ArrayProxy", None) is _Base:
            _replace(module, "ArrayProxy", ArrayProxy)


def uninstall() -> None:
    """Undoes `install()`; images that are loaded stay as they are."""
    while _replaced:
        holder, name, old = _replaced.pop()
        setattr(holder, name, old)
    _settings["gzip_index"] = None


def _replace(holder: Any, name: str, new: Any) -> None:
    _replaced.append((holder, name, getattr(holder, name)))
    setattr(holder, name, new)


def _classes(klass: type) -> list[type]:
    """The classes under one, each once."""
    found: dict[type, None] = {}
    below: list[type] = klass.__subclasses__()
    for sub in below:
        found[sub] = None
        found.update(dict.fromkeys(_classes(sub)))
    return list(found)


def from_image(image: _Image) -> Any:
    """An image of voxload's as one of nibabel's: `Image.to_nibabel`."""
    origin = image._origin
    if origin is not None and isinstance(origin.source, str) and not origin.steps and not _files.is_url(origin.source):
        try:
            return load(origin.source, gzip_index=origin.options.get("gzip_index"))
        except _filebasedimages.ImageFileError:
            # Of a format, or under a name, that nibabel does not know.
            pass
    nifti: Any = nibabel.Nifti1Image
    made = nifti(image.dataobj, image.affine, dtype=_nifti_type(image.header.dtype))
    made.extra.update(image.extra)
    return made


def _nifti_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that a NIfTI file of these numbers has: there is no float16 in it."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")
