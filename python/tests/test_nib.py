"""The plug-in under nibabel's classes. nibabel's own tests run with it in nibabel_suite.py."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from conftest import AFFINE, SCALINGS, TYPES, numbers, same_bits, write_nifti

import voxload
import voxload.nib as vnib

DATA = Path(nib.__file__).parent / "tests" / "data"


@pytest.fixture(autouse=True)
def counted() -> Any:
    for key in vnib.counts:
        vnib.counts[key] = 0
    yield
    vnib.uninstall()


@pytest.mark.parametrize("dtype", TYPES)
def test_values_and_types_are_nibabels(tmp_path: Path, dtype: str) -> None:
    array = numbers(dtype, (9, 8, 7, 3))
    for number, (slope, inter) in enumerate(SCALINGS):
        path = write_nifti(tmp_path / f"{number}.nii.gz", array, slope, inter, "<>"[number % 2])
        theirs, ours = nib.load(path), vnib.load(path)
        assert type(ours) is nib.Nifti1Image and type(ours.dataobj) is vnib.ArrayProxy
        with np.errstate(all="ignore"):
            for call in [
                lambda img: np.asarray(img.dataobj),
                lambda img: img.dataobj.get_unscaled(),
                lambda img: img.dataobj[2:5, ..., ::-1],
                lambda img: img.get_fdata(dtype="f4" if np.dtype(dtype).kind != "c" else "c8"),
                lambda img: img.get_fdata(dtype="f2" if np.dtype(dtype).kind != "c" else "c16"),
                lambda img: np.asarray(img.dataobj, dtype="f8" if np.dtype(dtype).kind != "c" else "c16"),
            ]:
                wanted, found = np.asarray(call(theirs)), np.asarray(call(ours))
                assert same_bits(found, wanted), (slope, inter)
        for name in ["shape", "ndim", "dtype", "offset", "slope", "inter", "is_proxy", "order"]:
            assert getattr(ours.dataobj, name) == getattr(theirs.dataobj, name), name
    assert vnib.counts["served"] > 0 and vnib.counts["fallback"] == 0


def test_wrap_install_and_uninstall(nifti: Any) -> None:
    path = nifti("a.nii.gz")
    img = nib.load(path)
    wanted = img.get_fdata()
    assert vnib.wrap(img) is img and type(img.dataobj) is vnib.ArrayProxy and vnib.counts["served"] == 0
    assert np.array_equal(img.dataobj[..., 3], wanted[..., 3]) and vnib.counts["served"] == 1
    assert vnib.wrap(img) is img
    array = nib.Nifti1Image(np.zeros((2, 2, 2)), np.eye(4))
    assert vnib.wrap(array).dataobj is array.dataobj
    before = nib.arrayproxy.ArrayProxy
    vnib.install()
    vnib.install()
    try:
        assert type(nib.load(path).dataobj) is vnib.ArrayProxy
        assert nib.Nifti1Image.ImageArrayProxy is vnib.ArrayProxy and nib.arrayproxy.ArrayProxy is vnib.ArrayProxy
    finally:
        vnib.uninstall()
    assert nib.Nifti1Image.ImageArrayProxy is before and nib.arrayproxy.ArrayProxy is before
    assert type(nib.load(path).dataobj) is before


def test_nibabels_own_ways_go_on(nifti: Any, tmp_path: Path) -> None:
    path = nifti("a.nii.gz")
    img = vnib.load(path)
    assert not img.in_memory
    values = img.get_fdata()
    assert img.in_memory and img.get_fdata() is values
    img.uncache()
    part = img.slicer[2:5]
    assert np.array_equal(part.get_fdata(), values[2:5])
    canonical = nib.as_closest_canonical(img)
    assert np.array_equal(canonical.get_fdata(), values[::-1])
    nib.save(img, tmp_path / "b.nii")
    assert nib.load(tmp_path / "b.nii").shape == img.shape
    plain = vnib.load(nifti("c.nii", slope=1.0, inter=0.0))
    assert isinstance(np.asanyarray(plain.dataobj), np.memmap) and vnib.counts["mapped"] > 0
    assert vnib.counts["fallback"] == 0
    assert np.array_equal(plain.dataobj.copy()[3], np.asarray(plain.dataobj)[3])
    assert plain.dataobj.reshape((20, 21, -1)).shape == (20, 21, 108)


def test_an_overwritten_file_is_read_anew(nifti: Any) -> None:
    path = nifti("a.nii")
    img = vnib.load(path)
    before = img.dataobj[..., 0]
    content = bytearray(path.read_bytes())
    content[352 : 352 + 20 * 21 * 12 * 2] = bytes(20 * 21 * 12 * 2)
    path.write_bytes(content)
    assert np.any(before != -12.5) and np.all(img.dataobj[..., 0] == -12.5)


def test_pickles_are_small_in_every_state(nifti: Any) -> None:
    for keep in [None, True, False]:
        img = vnib.load(nifti("a.nii.gz"), keep_file_open=keep)
        for read in [lambda: None, lambda img=img: img.dataobj[..., 2], img.get_fdata]:
            read()
            pickled = pickle.dumps(img.dataobj)
            assert len(pickled) < 1000
            assert np.array_equal(pickle.loads(pickled)[3], img.dataobj[3])


def test_an_index_for_gzip_files(nifti: Any, tmp_path: Path) -> None:
    folder = tmp_path / "indices"
    folder.mkdir()
    path = nifti("a.nii.gz")
    img = vnib.load(path, gzip_index=folder)
    img.dataobj[..., 5]
    assert len(list(folder.iterdir())) == 1
    vnib.install(gzip_index=folder)
    nib.load(nifti("b.nii.gz")).dataobj[..., 5]
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "klass"),
    [
        ("example4d.nii.gz", nib.Nifti1Image),
        ("test.mgz", nib.MGHImage),
        ("tiny.mnc", nib.Minc1Image),
        ("small.mnc", nib.Minc2Image),
        ("example4d+orig.BRIK.gz", nib.brikhead.AFNIImage),
        ("scaled+tlrc.HEAD", nib.brikhead.AFNIImage),
        ("phantom_EPI_asc_CLEAR_2_1.PAR", nib.parrec.PARRECImage),
        ("tinypet.v", nib.ecat.EcatImage),
    ],
)
def test_other_formats(name: str, klass: Any) -> None:
    path = DATA / name
    if not path.exists():
        path = next(Path(nib.__file__).parent.rglob(name), path)
    if not path.exists():
        pytest.skip(f"{name} is not in nibabel's wheel")
    # nibabel reads ECAT only if it is named, and needs h5py for MINC2.
    theirs = klass.load(path)
    ours = vnib.wrap(klass.load(path))
    assert type(ours) is klass
    served = vnib.counts["served"]
    for index in [(), (0,), (Ellipsis, slice(0, 1)), (slice(1, 3), slice(None), 0)]:
        assert np.array_equal(np.asarray(ours.dataobj[index]), np.asarray(theirs.dataobj[index])), index
    for dtype in ["f4", "f8"]:
        assert same_bits(np.asarray(ours.get_fdata(dtype=dtype)), np.asarray(theirs.get_fdata(dtype=dtype)))
    assert vnib.counts["served"] > served or vnib.counts["mapped"] > 0
    assert isinstance(ours.dataobj, type(theirs.dataobj)) or type(ours.dataobj) is vnib.ArrayProxy


def test_to_nibabel(nifti: Any, tmp_path: Path) -> None:
    path = nifti("a.nii.gz")
    img = voxload.load(path)
    theirs = img.to_nibabel()
    assert type(theirs) is nib.Nifti1Image and type(theirs.dataobj) is vnib.ArrayProxy
    assert np.array_equal(theirs.get_fdata(), img.get_fdata())
    for part in [img.slicer[2:5, :, :, 0], voxload.load(path.read_bytes()), voxload.Image(img.get_fdata(), AFFINE)]:
        theirs = part.to_nibabel()
        assert theirs.shape == part.shape and np.allclose(theirs.affine, part.affine)
        assert np.array_equal(theirs.get_fdata(), part.get_fdata())
        nib.save(theirs, tmp_path / "b.nii.gz")
