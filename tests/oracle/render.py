"""Pictures as `voxload render` has to draw them, made with nibabel and numpy.

usage: render.py OUTDIR

Makes volumes with every kind of affine, and takes real ones where they are installed. Writes a PGM for each picture
and prints a line for it, apart by tabs: volume, mode, frame, PGM.
"""

import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

warnings.simplefilter("ignore")

MARGIN, GAP, SMALLEST = 12, 22, 192
# Axis to the right, axis up, axis across; what is left, right, below and above.
PANELS = [(1, 2, 0, "PAIS"), (0, 2, 1, "LRIS"), (0, 1, 2, "LRPA")]
LETTERS = {
    "L": "#....|#....|#....|#....|#....|#....|#####",
    "R": "####.|#...#|#...#|####.|#.#..|#..#.|#...#",
    "A": ".###.|#...#|#...#|#####|#...#|#...#|#...#",
    "P": "####.|#...#|#...#|####.|#....|#....|#....",
    "S": ".####|#....|#....|.###.|....#|....#|####.",
    "I": ".###.|..#..|..#..|..#..|..#..|..#..|.###.",
}


def window(values):
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return 0.0, 1.0
    smallest = finite.min()
    foreground = finite[finite > smallest]
    if finite.size - foreground.size > finite.size // 2 and foreground.size:
        return smallest, np.percentile(foreground, 99)
    return tuple(np.percentile(finite, [1, 99]))


def levels(values, lo, hi):
    with np.errstate(all="ignore"):
        share = (values.astype(np.float64) - lo) / (hi - lo)
        grey = np.floor(np.clip(share, 0, 1) * 255 + 0.5)
    return np.where(np.isnan(share), 0, grey).astype(np.uint8)


def half_up(number):
    return int(np.floor(number + 0.5))


def write(picture, letter, left, top):
    for y, row in enumerate(LETTERS[letter].split("|")):
        for x, dot in enumerate(row):
            if dot == "#":
                picture[top + y, left + x] = 255


def draw(image, mode, frame):
    canonical = nib.as_closest_canonical(image)
    same = np.array_equal(canonical.affine, image.affine)
    zooms = image.header.get_zooms() if same else nib.affines.voxel_sizes(canonical.affine)
    zooms = [float(zoom) for zoom in zooms[:3]]
    index = (..., *([frame] + [0] * (image.ndim - 4))) if image.ndim > 3 else ...
    values = canonical.get_fdata(dtype=np.float32)[index]
    lo, hi = window(values)
    ratios = [zoom / min(zooms) for zoom in zooms]
    natural = [[max(half_up(values.shape[axis] * ratios[axis]), 1) for axis in panel[:2]] for panel in PANELS]
    enlarge = max(-(-SMALLEST // max(max(sides) for sides in natural)), 1)
    sizes = [[side * enlarge for side in sides] for sides in natural]
    tallest = max(height for _, height in sizes)
    width = 2 * MARGIN + 2 * GAP + sum(width for width, _ in sizes)
    picture = np.zeros((tallest + 2 * MARGIN, width), np.uint8)
    left = MARGIN
    for (right, up, across, letters), (width, height) in zip(PANELS, sizes):
        if mode == "mip":
            plane = np.fmax.reduce(values, axis=across)
        else:
            plane = values.take(values.shape[across] // 2, axis=across)
        # Axes stay in order, so the plane is indexed by right, then up.
        grey = levels(plane, lo, hi)
        columns = np.arange(width) * plane.shape[0] // width
        rows = np.arange(height) * plane.shape[1] // height
        top = MARGIN + (tallest - height) // 2
        picture[top : top + height, left : left + width] = grey[np.ix_(columns, rows)].T[::-1]
        middle = left + width // 2 - 2, top + height // 2 - 3
        write(picture, letters[0], left - 8, middle[1])
        write(picture, letters[1], left + width + 2, middle[1])
        write(picture, letters[2], middle[0], top + height + 2)
        write(picture, letters[3], middle[0], top - 10)
        left += width + GAP
    return picture


def affine_of(rng, shape):
    order = rng.permutation(3)
    matrix = np.zeros((3, 3))
    matrix[order, range(3)] = rng.choice([-1, 1], 3) * rng.uniform(0.7, 3.2, 3)
    angles = rng.uniform(-0.4, 0.4, 3) * rng.integers(0, 2)
    for axis, angle in enumerate(angles):
        a, b = [(1, 2), (0, 2), (0, 1)][axis]
        turn = np.eye(3)
        turn[[a, b], [a, b]] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = -matrix @ (np.array(shape[:3]) / 2)
    return affine


def generated(out, count=24):
    rng = np.random.default_rng(77)
    for number in range(count):
        shape = tuple(rng.integers(5, 40, 3)) + ((3,) if number % 3 == 0 else ())
        dtype = [np.int16, np.float32, np.uint8][number % 3 if number % 4 else 1]
        values = rng.random(shape) * 200
        # Half of them with a background.
        if number % 2:
            values[rng.random(shape) < 0.7] = 0
        if dtype == np.float32 and number % 5 == 0:
            values[rng.random(shape) < 0.1] = np.nan
        image = nib.Nifti1Image(values.astype(dtype), affine_of(rng, shape))
        path = out / f"volume{number}.nii{'.gz' if number % 4 == 1 else ''}"
        nib.save(image, path)
        yield path, [0, 2] if len(shape) > 3 else [0]


def real():
    data = Path(nib.__file__).parent / "tests/data"
    nilearn = Path(__file__).resolve().parents[2] / ".oracle/nilearn/nilearn/datasets/data"
    yield data / "example4d.nii.gz", [0, 1]
    yield data / "anatomical.nii", [0]
    yield data / "example_nifti2.nii.gz", [1]
    for path in sorted(nilearn.glob("mni_icbm152_*.nii.gz")):
        yield path, [0]


def main(out):
    count = 0
    for path, frames in [*generated(out), *real()]:
        if not path.exists():
            continue
        # Loaded from its file, as voxload does.
        image = nib.load(path)
        for frame in frames:
            for mode in ("slices", "mip"):
                picture = draw(image, mode, frame)
                pgm = out / f"{count}.pgm"
                height, width = picture.shape
                pgm.write_bytes(b"P5 %d %d 255\n" % (width, height) + picture.tobytes())
                print(path, mode, frame, pgm, sep="\t")
                count += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
