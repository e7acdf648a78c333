"""Random files of formats that order their axes as they like, with what is in them: for NIfTI made of them.

    conversions.py OUTDIR [COUNT [SEED]]

writes OUTDIR/conversions/ with COUNT (default 200) files of each kind, values.bin and manifest.txt with a line for each file:

    kind|path|shape|axes|affine|units|zoom|intent|first value|exact

The shape is that of the array as voxload has it, first axis first; `axes` has a letter for each axis: s(pace), t(ime),
c(omponent), o(ther). The affine (float64 bits) takes the indices along the axes of space to RAS+; `units` are those of space
and time; the zoom is that along the axis of time or else the first other one, 0 if there is neither; the intent is the one
that a NIfTI file made of it must have. The values are float64s in values.bin from this position on, first axis fastest; they
are not exact if they are scaled by two numbers of each slice. Here nothing is read that a reader could get wrong: the script
knows what it wrote. Only MGH and PAR/REC files are as nibabel reads them. No two values of a file are the same, so a voxel in a wrong place
cannot pass, except in bytes where there are more than 256. Needs numpy, h5py and nibabel.
"""

import gzip
import shutil
import struct
import sys
import warnings
import zlib
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
from nibabel.externals.netcdf import netcdf_file

from random_files.common import hexadecimal, own_zooms, rotation
from random_files.metaimage import MET_NAMES
from random_files.nrrd import NRRD_NAMES
from random_files.parrec import parrec

warnings.simplefilter("ignore")

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
# Kinds of NRRD axes that are components, and the number of samples (0: any).
KINDS = [("vector", 0), ("vector", 0), ("vector", 0), ("covariant-vector", 3), ("point", 0), ("normal", 3), ("2-vector", 2), ("3-gradient", 3),
         ("3-normal", 3), ("3-vector", 3), ("4-vector", 4), ("quaternion", 4), ("HSV-color", 3), ("3D-symmetric-matrix", 6), ("2D-matrix", 4),
         ("3D-masked-symmetric-matrix", 7), ("2D-masked-matrix", 5), ("3D-matrix", 9)]


class Made:
    """What is in a file."""

    def __init__(self, path, letters, values, affine, space="", time="", zoom=None, intent=0, exact=True):
        self.path, self.letters, self.values = path, letters, np.asarray(values, "f8")
        self.affine, self.units, self.zoom, self.intent, self.exact = affine, (space, time), zoom, intent, exact


def lengths(rng, n):
    return [int(v) for v in rng.integers(2, 5, size=n)]


def distinct(rng, shape, code):
    """Numbers that differ, in random order: whole, and from 0 on."""
    count = int(np.prod(shape))
    most = {"u1": 256, "i1": 128}.get(code, count)
    return (rng.permutation(count) % max(most, 1)).astype(code).reshape(shape, order="F")


def affine_of(columns, origin):
    affine = np.eye(4)
    affine[:3, : len(columns)] = np.array(columns).T
    affine[:3, 3] = origin
    return affine


def text_of(vector):
    return "(" + ",".join(repr(float(v)) for v in vector) + ")"


class Axis:
    """An axis of a NRRD file."""

    def __init__(self, kind, letter, length, direction=None, zoom=None, unit=""):
        self.kind, self.letter, self.length, self.direction, self.zoom, self.unit = kind, letter, length, direction, zoom, unit


def nrrd_space(rng, n, with_time):
    """The lines of a space, its axes as directions in it, the affine, and the units of space."""
    names = {"left-posterior-superior": (-1, -1, 1), "RAS": (1, 1, 1), "LAS": (-1, 1, 1)}
    name = str(rng.choice([*names])) if n == 3 and not with_time else None
    signs = names.get(name, (-1, -1, 1))
    columns = list((rotation(rng) * rng.uniform(0.3, 4, size=3)).T) if n == 3 else [[a, b, 0] for a, b in np.diag(rng.uniform(0.3, 4, size=2))]
    origin = list(rng.normal(size=n) * 50)
    affine = affine_of([np.multiply(c, signs) for c in columns], np.multiply([*origin, 0][:3], signs))
    dimensions = 4 if with_time else n
    lines = [f"space: {name}" if name else f"space dimension: {dimensions}"]
    unit = str(rng.choice(["mm", "um", "m", ""]))
    if unit and not with_time:
        lines.append("space units: " + " ".join([f'"{unit}"'] * dimensions))
    lines.append("space origin: " + text_of(origin + [0.0] * with_time))
    stated = "" if with_time else unit
    return lines, [[*c[:n], *[0.0] * with_time] for c in columns], affine, stated or ("mm" if name else "")


