"""Arrays of dask's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import voxload

da = pytest.importorskip("dask.array")
from dask.base import tokenize  # noqa: E402


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_types_chunks_and_values(nifti: Any, name: str) -> None:
    img = voxload.load(nifti(name))
    plain = da.from_array(img.dataobj, lock=False)
    assert plain.dtype == np.float64 and plain.shape == img.shape
    assert all(sizes == (n,) for sizes, n in zip(plain.chunks[:3], img.shape, strict=False))
    assert np.array_equal(plain.compute(), img.get_fdata())
    assert plain[..., 3].mean().compute() == pytest.approx(img.get_fdata()[..., 3].mean())
    other = da.from_array(img.get_fdata())
    for index in [np.s_[3:5, [1, 4], ::-2, 2], np.s_[[1, 4], ..., -1], np.s_[None, 2, :, [3]]]:
        assert np.array_equal(plain[index].compute(), other[index].compute())
    for dtype in ["f4", "f8", "f2"]:
        array = img.dask(dtype)
        assert array.dtype == np.dtype(dtype) and array.compute().dtype == np.dtype(dtype)
        assert np.array_equal(array.compute(), img.get_fdata("unchanged", dtype))
        assert array.chunks[:3] == ((20,), (21,), (12,))
    assert img.dask(chunks=(20, 21, 12, 2)).chunks[3] == (2, 2, 2, 2, 1)
    assert img.dask().mean(axis=-1).compute(scheduler="threads").shape == (20, 21, 12)


def test_large_series_are_cut_between_frames(nifti: Any) -> None:
    img = voxload.load(nifti("a.nii", shape=(128, 128, 40, 20)))
    chunks = img.dask().chunks
    assert chunks[:3] == ((128,), (128,), (40,)) and len(chunks[3]) > 1 and max(chunks[3]) <= 8


def test_tokens_are_deterministic(nifti: Any) -> None:
    path = nifti("a.nii.gz")

    def token(img: Any) -> str:
        return tokenize(img.dataobj, ensure_deterministic=True)

    first = token(voxload.load(path))
    assert first == token(voxload.load(path, mmap=False))
    script = (
        "import sys, voxload; from dask.base import tokenize; "
        "print(tokenize(voxload.load(sys.argv[1]).dataobj, ensure_deterministic=True))"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == first
    img = voxload.load(path)
    others = [img.slicer[1:], img.slicer[2:]]
    tokens = {first, *map(token, others), tokenize(img.dataobj.astype("f4")), tokenize(img.dataobj.reshape((-1, 9)))}
    assert len(tokens) == 5
    content = path.read_bytes()
    assert token(voxload.load(content)) == token(voxload.load(bytes(bytearray(content))))
    nifti("a.nii.gz", shape=(20, 21, 12, 8))
    assert token(voxload.load(path)) != first


def test_the_plug_in_has_tokens(nifti: Any) -> None:
    nib = pytest.importorskip("voxload.nib")
    path = nifti("a.nii.gz")
    assert tokenize(nib.load(path).dataobj) == tokenize(nib.load(path).dataobj)


def test_processes_share_an_index(nifti: Any, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    path = nifti("a.nii.gz", shape=(48, 48, 20, 24))
    folder = tmp_path / "indices"
    folder.mkdir()
    img = voxload.load(path, gzip_index=folder)
    wanted = voxload.load(path).get_fdata("unchanged", "f4")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster),
    ):
        array = img.dask(chunks=(48, 48, 20, 4))
        mean, std = da.compute(array.mean(axis=-1), array.std(axis=-1))
    assert np.allclose(mean, wanted.mean(-1), rtol=1e-4, atol=1e-2)
    assert np.allclose(std, wanted.std(-1), rtol=1e-3, atol=1e-2)
    assert len(list(folder.iterdir())) == 1


def test_the_example_of_a_dataset(nifti: Any, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    example = Path(__file__).parent.parent / "examples" / "dataset.py"
    subjects = [nifti(f"sub-{k}_bold.nii.gz", slope=0.5 + k) for k in range(3)]
    out = tmp_path / "maps"
    command = [sys.executable, str(example), "--workers", "2", "--index", str(tmp_path / "indices"), str(out)]
    ran = subprocess.run([*command, *map(str, subjects)], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("median tSNR") == 3
    for path in subjects:
        img = voxload.load(path)
        mean, std = img.temporal_statistics()
        name = path.name.split(".")[0]
        found = voxload.load(out / f"{name}_mean.nii.gz")
        assert np.array_equal(found.get_fdata(dtype="f4"), mean) and np.array_equal(found.affine, img.affine)
        assert np.allclose(voxload.load(out / f"{name}_tsnr.nii.gz").get_fdata(), mean / std, rtol=1e-5)
