"""Random MetaImage and NRRD files, whose headers are written in all the ways that MetaIO and teem read, compared with SimpleITK.

usage: text_headers.py VOXLOAD FOLDER COUNT

VOXLOAD is the command. COUNT files of each format are written to FOLDER: keys in any order, separators, comments, spacings
and origins under all their names, and voxels in the file, in another one, or in pieces (`LIST`, `LIST n`, a pattern). The
values must be those that were written and SimpleITK's, and random voxels must lie where SimpleITK has them. Where the number
of pieces does not fit, the command must refuse the file and name both numbers; too many of a MetaImage are left out, as in
SimpleITK. Prints the number of files of each kind; ends with 1 when any differs.
"""

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalWarningDisplay(False)

META_TYPES = {
    "MET_UCHAR": "u1", "MET_CHAR": "i1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8"
}
NRRD_TYPES = {"uchar": "u1", "int8": "i1", "short": "i2", "uint16": "u2", "int": "i4", "float": "f4", "double": "f8"}


class Case:
    """A file, the values that it has, and how many pieces it wants and gets."""

    def __init__(self, kind, path, values, wanted=1, found=1):
        self.kind, self.path, self.values = kind, path, values
        self.wanted, self.found = wanted, found


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def random_values(rng, count, code, big):
    return rng.integers(0, 100, size=count).astype((">" if big else "<") + code)


def write_pieces(folder, name, data, wanted, found, encode=lambda piece: piece):
    """As many pieces as `found`; those beyond what is wanted have other voxels."""
    size = len(data) // wanted
    for i in range(found):
        piece = data[i * size : (i + 1) * size] if i < wanted else bytes([200]) * size
        (folder / f"{name}_{i:03d}.raw").write_bytes(encode(piece))
    return [f"{name}_{i:03d}.raw" for i in range(found)]


def meta_keys(rng, ndim, channels, big):
    """The lines of a header but for its first and last ones, in the order in which they were made."""
    lines = []

    def put(key, value):
        lines.append(key + pick(rng, " = ", "=", " : ", ": ", " =", "= ") + value)

    def numbers(low, high):
        return " ".join(f"{rng.uniform(low, high):.4f}" for _ in range(ndim))

    for key in ["ElementSize", "ElementSpacing"]:
        if rng.random() < 0.5:
            put(key, numbers(0.3, 4))
    for key in ["Position", "Offset", "Origin", "ImagePosition"]:
        if rng.random() < 0.35:
            put(key, numbers(-50, 50))
    if rng.random() < 0.5:
        rotation, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
        put(pick(rng, "TransformMatrix", "Orientation", "Rotation"), " ".join(f"{x:.9f}" for x in rotation.ravel()))
    if channels > 1:
        put("ElementNumberOfChannels", str(channels))
    put(pick(rng, "ElementByteOrderMSB", "BinaryDataByteOrderMSB"), str(big))
    for key, value in [("BinaryData", "True"), ("Comment", "a = b : c"), ("Modality", "MET_MOD_CT")]:
        if rng.random() < 0.4:
            put(key, value)
    return lines


def metaimage(rng, folder, number):
    ndim = int(pick(rng, 2, 3, 3))
    shape = [int(n) for n in rng.integers(1, 7, ndim)]
    channels, big, element = pick(rng, 1, 1, 1, 2, 3, 5), rng.random() < 0.3, pick(rng, *META_TYPES)
    values = random_values(rng, int(np.prod(shape)) * channels, META_TYPES[element], big)
    keys = meta_keys(rng, ndim, channels, bool(big)) + [f"ElementType = {element}", "DimSize = " + " ".join(map(str, shape))]
    rng.shuffle(keys)
    # What has nothing to do with the shape may come before the number of axes.
    first = [key for key in keys if key.startswith(("Comment", "Modality")) and rng.random() < 0.5]
    first += ["ObjectType = Image"] if rng.random() < 0.6 else []
    lines = first + [f"NDims = {ndim}"] + [key for key in keys if key not in first]
    end = pick(rng, "\n", "\n", "\n", "\r\n")
    kind = pick(rng, "local", "file", "list", "pattern") if ndim == 3 else pick(rng, "local", "file")
    wanted = shape[-1]
    found = max(1, wanted + pick(rng, 0, 0, 1, 3, -1)) if kind in ("list", "pattern") else wanted
    path, data, name = folder / f"{number}.mha", values.tobytes(), str(number)
    if kind == "local":
        path.write_bytes((end.join(lines) + end + "ElementDataFile = LOCAL" + end).encode() + data)
        return Case("MetaImage local", path, values)
    if kind == "file":
        (folder / f"{name}.raw").write_bytes(data)
        last = [f"{name}.raw"]
    else:
        files = write_pieces(folder, name, data, wanted, found)
        last = [pick(rng, "LIST", f"LIST {ndim - 1}"), *files] if kind == "list" else [f"{name}_%03d.raw 0 {found - 1} 1"]
    path.write_bytes((end.join(lines) + end + "ElementDataFile = " + end.join(last) + end).encode())
    # The first pieces are taken if there are more.
    return Case("MetaImage " + kind, path, values, wanted, min(found, wanted))


def nrrd_geometry(rng, shape, components):
    none = ["none"] if components else []
    if len(shape) == 3 and rng.random() < 0.7:
        vector = lambda: "(" + ",".join(f"{x:.4f}" for x in rng.normal(size=3) * 3) + ")"
        space = pick(rng, "left-posterior-superior", "right-anterior-superior", "LPS", "LAS", "RAS")
        lines = [f"space: {space}", "space directions: " + " ".join(none + [vector() for _ in shape])]
        return lines + ["space origin: " + vector()] * int(rng.random() < 0.7)
    spacings = [f"{rng.uniform(0.3, 4):.4f}" for _ in shape]
    return ["spacings: " + " ".join(["nan"] * len(none) + spacings)] * int(rng.random() < 0.7)