def nrrd_file(path, rng, axes, lines, code):
    array = distinct(rng, [axis.length for axis in axes], code)
    order = str(rng.choice(["little", "big"]))
    stored = array.astype((">" if order == "big" else "<") + code)
    data = stored.tobytes(order="F")
    head = ["NRRD0005", f"type: {rng.choice(NRRD_NAMES[code])}", f"dimension: {len(axes)}", "sizes: " + " ".join(str(axis.length) for axis in axes),
            f"endian: {order}", "kinds: " + " ".join(axis.kind for axis in axes)]
    zipped = rng.random() < 0.2
    head.append("encoding: gzip" if zipped else "encoding: raw")
    path.write_bytes(("\n".join(head + lines) + "\n\n").encode() + (gzip.compress(data, 1, mtime=0) if zipped else data))
    return array


def nrrd(place, further, path, rng):
    """Components first, between or last; with an axis of time or a list, anywhere, if `further` says so."""
    n = 3 if rng.random() < 0.8 else 2
    colour = further == "colours"
    kind, length = [("RGB-color", 3), ("RGBA-color", 4)][rng.integers(2)] if colour else KINDS[rng.integers(len(KINDS))]
    # As ITK writes four dimensions: a space with time.
    with_time = further == "time" and n == 3 and rng.random() < 0.5
    # Without a space, the axes are x, y and z of ITK's world.
    spaceless = not with_time and rng.random() < 0.2
    axes = [Axis(str(rng.choice(["domain", "space"])), "s", length) for length in lengths(rng, n)]
    if spaceless:
        zooms, lines = rng.uniform(0.3, 4, size=n), []
        affine, unit = affine_of(np.diag([*zooms, 1][:3])[:n] * (-1, -1, 1), np.zeros(3)), ""
        for axis, zoom in zip(axes, zooms):
            axis.zoom = float(zoom)
    else:
        lines, directions, affine, unit = nrrd_space(rng, n, with_time)
        for axis, direction in zip(axes, directions):
            axis.direction = direction
    component = Axis(kind, "c", length or int(rng.integers(2, 10)))
    place = int(rng.integers(n + 1)) if place is None else {"first": 0, "middle": int(rng.integers(1, n)), "last": n}[place]
    axes.insert(place, component)
    zoom, time = None, ""
    if with_time:
        zoom = float(rng.uniform(0.3, 4))
        axes.insert(axes.index([a for a in axes if a.letter == "s"][-1]) + 1, Axis("domain", "t", int(rng.integers(2, 5)), [0.0, 0.0, 0.0, zoom]))
    elif further in ("time", "list"):
        zoom = float(rng.uniform(0.3, 4)) if rng.random() < 0.8 else None
        time = str(rng.choice(["s", "ms", "us", ""])) if further == "time" else ""
        axes.insert(int(rng.integers(len(axes) + 1)), Axis(further, further[0].replace("l", "o"), int(rng.integers(2, 5)), None, zoom, time))
        zoom = zoom or 1.0
    if not spaceless:
        lines.append("space directions: " + " ".join("none" if axis.direction is None else text_of(axis.direction) for axis in axes))
    if any(axis.zoom for axis in axes):
        lines.append("spacings: " + " ".join(repr(axis.zoom) if axis.zoom else "nan" for axis in axes))
    if time:
        lines.append("units: " + " ".join(f'"{axis.unit}"' for axis in axes))
    code = "u1" if colour and rng.random() < 0.7 else str(rng.choice(TYPES))
    path = path.with_suffix(".nrrd")
    values = nrrd_file(path, rng, axes, lines, code)
    intent = {"RGB-color": 2003, "RGBA-color": 2004}.get(kind, 1007)
    return Made(path, "".join(axis.letter for axis in axes), values, affine, unit, time, zoom, intent)


