"""Random AFNI files."""

import nibabel as nib
import numpy as np

from .common import own_zooms, random_array, shape_of, stored, ten_to

# AFNI's complex numbers are two floats; nibabel takes them for two doubles.
nib.brikhead._dtype_dict[5] = "F"


def afni(rng, folder, k, manifest):
    code, char = [(0, "u1"), (1, "i2"), (3, "f4"), (5, "c8")][rng.integers(4)]
    order = rng.choice(["LSB_FIRST", "MSB_FIRST", "NATIVE"])
    dtype = np.dtype({"LSB_FIRST": "<", "MSB_FIRST": ">", "NATIVE": "="}[order] + char)
    x, y, z = shape_of(rng, 3, 3)
    bricks = int(rng.integers(1, 6))
    attributes = [
        ("string", "TYPESTRING", ["'3DIM_HEAD_ANAT~"]),
        ("integer", "BRICK_TYPES", [code] * (1 if rng.random() < 0.2 else bricks)),
        ("integer", "DATASET_RANK", [3, bricks, 0, 0]),
        ("integer", "DATASET_DIMENSIONS", [x, y, z, 0, 0][: rng.choice([3, 5])]),
        ("string", "BYTEORDER_STRING", [f"'{order}~"]),
        ("float", "DELTA", [round(v, 4) for v in rng.normal(size=3)]),
        ("float", "IJK_TO_DICOM_REAL", list(np.where(rng.random(12) < 0.3, 0, rng.normal(size=12)))),
        ("string", "HISTORY_NOTE", ["'[me: today]\\n it's = here ~ ~"]),
    ]
    if rng.random() < 0.6:
        attributes.append(("float", "TAXIS_FLOATS", [0.0, round(rng.random() * 3, 3), 0.0, 0.0, 0.0]))
    if rng.random() < 0.8:
        factors = np.where(rng.random(bricks) < 0.4, 0.0, rng.normal(size=bricks) * ten_to(rng.integers(-8, 3)))
        if rng.random() < 0.1:
            factors[:] = 1.0
        attributes.append(("float", "BRICK_FLOAT_FACS", list(factors[: rng.integers(1, bricks + 1)])))
    values = {name: values for _, name, values in attributes}
    left_out = set()
    if rng.random() < 0.3:
        # Without a matrix it follows from three other attributes.
        along = rng.permutation(3)
        origin = [round(v, 3) for v in rng.normal(size=3) * 90]
        attributes.append(("integer", "ORIENT_SPECIFIC", [int(2 * axis + rng.integers(2)) for axis in along]))
        attributes.append(("float", "ORIGIN", origin))
        matrix = np.zeros((3, 4))
        matrix[along, range(3)] = values["DELTA"]
        matrix[along, 3] = origin
        values["IJK_TO_DICOM_REAL"][:] = matrix.ravel().tolist()
        left_out.add("IJK_TO_DICOM_REAL")
    if order == "NATIVE" and rng.random() < 0.5:
        left_out.add("BYTEORDER_STRING")
    text = whole = ""
    for at in rng.permutation(len(attributes)):
        kind, name, values = attributes[at]
        lines = [" ".join(str(v) for v in values[i: i + 5]) for i in range(0, len(values), 5)]
        block = f"\ntype = {kind}-attribute\nname = {name}\ncount = {len(values)}\n" + "\n".join(" " * (kind != "string") + l for l in lines) + "\n"
        whole += block
        text += "" if name in left_out else block
    upper = rng.random() < 0.7
    head, brik = (f"{k}+orig.HEAD", f"{k}+orig.BRIK") if upper else (f"{k}+orig.head", f"{k}+orig.brik")
    zipped = rng.random() < 0.4
    (folder / head).write_text(whole)
    brik += ".gz" if zipped else ""
    stored(folder / brik, random_array(rng, (x, y, z, bricks), dtype).tobytes(order="F"), zipped)
    path = folder / (head if rng.random() < 0.5 else brik)
    image = nib.load(path)
    manifest.add("AFNI", path, "", image.dataobj, lambda dtype: np.asanyarray(image.dataobj, dtype=dtype), image.affine, own_zooms(image))
    # nibabel needs all the attributes.
    (folder / head).write_text(text)
