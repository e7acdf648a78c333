"""Compares voxload with nibabel, which has indexed_gzip, and prints a table.

    python compare.py [FOLDER]       # needs nibabel, indexed_gzip, dask and distributed; some GB in FOLDER

Ratios are medians over neighbouring runs: what nibabel took by what voxload took. Before each run free memory is
written to, because a machine that has to find fresh pages measures that. The two take turns in being first.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

import voxload
import voxload.nib

SHAPE = (128, 128, 64, 100)
TURNS = int(os.environ.get("VOXLOAD_TURNS", "7"))
TOUCHED = 3 << 30


def series(folder: Path) -> tuple[Path, Path]:
    """A phantom: int16 with slope and inter, noise within a ball, zeros around it; plain and gzipped."""
    plain, packed = folder / "phantom.nii", folder / "phantom.nii.gz"
    if not packed.exists():
        rng = np.random.default_rng(1)
        axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE[:3]), indexing="ij")
        ball = sum(axis**2 for axis in axes) < 1.2
        base = (900 + 300 * np.sin(6 * axes[0]) * np.cos(5 * axes[1])).astype("f4")
        array = np.zeros(SHAPE, "i2", order="F")
        for t in range(SHAPE[3]):
            noise = rng.normal(0, 80, SHAPE[:3]).astype("f4")
            array[..., t] = np.where(ball, base + noise, 0)
        img = nib.Nifti1Image(array, np.diag([2, 2, 2, 1]))
        img.header.set_slope_inter(0.37, -12.5)
        nib.save(img, plain)
        nib.save(img, packed)
    return plain, packed


def touch() -> None:
    np.ones(TOUCHED // 8)


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratio(theirs: Callable[[], Any], ours: Callable[[], Any], turns: int = TURNS) -> tuple[float, float]:
    """The median of the ratios of neighbouring runs, and the median of ours in seconds."""
    ratios, times = [], []
    for turn in range(turns):
        took: dict[int, float] = {}
        for which in (0, 1) if turn % 2 else (1, 0):
            touch()
            took[which] = seconds((theirs, ours)[which])
        ratios.append(took[0] / took[1])
        times.append(took[1])
    return statistics.median(ratios), statistics.median(times)


CHILD = """
import json, sys, time
what, path, index = sys.argv[1:4]
import numpy as np
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
if what.startswith("theirs"):
    import nibabel
    load = nibabel.load
elif what.startswith("plug-in"):
    import voxload.nib
    load = (lambda p: voxload.nib.load(p, gzip_index=index)) if index else voxload.nib.load
else:
    import voxload
    load = (lambda p: voxload.load(p, gzip_index=index)) if index else voxload.load
if what.endswith("peak"):
    img = load(path)
    before = peak()
    values = img.get_fdata(dtype="f4")
    print(json.dumps((peak() - before) / values.nbytes))