def nrrd_pieces(rng, sizes):
    """Whether pieces are listed or follow a pattern, the number of axes of each (None is not stated), and how many are wanted."""
    axes = pick(rng, None, int(rng.integers(1, len(sizes) + 1)))
    if axes == len(sizes):
        shares = [n for n in range(1, sizes[-1] + 1) if sizes[-1] % n == 0]
        return axes, int(pick(rng, *shares))
    return axes, int(np.prod(sizes[len(sizes) - 1 if axes is None else axes :]))


def nrrd(rng, folder, number):
    shape = [int(n) for n in rng.integers(1, 7, pick(rng, 2, 3, 3))]
    components = pick(rng, 0, 0, 2, 3, 4)
    sizes = ([components] if components else []) + shape
    element, big, gz = pick(rng, *NRRD_TYPES), rng.random() < 0.3, rng.random() < 0.3
    values = random_values(rng, int(np.prod(sizes)), NRRD_TYPES[element], big)
    geometry = nrrd_geometry(rng, shape, components)
    old = not components and not any(line.startswith("space") for line in geometry)
    lines = [pick(rng, "NRRD0001", "NRRD0004") if old else pick(rng, "NRRD0004", "NRRD0005"), "# a comment"]
    lines += [f"type: {element}", f"dimension: {len(sizes)}"]
    # The space comes before what depends on it, and so do the sizes.
    lines += geometry[:1] + ["sizes: " + " ".join(map(str, sizes))] if geometry else ["sizes: " + " ".join(map(str, sizes))]
    lines += geometry[1:]
    if components:
        kind = {2: "2-vector", 3: "vector", 4: "vector"}[components]
        lines.append("kinds: " + " ".join([kind] + ["domain"] * len(shape)))
    lines += ["endian: " + ("big" if big else "little"), "encoding: " + ("gzip" if gz else "raw")]
    encode = (lambda piece: gzip.compress(piece, mtime=0)) if gz else (lambda piece: piece)
    kind, name, data = pick(rng, "inline", "file", "list", "pattern"), str(number), values.tobytes()
    if kind == "inline":
        path = folder / f"{name}.nrrd"
        path.write_bytes("\n".join([*lines, "", ""]).encode() + encode(data))
        return Case("NRRD inline", path, values)
    path, wanted, found = folder / f"{name}.nhdr", 1, 1
    if kind == "file":
        (folder / f"{name}.raw").write_bytes(encode(data))
        lines.append(f"data file: {name}.raw")
    else:
        axes, wanted = nrrd_pieces(rng, sizes)
        found = max(1, wanted + pick(rng, 0, 0, 0, 1, -1, 2))
        # Any number that divides the last axis is right then; the error names the axis.
        if axes == len(sizes) and sizes[-1] % found == 0:
            found = wanted
        files = write_pieces(folder, name, data, wanted, found, encode)
        if axes == len(sizes) and found != wanted:
            wanted = sizes[-1]
        suffix = "" if axes is None else f" {axes}"
        listed = [f"data file: LIST{suffix}", *files]
        lines += listed if kind == "list" else [f"data file: {name}_%03d.raw 0 {found - 1} 1{suffix}"]
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return Case("NRRD " + kind, path, values, wanted, found)


class Check:
    def __init__(self, command, rng):
        self.command, self.rng = command, rng

    def run(self, *arguments):
        return subprocess.run([self.command, *map(str, arguments)], capture_output=True)

    def difference(self, case):
        out = case.path.with_suffix(".f64.raw")
        converted = self.run("convert", case.path, out, "--dtype", "f64")
        message = converted.stderr.decode()
        if case.wanted != case.found:
            named = str(case.wanted) in message and str(case.found) in message
            return None if converted.returncode and named else f"not refused with both counts: {message}"
        if converted.returncode:
            return message
        values = np.fromfile(out, "f8")
        if not np.array_equal(values, case.values.astype("f8")):
            return "other values than were written"
        return self.difference_from_simpleitk(case, values)

    def difference_from_simpleitk(self, case, values):
        image = sitk.ReadImage(str(case.path))
        if not np.array_equal(values, sitk.GetArrayFromImage(image).astype("f8").ravel()):
            return "other values than SimpleITK's"
        affine = np.array(json.loads(self.run("info", case.path, "--json").stdout)[0]["affine"])
        for _ in range(4):
            index = [int(self.rng.integers(n)) for n in image.GetSize()]
            place = image.TransformIndexToPhysicalPoint(index)
            found = (affine @ [*(index + [0])[:3], 1])[:3] * [-1, -1, 1]
            if not np.allclose(found[: len(place)], place, rtol=1e-6, atol=1e-5):
                return f"{index} is at {found}, not {place}"
        return None


def main():
    command, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    compared, wrong = Counter(), []
    for name, make in [("metaimage", metaimage), ("nrrd", nrrd)]:
        (folder / name).mkdir()
        for number in range(count):
            rng = np.random.default_rng([len(name), number])
            case = make(rng, folder / name, number)
            fits = case.wanted == case.found
            compared[case.kind + ("" if fits else ", refused")] += 1
            difference = Check(command, rng).difference(case)
            if difference:
                wrong.append(f"{case.path}: {difference}")
    for kind, files in sorted(compared.items()):
        print(f"{kind}: {files}")
    print(*wrong[:12], sep="\n")
    print(f"compared {sum(compared.values())}, {len(wrong)} differ")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
