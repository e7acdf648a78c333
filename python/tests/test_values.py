"""Values are nibabel's, to the bit, and indices numpy's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from conftest import SCALINGS, TYPES, numbers, same_bits, write_nifti

import voxload

INDICES = 10_000
SHAPE = (7, 6, 5, 4)


def random_index(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index of numpy's basic kind."""
    items: list[Any] = []
    first = int(rng.integers(0, len(shape) + 1))
    last = int(rng.integers(0, len(shape) - first + 1))
    lengths = [*shape[:first], *shape[len(shape) - last :]]
    ellipsis = first if last or rng.random() < 0.3 else None
    for axis, length in enumerate(lengths):
        if axis == ellipsis:
            items.append(Ellipsis)
        if rng.random() < 0.1:
            items.append(None)
        if rng.random() < 0.4:
            number = int(rng.integers(-length, length))
            items.append(np.int64(number) if rng.random() < 0.2 else number)
        else:
            bounds = [None if rng.random() < 0.3 else int(rng.integers(-length - 3, length + 4)) for _ in range(2)]
            step = None if rng.random() < 0.4 else int(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4]))
            items.append(slice(*bounds, step))
    if ellipsis is not None and ellipsis >= len(lengths):
        items.append(Ellipsis)
    return tuple(items)


@pytest.mark.parametrize("dtype", TYPES)
def test_random_indices_give_what_numpy_gives(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(7)
    array = numbers(dtype, SHAPE)
    different = 0
    for number, (slope, inter) in enumerate(SCALINGS):
        ending = ".nii.gz" if number == 1 else ".nii"
        path = write_nifti(tmp_path / f"{number}{ending}", array, slope, inter, "><"[number % 2])
        whole = np.asarray(nib.load(path).dataobj)
        dataobj = voxload.load(path).dataobj
        assert dataobj.dtype == whole.dtype.newbyteorder("=")
        for _ in range(INDICES):
            index = random_index(rng, SHAPE)
            wanted, found = whole[index], dataobj[index]
            fine = np.shape(found) == np.shape(wanted) and np.array_equal(found, wanted, equal_nan=True)
            different += not fine
    assert different == 0


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("endian", ["<", ">"])
def test_get_fdata_has_nibabels_bits(tmp_path: Path, dtype: str, endian: str) -> None:
    array = numbers(dtype, (9, 8, 7, 3))
    for number, (slope, inter) in enumerate(SCALINGS):
        for ending in [".nii", ".nii.gz"]:
            path = write_nifti(tmp_path / f"{number}{ending}", array, slope, inter, endian)
            theirs, ours = nib.load(path), voxload.load(path)
            for floats in ["f2", "f4", "f8"] if np.dtype(dtype).kind != "c" else ["c8", "c16"]:
                with np.errstate(all="ignore"):
                    wanted = theirs.get_fdata("unchanged", floats)
                found = ours.get_fdata("unchanged", floats)
                assert same_bits(found, np.asarray(wanted)), (dtype, slope, inter, floats)
                assert found.flags.f_contiguous and found.flags.owndata and found.flags.writeable


def test_other_types_are_cast_as_numpy_casts(nifti: Any) -> None:
    path = nifti("a.nii")
    dataobj = voxload.load(path).dataobj
    whole = np.asarray(nib.load(path).dataobj)
    for dtype in ["i4", "u1", ">f4", "c8", "f2", np.longdouble, bool]:
        found = dataobj.read(dtype=dtype)
        with np.errstate(all="ignore"):
            wanted = whole.astype(dtype)
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted), dtype
        assert np.array_equal(np.asarray(dataobj, dtype=dtype), wanted), dtype
        lazy = dataobj.astype(dtype)
        assert lazy.dtype == np.dtype(dtype)
        assert np.array_equal(lazy[3, ..., 1], wanted[3, ..., 1]), dtype


def test_colours_are_records(tmp_path: Path) -> None:
    rgb = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    array = numbers("u1", (5, 4, 3, 3)).copy().view(rgb)[..., 0]
    path = tmp_path / "rgb.nii"
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)
    dataobj = voxload.load(path).dataobj
    assert dataobj.dtype == rgb
    assert np.array_equal(np.asarray(dataobj), array)
    assert dataobj[1, 2, 0] == array[1, 2, 0]
    assert np.array_equal(dataobj.get_unscaled(), array)
    with pytest.raises(TypeError, match="RGB"):
        voxload.load(path).get_fdata()


