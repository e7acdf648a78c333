"""`ArrayProxy`: voxels that are read when they are asked for."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _index
from ._errors import VoxelTypeError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from ._core import Proxy
    from ._origin import Origin

__all__ = ["ArrayProxy", "read"]


def read(
    native: Proxy,
    index: Any = (),
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | None = None,
    stored: bool = False,
) -> Any:
    """What an index selects of voxels of the native part, of any type, into any array.

    Of the types of numpy, those of values are read as they are; others are cast from the type of values.
    """
    wanted = None if dtype is None else np.dtype(dtype)
    # An array of zero axes and a scalar are both made by indexing with nothing, so only the whole has no index.
    whole = isinstance(index, tuple) and not index
    direct = out
    if out is not None and not _takes_directly(out):
        direct = None
    result = native.read(None if whole else index, wanted, direct, stored)
    if result is None:
        result = _read_other(native, index, wanted, stored)
    if out is None or result is out:
        return result
    out[...] = _checked(result, out)
    return out


def _read_other(native: Proxy, index: Any, wanted: np.dtype[Any] | None, stored: bool) -> Any:
    """Types that values are not read as, and indices that are not basic."""
    first, rest = index, None
    if native.sliced(index) is None:
        first, rest = _index.split(index, native.shape)
    result = native.read(first, wanted, None, stored)
    if result is None and wanted is not None:
        result = native.read(first, None, None, stored)
        _check_cast(result.dtype, wanted)
        result = result.astype(wanted, order="F", copy=False)
    return result if rest is None else result[rest]


def _check_cast(have: np.dtype[Any], wanted: np.dtype[Any]) -> None:
    if have.names and not wanted.names:
        raise VoxelTypeError(f"voxel type {have} cannot give {wanted}")


def _takes_directly(out: NDArray[Any]) -> bool:
    flags = out.flags
    return bool(flags.f_contiguous and flags.writeable and flags.aligned) and out.dtype.isnative


def _checked(result: Any, out: NDArray[Any]) -> Any:
    if np.shape(result) != out.shape:
        raise ValueError(f"out has shape {out.shape}, the values {np.shape(result)}")
    return result


class ArrayProxy:
    """Voxels of a file, read on demand and scaled by the rules of its format.

    `proxy[index]` and `np.asarray(proxy)` give values: new arrays of numpy, in Fortran order, that belong to the
    caller. Slices have numpy's meaning, and read only what they select. The methods may be called from many threads at
    once.

    A proxy can be pickled while its file is there: the pickle has the name of the file and what shows that it is still
    the same one, and no voxels.

    Attributes
    ----------
    shape : tuple of int
        Voxels along each axis.
    ndim : int
        Number of axes.
    dtype, value_dtype : numpy.dtype
        The type of values: that of `proxy[index]`. Both are the same; dask and others look at `dtype`.
    stored_dtype : numpy.dtype
        The type of the numbers in the file, in its byte order (nibabel's `dataobj.dtype`).
    slope, inter : float or None
        How numbers become values; None if that differs between slices or frames.
    offset : int
        The byte of the (inflated) file at which the voxels begin.
    """

    __slots__ = ("_cast", "_native", "_origin", "_shape")
    # Arithmetic with arrays of numpy is not defined: np.asarray(proxy) makes the array.
    __array_priority__ = -1.0

    def __init__(
        self,
        native: Proxy,
        origin: Origin,
        cast: np.dtype[Any] | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self._native = native if shape is None else native.reshape(list(shape))
        self._origin = origin
        self._cast = cast
        self._shape = shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis."""
        return self._native.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._native.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        count = 1
        for length in self._native.shape:
            count *= length
        return count

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of values."""
        return self._native.value_dtype if self._cast is None else self._cast

    @property
    def value_dtype(self) -> np.dtype[Any]:
        """The type of values."""
        return self.dtype

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """The type of the numbers in the file, in its byte order."""
        return self._native.stored_dtype

    @property
    def slope(self) -> float | None:
        """What numbers are multiplied by; None if that differs between slices or frames."""
        return self._native.slope

    @property
    def inter(self) -> float | None:
        """What is added then; None if that differs between slices or frames."""
        return self._native.inter

    @property
    def offset(self) -> int:
        """The byte of the (inflated) file at which the voxels begin."""
        return self._native.offset

    @property
    def is_proxy(self) -> bool:
        """True, as of nibabel's proxies."""
        return True

    @property
    def chunks(self) -> tuple[int, ...]:
        """Parts that are read well: one frame. dask makes its chunks of these."""
        shape = self.shape
        return shape if len(shape) < 4 else (*shape[:-1], 1)

    def __len__(self) -> int:
        shape = self.shape
        if not shape:
            raise TypeError("len() of unsized object")
        return shape[0]

    def __repr__(self) -> str:
        return f"<voxload.ArrayProxy shape={self.shape} dtype={self.dtype} of {self._origin.name}>"

    def __getitem__(self, index: Any) -> Any:
        """The values that an index selects, as numpy's indexing of the whole array gives them.

        Parameters
        ----------
        index
            Integers, slices, `...`, `None`, and also lists, arrays and masks, for which the smallest box around them is
            read.

        Returns
        -------
        numpy.ndarray or scalar
            Of type `dtype`.

        Raises
        ------
        IndexError
            For an index that does not fit the shape (it is a `ValueError`, too).
        OSError
            For a damaged or changed file.
        """
        if self._cast is None and type(index) is not list:
            result = self._native.read(index, None, None, False)
            if result is not None:
                return result
        return read(self._native, index, self._cast)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """All values, as `np.asarray(proxy, dtype)` asks for them.

        Raises
        ------
        ValueError
            For `copy=False`: the values are always a new array.
        """
        if copy is False:
            raise ValueError("values of a file are a new array: copy=False cannot be granted")
        result: NDArray[Any] = read(self._native, (), self._cast if dtype is None else dtype)
        return result

    def read(self, index: Any = (), dtype: DTypeLike | None = None, out: NDArray[Any] | None = None) -> Any:
        """The values that an index selects, of any type, into any array.

        Parameters
        ----------
        index
            As of `proxy[index]`; all voxels by default.
        dtype
            The type of values; `dtype` (the attribute), or that of `out`, by default. float16, float32, float64 and
            complex types are computed in float64 and rounded once; others are cast from `value_dtype` as
            `astype` does.
        out : numpy.ndarray, optional
            Where the values go: of the shape of the selection. An array in Fortran order of the type of values takes
            them without a copy.

        Returns
        -------
        numpy.ndarray or scalar
            `out`, if it was given.

        Raises
        ------
        IndexError, OSError
            As `proxy[index]`.
        ValueError
            For an `out` of another shape.
        TypeError
            For colours as numbers.
        """
        if dtype is None:
            dtype = self._cast if out is None else out.dtype
        return read(self._native, index, dtype, out)

    def get_unscaled(self) -> NDArray[Any]:
        """The stored numbers, in the byte order of this machine.

        Returns
        -------
        numpy.ndarray
            Of type `stored_dtype`, in native byte order.
        """
        result: NDArray[Any] = self._native.read(None, None, None, True)
        return result

    def astype(self, dtype: DTypeLike) -> ArrayProxy:
        """The same voxels whose values are of another type; nothing is read.

        Returns
        -------
        ArrayProxy
        """
        return ArrayProxy(self._native, self._origin, np.dtype(dtype), self._shape)

    def reshape(self, *shape: int | Sequence[int]) -> ArrayProxy:
        """The same voxels under another shape, in Fortran order; nothing is read.

        Parameters
        ----------
        *shape
            As many voxels as there are; one length may be -1.

        Returns
        -------
        ArrayProxy

        Raises
        ------
        ValueError
            If the number of voxels differs.
        """
        first = shape[0] if shape else ()
        lengths = first if len(shape) == 1 and isinstance(first, Sequence) else shape
        wanted = [operator.index(length) for length in lengths]  # type: ignore[arg-type]
        native = self._native.reshape(wanted)
        return ArrayProxy(self._native, self._origin, self._cast, native.shape)

    def __reduce__(self) -> Any:
        return _restored, (self._origin, self._cast, self._shape)

    def __dask_tokenize__(self) -> Any:
        cast = None if self._cast is None else self._cast.str
        return "voxload.ArrayProxy", self._origin.token(), cast, self._shape


def _restored(origin: Origin, cast: np.dtype[Any] | None, shape: tuple[int, ...] | None) -> ArrayProxy:
    return ArrayProxy(origin.open().proxy(), origin, cast, shape)
