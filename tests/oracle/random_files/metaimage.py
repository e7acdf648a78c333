"""Random MetaImage files."""

import zlib
from pathlib import Path

import numpy as np

from .common import gzipped, random_array, shape_of
from .simpleitk import SITK_TYPES, add_known, as_text, first_axis, written_by_sitk

MET_NAMES = {"u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT",
             "u8": "MET_ULONG_LONG", "i8": "MET_LONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE"}


def metaimage(rng, folder, k, manifest):
    code = str(rng.choice(SITK_TYPES))
    ending = str(rng.choice(["mha", "mhd"]))
    path = folder / f"{k}.{ending}"
    channels = int(rng.choice([1, 1, 3]))
    if rng.random() < 0.4:
        array, image = written_by_sitk(rng, path, code, channels)
        affine = meta_affine(path)
        add_known(manifest, "MetaImage", path, first_axis(array, channels), affine)
        return
    shape = shape_of(rng, 2, 4)
    full = ((channels,) if channels > 1 else ()) + shape
    order = str(rng.choice(["<", ">"]))
    text = rng.random() < 0.2
    if text:
        # MetaIO swaps the bytes of numbers in text too, and reads all of them as float64.
        order, code = "<", {"u8": "u4", "i8": "i4"}.get(code, code)
    array = random_array(rng, full, order + code)
    pack = lambda values: as_text(rng, values, [" ", "\n"]) if text else values.tobytes(order="F")
    data = pack(array)
    compressed = not text and rng.random() < 0.4
    lines = ["ObjectType = Image", f"NDims = {len(shape)}", f"BinaryData = {not text}",
             f"{rng.choice(['BinaryDataByteOrderMSB', 'ElementByteOrderMSB'])} = {order == '>'}",
             "DimSize = " + " ".join(map(str, shape)), f"ElementType = {MET_NAMES[code]}"]
    n = len(shape)
    if rng.random() < 0.7:
        lines.append(f"{rng.choice(['TransformMatrix', 'Rotation', 'Orientation'])} = " + " ".join(repr(float(v)) for v in rng.normal(size=n * n)))
    if rng.random() < 0.7:
        lines.append(f"{rng.choice(['Offset', 'Position', 'Origin'])} = " + " ".join(repr(float(v)) for v in rng.normal(size=n)))
    if rng.random() < 0.8:
        lines.append("ElementSpacing = " + " ".join(repr(float(v)) for v in rng.uniform(0.1, 5, size=n)))
    if channels > 1:
        lines.append(f"ElementNumberOfChannels = {channels}")
    if compressed:
        data = zlib.compress(data) if rng.random() < 0.7 else gzipped(data)
        lines += ["CompressedData = True", f"CompressedDataSize = {len(data)}"]
    if ending == "mha":
        path.write_bytes(("\n".join(lines) + "\nElementDataFile = LOCAL\n").encode() + data)
    elif compressed or rng.random() < 0.5:
        file = f"{k}.zraw" if compressed else f"{k}.raw"
        before = b""
        if not compressed and rng.random() < 0.5:
            size = 9 if text else int(rng.choice([-1, 9]))
            lines.append(f"HeaderSize = {size}")
            before = rng.bytes(9)
        (folder / file).write_bytes(before + data)
        path.write_text("\n".join(lines) + f"\nElementDataFile = {file}\n")
    else:
        for i in range(shape[-1]):
            (folder / f"{k}_{i + 1:02d}.raw").write_bytes(pack(array[..., i]))
        if rng.random() < 0.5:
            tail = "LIST\n" + "\n".join(f"{k}_{i + 1:02d}.raw" for i in range(shape[-1]))
        else:
            tail = f"{k}_%02d.raw 1 {shape[-1]} 1"
        path.write_text("\n".join(lines) + f"\nElementDataFile = {tail}\n")
    add_known(manifest, "MetaImage", path, array, meta_affine(path))


def meta_affine(path):
    text = Path(path).read_bytes().split(b"ElementDataFile")[0].decode("latin1")
    fields = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    n = int(fields["NDims"])
    get = lambda keys, default: np.array(next(([float(v) for v in fields[key].split()] for key in keys if key in fields), default))
    matrix = get(["TransformMatrix", "Rotation", "Orientation"], np.eye(n).ravel()).reshape(n, n)
    affine = np.eye(4)
    m = min(n, 3)
    affine[:m, :m] = (matrix.T * get(["ElementSpacing"], np.ones(n)))[:m, :m]
    affine[:m, 3] = get(["Offset", "Position", "Origin"], np.zeros(n))[:m]
    affine[:2] *= -1
    return affine + 0.0
