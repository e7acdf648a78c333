"""Random files whose axes have a meaning, and what SimpleITK makes of them: the value and the place in space of random voxels.

    axes.py OUTDIR [COUNT [SEED]]

writes OUTDIR/axes/ with at least COUNT (default 200) files of each kind, and manifest.txt with a line for each:

    kind|path|shape|axes|component axis|samples

The shape is that of the array as voxload has it, first axis first. `axes` has a letter for each axis: s(pace), t(ime),
c(omponent), o(ther). The component axis is the one that SimpleITK takes for the components of a voxel, or "-". A sample is
`index of the other axes;component;value;place` with the value and the three coordinates (RAS+) as bits of float64.
Needs numpy, h5py and SimpleITK.
"""

import gzip
import os
import shutil
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import SimpleITK as sitk

from random_files.common import hexadecimal, random_array, rotation
from random_files.metaimage import MET_NAMES
from random_files.nrrd import NRRD_NAMES
from random_files.simpleitk import SITK_TYPES

# Kinds of NRRD axes, the number of samples (0: any), and whether they are components.
KINDS = [("vector", 0, "c"), ("list", 0, "o"), ("point", 0, "c"), ("covariant-vector", 0, "c"), ("normal", 0, "c"), ("complex", 2, "c"),
         ("2-vector", 2, "c"), ("3-color", 3, "c"), ("RGB-color", 3, "c"), ("HSV-color", 3, "c"), ("4-color", 4, "c"), ("RGBA-color", 4, "c"),
         ("3-vector", 3, "c"), ("3-normal", 3, "c"), ("4-vector", 4, "c"), ("quaternion", 4, "c"),
         ("2D-symmetric-matrix", 3, "c"), ("2D-matrix", 4, "c"), ("2D-masked-matrix", 5, "c"), ("3D-symmetric-matrix", 6, "c"),
         ("3D-matrix", 9, "c")]


def text_of(values):
    return " ".join(repr(float(v)) for v in values)


class Axes:
    def __init__(self, out, rng):
        self.out, self.rng, self.lines = out, rng, []

    def add(self, kind, path, letters, component):
        """`letters` are the axes in the file's order."""
        image = sitk.ReadImage(str(path))
        size, count = image.GetSize(), image.GetNumberOfComponentsPerPixel()
        if "complex" in image.GetPixelIDTypeAsString():
            count = 2
        # NIfTI has an axis of time, of length 1, where SimpleITK has none. MINC's axes are in C order, and SimpleITK leaves its
        # coordinates, which are RAS+, as they are.
        others = len(letters) - (component != "-")
        minc = path.suffix == ".mnc"
        pad = lambda values, value: list(values)[::-1] if minc else [*values[:3], *[value] * (others - len(values)), *values[3:]]
        shape = pad(size, 1)
        if component != "-":
            shape.insert(component, count)
        samples = []
        for _ in range(8):
            index = [int(self.rng.integers(n)) for n in size]
            part = int(self.rng.integers(count))
            pixel = image.GetPixel(index)
            if isinstance(pixel, complex):
                pixel = (pixel.real, pixel.imag)
            value = pixel[part] if isinstance(pixel, tuple) else pixel
            x, y, z = [*image.TransformIndexToPhysicalPoint(index), 0.0][:3]
            samples.append(f"{' '.join(map(str, pad(index, 0)))};{part};{hexadecimal([float(value)])};{hexadecimal([x, y, z] if minc else [-x, -y, z])}")
        path = os.path.relpath(path, self.out)
        self.lines.append("|".join([kind, path, " ".join(map(str, shape)), letters, str(component), ",".join(samples)]))


def lengths(rng, n):
    return [int(v) for v in rng.integers(2, 6, size=n)]


def nrrd_bytes(rng, shape, code, lines, array=None):
    array = random_array(rng, shape, "<" + code) if array is None else array
    head = ["NRRD0005", f"type: {rng.choice(NRRD_NAMES[code])}", f"dimension: {len(shape)}", "sizes: " + " ".join(map(str, shape)), "endian: little"]
    data = array.tobytes(order="F")
    if rng.random() < 0.3:
        head.append("encoding: gzip")
        data = gzip.compress(data, 1, mtime=0)
    else:
        head.append("encoding: raw")
    return ("\n".join(head + lines) + "\n\n").encode() + data


def vectors(rng, n):
    scaled = rotation(rng) * rng.uniform(0.3, 4, size=3) if n == 3 else np.diag(rng.uniform(0.3, 4, size=n))
    return ["(" + ",".join(repr(float(x)) for x in column) + ")" for column in scaled.T]


