"""Random NRRD files."""

import bz2
from pathlib import Path

import numpy as np

from .common import gzipped, random_array, shape_of
from .simpleitk import SITK_TYPES, add_known, as_text, first_axis, written_by_sitk

NRRD_NAMES = {"u1": ["uchar", "unsigned char", "uint8"], "i1": ["signed char", "int8"], "u2": ["ushort", "unsigned short", "uint16"],
              "i2": ["short", "int16_t"], "u4": ["uint", "unsigned int"], "i4": ["int", "signed int"], "u8": ["uint64", "unsigned long long"],
              "i8": ["longlong", "int64"], "f4": ["float"], "f8": ["double"]}


def nrrd(rng, folder, k, manifest):
    code = str(rng.choice(SITK_TYPES))
    ending = str(rng.choice(["nrrd", "nhdr"]))
    path = folder / f"{k}.{ending}"
    channels = int(rng.choice([1, 1, 3]))
    if rng.random() < 0.3:
        array, image = written_by_sitk(rng, path, code, channels)
        # In float64 SimpleITK's spacing is a norm: the header's own directions are what we read.
        affine = nrrd_affine(path)
        add_known(manifest, "NRRD", path, first_axis(array, channels), affine)
        return
    shape = shape_of(rng, 1, 5)
    order = str(rng.choice(["<", ">"]))
    array = random_array(rng, shape, order + code)
    encoding = str(rng.choice(["raw", "raw", "gzip", "gz", "bzip2", "bz2", "text", "txt", "ascii", "hex"]))
    kind = {"gz": "gzip", "bz2": "bzip2", "txt": "text", "ascii": "text"}.get(encoding, encoding)
    lines = [f"NRRD000{rng.integers(1, 6)}", "# made at random", f"type: {rng.choice(NRRD_NAMES[code])}", f"dimension: {len(shape)}",
             "sizes: " + " ".join(map(str, shape)), f"encoding: {encoding}"]
    if code not in ("u1", "i1") and kind != "text" or rng.random() < 0.5:
        lines.append(f"endian: {'little' if order == '<' else 'big'}")
    affine = None
    if len(shape) >= 3 and rng.random() < 0.7:
        space, signs = [("left-posterior-superior", (-1, -1, 1)), ("LPS", (-1, -1, 1)), ("right-anterior-superior", (1, 1, 1)), ("RAS", (1, 1, 1)),
                        ("LAS", (-1, 1, 1)), ("left-anterior-superior", (-1, 1, 1)), ("scanner-xyz", (-1, -1, 1))][rng.integers(7)]
        vectors, origin = rng.normal(size=(3, 3)), rng.normal(size=3)
        other = sorted(int(a) for a in rng.choice(len(shape), size=len(shape) - 3, replace=False))
        texts, left = [], list(vectors)
        vector = lambda v: "(" + ",".join(repr(float(x)) for x in v) + ")"
        for axis in range(len(shape)):
            texts.append("none" if axis in other else vector(left.pop(0)))
        lines += [f"space: {space}", "space directions: " + " ".join(texts), f"space origin: {vector(origin)}"]
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = vectors.T, origin
        affine[:3] *= np.array(signs)[:, None]
        affine += 0.0
        lines.append("kinds: " + " ".join("list" if axis in other else "domain" for axis in range(len(shape))))
    else:
        spacings = mins = None
        if rng.random() < 0.5:
            spacings = [str(rng.choice(["nan", "1.5", "2"])) for _ in shape]
            lines.append("spacings: " + " ".join(spacings))
        if rng.random() < 0.3:
            mins = [str(float(v)) for v in rng.normal(size=len(shape))]
            lines.append("axis mins: " + " ".join(mins))
        affine = affine_without_space(len(shape), spacings, mins)
    if rng.random() < 0.3:
        lines.append("key:=value: with colon")
    skipped = b""
    if rng.random() < 0.3:
        count = int(rng.integers(1, 4))
        lines.append(rng.choice(["line skip", "lineskip"]) + f": {count}")
        text = lambda: rng.bytes(5).replace(b"\n", b" ").replace(b"\r", b" ")
        skipped += b"".join(text() + [b"\n", b"\r\n", b"\r"][rng.integers(3)] for _ in range(count - 1)) + text() + b"\n"
    before = b""
    if rng.random() < 0.3:
        count = int(rng.choice([0, 7, -1])) if kind == "raw" else int(rng.integers(0, 9))
        lines.append(rng.choice(["byte skip", "byteskip"]) + f": {count}")
        before = rng.bytes(count if count >= 0 else int(rng.integers(9)))

    def pack(values):
        data = values.tobytes(order="F")
        if kind in ("gzip", "bzip2"):
            return skipped + (gzipped(before + data) if kind == "gzip" else bz2.compress(before + data, 1))
        if kind == "text":
            data = as_text(rng, values, [" ", "\n", ", ", "\t"])
        elif kind == "hex":
            digits = data.hex() if rng.random() < 0.5 else data.hex().upper()
            data = "\n".join(digits[i: i + 31] for i in range(0, len(digits), 31)).encode()
        return skipped + before + data

    newline = "\r\n" if rng.random() < 0.2 else "\n"
    if ending == "nrrd":
        path.write_bytes((newline.join(lines) + newline * 2).encode() + pack(array))
    else:
        layout = rng.random()
        if layout < 0.5 or len(shape) < 2:
            lines.append(f"data file: {k}.raw")
            (folder / f"{k}.raw").write_bytes(pack(array))
            end = newline * int(rng.integers(1, 3))
        else:
            n = shape[-1]
            files = [f"{k}_{i:03d}.raw" for i in range(n)]
            for i, file in enumerate(files):
                (folder / file).write_bytes(pack(array[..., i]))
            if layout < 0.75:
                lines.append("data file: LIST")
                lines += files
            else:
                lines.append(f"data file: {k}_%03d.raw 0 {n - 1} 1")
            end = newline
        path.write_bytes((newline.join(lines) + end).encode())
    add_known(manifest, "NRRD", path, array, affine)


def nrrd_affine(path):
    """The affine of a header by SimpleITK."""
    text = Path(path).read_bytes().split(b"\n\n")[0].decode("latin1")
    fields = dict(line.split(": ", 1) for line in text.splitlines()[1:] if ": " in line)
    parse = lambda s: [float(x) for x in s.strip("()").split(",")]
    vectors = [parse(v) for v in fields["space directions"].split() if v != "none"]
    affine = np.eye(4)
    n = len(vectors)
    affine[:n, :n], affine[:n, 3] = np.array(vectors).T, parse(fields["space origin"])
    affine[:2] *= -1
    return affine + 0.0


def affine_without_space(dimension, spacings, mins):
    """As ITK places what names no space: LPS, the spacings for directions, the first voxel's middle from `axis mins`."""
    if dimension < 2:
        return None
    n = min(dimension, 3)
    # One axis without a spacing, even the fourth, leaves the origin at 0.
    number = lambda text: 1.0 if text == "nan" else float(text)
    affine = np.eye(4)
    affine[range(n), range(n)] = [number(text) for text in (spacings or ["nan"] * dimension)[:n]]
    if spacings and mins and "nan" not in spacings:
        affine[:n, 3] = [float(low) + number(step) / 2 for low, step in zip(mins[:n], spacings)]
    affine[:2] *= -1
    return affine + 0.0
