"""Files that the tests share, written by nibabel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2.5, 0, -100], [0, 0, 3, -60], [0, 0, 0, 1]])
SCALINGS = [(1.0, 0.0), (0.37, 0.0), (1.0, -12.5), (0.001, 7.25)]
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8", "c16"]


def numbers(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray[Any, Any]:
    """Numbers of a type: integers over its whole range, floats of many sizes."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        bits = rng.integers(0, 256, size=(*shape, kind.itemsize), dtype=np.uint8)
        return bits.view(kind)[..., 0]
    values = rng.normal(size=shape) * 10.0 ** rng.integers(-5, 6, size=shape)
    if kind.kind == "c":
        values = values + 1j * rng.normal(size=shape)
    return values.astype(kind)


def write_nifti(
    path: Path, array: np.ndarray[Any, Any], slope: float = 1.0, inter: float = 0.0, endian: str = "<"
) -> Path:
    """A NIfTI file with exactly these stored numbers, slope and inter."""
    header = nib.Nifti1Header(endianness=endian)
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    header.set_sform(AFFINE, 2)
    header["pixdim"][1:4] = 2, 2.5, 3
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    header["scl_slope"], header["scl_inter"] = slope, inter
    stored = array.astype(array.dtype.newbyteorder(endian)).tobytes(order="F")
    content = header.binaryblock + b"\0\0\0\0" + stored
    with nib.openers.Opener(path, "wb") as file:
        file.write(content)
    return path


@pytest.fixture
def nifti(tmp_path: Path) -> Callable[..., Path]:
    """Writes a series of int16 with slope and inter; `nifti("a.nii.gz", shape=.., dtype=.., slope=.., inter=..)`."""

    def write(
        name: str,
        shape: tuple[int, ...] = (20, 21, 12, 9),
        dtype: str = "i2",
        slope: float = 0.37,
        inter: float = -12.5,
        endian: str = "<",
    ) -> Path:
        return write_nifti(tmp_path / name, numbers(dtype, shape), slope, inter, endian)

    return write


def same_bits(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether types, shapes and bits are equal; any NaN equals any NaN."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind not in "fc":
        return bool(np.array_equal(a, b))
    part = a.real.dtype
    a = np.ascontiguousarray(a).view(part)
    b = np.ascontiguousarray(b).view(part)
    bits = f"u{part.itemsize}"
    equal = (a.view(bits) == b.view(bits)) | (np.isnan(a) & np.isnan(b))
    return bool(equal.all())