def nrrd_component(place, path, rng):
    """A vector field, the components first, in the middle or last."""
    kind, length, letter = KINDS[rng.integers(len(KINDS))]
    n = int(rng.choice([2, 3, 3]))
    place = {"first": 0, "middle": int(rng.integers(1, n)), "last": n}[place]
    length = length or int(rng.integers(2, 10))
    shape = lengths(rng, n)
    shape.insert(place, length)
    lines = []
    kinds = [str(rng.choice(["domain", "space"])) for _ in range(n)]
    kinds.insert(place, kind)
    lines.append("kinds: " + " ".join(kinds))
    if rng.random() < 0.8:
        space = str(rng.choice(["left-posterior-superior", "RAS", "LAS"])) if n == 3 else None
        directions = vectors(rng, n)
        directions.insert(place, "none")
        # The space has to come before what is in it.
        lines = [f"space: {space}" if space else f"space dimension: {n}", "space directions: " + " ".join(directions),
                 "space origin: (" + ",".join(repr(float(x)) for x in rng.normal(size=n) * 50) + ")"] + lines
    else:
        spacings = [repr(float(v)) for v in rng.uniform(0.3, 4, size=n)]
        spacings.insert(place, "nan")
        lines.append("spacings: " + " ".join(spacings))
    code = str(rng.choice(SITK_TYPES))
    if kind == "complex":
        code = str(rng.choice(["f4", "f8"]))
    path = path.with_suffix(".nrrd")
    path.write_bytes(nrrd_bytes(rng, shape, code, lines))
    letters = ["s"] * n
    letters.insert(place, letter)
    return path, "".join(letters), place


def nrrd_plain(path, rng):
    """Two to four dimensions, with a space of as many dimensions or with spacings and minima."""
    n = int(rng.choice([2, 3, 4]))
    shape = lengths(rng, n)
    lines = []
    if rng.random() < 0.5:
        name = str(rng.choice(["left-posterior-superior", "right-anterior-superior", "left-anterior-superior"])) if n == 3 else None
        lines += [f"space: {name}" if name else f"space dimension: {n}", "space directions: " + " ".join(vectors(rng, n)),
                  "space origin: (" + ",".join(repr(float(x)) for x in rng.normal(size=n) * 50) + ")"]
    else:
        if rng.random() < 0.8:
            lines.append("spacings: " + text_of(rng.uniform(0.3, 4, size=n)))
        if rng.random() < 0.8:
            lines.append("axis mins: " + text_of(rng.normal(size=n) * 30))
        if rng.random() < 0.3:
            lines.append("axis maxs: " + text_of(rng.normal(size=n) * 30))
        if rng.random() < 0.5:
            lines.append(f"{rng.choice(['centers', 'centerings'])}: " + " ".join(rng.choice(["cell", "node", "???"]) for _ in shape))
    path = path.with_suffix(".nrrd")
    path.write_bytes(nrrd_bytes(rng, shape, str(rng.choice(SITK_TYPES)), lines))
    return path, "ssst"[:n], "-"


def meta_lines(rng, shape, channels, code):
    """A header in any order that MetaIO accepts, with either separator."""
    n = len(shape)
    first = [("NDims", str(n))]
    rest = [("DimSize", " ".join(map(str, shape))), ("ElementType", MET_NAMES[code]), ("BinaryData", "True"), ("ElementByteOrderMSB", "False")]
    if rng.random() < 0.7:
        rest.append(("ObjectType", "Image"))
    if rng.random() < 0.3:
        rest.append(("Modality", "MET_MOD_CT"))
    if rng.random() < 0.3:
        rest.append(("Comment", "made at random: NDims = 7"))
    if channels > 1:
        rest.append(("ElementNumberOfChannels", str(channels)))
    sizes = rng.uniform(0.3, 4, size=(2, n))
    if rng.random() < 0.6:
        rest.append(("ElementSpacing", text_of(sizes[0])))
    if rng.random() < 0.6:
        rest.append(("ElementSize", text_of(sizes[1])))
    for key in ("Position", "Origin", "Offset"):
        if rng.random() < 0.4:
            rest.append((key, text_of(rng.normal(size=n) * 50)))
    if rng.random() < 0.6:
        matrix = rotation(rng) if n == 3 else np.eye(n)[[*rng.permutation(min(n, 3)), *range(3, n)]]
        rest.append((str(rng.choice(["TransformMatrix", "Rotation", "Orientation"])), text_of(matrix.ravel())))
    rng.shuffle(rest)
    # What depends on the number of dimensions comes after it.
    at = int(rng.integers(0, 2)) if rest and rest[0][0] in ("Modality", "Comment", "ObjectType", "ElementType") else 0
    pairs = rest[:at] + first + rest[at:]
    separator = lambda: str(rng.choice([" = ", " = ", "=", ": ", " : ", ":", " := "]))
    return [key + separator() + value for key, value in pairs]


