"""Reads NIfTI files that voxload made of the files of conversions.py.

usage: check_conversions.py FOLDER LIST [BREAK]

FOLDER is that of conversions.py. Each line of LIST: a line number of its manifest (from 0), the file that voxload made, and
`as it is`, `canonical` or `in NIfTI-2`. nibabel must read all values in NIfTI's order of axes, with the intent, zoom and units of the
source, and, of random voxels, SimpleITK the same value and place in both files. SimpleITK does not read all of the sources;
those are compared with what the script that made them wrote.

BREAK changes what is expected (`value`, `order`, `place`, `intent`, `zoom`, `unit`): every file must then differ. Prints
what was compared of each kind, and ends with 1 when any file differs.
"""

import sys
import warnings
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

warnings.simplefilter("ignore")
sitk.ProcessObject.SetGlobalWarningDisplay(False)

SPACE = {"": 0, "m": 1, "mm": 2, "um": 3}
TIME = {"": 0, "s": 8, "ms": 16, "us": 24}
# SimpleITK converts the lengths of NIfTI files to millimetres.
MILLIMETRES = {"": 1, "m": 1000, "mm": 1, "um": 0.001}
LPS = np.array([-1, -1, 1])


class Truth:
    """A line of the manifest."""

    def __init__(self, folder, line, all_values):
        self.kind, path, shape, self.letters, affine, units, zoom, intent, at, exact = line.split("|")
        self.path = folder / path
        shape = [int(n) for n in shape.split()]
        at = int(at)
        self.values = all_values[at : at + int(np.prod(shape))].reshape(shape, order="F")
        bits = lambda text: np.array([int(b, 16) for b in text.split()], "<u8").view("<f8")
        self.affine, self.zoom = bits(affine).reshape(4, 4), bits(zoom)[0]
        self.space, self.time = units.split(",")
        self.intent, self.exact = int(intent), exact == "1"
        self.order = order(self.letters)

    def break_it(self, what):
        if what == "value":
            self.values = self.values + (np.arange(self.values.size) == self.values.size // 2).reshape(self.values.shape)
        elif what == "order":
            # The components in reverse, or all voxels.
            self.values = np.flip(self.values, self.letters.find("c") if "c" in self.letters else None)
        elif what == "place":
            self.affine = self.affine + np.eye(4)[3] * 0.01
        elif what == "intent":
            self.intent += 1
        elif what == "zoom":
            self.zoom = self.zoom * 1.01 + 0.01
        elif what == "unit":
            self.space = {"mm": "um", "um": "m", "m": "", "": "mm"}[self.space]

    def arranged(self):
        """The values in NIfTI's order."""
        array = self.values.transpose([axis for axis in self.order if axis is not None])
        return array.reshape([1 if axis is None else self.values.shape[axis] for axis in self.order])


def order(letters):
    """Which axes of a file are those of a NIfTI file; None is one of length 1 that is missing."""
    of = lambda letter: [axis for axis, found in enumerate(letters) if found == letter]
    space, others = of("s"), of("o")
    fourth = (of("t") or others)[:1]
    rest = of("c") + [axis for axis in others if axis not in fourth]
    if fourth or rest:
        space = space + [None] * (3 - len(space))
    if rest:
        fourth = fourth or [None]
    return space + fourth + rest


def close(found, expected, precision=1e-4):
    return np.all(np.abs(np.subtract(found, expected)) <= precision * np.maximum(1, np.abs(expected)))


class Sample:
    """A voxel: its indices along the axes of NIfTI (seven of them), its value and its place."""

    def __init__(self, rng, array, affine):
        self.index = [int(rng.integers(n)) for n in array.shape] + [0] * (7 - array.ndim)
        self.value = array[tuple(self.index[: array.ndim])]
        self.place = affine[:3, :3] @ self.index[:3] + affine[:3, 3]


def of_sitk(image, sample, spatial):
    """The value and the place of a voxel; `spatial` are its indices along the image's axes of space."""
    size = image.GetSize()
    index = ([*spatial, *sample.index[3:]] + [0] * 5)[: len(size)]
    pixel = image.GetPixel(index)
    if isinstance(pixel, tuple):
        pixel = pixel[sample.index[4]]
    place = np.array([*image.TransformIndexToPhysicalPoint(index), 0, 0][:3])
    return pixel, place


# SimpleITK's readers, so that it need not try all of them.
READERS = {".nrrd": "NrrdImageIO", ".mha": "MetaImageIO", ".mnc": "MINCImageIO"}


def read_sitk(path):
    try:
        return sitk.ReadImage(str(path), imageIO=READERS.get(Path(path).suffix, "NiftiImageIO"))
    except RuntimeError:
        return None


class Check:
    def __init__(self, truth, path, kind):
        self.truth, self.path, self.in_nifti2 = truth, path, kind == "in NIfTI-2"
        self.array, self.affine = truth.arranged(), truth.affine
        if kind == "canonical":
            # nibabel turns the first three axes round, whatever follows them.
            image = nib.as_closest_canonical(nib.Nifti1Image(self.array, self.affine))
            self.array, self.affine = np.asarray(image.dataobj), image.affine

    def same(self, found, expected):
        return np.array_equal(found, expected) if self.truth.exact else np.allclose(found, expected, rtol=1e-6, atol=1e-6)

    def with_nibabel(self):
        truth, image = self.truth, nib.load(self.path)
        self.is_nifti2 = isinstance(image, nib.Nifti2Image)
        if self.in_nifti2 and not self.is_nifti2:
            return "NIfTI-1"
        if image.shape != self.array.shape:
            return f"shape {image.shape}, not {self.array.shape}"
        if not self.same(np.asarray(image.dataobj), self.array):
            return "other values"
        if not close(image.affine, self.affine):
            return f"affine {image.affine}, not {self.affine}"
        header = image.header
        found = [int(header["intent_code"]), int(header["xyzt_units"])]
        expected = [truth.intent, SPACE[truth.space] + TIME[truth.time]]
        if found != expected:
            return f"intent and units {found}, not {expected}"
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)[: min(3, image.ndim)]
        if not close(header.get_zooms()[:3], lengths):
            return f"zooms {header.get_zooms()}, not {lengths}"
        zoom = truth.zoom or 1
        if image.ndim > 3 and not close(header["pixdim"][4], zoom, 1e-6):
            return f"zoom {header['pixdim'][4]}, not {zoom}"
        return None

    def with_simpleitk(self, rng, source):
        image, truth = None if self.is_nifti2 else read_sitk(self.path), self.truth
        if image is None:
            # It does not read NIfTI-2.
            return None if self.is_nifti2 else "SimpleITK does not read the new file"
        for _ in range(8):
            sample = Sample(rng, self.array, self.affine)
            value, place = of_sitk(image, sample, sample.index[:3])
            # It turns displacements, which NIfTI has in RAS+, to LPS+.
            if truth.intent != 1006 and not self.same(value, sample.value):
                return f"SimpleITK has {value} at {sample.index}, not {sample.value}"
            expected = sample.place * LPS * MILLIMETRES[truth.space]
            if not close(place, expected):
                return f"SimpleITK has {sample.index} at {place}, not {expected}"
            if source is not None:
                wrong = self.with_source(source, value, place / MILLIMETRES[truth.space], sample)
                if wrong:
                    return wrong
        return None

    def with_source(self, source, value, place, sample):
        """The place of a voxel of the new file is one of the source, and there is the same value."""
        minc = self.truth.path.suffix == ".mnc"
        # Nothing needs the place along other axes. MINC's coordinates are RAS+ and stay so.
        others = [sample.index[3]] * (source.GetDimension() > 3)
        point = list(place * LPS if minc else place)[: source.GetDimension()]
        if others:
            zero = source.TransformIndexToPhysicalPoint([0, 0, 0, *others])
            point = [*point[:3], zero[3]]
        at = source.TransformPhysicalPointToContinuousIndex(point)
        index = [round(n) for n in at]
        if not close(at, index, 1e-3):
            return f"the place of {sample.index} is no voxel of the source: {at}"
        pixel = source.GetPixel(index)
        pixel = pixel[sample.index[4]] if isinstance(pixel, tuple) else pixel
        if not self.same(pixel, value):
            return f"the source has {pixel} at {index}, the new file {value}"
        return None


