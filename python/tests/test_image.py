"""The image: nibabel's contract, errors, statistics, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from conftest import AFFINE, same_bits

import voxload


def test_what_it_is(nifti: Any) -> None:
    path = nifti("a.nii.gz")
    img = voxload.load(path)
    theirs = nib.load(path)
    assert img.shape == theirs.shape and img.ndim == 4
    assert np.array_equal(img.affine, theirs.affine) and np.array_equal(img.affine, AFFINE)
    assert img.dtype == np.float64 and img.header.dtype == np.int16 and img.dataobj.stored_dtype == np.int16
    assert img.dataobj.value_dtype == img.dataobj.dtype == np.float64
    assert img.header["dim"][:5] == [4, 20, 21, 12, 9] and "pixdim" in img.header
    assert img.header.get_zooms()[:3] == (2.0, 2.5, 3.0)
    assert img.header.axes[:3] == ("space",) * 3 and img.header.format == "NIfTI-1"
    assert img.header.get_slope_inter() == (pytest.approx(0.37), -12.5)
    assert img.file_map["image"].filename == str(path) == img.get_filename()
    assert img.extra == {} and img.notes == []
    img.extra["mine"] = 1
    assert "NIfTI-1" in repr(img.header) and "a.nii.gz" in repr(img) and "a.nii.gz" in repr(img.dataobj)
    for name in ["dataobj", "header", "affine", "shape"]:
        with pytest.raises(AttributeError):
            setattr(img, name, None)


def test_the_two_caching_modes(nifti: Any) -> None:
    img = voxload.load(nifti("a.nii"))
    assert not img.in_memory
    first = img.get_fdata("unchanged")
    assert not img.in_memory and img.get_fdata("unchanged") is not first
    kept = img.get_fdata()
    assert img.in_memory and img.get_fdata() is kept and img.get_fdata("unchanged") is kept
    assert img.get_fdata(dtype=">f8") is kept
    kept[0, 0, 0, 0] = 99
    assert img.get_fdata("unchanged", "f4")[0, 0, 0, 0] != 99 and img.get_fdata() is kept
    narrow = img.get_fdata(dtype=np.float32)
    assert narrow.dtype == np.float32 and img.get_fdata(dtype="f4") is narrow
    assert img.get_fdata("unchanged") is not kept
    img.uncache()
    assert not img.in_memory and np.array_equal(img.get_fdata(), first)
    with pytest.raises(ValueError, match="caching value"):
        img.get_fdata("something")
    with pytest.raises(ValueError, match="int16 should be floating point type"):
        img.get_fdata(dtype="i2")
    with pytest.raises(TypeError):
        img.get_fdata(dtype="nonsense")
    with pytest.raises(RuntimeError, match="deprecated in favor of get_fdata"):
        img.get_data()
    with pytest.raises(TypeError, match="slicer"):
        img[0]


def test_an_image_of_an_array() -> None:
    array = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    img = voxload.Image(array, AFFINE, extra={"a": 1})
    assert img.dataobj is array and img.in_memory and img.get_fdata() is array
    narrow = img.get_fdata(dtype="f4")
    assert img.get_fdata(dtype="f4") is narrow
    img.uncache()
    assert img.get_fdata(dtype="f4") is not narrow and img.in_memory
    mean, std = img.temporal_statistics("f8")
    assert np.allclose(mean, array.mean(-1)) and np.allclose(std, array.std(-1))
    part = img.slicer[1:, :, ::2]
    assert part.shape == (1, 3, 2) and np.array_equal(part.get_fdata(), array[1:, :, ::2])
    assert img.header.shape == (2, 3, 4) and img.header.dtype == np.float64
    with pytest.raises(ValueError, match="4,4"):
        voxload.Image(array, np.eye(3))


def test_an_image_of_a_proxy(nifti: Any, tmp_path: Path) -> None:
    img = voxload.load(nifti("a.nii.gz"))
    again = voxload.Image(img.dataobj, np.eye(4))
    assert not again.in_memory and np.array_equal(again.get_fdata(), img.get_fdata())
    again.to_filename(tmp_path / "b.nii")
    assert np.array_equal(voxload.load(tmp_path / "b.nii").affine, np.eye(4))


def test_names_of_nibabels(nifti: Any) -> None:
    path = nifti("a.nii")
    wanted = voxload.load(path).get_fdata()
    assert np.array_equal(voxload.Image.from_filename(path, mmap=False, keep_file_open=True).get_fdata(), wanted)
    assert np.array_equal(voxload.Image.load(str(path), mmap="r").get_fdata(), wanted)
    assert np.array_equal(voxload.Image.from_bytes(path.read_bytes()).get_fdata(), wanted)
    with open(path, "rb") as file:
        assert np.array_equal(voxload.Image.from_stream(file).get_fdata(), wanted)
    file_map = nib.Nifti1Image.filespec_to_file_map(str(path))
    img = voxload.Image.from_file_map(file_map)
    assert np.array_equal(img.get_fdata(), wanted) and img.file_map == file_map
    for wrong in [{"mmap": "x"}, {"keep_file_open": "x"}]:
        with pytest.raises(ValueError):
            voxload.load(path, **wrong)


def test_a_pair_and_analyze(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    nib.save(nib.Nifti1Pair(array, AFFINE), tmp_path / "a.hdr")
    img = voxload.load(tmp_path / "a.img")
    assert np.array_equal(np.asarray(img.dataobj), array)
    assert {"image", "header"} <= set(img.file_map)
    nib.save(nib.Spm99AnalyzeImage(array, AFFINE), tmp_path / "b.hdr")
    img = voxload.load(tmp_path / "b.hdr", format="spm99 analyze")
    assert img.header.format == "SPM99 Analyze"
    assert same_bits(img.get_fdata(dtype="f4"), nib.Spm99AnalyzeImage.load(tmp_path / "b.hdr").get_fdata(dtype="f4"))
    with pytest.raises(ValueError, match="no format is named"):
        voxload.load(tmp_path / "b.hdr", format="cobol")
    assert "NIfTI-1" in voxload.format_names()


def test_slicer(nifti: Any) -> None:
    path = nifti("a.nii.gz")
    img, theirs = voxload.load(path), nib.load(path)
    index = (slice(2, 8), slice(None), slice(1, None, 2), 3)
    ours, wanted = img.slicer[index], theirs.slicer[index]
    assert ours.shape == wanted.shape and np.allclose(ours.affine, wanted.affine)
    assert np.array_equal(ours.get_fdata(), wanted.get_fdata()) and not img.in_memory
    twice = ours.slicer[1:3]
    assert np.array_equal(twice.get_fdata(), wanted.get_fdata()[1:3])
    for bad in [(0,), (None,), (slice(3, 3),), ([1, 2],)]:
        with pytest.raises(IndexError):
            img.slicer[bad]


def test_statistics_and_frames(nifti: Any) -> None:
    img = voxload.load(nifti("a.nii.gz"))
    values = img.get_fdata("unchanged", "f4")
    for dtype in ["f2", "f4", "f8"]:
        mean, std = img.temporal_statistics(dtype)
        exact = img.get_fdata("unchanged", dtype).astype("f8")
        assert mean.dtype == np.dtype(dtype) and mean.shape == (20, 21, 12) and mean.flags.f_contiguous
        with np.errstate(all="ignore"):
            assert np.allclose(mean.astype("f8"), exact.mean(-1), rtol=2e-3 if dtype == "f2" else 1e-5)
            assert np.allclose(std.astype("f8"), exact.std(-1), rtol=2e-3 if dtype == "f2" else 1e-5)
    frames = list(img.frames())
    assert len(frames) == 9 and frames[0].dtype == np.float32
    assert all(np.array_equal(frame, values[..., t]) for t, frame in enumerate(frames))
    assert all(frame.flags.f_contiguous and frame.flags.owndata for frame in frames)
    assert next(iter(img.frames("f2"))).dtype == np.float16
    for call in [img.frames, img.temporal_statistics]:
        with pytest.raises(TypeError, match="int16"):
            call("i2")


def test_saving(nifti: Any, tmp_path: Path) -> None:
    img = voxload.load(nifti("a.nii.gz"))
    img.to_filename(tmp_path / "b.nii.gz", dtype="f4")
    again = nib.load(tmp_path / "b.nii.gz")
    assert again.get_data_dtype() == np.float32 and np.array_equal(again.affine, AFFINE)
    assert np.array_equal(again.get_fdata(dtype="f4"), img.get_fdata(dtype="f4"))
    assert img.get_filename() == str(tmp_path / "b.nii.gz")
    voxload.Image(np.zeros((2, 2, 2), ">i2"), np.eye(4)).to_filename(tmp_path / "c.nii")
    assert nib.load(tmp_path / "c.nii").shape == (2, 2, 2)
    for name, dtype in [("d.mgz", None), ("d.nii", "U3")]:
        with pytest.raises((ValueError, TypeError)):
            img.to_filename(tmp_path / name, dtype=dtype)
    with pytest.raises(OSError):
        img.to_filename(tmp_path / "no" / "folder.nii")


def test_errors_are_what_users_catch(nifti: Any, tmp_path: Path) -> None:
    path = nifti("a.nii.gz")
    img = voxload.load(path)

    def raised(call: Any) -> BaseException:
        with pytest.raises(voxload.VoxloadError) as found:
            call()
        return found.value

    missing = raised(lambda: voxload.load(tmp_path / "none.nii"))
    assert isinstance(missing, FileNotFoundError) and missing.path == str(tmp_path / "none.nii")
    assert str(missing).startswith(str(tmp_path / "none.nii"))
    assert isinstance(raised(lambda: voxload.load(tmp_path)), OSError)
    for index in [100, (0, 0, 0, 0, 0), (Ellipsis, Ellipsis), 10**30, (slice(None, None, 0),)]:
        error = raised(lambda index=index: img.dataobj[index])
        assert isinstance(error, IndexError) and isinstance(error, ValueError)
    with pytest.raises(TypeError, match="slice indices"):
        img.dataobj[1.0:2]
    (tmp_path / "text.nii").write_text("not a volume at all, whatever its name says" * 20)
    assert isinstance(raised(lambda: voxload.load(tmp_path / "text.nii")), ValueError)
    content = path.read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(content[: len(content) // 2])
    cut = voxload.load(tmp_path / "cut.nii.gz")
    assert isinstance(raised(cut.get_fdata), OSError) and isinstance(raised(cut.get_fdata), voxload.DamagedError)
    (tmp_path / "crc.nii.gz").write_bytes(content[:-8] + b"\0\0\0\0" + content[-4:])
    assert isinstance(raised(voxload.load(tmp_path / "crc.nii.gz").get_fdata), voxload.DamagedError)
    header = bytearray(nifti("b.nii").read_bytes()[:352])
    header[40:42] = b"\x7f\x7f"
    (tmp_path / "dim.nii").write_bytes(header)
    error = raised(lambda: voxload.load(tmp_path / "dim.nii"))
    assert isinstance(error, (ValueError, OSError)) and "dim" in str(error)


def test_a_file_that_changed_is_an_error(nifti: Any) -> None:
    path = nifti("a.nii")
    img = voxload.load(path)
    img.get_fdata()
    nifti("a.nii", shape=(20, 21, 12, 8))
    assert img.get_fdata().shape == (20, 21, 12, 9)
    with pytest.raises(voxload.ChangedError, match="changed"):
        img.get_fdata("unchanged", "f4")


def test_limits_hold(nifti: Any, tmp_path: Path) -> None:
    path = nifti("a.nii")
    img = voxload.load(path, limits={"output": 100_000})
    with pytest.raises(voxload.LimitError, match="output bytes"):
        img.get_fdata()
    assert img.dataobj[..., 0].shape == (20, 21, 12)
    with pytest.raises(ValueError, match="no limit is named"):
        voxload.load(path, limits={"patience": 3})
    # A header that promises more than the file has: found before memory is asked for.
    content = bytearray(path.read_bytes())
    content[40:56] = np.array([4, 30000, 30000, 30000, 30000, 1, 1, 1], "<i2").tobytes()
    huge = tmp_path / "huge.nii"
    huge.write_bytes(content)
    with pytest.raises(voxload.VoxloadError):
        voxload.load(huge).get_fdata()


def test_threads_can_be_set(nifti: Any) -> None:
    before = voxload.get_num_threads()
    wanted = voxload.load(nifti("a.nii")).get_fdata()
    try:
        for count in [1, 3]:
            voxload.set_num_threads(count)
            assert voxload.get_num_threads() == count
            assert np.array_equal(voxload.load(nifti("a.nii")).get_fdata(), wanted)
        with pytest.raises(ValueError):
            voxload.set_num_threads(0)
    finally:
        voxload.set_num_threads(before)


def test_repaired_faults_are_noted(nifti: Any, tmp_path: Path) -> None:
    path = nifti("a.nii.gz")
    strange = tmp_path / "a.nii"
    strange.write_bytes(path.read_bytes())
    assert any("gzip" in note for note in voxload.load(strange).notes)


def test_axes_are_saved_in_nifti_s_order(tmp_path: Path) -> None:
    values = np.arange(3 * 4 * 5 * 6, dtype="<f4").reshape((3, 4, 5, 6), order="F")
    header = (
        b"NRRD0004\ntype: float\ndimension: 4\nspace: left-posterior-superior\nsizes: 3 4 5 6\n"
        b"space directions: none (2,0,0) (0,3,0) (0,0,4)\nkinds: vector domain domain domain\n"
        b"endian: little\nencoding: raw\nspace origin: (10,20,30)\n\n"
    )
    (tmp_path / "vectors.nrrd").write_bytes(header + values.tobytes(order="F"))
    img = voxload.load(tmp_path / "vectors.nrrd")
    assert img.header.axes == ("component", "space", "space", "space")
    with pytest.warns(UserWarning, match="NIfTI's order"):
        img.to_filename(tmp_path / "vectors.nii")
    theirs: Any = nib.load(tmp_path / "vectors.nii")
    assert theirs.shape == (4, 5, 6, 1, 3)
    assert np.array_equal(theirs.get_fdata()[:, :, :, 0, :], np.moveaxis(values, 0, -1))
    assert np.allclose(theirs.affine @ [1, 2, 3, 1], [-12, -26, 42, 1])