def test_fancy_indices_give_what_numpy_gives(nifti: Any) -> None:
    path = nifti("a.nii.gz")
    dataobj = voxload.load(path).dataobj
    whole = np.asarray(dataobj)
    mask = np.zeros(whole.shape[:3], bool)
    mask[3:6, 2:9, 5] = True
    for index in [
        [0, 3, 5],
        np.array([[1, 2], [-1, 0]]),
        (slice(None), [1, 3], 2),
        ([1, 3], slice(2, 5), [0, 1]),
        (0, slice(None), [1, 2]),
        (0, [1, 2], 3, [-1, 0]),
        mask,
        (mask, 3),
        (Ellipsis, [0, 2]),
        (None, [1, 2], Ellipsis, 1),
        [],
        True,
        (slice(None), False),
        np.arange(20) % 3 == 0,
        np.array(4),
        (np.uint8(3), Ellipsis),
    ]:
        wanted, found = whole[index], dataobj[index]
        assert np.array_equal(found, wanted) and found.shape == wanted.shape, index
    for index in [[100], (0, [0, -22]), np.ones((20, 20), bool), 1.5, "x", ([0], [1], [2], [3], [4])]:
        with pytest.raises(IndexError):
            dataobj[index]


def test_out_takes_values(nifti: Any) -> None:
    path = nifti("a.nii")
    img = voxload.load(path)
    wanted = img.get_fdata(dtype="f4")
    frame = wanted[..., 3]
    for order in "FC":
        out = np.empty(wanted.shape, "f4", order=order)
        assert img.dataobj.read(out=out) is out
        assert np.array_equal(out, wanted)
    out = np.empty((*frame.shape, 2), "f4", order="F")
    assert img.dataobj.read((..., 3), out=out[..., 1]).base is out
    assert np.array_equal(out[..., 1], frame)
    out = np.empty(frame.shape, "i4")
    img.dataobj.read((..., 3), out=out)
    assert np.array_equal(out, img.dataobj[..., 3].astype("i4"))
    shared = np.frombuffer(bytearray(frame.nbytes), "f4").reshape(frame.shape, order="F")
    img.dataobj.read((..., 3), out=shared)
    assert np.array_equal(shared, frame)
    for wrong in [np.empty((3, 3), "f4"), np.empty(frame.shape[::-1], "f4", order="F")]:
        with pytest.raises(ValueError, match="shape"):
            img.dataobj.read((..., 3), out=wrong)
    sealed = np.empty(frame.shape, "f4", order="F")
    sealed.flags.writeable = False
    with pytest.raises(ValueError):
        img.dataobj.read((..., 3), out=sealed)


def test_reshape_and_scalars(nifti: Any) -> None:
    path = nifti("a.nii")
    dataobj = voxload.load(path).dataobj
    whole = np.asarray(dataobj)
    flat = dataobj.reshape((-1, 9))
    assert flat.shape == (20 * 21 * 12, 9)
    assert np.array_equal(flat[100:200, 2], whole.reshape((-1, 9), order="F")[100:200, 2])
    assert np.array_equal(dataobj.reshape(-1)[:50], whole.reshape(-1, order="F")[:50])
    assert dataobj.reshape(20, 21, 12, 3, 3).astype("f4").shape == (20, 21, 12, 3, 3)
    for shape in [(3, 3), (-1, -1)]:
        with pytest.raises(ValueError):
            dataobj.reshape(shape)
    assert type(dataobj[1, 2, 3, 4]) is np.float64
    assert type(dataobj[1, 2, 3, 4, ...]) is np.ndarray
    assert dataobj.read((1, 2, 3, 4), "f4") == np.float32(whole[1, 2, 3, 4])
    assert len(dataobj) == 20 and dataobj.ndim == 4 and dataobj.size == whole.size
    assert dataobj.is_proxy and dataobj.offset == 352
    assert dataobj.slope == pytest.approx(0.37) and dataobj.inter == -12.5
    with pytest.raises(ValueError, match="copy"):
        np.array(dataobj, copy=False)