def metaimage(n, path, rng):
    """Two to nine channels in three or four dimensions."""
    shape, channels, code = lengths(rng, n), int(rng.integers(2, 10)), str(rng.choice(TYPES))
    turned, zooms, origin = rotation(rng), rng.uniform(0.3, 4, size=n), rng.normal(size=n) * 50
    matrix = np.eye(n)
    matrix[:3, :3] = turned.T
    words = lambda values: " ".join(repr(float(v)) for v in np.ravel(values))
    big, zipped, unit = rng.random() < 0.3, rng.random() < 0.2, str(rng.choice(["", "mm", "um"]))
    values = distinct(rng, [channels, *shape], code)
    data = values.astype((">" if big else "<") + code).tobytes(order="F")
    data = zlib.compress(data) if zipped else data
    lines = ["ObjectType = Image", f"NDims = {n}", "BinaryData = True", f"BinaryDataByteOrderMSB = {big}", f"TransformMatrix = {words(matrix)}",
             f"Offset = {words(origin)}", f"ElementSpacing = {words(zooms)}", "DimSize = " + " ".join(map(str, shape)),
             f"ElementNumberOfChannels = {channels}", f"ElementType = {MET_NAMES[code]}"]
    lines += [f"CompressedData = True\nCompressedDataSize = {len(data)}"] * zipped + [f"DistanceUnits = {unit}"] * bool(unit)
    path = path.with_suffix(".mha")
    path.write_bytes(("\n".join([*lines, "ElementDataFile = LOCAL"]) + "\n").encode() + data)
    signs = np.array([-1, -1, 1])
    affine = affine_of((turned * zooms[:3]).T * signs, origin[:3] * signs)
    return Made(path, "c" + "ssst"[:n], values, affine, unit or "mm", "", zooms[3] if n == 4 else None, 1007)


class Minc:
    """The axes of a MINC file: where they are, and in which order."""

    def __init__(self, rng, time, component):
        names = [str(name) for name in rng.permutation(["xspace", "yspace", "zspace"])]
        if time is not None:
            names.insert({"first": 0, "middle": int(rng.integers(1, 3)), "last": 3}[time], "time")
        if component:
            # Last is where MINC's tools put it.
            names.insert(len(names) if rng.random() < 0.7 else int(rng.integers(len(names))), "vector_dimension")
        self.names = names
        self.lengths = [int(rng.integers(2, 10)) if name == "vector_dimension" else int(rng.integers(2, 5)) for name in names]
        turned = rotation(rng)
        self.place = {name: (float(rng.uniform(0.3, 4) * rng.choice([-1, 1])), float(rng.normal() * 40), turned[:, k])
                      for k, name in enumerate(["xspace", "yspace", "zspace"])}
        self.step = float(rng.uniform(0.3, 4))
        self.space_unit, self.time_unit = str(rng.choice(["mm", "um", ""])), str(rng.choice(["s", "ms", ""]))

    def attributes(self, name):
        """Of an axis, but for the components."""
        if name == "time":
            found = {"step": self.step, "start": 0.0, "units": self.time_unit}
        else:
            step, start, cosines = self.place[name]
            found = {"step": step, "start": start, "direction_cosines": cosines, "units": self.space_unit}
        return {"spacing": "regular__", **{key: value for key, value in found.items() if not isinstance(value, str) or value}}

    def made(self, path, values, exact):
        letters = "".join({"time": "t", "vector_dimension": "c"}.get(name, "s") for name in self.names)
        places = [self.place[name] for name in self.names if name in self.place]
        affine = affine_of([np.multiply(cosines, step) for step, _, cosines in places], sum(np.multiply(cosines, start) for _, start, cosines in places))
        return Made(path, letters, values, affine, self.space_unit or "mm", self.time_unit if "t" in letters else "",
                    self.step if "t" in letters else None, 1007 if "c" in letters else 0, exact)


def scaled(rng, minc, scales):
    """Whole numbers, the range of those that are valid, and the range of values of each index of the slowest axes."""
    stored = distinct(rng, minc.lengths, "i4")
    low, high = 0, stored.size - 1
    least = rng.normal(size=minc.lengths[:scales]) * 10
    most = least + rng.uniform(5, 20, size=minc.lengths[:scales])
    rest = (...,) + (None,) * (len(minc.lengths) - scales)
    values = (stored - low) / (high - low) * (most - least)[rest] + least[rest]
    return stored, (low, high), least, most, values


