"""`load_many`: in order, in bounded memory, errors in their place."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import same_bits

import voxload


@pytest.fixture
def paths(nifti: Any) -> list[Path]:
    names = [f"{n}.nii{'.gz' if n % 2 else ''}" for n in range(10)]
    return [nifti(name, slope=0.5 + n, shape=(20, 21, 12)) for n, name in enumerate(names)]


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize("ahead", [0, 50_000, 1 << 30])
def test_in_order(paths: list[Path], threads: int | None, ahead: int) -> None:
    count = 0
    for path, (image, values) in zip(paths, voxload.load_many(paths, threads=threads, ahead=ahead), strict=True):
        assert same_bits(values, voxload.load(path).get_fdata(dtype="f4"))
        assert image.shape == (20, 21, 12) and not image.in_memory
        assert values.flags.f_contiguous and values.flags.writeable
        count += 1
    assert count == len(paths)


def test_indices_and_types(paths: list[Path]) -> None:
    index = np.s_[2:8, ::-3, [1, 4]]
    for path, (_, values) in zip(paths, voxload.load_many(paths, index=index, dtype="f8"), strict=True):
        assert same_bits(values, voxload.load(path).dataobj[index])
    crops = [(path, np.s_[n, ..., 3:]) for n, path in enumerate(paths)]
    for (path, crop), (_, values) in zip(crops, voxload.load_many(iter(crops)), strict=True):
        assert same_bits(values, voxload.load(path).dataobj.read(crop, "f4"))


def test_without_end(paths: list[Path]) -> None:
    seen = list(itertools.islice(voxload.load_many(itertools.cycle(paths)), 35))
    assert len(seen) == 35 and same_bits(seen[33].values, seen[3].values)
    assert list(voxload.load_many([])) == []


def test_an_error_comes_in_its_turn(paths: list[Path]) -> None:
    paths[4] = paths[4].with_name("missing.nii")
    volumes = voxload.load_many(paths)
    for n in range(len(paths)):
        if n == 4:
            with pytest.raises(FileNotFoundError, match=r"missing\.nii"):
                next(volumes)
        else:
            assert next(volumes).values.shape == (20, 21, 12)
    with pytest.raises(StopIteration):
        next(volumes)
    with pytest.raises(IndexError):
        next(voxload.load_many(paths[:1], index=99))
    with pytest.raises(ValueError, match="thread"):
        voxload.load_many(paths, threads=0)


def test_no_more_is_read_than_allowed(paths: list[Path]) -> None:
    volumes = voxload.load_many(paths, ahead=3 * 20 * 21 * 12 * 4, threads=4)
    volumes._ask()
    time.sleep(0.5)
    for path in paths:
        path.unlink()
    read = 0
    for _ in paths:
        try:
            next(volumes)
            read += 1
        except OSError:
            pass
    assert read == 3


def test_closed_early(paths: list[Path]) -> None:
    with voxload.load_many(itertools.cycle(paths)) as volumes:
        next(volumes)
    began = time.monotonic()
    for _ in range(20):
        next(voxload.load_many(itertools.cycle(paths)))
    assert time.monotonic() - began < 20
