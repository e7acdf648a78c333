"""Volumes whose axes lie every way in space, and what nibabel's as_closest_canonical makes of them.

    orientation.py OUTDIR

writes to OUTDIR/orientation NIfTI-1 files for all 48 orders and directions of the axes, straight and oblique, and to
OUTDIR/orientation.txt one line for each, apart by tabs: file, axis codes, canonical shape, the 16 numbers of the
canonical affine, SHA-256 of the canonical values as f64 (column-major, little-endian).
"""

import itertools
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from values import hashed


def oblique(rng):
    """A rotation of up to about 20 degrees about each axis: no axis changes the direction that it is closest to."""
    rotation = np.eye(3)
    for k, angle in enumerate((rng.random(3) - 0.5) * 0.7):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        i, j = [n for n in range(3) if n != k]
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        rotation = rotation @ turn
    return rotation


def main(out):
    folder = out / "orientation"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    lines = []
    ways = itertools.product(itertools.permutations(range(3)), itertools.product([1, -1], repeat=3), [False, True])
    for number, (axes, signs, tilted) in enumerate(ways):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, list(axes)] * signs
        if tilted:
            affine[:3, :3] = oblique(rng) @ affine[:3, :3]
        affine[:3, :3] = affine[:3, :3] * (0.5 + 2 * rng.random(3))
        affine[:3, 3] = (rng.random(3) - 0.5) * 200
        shape = tuple(int(n) for n in rng.integers(1, 9, 3)) + ((2,) if number % 3 == 0 else ())
        data = rng.integers(-(2**15), 2**15, shape).astype(">i2" if number % 2 else "<i2")
        header = nib.Nifti1Header(endianness=">" if number % 2 else "<")
        image = nib.Nifti1Image(data, affine, header)
        image.header.set_data_dtype(data.dtype)
        image.header.set_slope_inter(0.1, -7)
        name = f"o{number}.nii"
        nib.save(image, folder / name)
        image = nib.load(folder / name)
        canonical = nib.as_closest_canonical(image)
        lines.append(
            "\t".join(
                [
                    name,
                    "".join(nib.aff2axcodes(image.affine)),
                    ",".join(map(str, canonical.shape)),
                    ",".join(float(x).hex() for x in canonical.affine.ravel()),
                    hashed(canonical.get_fdata()),
                ]
            )
        )
    (out / "orientation.txt").write_text("\n".join(lines) + "\n")
    print(f"orientation: {len(lines)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
