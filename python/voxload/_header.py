"""`Header`: what a file says of its voxels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Header"]


class Header(Mapping[str, Any]):
    """A header, for reading: `header["pixdim"]` is a field of the format, attributes are common to all formats.

    `Image.to_nibabel().header` is a header of nibabel's, which can be edited.

    Attributes
    ----------
    format : str
        The name of the format (`"NIfTI-1"`).
    shape : tuple of int
        Voxels along each axis.
    axes : tuple of str
        What each axis is: `space`, `time`, `component`, `other`.
    dtype : numpy.dtype
        The type of the stored numbers, in the byte order of the file.
    order : str
        `"F"` if the first axis is stored fastest, else `"C"`.
    offset : int
        The byte at which the voxels begin.
    slope, inter : float or None
        How numbers become values; None if that differs between slices or frames.
    zooms : tuple of float
        Voxel sizes, in `space_unit`, and in `time_unit` for time.
    space_unit, time_unit : str
        `"mm"`, `"s"` and so on; empty if unknown.
    affine : numpy.ndarray or None
        Voxel index to a place in space, 4 x 4.
    """

    def __init__(self, facts: Mapping[str, Any], affine: NDArray[np.float64] | None) -> None:
        self.format: str = facts["format"]
        self.shape: tuple[int, ...] = tuple(facts["shape"])
        self.axes: tuple[str, ...] = tuple(facts["axes"])
        self.dtype: np.dtype[Any] = facts["dtype"]
        self.order: str = facts["order"]
        self.offset: int = facts["offset"]
        self.slope: float | None = facts["slope"]
        self.inter: float | None = facts["inter"]
        self.zooms: tuple[float, ...] = tuple(facts["zooms"])
        self.space_unit: str = facts["space_unit"]
        self.time_unit: str = facts["time_unit"]
        self.affine = affine
        self._fields: dict[str, Any] = facts["fields"]

    def __getitem__(self, name: str) -> Any:
        """The value of a field of the format: numbers, lists of numbers, or text."""
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def get_data_shape(self) -> tuple[int, ...]:
        """`shape`, under nibabel's name."""
        return self.shape

    def get_data_dtype(self) -> np.dtype[Any]:
        """`dtype`, under nibabel's name."""
        return self.dtype

    def get_zooms(self) -> tuple[float, ...]:
        """`zooms`, under nibabel's name."""
        return self.zooms

    def get_slope_inter(self) -> tuple[float | None, float | None]:
        """`(slope, inter)`, under nibabel's name; those of the file, which nibabel's header has forgotten."""
        return self.slope, self.inter

    def get_data_offset(self) -> int:
        """`offset`, under nibabel's name."""
        return self.offset

    def get_xyzt_units(self) -> tuple[str, str]:
        """`(space_unit, time_unit)`, under nibabel's name."""
        return self.space_unit or "unknown", self.time_unit or "unknown"

    def get_best_affine(self) -> NDArray[np.float64] | None:
        """`affine`, under nibabel's name."""
        return self.affine

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.shape)
        return f"<voxload.Header {self.format} {size} {self.dtype}>"