def source_of(truth):
    """The source, where SimpleITK reads it with axes that are taken for what they are."""
    others = truth.letters.replace("c", "")
    # It knows nothing of lists, and takes an axis of time for one of space if it is not the fourth.
    if truth.kind.startswith(("MINC1", "MGH", "PAR")) or "o" in others or others.find("t") in (0, 1, 2):
        return None
    # It converts units, so its places are not those of the file.
    if truth.kind == "NIfTI vectors" and truth.space not in ("mm", ""):
        return None
    image = read_sitk(truth.path)
    length_of = lambda letters: [n for letter, n in zip(truth.letters, truth.values.shape) if letter in letters]
    if image is None or image.GetNumberOfComponentsPerPixel() != (length_of("c") or [1])[0]:
        return None
    return image if sorted(n for n in image.GetSize() if n > 1) == sorted(n for n in length_of("st") if n > 1) else None


def main():
    folder = Path(sys.argv[1])
    what = sys.argv[3] if len(sys.argv) > 3 else None
    manifest = (folder / "manifest.txt").read_text().splitlines()
    values = np.memmap(folder / "values.bin", "<f8", "r")
    compared, sources, wrong = Counter(), Counter(), []
    for line in Path(sys.argv[2]).read_text().splitlines():
        number, path, kind = line.split("|")
        truth = Truth(folder, manifest[int(number)], values)
        if what:
            truth.break_it(what)
        check = Check(truth, path, kind)
        found = check.with_nibabel()
        source = None if check.is_nifti2 else source_of(truth)
        found = found or check.with_simpleitk(np.random.default_rng(int(number)), source)
        if found:
            wrong.append(f"{truth.path} -> {path} ({kind}): {found}")
        compared[f"{truth.kind} {kind}"] += 1
        sources[f"{truth.kind} {kind}"] += source is not None
    for kind, count in compared.items():
        print(f"{kind}: {count} files, {sources[kind]} of which SimpleITK reads")
    print(*wrong[:12], sep="\n")
    print(f"compared {sum(compared.values())}, {len(wrong)} differ")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
