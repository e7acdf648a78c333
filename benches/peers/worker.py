"""One peer in Python: `worker.py nibabel|indexed_gzip|simpleitk|numpy`. Questions and answers as in serve.rs."""

import os
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

DTYPES = {"f32": np.float32, "f64": np.float64}
OFFSET = 352

# Voxels that numpy works on at a time, so that they stay in cache from one step to the next.
BLOCK = 1 << 17


class Nibabel:
    """nibabel, which inflates by indexed_gzip where that can be imported."""

    def __init__(self, indexed):
        if not indexed:
            sys.modules["indexed_gzip"] = None
        import nibabel
        from nibabel import _compression

        if _compression.HAVE_INDEXED_GZIP != indexed:
            raise RuntimeError(f"nibabel with indexed_gzip: {_compression.HAVE_INDEXED_GZIP}, wanted {indexed}")
        self.load = nibabel.load

    def whole(self, dtype, path):
        return self.load(path).get_fdata(dtype=DTYPES[dtype])

    def open(self, path, times):
        return average(range(int(times)), lambda _: self.load(path))

    def frames(self, path, count):
        image = self.load(path)
        every = range(int(count))
        return average(every, lambda i: np.asarray(image.dataobj[..., i * 37 % image.shape[3]], np.float32))

    def series(self, path, places):
        image = self.load(path)
        with open(places, encoding="ascii") as file:
            every = [tuple(map(int, line.split(","))) for line in file]
        return average(every, lambda place: np.asarray(image.dataobj[(*place, slice(None))], np.float32))

    def again(self, path, t):
        image, t = self.load(path), int(t)
        for at in (t, 0):
            np.asarray(image.dataobj[..., at], np.float32)
        return average(range(1), lambda _: np.asarray(image.dataobj[..., t], np.float32))


class SimpleItk:
    def __init__(self):
        import SimpleITK

        self.itk = SimpleITK

    def whole(self, dtype, path):
        kind = {"f32": self.itk.sitkFloat32, "f64": self.itk.sitkFloat64}[dtype]
        # Its axes are the other way round: the transpose is as nibabel's.
        self.image = self.itk.ReadImage(path, kind)
        return self.itk.GetArrayViewFromImage(self.image).T


class Numpy:
    """What a careful user writes without a library: mapped voxels, scaled in blocks into one new array.

    `exact` does the arithmetic in f64 as nibabel does; otherwise it is done in the type of the output.
    """

    def __init__(self, threads, exact):
        self.threads, self.exact = threads, exact
        self.pool = ThreadPoolExecutor(threads)

    def whole(self, dtype, path):
        with open(path, "rb") as file:
            header = file.read(348)
        dim = struct.unpack_from("<8h", header, 40)
        slope, inter = (float(value) for value in struct.unpack_from("<2f", header, 112))
        stored = np.memmap(path, "<i2", "r", OFFSET)
        out = np.empty(stored.size, DTYPES[dtype])
        work = np.float64 if self.exact else DTYPES[dtype]
        starts = range(0, stored.size, BLOCK)

        def run(first):
            wide = np.empty(BLOCK, work)
            for start in starts[first :: self.threads]:
                part = slice(start, min(start + BLOCK, stored.size))
                target = out[part]
                values = target if target.dtype == work else wide[: target.size]
                values[:] = stored[part]
                values *= work(slope)
                values += work(inter)
                if values is not target:
                    target[:] = values

        list(self.pool.map(run, range(self.threads)))
        return out.reshape(dim[1 : 1 + dim[0]], order="F")


def average(every, work):
    """Seconds of `work` on each, on average."""
    start = time.perf_counter()
    for one in every:
        work(one)
    return (time.perf_counter() - start) / len(every)


def peer(name):
    threads = os.cpu_count() or 1
    return {
        "nibabel": lambda: Nibabel(False),
        "indexed_gzip": lambda: Nibabel(True),
        "simpleitk": SimpleItk,
        "numpy": lambda: Numpy(threads, False),
        "numpy-1": lambda: Numpy(1, False),
        "numpy-exact": lambda: Numpy(threads, True),
        "numpy-exact-1": lambda: Numpy(1, True),
    }[name]()


def answer(who, work, *words):
    if work == "whole":
        start = time.perf_counter()
        made = who.whole(*words)
        took = time.perf_counter() - start
        del made
        return took
    if work == "dump":
        dtype, path, out = words
        # The transpose, row by row, is the array column by column.
        np.ascontiguousarray(who.whole(dtype, path).T, DTYPES[dtype]).tofile(out)
        return 0.0
    return getattr(who, work)(*words)


def main():
    who = peer(sys.argv[1])
    for line in sys.stdin:
        try:
            print(f"{answer(who, *line.rstrip().split(chr(9))):.9f}", flush=True)
        except Exception as error:  # Whatever ails a peer is its answer.
            print("!", type(error).__name__, str(error).replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
