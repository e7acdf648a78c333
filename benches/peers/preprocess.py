"""examples/preprocess against the same job in nibabel + numpy, in one run: wall time and peak memory.

usage: preprocess.py FOLDER [--frames N] [--runs N]

Needs nibabel, numpy, and `cargo build --release -p preprocess`. Makes a series of int16 (96 x 96 x 48, 512
frames: 432 MiB) in FOLDER if it is not there, plain and gzipped. Each run is a process of its own; the runs of all
programs take turns, and medians are shown. Peak memory is the kernel's (ru_maxrss) for all alike; it is never below
this script's own, some 40 MiB. voxload waits for the disk (fdatasync), the others do not: a FOLDER in memory is fair.

    numpy whole     get_fdata() as float64; mean, std, tSNR, z-scores; nib.save
    numpy frames    the same in bounded memory: two passes over dataobj[..., t], z-scores written frame by frame
    voxload         --backend cpu --memory 256MiB
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/preprocess"
SHAPE = (96, 96, 48)


def make(folder, frames):
    import nibabel as nib
    import numpy as np

    path = folder / f"series{frames}.nii"
    if not path.exists():
        rng = np.random.default_rng(1)
        header = nib.Nifti1Header()
        header.set_data_dtype(np.int16)
        header.set_data_shape(SHAPE + (frames,))
        header["vox_offset"] = 352
        level = rng.integers(100, 3000, SHAPE, dtype=np.int16)
        with open(path, "wb") as file:
            file.write(header.binaryblock + bytes(4))
            for _ in range(frames):
                file.write((level + rng.integers(-60, 60, SHAPE, dtype=np.int16)).tobytes("F"))
    packed = path.with_suffix(".nii.gz")
    if not packed.exists():
        subprocess.run(["gzip", "-1", "-k", str(path)], check=True)
    return [path, packed]


def save_maps(series, mean, std, out):
    import nibabel as nib
    import numpy as np

    tsnr = np.divide(mean, std, out=np.zeros_like(mean), where=std != 0)
    for name, values in (("mean", mean), ("std", std), ("tsnr", tsnr)):
        nib.save(nib.Nifti1Image(values.astype(np.float32), series.affine), out / f"{name}.nii")


def whole(source, out):
    import nibabel as nib
    import numpy as np

    series = nib.load(source)
    data = series.get_fdata()
    mean, std = data.mean(axis=-1), data.std(axis=-1)
    save_maps(series, mean, std, out)
    scores = data - mean[..., None]
    np.divide(scores, std[..., None], out=scores, where=std[..., None] != 0)
    nib.save(nib.Nifti1Image(scores.astype(np.float32), series.affine), out / "z.nii")


def by_frames(source, out):
    import nibabel as nib
    import numpy as np

    series = nib.load(source, keep_file_open=True)
    frames = series.shape[-1]
    first = np.asarray(series.dataobj[..., 0], dtype=np.float64)
    total, squares = np.zeros_like(first), np.zeros_like(first)
    for t in range(frames):
        difference = series.dataobj[..., t] - first
        total += difference
        squares += difference * difference
    mean = first + total / frames
    std = np.sqrt(np.maximum(squares - total * total / frames, 0) / frames)
    save_maps(series, mean, std, out)
    header = series.header.copy()
    header.set_data_dtype(np.float32)
    header["scl_slope"], header["scl_inter"], header["vox_offset"] = 1, 0, 352
    scale = np.divide(1, std, out=np.zeros_like(std), where=std != 0)
    with open(out / "z.nii", "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for t in range(frames):
            file.write(((series.dataobj[..., t] - mean) * scale).astype(np.float32).tobytes("F"))


def measure(command):
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    out = args.folder / "out"
    out.mkdir(parents=True, exist_ok=True)
    maps = [f"--{name}={out / name}.nii" for name in ("mean", "std", "tsnr")]
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for source in make(args.folder, args.frames):
        python = [sys.executable, __file__]
        commands = {
            "numpy whole": [*python, "whole", source, out],
            "numpy frames": [*python, "frames", source, out],
            "voxload": [PROGRAM, source, *maps, f"--zscore={out / 'z.nii'}", "--backend=cpu", "--memory=256MiB"],
        }
        times, peaks = {name: [] for name in commands}, {}
        for _ in range(args.runs):
            for name, command in commands.items():
                seconds, peak = measure([str(part) for part in command])
                times[name].append(seconds)
                peaks[name] = max(peak, peaks.get(name, 0))
        ours = statistics.median(times["voxload"])
        print(f"{source.name}: {source.stat().st_size / 2**20:.0f} MiB")
        for name in commands:
            median = statistics.median(times[name])
            print(f"  {name:13} {median:7.2f} s  {median / ours:5.2f} x  peak {peaks[name]:7.0f} MiB")


if __name__ == "__main__":
    if sys.argv[1] in ("whole", "frames"):
        {"whole": whole, "frames": by_frames}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