def metaimage(path, rng):
    """One to nine channels in two to four dimensions."""
    n = int(rng.choice([2, 3, 3, 4]))
    shape, channels, code = lengths(rng, n), int(rng.integers(1, 10)), str(rng.choice(SITK_TYPES))
    array = random_array(rng, ([channels] if channels > 1 else []) + shape, "<" + code)
    path = path.with_suffix(".mha")
    path.write_bytes(("\n".join(meta_lines(rng, shape, channels, code)) + "\nElementDataFile = LOCAL\n").encode() + array.tobytes(order="F"))
    letters = "ssst"[:n]
    return path, ("c" if channels > 1 else "") + letters, 0 if channels > 1 else "-"


def metaimage_pieces(path, rng):
    """Files of slices or volumes, as many as are needed or more; compressed or not."""
    n = int(rng.choice([2, 3, 4]))
    shape, channels, code = lengths(rng, n), int(rng.choice([1, 1, 3])), str(rng.choice(SITK_TYPES))
    lines = meta_lines(rng, shape, channels, code)
    full = ([channels] if channels > 1 else []) + shape
    array = random_array(rng, full, "<" + code)
    listed = rng.random() < 0.5
    per_file = int(rng.integers(1, n)) if listed and rng.random() < 0.6 else n - 1
    shape_rest = shape[per_file:]
    flat = array.reshape(full[: len(full) - len(shape_rest)] + [int(np.prod(shape_rest))], order="F")
    compressed = rng.random() < 0.3
    surplus = int(rng.choice([0, 0, 1, 3]))
    step, start = int(rng.choice([1, 1, 2])), int(rng.choice([0, 1, 5]))
    names = [f"{path.stem}_{start + step * k:03d}.raw" for k in range(flat.shape[-1] + surplus)]
    for k, name in enumerate(names):
        data = flat[..., min(k, flat.shape[-1] - 1)].tobytes(order="F") if k < flat.shape[-1] else rng.bytes(flat[..., 0].nbytes)
        (path.parent / name).write_bytes(zlib.compress(data) if compressed else data)
    if compressed:
        lines.append("CompressedData = True")
    if listed:
        word = "LIST" if per_file == n - 1 and rng.random() < 0.5 else f"LIST {per_file}"
        lines += [f"ElementDataFile = {word}", *names]
    else:
        last = start + step * (len(names) - 1)
        lines.append(f"ElementDataFile = {path.stem}_%03d.raw {start} {last} {step}")
    path = path.with_suffix(".mhd")
    path.write_text("\n".join(lines) + "\n")
    return path, ("c" if channels > 1 else "") + "ssst"[:n], 0 if channels > 1 else "-"


def nrrd_pieces(path, rng):
    """Files of slices, volumes or slabs, by name or by number, with skips from the start or the end."""
    n = int(rng.choice([2, 3, 4]))
    shape, code = lengths(rng, n), str(rng.choice(SITK_TYPES))
    array = random_array(rng, shape, "<" + code)
    per_file = int(rng.integers(1, n + 1))
    if per_file == n:
        count = int(rng.choice([k for k in range(1, shape[-1] + 1) if shape[-1] % k == 0]))
        pieces = np.split(array, count, axis=-1)
    else:
        flat = array.reshape(shape[:per_file] + [int(np.prod(shape[per_file:]))], order="F")
        pieces = [flat[..., k] for k in range(flat.shape[-1])]
    encoding = str(rng.choice(["raw", "gzip"]))
    skip = int(rng.choice([0, 5, -1, -4])) if rng.random() < 0.5 else 0
    head = [f"NRRD000{rng.integers(4, 6)}" if rng.random() < 0.8 else "NRRD00.01", f"type: {rng.choice(NRRD_NAMES[code])}", f"dimension: {n}",
            "sizes: " + " ".join(map(str, shape)), "endian: little", f"encoding: {encoding}"]
    if skip:
        head.append(f"byte skip: {skip}")
    step, start = int(rng.choice([1, 2, -1])), int(rng.choice([7, 50]))
    start = start if step > 0 else start + len(pieces)
    names = [f"{path.stem}_{start + step * k:03d}.raw" for k in range(len(pieces))]
    for name, piece in zip(names, pieces):
        before = skip if skip > 0 else int(rng.integers(4)) if skip < 0 else 0
        data = rng.bytes(before) + piece.tobytes(order="F") + (rng.bytes(-skip - 1) if skip < 0 else b"")
        (path.parent / name).write_bytes(gzip.compress(data, 1, mtime=0) if encoding == "gzip" else data)
    dimension = "" if per_file == n - 1 and rng.random() < 0.5 else f" {per_file}"
    if rng.random() < 0.5:
        head += [f"data file: LIST{dimension}", *names]
    else:
        head.append(f"data file: {path.stem}_%03d.raw {start} {start + step * (len(pieces) - 1)} {step}{dimension}")
    path = path.with_suffix(".nhdr")
    path.write_text("\n".join(head) + "\n")
    return path, "ssst"[:n], "-"


