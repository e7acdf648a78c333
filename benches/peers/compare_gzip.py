"""Whole reads and frames of a .nii.gz by voxload and others, each in a process of its own, in alternation.

    python benches/peers/compare_gzip.py FILE.nii.gz [RUNS]

needs nibabel, indexed_gzip and SimpleITK in this Python, and cargo. Prints medians and ratios. medrs 0.2 is not among
them: it builds zlib-ng, which needs cmake.
"""

import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "target")

NIBABEL = """
import sys, time, numpy as np, nibabel, indexed_gzip
start = time.perf_counter()
a = nibabel.load(sys.argv[1]).get_fdata(dtype=np.float32)
print(time.perf_counter() - start)
"""

SITK = """
import sys, time, SimpleITK as sitk
start = time.perf_counter()
a = sitk.GetArrayViewFromImage(sitk.ReadImage(sys.argv[1], sitk.sitkFloat32))
print(time.perf_counter() - start)
"""

FRAME = """
import sys, time, numpy as np, nibabel, indexed_gzip
image = nibabel.load(sys.argv[1])
t = int(sys.argv[2])
first = np.asarray(image.dataobj[..., t], np.float32)
# Elsewhere, so that the frame is read again and not found in a buffer.
elsewhere = np.asarray(image.dataobj[..., 0], np.float32)
start = time.perf_counter()
again = np.asarray(image.dataobj[..., t], np.float32)
print(time.perf_counter() - start)
"""


def build(name):
    folder = os.path.join(HERE, name)
    command = ["cargo", "build", "--release", "--quiet", "--target-dir", TARGET]
    subprocess.run(command, cwd=folder, check=True)
    return os.path.join(TARGET, "release", "peer-" + name)


def seconds(command):
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return float(run.stdout.split()[-1])


def medians(commands, runs):
    times = {name: [] for name in commands}
    for run in range(runs + 1):
        for name, command in commands.items():
            took = seconds(command)
            # The first round brings files and programs into the page cache.
            if run:
                times[name].append(took)
    return {name: statistics.median(took) for name, took in times.items()}


def report(title, ours, found, promises):
    print(title)
    for name, took in found.items():
        ratio = "" if name == ours else f"  {took / found[ours]:7.2f} x"
        promise = f"  (promised: {promises[name]})" if name in promises else ""
        print(f"  {name:24} {took:9.5f} s{ratio}{promise}")


def main():
    path = sys.argv[1]
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    voxload, nifti_rs = build("voxload"), build("nifti-rs")
    python = [sys.executable, "-c"]
    import nibabel

    frames = nibabel.load(path).shape[3]
    print(f"{path}, {os.path.getsize(path)} bytes, load average {os.getloadavg()[0]:.2f}")
    index = path + ".voxgzi"
    seconds([voxload, "frame", path, str(frames // 2), index])
    report(
        "whole read to f32",
        "voxload",
        medians(
            {
                "voxload": [voxload, "whole", path],
                "voxload, index": [voxload, "whole", path, index],
                "SimpleITK": python + [SITK, path],
                "nifti-rs": [nifti_rs, path],
                "nibabel, indexed_gzip": python + [NIBABEL, path],
            },
            runs,
        ),
        {"SimpleITK": "at least 1.25", "nifti-rs": "at least 1.8", "nibabel, indexed_gzip": "at least 4"},
    )
    frame = [path, str(frames // 2)]
    report(
        "the middle frame, index present, its second access after a read elsewhere",
        "voxload",
        medians(
            {
                "voxload": [voxload, "again"] + frame + [index],
                "voxload, new process": [voxload, "frame"] + frame + [index],
                "nibabel, indexed_gzip": python + [FRAME] + frame,
            },
            runs,
        ),
        {"nibabel, indexed_gzip": "at least 10"},
    )
    print(f"load average {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