def minc1(time, component, path, rng):
    minc = Minc(rng, time, component)
    kind = str(rng.choice(["h", "i", "f", "d"]))
    path = path.with_suffix(".mnc")
    file = netcdf_file(str(path), "w")
    for name, length in zip(minc.names, minc.lengths):
        file.createDimension(name, length)
    for name in minc.names:
        if name != "vector_dimension":
            variable = file.createVariable(name, "i", ())
            for key, value in minc.attributes(name).items():
                setattr(variable, key, value.encode() if isinstance(value, str) else value)
    scales = int(rng.integers(0, 3))
    stored, valid, least, most, values = scaled(rng, minc, scales)
    values = stored if kind in "fd" else values
    for name, ends in ("image-max", most), ("image-min", least):
        variable = file.createVariable(name, "d", tuple(minc.names[:scales]))
        variable.data[...] = ends
    variable = file.createVariable("image", kind, tuple(minc.names))
    variable.signtype = b"signed__"
    variable[:] = stored
    if kind in "hi":
        variable.valid_range = np.array(valid, "f8" if kind == "i" else "i4")
    file.close()
    return minc.made(path, values, kind in "fd")


def minc2(time, component, path, rng):
    minc = Minc(rng, time, component)
    code = str(rng.choice(["i2", "u2", "i4", "f4", "f8"]))
    path = path.with_suffix(".mnc")
    scales = int(rng.integers(0, 3))
    stored, valid, least, most, values = scaled(rng, minc, scales)
    values = stored if code[0] == "f" else values
    with h5py.File(path, "w") as file:
        root = file.create_group("minc-2.0")
        root.attrs["history"] = np.bytes_("made at random")
        dimensions = root.create_group("dimensions")
        for name, length in zip(minc.names, minc.lengths):
            variable = dimensions.create_dataset(name, data=np.int32(0))
            variable.attrs["length"] = np.int32(length)
            for key, value in ({} if name == "vector_dimension" else minc.attributes(name)).items():
                variable.attrs[key] = np.bytes_(value) if isinstance(value, str) else value
        image = root.create_group("image").create_group("0")
        data = image.create_dataset("image", data=stored.astype(code))
        data.attrs["dimorder"] = np.bytes_(",".join(minc.names))
        data.attrs["valid_range"] = np.array(valid, "f8")
        for name, ends in ("image-max", most), ("image-min", least):
            variable = image.create_dataset(name, data=ends)
            variable.attrs["dimorder"] = np.bytes_(",".join(minc.names[:scales]))
    return minc.made(path, values, code[0] == "f")


def nifti(path, rng):
    """Vectors and displacements in dim[5], with and without times."""
    # SimpleITK has displacements in three dimensions alone.
    intent = int(rng.choice([1007, 1007, 1006]))
    code = str(rng.choice(["f4", "f8"] if intent == 1006 else ["u1", "i2", "u2", "i4", "f4", "f8"]))
    shape = [*lengths(rng, 3), int(rng.choice([1, 1, 3])), 3 if intent == 1006 else int(rng.integers(2, 10))]
    values = distinct(rng, shape, code)
    affine = affine_of((rotation(rng) * rng.uniform(0.3, 4, size=3)).T, rng.normal(size=3) * 40).astype("f4").astype("f8")
    image = (nib.Nifti1Image if rng.random() < 0.8 else nib.Nifti2Image)(values, affine)
    image.header.set_intent(intent)
    space, time = str(rng.choice(["", "mm", "um", "m"])), str(rng.choice(["", "s", "ms", "us"]))
    codes = {"": "unknown", "mm": "mm", "um": "micron", "m": "meter", "s": "sec", "ms": "msec", "us": "usec"}
    image.header.set_xyzt_units(codes[space], codes[time])
    zoom = float(np.float32(rng.uniform(0.3, 4)))
    image.header.set_zooms([*image.header.get_zooms()[:3], zoom, 1.0])
    path = path.with_suffix(".nii.gz" if rng.random() < 0.3 else ".nii")
    nib.save(image, path)
    return Made(path, "ssstc", values, affine, space, time, zoom, intent)


