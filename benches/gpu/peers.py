"""Loads of a raw int16 .nii in page cache to device f32: voxload, plain copies, CuPy and PyTorch, in one run.

Prints a table in markdown. Peers that are not installed, or find no GPU, are skipped with a line that says so.
Times are medians, in seconds; rates are stored (int16) bytes a second.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SLOPE, INTER = 0.1, -7.3
DATA_OFFSET = 352
BUS_TARGET, MEMORY_TARGET = 0.8, 0.6


def make_phantom(path, megabytes):
    """A 4-D NIfTI-1 series of int16 with slope and inter; the bytes are noise, repeated."""
    frame = (128, 128, 64)
    frames = max(1, megabytes * 1_000_000 // (2 * frame[0] * frame[1] * frame[2]))
    header = bytearray(DATA_OFFSET)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 4, *frame, frames, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 2, 2, 2, 1, 0, 0, 0)
    struct.pack_into("<3f", header, 108, DATA_OFFSET, SLOPE, INTER)
    header[344:348] = b"n+1\0"
    noise = os.urandom(2 * frame[0] * frame[1] * frame[2])
    with open(path, "wb") as file:
        file.write(header)
        for _ in range(frames):
            file.write(noise)


def median_time(runs, work, settle):
    """The median of `runs` calls, each until the device has settled, after one that does not count."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        result = work()
        settle()
        times.append(time.perf_counter() - start)
        del result
    return statistics.median(times[1:])


def stored_values(numpy, path):
    """The voxels of the file as they are, mapped, and the numbers that scale them."""
    with open(path, "rb") as file:
        header = file.read(348)
    kind, offset, slope, inter = struct.unpack("<h36xf2f", header[70:120])
    if header[344:347] != b"n+1" or kind != 4:
        raise ValueError("peers load little-endian int16 NIfTI-1 only")
    return numpy.memmap(path, "<i2", "r", int(offset)), slope or 1.0, inter


def torch_rows(path, runs):
    import numpy
    import torch

    if not torch.cuda.is_available():
        raise ImportError("it finds no CUDA device")
    mapped, slope, inter = stored_values(numpy, path)
    settle = torch.cuda.synchronize
    host = torch.from_numpy(numpy.asarray(mapped))
    pinned = torch.empty(host.shape, dtype=host.dtype, pin_memory=True)
    out = torch.empty(host.shape, dtype=torch.float32, device="cuda")

    def scale(stored):
        return torch.add(torch.mul(stored, slope, out=out), inter, out=out)

    def plain():
        return scale(host.to("cuda"))

    def staged():
        pinned.copy_(host)
        return scale(pinned.to("cuda", non_blocking=True))

    name = torch.cuda.get_device_name()
    yield f"PyTorch {torch.__version__} on {name}: memmap, to(cuda), scale", median_time(runs, plain, settle)
    yield "PyTorch: memmap, pinned, to(cuda), scale", median_time(runs, staged, settle)
    copy = median_time(runs, lambda: pinned.to("cuda", non_blocking=True), settle)
    yield "PyTorch: pinned memory to(cuda), no scaling", copy


def cupy_rows(path, runs):
    import cupy
    import numpy

    if cupy.cuda.runtime.getDeviceCount() < 1:
        raise ImportError("it finds no CUDA device")
    mapped, slope, inter = stored_values(numpy, path)
    scale = cupy.ElementwiseKernel(
        "int16 stored, float32 slope, float32 inter", "float32 value", "value = stored * slope + inter", "scale"
    )
    settle = cupy.cuda.get_current_stream().synchronize
    memory = cupy.cuda.alloc_pinned_memory(mapped.nbytes)
    pinned = numpy.frombuffer(memory, mapped.dtype, mapped.size)

    def load(host):
        return scale(cupy.asarray(host), numpy.float32(slope), numpy.float32(inter))

    def staged():
        numpy.copyto(pinned, mapped)
        return load(pinned)

    yield f"CuPy {cupy.__version__}: memmap, asarray, scale", median_time(runs, lambda: load(mapped), settle)
    yield "CuPy: memmap, pinned, asarray, scale", median_time(runs, staged, settle)


