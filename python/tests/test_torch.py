"""Tensors: with torch where it is installed; what is asked of it is checked without."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from conftest import AFFINE, TYPES, same_bits

import voxload
from voxload import _torch


def test_torch_is_not_imported() -> None:
    names = "('torch', 'dask', 'monai', 'nibabel', 'fsspec')"
    script = f"import sys, voxload; print([name for name in {names} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_tensors_have_the_bits_of_get_fdata(nifti: Any) -> None:
    torch = pytest.importorskip("torch")
    img = voxload.load(nifti("a.nii.gz"))
    for dtype, name in [(torch.float16, "f2"), (None, "f4"), (torch.float64, "f8")]:
        tensor = img.to_torch(dtype=dtype)
        assert same_bits(tensor.numpy(), img.get_fdata("unchanged", name))
    kept = img.get_fdata(dtype="f4")
    img.to_torch()[0, 0, 0, 0] = 77
    assert kept[0, 0, 0, 0] != 77
    with pytest.raises(TypeError, match="none of"):
        img.to_torch(dtype=torch.int32)


@pytest.mark.parametrize("dtype", [t for t in TYPES if t[0] != "c"])
def test_what_is_scaled_on_a_device_has_the_bits_of_get_fdata(
    nifti: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device's steps, on CUDA where there is one, else on the processor: torch computes the same there."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(_torch, "_SLAB_BYTES", 8 * 1000)
    cuda = torch.cuda.is_available()
    if not cuda:
        empty = torch.empty
        monkeypatch.setattr(torch, "empty", lambda *a, pin_memory=False, **kw: empty(*a, **kw))
        monkeypatch.setattr(torch.cuda, "synchronize", lambda place: None)
    for slope, inter in [(0.37, -12.5), (1.0, 0.0), (1.0, 3.0), (0.001, 0.0)]:
        img = voxload.load(nifti("a.nii", dtype=dtype, slope=slope, inter=inter, endian=">"))
        for wanted, name in [(torch.float32, "f4"), (torch.float64, "f8")]:
            if dtype == "u8":
                assert not _torch._scales_there(img.dataobj, wanted, torch)
                continue
            assert _torch._scales_there(img.dataobj, wanted, torch)
            tensor = _torch._scaled_on(torch.device("cuda" if cuda else "cpu"), img.dataobj, wanted, torch)
            found = tensor.cpu().numpy()
            assert same_bits(found, img.get_fdata("unchanged", name)), (dtype, slope, inter)
            assert tensor.stride() == tuple(s // found.itemsize for s in img.get_fdata("unchanged", name).strides)
        assert not _torch._scales_there(img.dataobj, torch.float16, torch)


def test_readers_of_monai(nifti: Any) -> None:
    pytest.importorskip("monai")
    from monai.transforms import LoadImage

    from voxload.monai import VoxloadReader

    for name, shape in [("a.nii.gz", (20, 21, 12)), ("b.nii", (20, 21, 12, 3))]:
        path = nifti(name, shape=shape)
        ours = LoadImage(reader=VoxloadReader(), image_only=True)(path)
        theirs = LoadImage(reader="NibabelReader", image_only=True)(path)
        assert np.array_equal(np.asarray(ours), np.asarray(theirs)) and ours.dtype == theirs.dtype
        assert np.allclose(np.asarray(ours.affine), AFFINE)
        # Of a series MONAI compares the fourth column of the affine with the time between frames, and takes the qform.
        assert len(shape) == 4 or np.allclose(np.asarray(ours.affine), np.asarray(theirs.affine))
        first = LoadImage(reader=VoxloadReader(), image_only=True, ensure_channel_first=True)(path)
        second = LoadImage(reader="NibabelReader", image_only=True, ensure_channel_first=True)(path)
        assert first.shape == second.shape
