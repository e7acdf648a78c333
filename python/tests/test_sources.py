"""Where bytes come from: names, bytes, file objects, fsspec, seek indices."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import voxload


class Counting(io.RawIOBase):
    """A file as fsspec's are: somewhere else, so that each request costs much."""

    blocksize = 1 << 20

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0
        self.size = len(content)
        self.requests: list[tuple[int, int]] = []

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        assert whence == 0
        self.at = offset
        return offset

    def read(self, count: int = -1) -> bytes:  # type: ignore[override]
        piece = self.content[self.at :] if count < 0 else self.content[self.at : self.at + count]
        self.requests.append((self.at, len(piece)))
        self.at += len(piece)
        return piece


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_any_source_gives_the_same(nifti: Any, name: str) -> None:
    path: Path = nifti(name)
    content = path.read_bytes()
    wanted = voxload.load(path).get_fdata()
    frame = wanted[..., 4]
    sources: list[Any] = [
        str(path),
        os.path.relpath(path),
        content,
        bytearray(content),
        memoryview(content),
        io.BytesIO(content),
        Counting(content),
        open(path, "rb"),  # noqa: SIM115
        open(path, "rb", buffering=0),  # noqa: SIM115
    ]
    if name == "a.nii":
        sources.append(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content))))
    for source in sources:
        img = voxload.load(source)
        assert np.array_equal(img.dataobj[..., 4], frame), source
        assert np.array_equal(img.dataobj[3, 4, 5], wanted[3, 4, 5]), source
        assert np.array_equal(img.get_fdata(), wanted), source
        means, _ = img.temporal_statistics("f8")
        assert np.allclose(means, wanted.mean(-1))


def test_few_and_large_requests(nifti: Any) -> None:
    path = nifti("a.nii", shape=(96, 96, 40, 20))
    wanted = voxload.load(path).get_fdata()
    for content, most in [(path.read_bytes(), 30), (gzip.compress(path.read_bytes(), 1), 30)]:
        file = Counting(content)
        img = voxload.load(file)
        header = len(file.requests)
        assert header <= 3
        assert np.array_equal(img.dataobj[..., 7], wanted[..., 7])
        frame = len(file.requests)
        assert np.array_equal(img.dataobj[50, 40, 20], wanted[50, 40, 20])
        series = len(file.requests)
        assert np.array_equal(img.get_fdata(), wanted)
        whole = len(file.requests)
        assert frame - header <= most and series - frame <= 21 and whole - series <= most, file.requests
    # Of a plain file, one frame is one request.
    file = Counting(path.read_bytes())
    img = voxload.load(file)
    before = len(file.requests)
    img.dataobj[..., 7]
    assert len(file.requests) == before + 1


def test_a_file_object_that_fails(nifti: Any) -> None:
    class Failing(Counting):
        broken = False

        def read(self, count: int = -1) -> bytes:  # type: ignore[override]
            if self.broken:
                raise ConnectionError("the line is dead")
            return super().read(count)

    file = Failing(nifti("a.nii").read_bytes())
    img = voxload.load(file)
    file.broken = True
    with pytest.raises(voxload.FileError, match="the line is dead") as found:
        img.get_fdata()
    assert isinstance(found.value.__cause__, ConnectionError) and isinstance(found.value, OSError)
    file.broken = False
    assert img.get_fdata().shape == (20, 21, 12, 9)
    file = Counting(nifti("b.nii").read_bytes()[:5000])
    with pytest.raises(voxload.DamagedError):
        voxload.load(file).get_fdata()
    with pytest.raises(TypeError, match="a path, bytes or a file object"):
        voxload.load(3)


def test_many_threads_read_one_file_object(nifti: Any) -> None:
    path = nifti("a.nii")
    wanted = voxload.load(path).get_fdata()
    img = voxload.load(io.BytesIO(path.read_bytes()))
    wrong = []

    def work(t: int) -> None:
        for _ in range(20):
            if not np.array_equal(img.dataobj[..., t], wanted[..., t]):
                wrong.append(t)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_fsspec(nifti: Any) -> None:
    fsspec = pytest.importorskip("fsspec")
    path = nifti("a.nii.gz")
    wanted = voxload.load(path).get_fdata()
    memory = fsspec.filesystem("memory")
    memory.pipe("/folder/a.nii.gz", path.read_bytes())
    img = voxload.load("memory://folder/a.nii.gz")
    assert np.array_equal(img.get_fdata(), wanted)
    with memory.open("/folder/a.nii.gz") as file:
        assert np.array_equal(voxload.load(file).get_fdata(), wanted)
    with fsspec.open(f"file://{path}") as file:
        assert np.array_equal(voxload.load(file).get_fdata(), wanted)
    with pytest.raises(OSError):
        voxload.load("memory://folder/none.nii")


def test_an_index_of_a_gzip_file(nifti: Any, tmp_path: Path) -> None:
    path = nifti("a.nii.gz", shape=(64, 64, 30, 30))
    wanted = voxload.load(path).get_fdata("unchanged", "f4")
    folder = tmp_path / "indices"
    folder.mkdir()
    for index in [folder, tmp_path / "one.idx"]:
        for _ in range(2):
            img = voxload.load(path, gzip_index=index)
            assert np.array_equal(img.dataobj.read((..., 17), "f4"), wanted[..., 17])
    assert len(list(folder.iterdir())) == 1 and (tmp_path / "one.idx").stat().st_size > 0
    assert np.array_equal(voxload.load(path, gzip_index=folder).get_fdata(dtype="f4"), wanted)
    igzip = pytest.importorskip("indexed_gzip")
    with igzip.IndexedGzipFile(str(path)) as file:
        file.build_full_index()
        file.export_index(str(tmp_path / "theirs.gzidx"))
    img = voxload.load(path, gzip_index=tmp_path / "theirs.gzidx")
    assert np.array_equal(img.dataobj.read((..., 29), "f4"), wanted[..., 29])


def test_a_position_counts(nifti: Any) -> None:
    path = nifti("a.nii")
    shifted = path.with_name("shifted.bin")
    shifted.write_bytes(b"x" * 100 + path.read_bytes())
    img = voxload.Image.from_file_map({"image": voxload.FileHolder(shifted, pos=100)})
    assert np.array_equal(img.get_fdata(), voxload.load(path).get_fdata())