def peer_rows(path, runs):
    """What peers take: (name, seconds); and why others are not there."""
    rows, skipped = [], []
    for name, measure in (("PyTorch", torch_rows), ("CuPy", cupy_rows)):
        try:
            rows.extend(measure(path, runs))
        except Exception as error:  # A peer that fails in its own way must not end the run.
            skipped.append(f"{name} is skipped: {type(error).__name__}: {error}")
    return rows, skipped


def run_voxload(command, path, runs):
    result = subprocess.run(
        [command, "bench", "--json", "--runs", str(runs), path], stdout=subprocess.PIPE, check=True
    )
    return json.loads(result.stdout)["files"][0]


def print_report(bench, rows, skipped):
    gpu = bench["gpu"]
    stages = {stage["stage"].strip(): stage for stage in bench["stages"]}
    load = stages["gpu to a device buffer"]
    stored = load["stored_bytes"]
    print(f"## {bench['adapter']}\n")
    print(f"{bench['volume']}, {stored / 1e6:.0f} MB stored, in page cache, to f32 on the device\n")
    print("| what | seconds | stored GB/s | x voxload |\n|---|---:|---:|---:|")
    table = [
        ("voxload: .nii to a device buffer", load["seconds"]),
        ("plain copy: mapped staging memory to the device, no kernel", stored / gpu["bus_bytes_per_second"]),
        *rows,
    ]
    for name, seconds in table:
        print(f"| {name} | {seconds:.5f} | {stored / seconds / 1e9:.2f} | {seconds / load['seconds']:.2f} |")
    for line in skipped:
        print(f"\n{line}")
    print("\n| stage of a voxload load | busy, seconds |\n|---|---:|")
    trace = gpu["trace"] or {}
    for stage in ("read", "inflate", "stage", "submit", "device", "wall"):
        busy = trace.get(stage)
        print(f"| {stage} | {'not timed' if busy is None else f'{busy:.5f}'} |")
    print("\n| promise | found | wanted |\n|---|---:|---:|")
    print(f"| share of bus copy | {gpu['share_of_bus_copy']:.2f} | {BUS_TARGET} |")
    share = gpu["kernel_share_of_memory"]
    shown = "no kernel" if share is None else f"{share:.2f}"
    print(f"| kernel's share of device memory bandwidth | {shown} | {MEMORY_TARGET} |")
    kernel = gpu["kernel"] or {"chosen": "none", "voxels_per_second": {}}
    rates = [f"{name} {rate / 1e9:.3f}" for name, rate in kernel["voxels_per_second"].items() if rate]
    print(f"\nKernel: {kernel['chosen']} (Gvoxels/s: {', '.join(rates)}).")
    print(f"Device memory: {gpu['memory_bytes_per_second'] / 1e9:.1f} GB/s read and written by plain copies.")
    print(f"Values that differ between CPU and GPU: {bench['differing_values']}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxload", required=True, help="the voxload command")
    parser.add_argument("--megabytes", type=int, default=840, help="stored size of the phantom")
    parser.add_argument("--runs", type=int, default=9, help="runs of each measurement")
    parser.add_argument("file", nargs="?", help="a little-endian int16 .nii instead of a phantom")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file
        if path is None:
            path = os.path.join(folder, "phantom.nii")
            make_phantom(path, options.megabytes)
        bench = run_voxload(options.voxload, path, options.runs)
        if bench["gpu"] is None:
            sys.exit(f"nothing to compare with: {bench['adapter']}")
        rows, skipped = peer_rows(path, options.runs)
        print_report(bench, rows, skipped)


if __name__ == "__main__":
    main()
