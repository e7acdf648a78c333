"""Random AFNI files."""

import numpy as np

from .common import random_array, shape_of, stored, ten_to


def afni(rng, folder, k, manifest):
    code, char = [(0, "u1"), (1, "i2"), (3, "f4"), (5, "c16")][rng.integers(4)]
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
    order_of = rng.permutation(len(attributes))
    text = ""
    for at in order_of:
        kind, name, values = attributes[at]
        lines = [" ".join(str(v) for v in values[i: i + 5]) for i in range(0, len(values), 5)]
        text += f"\ntype = {kind}-attribute\nname = {name}\ncount = {len(values)}\n" + "\n".join(" " * (kind != "string") + l for l in lines) + "\n"
    upper = rng.random() < 0.7
    head, brik = (f"{k}+orig.HEAD", f"{k}+orig.BRIK") if upper else (f"{k}+orig.head", f"{k}+orig.brik")
    zipped = rng.random() < 0.4
    (folder / head).write_text(text)
    brik += ".gz" if zipped else ""
    stored(folder / brik, random_array(rng, (x, y, z, bricks), dtype).tobytes(order="F"), zipped)
    manifest.add_nibabel("AFNI", folder / (head if rng.random() < 0.5 else brik))