else:
    began = time.perf_counter()
    img = load(path)
    img.dataobj[..., img.shape[3] // 2]
    print(json.dumps(time.perf_counter() - began))
"""


def child(what: str, path: Path, index: str = "") -> float:
    command = [sys.executable, "-c", CHILD, what, str(path), index]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(ran.stdout))


def first_slice(path: Path, folder: Path, what: str) -> tuple[float, float]:
    """The middle frame in a new process, whose index is on disk."""
    index = folder / "indices"
    index.mkdir(exist_ok=True)
    voxload.load(path, gzip_index=index).dataobj[..., 0]
    ratios, times = [], []
    for _ in range(TURNS):
        theirs, ours = child("theirs slice", path), child(f"{what} slice", path, str(index))
        ratios.append(theirs / ours)
        times.append(ours)
    return statistics.median(ratios), statistics.median(times)


def on_dask(path: Path, folder: Path) -> tuple[float, float]:
    """Mean and deviation over time by two processes, nibabel's proxy and ours in the same chunks."""
    import dask.array as da
    from distributed import Client, LocalCluster

    index = folder / "indices"
    index.mkdir(exist_ok=True)
    chunks = (*SHAPE[:3], 4)

    def compute(dataobj: Any) -> None:
        values = da.from_array(dataobj, chunks=chunks, lock=False)
        da.compute(values.mean(axis=-1), values.std(axis=-1))

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(folder)) as cluster,
        Client(cluster),
    ):
        ours = voxload.load(path, gzip_index=index)
        ours.dataobj[..., 0]
        compute(nib.load(path).dataobj)
        compute(ours.dataobj)
        return ratio(lambda: compute(nib.load(path).dataobj), lambda: compute(ours.dataobj), max(3, TURNS // 2))


def rows(folder: Path) -> list[tuple[str, str, float, float, str]]:
    """What was measured: the work, the file, the ratio, what it should be, the time."""
    found: list[tuple[str, str, float, float, str]] = []

    def add(work: str, path: Path, measured: tuple[float, float], wanted: float) -> None:
        found.append((work, "".join(path.suffixes), measured[0], wanted, f"{measured[1] * 1e3:.2f} ms"))
        print(f"  {work} {found[-1][1]}: {measured[0]:.2f}", file=sys.stderr, flush=True)

    def fdata(load: Callable[[Path], Any], path: Path, dtype: str) -> Callable[[], Any]:
        return lambda: load(path).get_fdata(dtype=dtype)

    plain, packed = series(folder)
    for path, narrow, wide in [(plain, 6, 2), (packed, 5, 2)]:
        add(
            "plug-in, get_fdata f32",
            path,
            ratio(fdata(nib.load, path, "f4"), fdata(voxload.nib.load, path, "f4")),
            narrow,
        )
        add(
            "plug-in, get_fdata f64",
            path,
            ratio(fdata(nib.load, path, "f8"), fdata(voxload.nib.load, path, "f8")),
            wide,
        )
        add(
            "voxload.load, get_fdata f32", path, ratio(fdata(nib.load, path, "f4"), fdata(voxload.load, path, "f4")), 10
        )
    for path in [plain, packed]:
        theirs, ours = nib.load(path).dataobj, voxload.nib.load(path).dataobj
        theirs[..., -1], ours[..., -1]
        places = [(k * 37) % SHAPE[3] for k in range(10)]
        voxels = [(20 + k * 7 % 80, 20 + k * 5 % 80, 10 + k * 3 % 40) for k in range(10 if path is packed else 100)]

        def frames(dataobj: Any, places: list[int] = places) -> None:
            for t in places:
                dataobj[..., t]

        def series_of(dataobj: Any, voxels: list[tuple[int, int, int]] = voxels) -> None:
            for voxel in voxels:
                dataobj[voxel]

        frame = ratio(lambda t=theirs: frames(t), lambda o=ours: frames(o))
        add("plug-in, a frame", path, (frame[0], frame[1] / len(places)), 4)
        turns = TURNS if path is plain else 3
        voxel = ratio(lambda t=theirs: series_of(t), lambda o=ours: series_of(o), turns)
        add("plug-in, a voxel's series", path, (voxel[0], voxel[1] / len(voxels)), 12)
    add("first slice in a new process, plug-in", packed, first_slice(packed, folder, "plug-in"), 15)
    add("first slice in a new process, voxload.load", packed, first_slice(packed, folder, "ours"), 15)

    def by_numpy(path: Path) -> None:
        values = nib.load(path).get_fdata(dtype="f4")
        values.mean(axis=-1), values.std(axis=-1)

    for path, wanted in [(plain, 10), (packed, 4)]:
        measured = ratio(lambda p=path: by_numpy(p), lambda p=path: voxload.load(p).temporal_statistics())
        add("temporal_statistics, by numpy's", path, measured, wanted)
    for path, wanted in [(packed, 1.5), (plain, 0.95)]:
        add("dask, 2 processes, by nibabel's proxy", path, on_dask(path, folder), wanted)
    return found


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()
    table = rows(folder)
    plain, packed = series(folder)
    print(
        f"{os.cpu_count()} processors, load {before[0]:.1f} before and {os.getloadavg()[0]:.1f} after; {TURNS} turns\n"
    )
    print("| work | file | nibabel / voxload | wanted | voxload |\n|---|---|---|---|---|")
    for work, file, measured, wanted, took in table:
        print(f"| {work} | `{file}` | {measured:.2f} | {wanted} | {took} |")
    print("\n| peak memory over the array, get_fdata f32 | nibabel | plug-in | voxload.load | wanted |")
    print("|---|---|---|---|---|")
    for path, wanted in [(plain, 1.6), (packed, 1.2)]:
        peaks = [child(f"{what} peak", path) for what in ("theirs", "plug-in", "ours")]
        cells = " | ".join(f"{peak:.2f}" for peak in peaks)
        print(f"| `{''.join(path.suffixes)}` | {cells} | {wanted} |")


if __name__ == "__main__":
    main()
