"""Random slices in numpy's notation, and what numpy takes with them from nibabel's values.

    slices.py OUTDIR [COUNT]

writes to OUTDIR/slices some volumes and to OUTDIR/slices.txt one line for each slice, apart by tabs: file, index, type,
shape, SHA-256 of the values in column-major order, little-endian, all NaN made alike.
"""

import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

from values import REAL, hashed, write

warnings.simplefilter("ignore")
np.seterr(all="ignore")

MOST = [60, 20, 12, 8, 6]
VOLUMES = 100


def random_shape(rng):
    axes = rng.integers(1, 6)
    lengths = rng.integers(1, MOST[axes - 1] + 1, axes)
    lengths[rng.random(axes) < 0.1] = 1
    lengths[rng.random(axes) < 0.03] = 0
    return tuple(int(n) for n in lengths)


def bound(rng, length):
    kind = rng.integers(0, 8)
    if kind < 2:
        return None
    if kind == 2:
        return int(rng.choice([-(10**9), 10**9]))
    return int(rng.integers(-length - 3, length + 4))


def item(rng, length):
    if length and rng.random() < 0.25:
        return int(rng.integers(-length, length))
    step = [None, None, -1, 1, int(rng.integers(2, 6)), -int(rng.integers(2, 6)), 100, -100][rng.integers(0, 8)]
    return slice(bound(rng, length), bound(rng, length), step)


def random_index(rng, shape):
    named = rng.integers(0, len(shape) + 1)
    ellipsis = rng.integers(0, named + 1) if rng.random() < 0.5 else None
    items, axis = [], 0
    for n in range(named + 1):
        if rng.random() < 0.1:
            items.append(None)
        if n == ellipsis:
            items.append(Ellipsis)
            axis = len(shape) - (named - n)
        if n < named:
            items.append(item(rng, shape[axis]))
            axis += 1
    return tuple(items) or (Ellipsis,)


def text(index, rng):
    def one(part):
        if part is None:
            return str(rng.choice(["None", "np.newaxis"]))
        if part is Ellipsis:
            return "..."
        if isinstance(part, int):
            return str(part)
        shown = ["" if b is None else str(b) for b in (part.start, part.stop, part.step)]
        return ":".join(shown if part.step is not None or rng.random() < 0.2 else shown[:2])

    space = str(rng.choice(["", " "]))
    return "[" + ("," + space).join(map(one, index)) + "]"


def main(out, count):
    folder = out / "slices"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(9)
    lines = []
    for number in range(VOLUMES):
        shape = random_shape(rng)
        order = str(rng.choice(["<", ">"]))
        dtype = np.dtype(str(rng.choice(REAL))).newbyteorder(order)
        voxels = int(np.prod(shape))
        data = np.frombuffer(rng.bytes(voxels * dtype.itemsize), dtype).reshape(shape, order="F")
        pair = [(1, 0), (np.nan, 0), (0.1, -7), (2, 0), (1, 3.5)][rng.integers(0, 5)]
        version = str(rng.choice(["1", "2"]))
        kind = str(rng.choice(["nii", "nii.gz", "pair"]))
        # An empty file is no half of a pair.
        kind = kind if voxels else "nii"
        name = write(folder, f"s{number}", version, kind, order, data, pair)
        image = nib.load(folder / name)
        # nibabel gives empty volumes of other shapes when they are not mapped.
        values = {code: np.asarray(image.get_fdata("unchanged", dtype=code)).reshape(shape) for code in ("f2", "f4", "f8")}
        for _ in range(count // VOLUMES):
            index = random_index(rng, shape)
            code = str(rng.choice(["f2", "f4", "f8"]))
            part = values[code][index]
            lines.append("\t".join([name, text(index, rng), code, ",".join(map(str, part.shape)), hashed(part)]))
    (out / "slices.txt").write_text("\n".join(lines) + "\n")
    print(f"slices: {len(lines)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000)