def mgh(path, rng):
    """Series, and some of one frame."""
    code, kind = [(0, "u1"), (1, "i4"), (3, "f4"), (4, "i2")][rng.integers(4)]
    dims = [*lengths(rng, 3), int(rng.choice([1, 2, 3, 4, 5]))]
    values = distinct(rng, dims, kind)
    header = struct.pack(">i4iiih", 1, *dims, code, 0, 1)
    header += np.concatenate([rng.uniform(0.3, 4, size=3), rotation(rng).ravel(), rng.normal(size=3) * 40]).astype(">f4").tobytes()
    footer = (rng.uniform(500, 3000, size=1)).astype(">f4").tobytes() + bytes(16)
    path = path.with_suffix(".mgz" if rng.random() < 0.5 else ".mgh")
    data = header.ljust(284, b"\0") + values.astype(">" + kind).tobytes(order="F") + footer
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".mgz" else data)
    image = nib.load(path)
    series = dims[3] > 1
    zoom = float(np.frombuffer(footer[:4], ">f4")[0]) if series else None
    return Made(path, "ssst" if series else "sss", values if series else values[..., 0], image.affine, "mm", "ms", zoom)


class NoOptions:
    """Takes the files of a generator that can be read without options."""

    path = None

    def add_nibabel(self, _, path, options, __):
        self.path = None if options else path


def par_rec(path, rng):
    """Of slices in any order, with echoes, b-values and dynamic scans."""
    taken = NoOptions()
    for _ in range(40):
        parrec(rng, path.parent, path.name, taken)
        if taken.path:
            break
        for found in path.parent.glob(f"{path.name}.*"):
            found.unlink()
    image = nib.load(taken.path)
    values = image.get_fdata(dtype="f8")
    keys = {name: len(np.unique(image.header.image_defs[name])) for name in ("echo number", "diffusion_b_factor")}
    only_times = all(n == 1 for n in keys.values())
    letters = "sss" if values.ndim == 3 else "ssst" if only_times else "ssso"
    zoom = None if values.ndim == 3 else float(own_zooms(image)[3])
    time = "s" if image.header.general_info["dyn_scan"] and values.ndim > 3 else ""
    return Made(taken.path, letters, values, image.affine, "mm", time, zoom, 0, False)


MAKERS = {
    "NRRD components first": lambda *args: nrrd("first", None, *args),
    "NRRD components between": lambda *args: nrrd("middle", None, *args),
    "NRRD components last": lambda *args: nrrd("last", None, *args),
    "NRRD with time": lambda *args: nrrd(None, "time", *args),
    "NRRD with a list": lambda *args: nrrd(None, "list", *args),
    "NRRD colours": lambda *args: nrrd(None, "colours", *args),
    "MetaImage 3-D": lambda *args: metaimage(3, *args),
    "MetaImage 4-D": lambda *args: metaimage(4, *args),
    "MINC1 vectors": lambda *args: minc1(None, True, *args),
    "MINC1 time": lambda path, rng: minc1(str(rng.choice(["first", "middle"])), rng.random() < 0.5, path, rng),
    "MINC2 vectors": lambda *args: minc2(None, True, *args),
    "MINC2 time": lambda path, rng: minc2(str(rng.choice(["first", "middle"])), rng.random() < 0.5, path, rng),
    "NIfTI vectors": nifti,
    "MGH": mgh,
    "PAR/REC": par_rec,
}


def main():
    out = Path(sys.argv[1]).absolute() / "conversions"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    shutil.rmtree(out, ignore_errors=True)
    lines, at = [], 0
    out.mkdir(parents=True)
    with open(out / "values.bin", "wb") as values:
        for kind, make in MAKERS.items():
            folder = out / kind.replace(" ", "_").replace("/", "_").lower()
            folder.mkdir()
            for k in range(count):
                made = make(folder / f"{k}", np.random.default_rng([seed, k, *kind.encode()]))
                assert len(made.letters) == made.values.ndim, made.path
                values.write(made.values.astype("<f8").tobytes(order="F"))
                lines.append("|".join([
                    kind, str(made.path.relative_to(out)), " ".join(map(str, made.values.shape)), made.letters, hexadecimal(made.affine),
                    ",".join(made.units), hexadecimal([made.zoom or 0]), str(made.intent), str(at), str(int(made.exact))]))
                at += made.values.size
            print(f"{kind}: {count} files")
    (out / "manifest.txt").write_text("\n".join(lines) + "\n")


main()