def nifti(path, rng):
    """Vectors as SimpleITK writes them: components in dim[5]."""
    shape, channels = lengths(rng, 3), int(rng.integers(2, 10))
    code = str(rng.choice(["u1", "i2", "u2", "i4", "f4", "f8"]))
    # The NIfTI library that SimpleITK has sets numbers that are not finite to 0.
    array = np.nan_to_num(random_array(rng, shape + [channels], code), nan=1, posinf=2, neginf=3)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0, 3)), isVector=True)
    image.SetDirection(rotation(rng).ravel().tolist())
    image.SetSpacing([float(v) for v in rng.uniform(0.3, 4, size=3)])
    image.SetOrigin([float(v) for v in rng.normal(size=3) * 40])
    path = path.with_suffix(".nii.gz" if rng.random() < 0.5 else ".nii")
    sitk.WriteImage(image, str(path))
    return path, "ssstc", 4


def minc2(path, rng):
    """Scalars and vectors as SimpleITK writes them; whole numbers would be scaled by the range of each slice."""
    shape, channels = lengths(rng, 3), int(rng.integers(1, 10))
    array = random_array(rng, shape + ([channels] if channels > 1 else []), str(rng.choice(["f4", "f8"])))
    order = (2, 1, 0, 3)[: array.ndim]
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(order)), isVector=channels > 1)
    image.SetDirection(rotation(rng).ravel().tolist())
    image.SetSpacing([float(v) for v in rng.uniform(0.3, 4, size=3)])
    image.SetOrigin([float(v) for v in rng.normal(size=3) * 40])
    path = path.with_suffix(".mnc")
    sitk.WriteImage(image, str(path))
    # SimpleITK calls the axis of components `time`, unless there are three.
    with h5py.File(path) as file:
        names = file["minc-2.0/image/0/image"].attrs["dimorder"].decode().split(",")
    letters = {"vector_dimension": "c", "time": "t"}
    return path, "".join(letters.get(name, "s") for name in names), 3 if channels > 1 else "-"


MAKERS = {
    "NRRD components first": lambda *args: nrrd_component("first", *args),
    "NRRD components between": lambda *args: nrrd_component("middle", *args),
    "NRRD components last": lambda *args: nrrd_component("last", *args),
    "NRRD": nrrd_plain,
    "NRRD pieces": nrrd_pieces,
    "MetaImage": metaimage,
    "MetaImage pieces": metaimage_pieces,
    "NIfTI vectors": nifti,
    "MINC2": minc2,
}


def main():
    out = Path(sys.argv[1]).absolute() / "axes"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    shutil.rmtree(out, ignore_errors=True)
    axes = Axes(out, np.random.default_rng(seed))
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    for kind, make in MAKERS.items():
        folder = out / kind.replace(" ", "_").lower()
        folder.mkdir(parents=True)
        rng = np.random.default_rng([seed, *kind.encode()])
        made, refused = 0, []
        for k in range(4 * count):
            if made >= count:
                break
            try:
                path, letters, component = make(folder / f"{k}", rng)
                axes.add(kind, path, letters, component)
                made += 1
            except Exception as error:
                refused.append(str(error).strip().splitlines()[-1][:160])
        print(f"{kind}: {made} files, {len(refused)} that SimpleITK does not read")
        if "-v" in sys.argv:
            print(*refused, sep="\n")
    (out / "manifest.txt").write_text("\n".join(axes.lines) + "\n")


main()
