"""Random MINC1 and MINC2 files."""

import h5py
import numpy as np
from nibabel.externals.netcdf import netcdf_file

from .common import random_array, stored


def axis(rng):
    """Step, start and direction cosines of an axis.

    Starts and cosines are multiples of 1/64, so that the origin, a sum of products, is exact: otherwise its last bits
    would depend on the kernel that OpenBLAS has for the processor.
    """
    few = lambda values: np.rint(np.asarray(values) * 64) / 64
    return float(rng.normal()), float(few(rng.normal() * 50)), few(rng.normal(size=3))


def minc(rng, folder, k, manifest):
    kind, size, sign = [("b", 1, "unsigned"), ("b", 1, "signed__"), ("h", 2, "unsigned"), ("h", 2, "signed__"),
                        ("i", 4, "unsigned"), ("i", 4, "signed__"), ("f", 4, "signed__"), ("d", 8, "signed__")][rng.integers(8)]
    names = [str(n) for n in rng.permutation(["xspace", "yspace", "zspace"])]
    if rng.random() < 0.4:
        names.insert(0, "time")
    shape = [int(n) for n in rng.integers(1, 8, size=len(names))]
    path = folder / f"{k}.mnc"
    file = netcdf_file(str(path), "w")
    file.history = b"made at random"
    # The slowest axis may be the one that records follow each other along.
    in_records = rng.random() < 0.3
    for at, (name, n) in enumerate(zip(names, shape)):
        file.createDimension(name, None if in_records and at == 0 else n)
    attributes = rng.random() < 0.8
    for name in names:
        variable = file.createVariable(name, "i", ())
        variable.spacing = b"regular__"
        if attributes or rng.random() < 0.5:
            variable.step, variable.start, cosines = axis(rng)
            if name != "time" and rng.random() < 0.7:
                variable.direction_cosines = cosines
    code = {"f": "f4", "d": "f8"}.get(kind, ("u" if sign == "unsigned" else "i") + str(size))
    nscales = int(rng.integers(0, 3))
    def ranges(name, low):
        scale_kind = "f" if narrow else "d"
        variable = file.createVariable(name, scale_kind, tuple(names[:nscales]))
        values = rng.normal(size=shape[:nscales]) * 10 + low
        if nscales:
            variable[:] = values
        else:
            variable.data[...] = values
    narrow = bool(rng.random() < 0.2)
    def image():
        variable = file.createVariable("image", kind, tuple(names))
        variable.signtype = sign.encode()
        data = random_array(rng, shape, ">" + code)
        variable[:] = np.ascontiguousarray(data).view(np.dtype(variable.data.dtype))
        if kind in "bhi":
            info = np.iinfo(code)
            low, high = sorted(int(v) for v in rng.integers(info.min, info.max, size=2))
            high += low == high
            choice = rng.random()
            dtype = {"b": ">i2", "h": ">i4", "i": ">f8"}[kind]
            if choice < 0.4:
                variable.valid_range = np.array([low, high], dtype)
            elif choice < 0.6:
                variable.valid_min, variable.valid_max = np.array([low], dtype), np.array([high], dtype)
    steps = [lambda: ranges("image-max", 20), lambda: ranges("image-min", -20), image]
    for at in rng.permutation(3):
        steps[at]()
    file.close()
    if rng.random() < 0.3:
        data = path.read_bytes()
        path.unlink()
        path = folder / f"{k}.mnc.gz"
        stored(path, data, True)
    manifest.add_nibabel("MINC1", path)


def minc2(rng, folder, k, manifest):
    code = str(rng.choice(["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"]))
    order = str(rng.choice(["<", "<", ">"]))
    names = [str(n) for n in rng.permutation(["xspace", "yspace", "zspace"])]
    if rng.random() < 0.4:
        names.insert(0, "time")
    shape = [int(n) for n in rng.integers(1, 8, size=len(names))]
    path = folder / f"{k}.mnc"
    text = lambda value: np.bytes_(value)
    with h5py.File(path, "w", libver=str(rng.choice(["earliest", "latest"]))) as file:
        root = file.create_group("minc-2.0")
        root.attrs["history"] = text("made at random")
        dimensions = root.create_group("dimensions")
        for name in names:
            variable = dimensions.create_dataset(name, data=np.int32(0))
            if rng.random() < 0.7:
                variable.attrs["spacing"] = text(rng.choice(["regular__", "regular__", "xspace"]))
            if rng.random() < 0.8:
                variable.attrs["step"], variable.attrs["start"], cosines = axis(rng)
                if rng.random() < 0.7:
                    variable.attrs["direction_cosines"] = cosines
        image = root.create_group("image").create_group("0")
        layout = {}
        if rng.random() < 0.6:
            layout["chunks"] = tuple(int(rng.integers(1, n + 1)) for n in shape)
            if rng.random() < 0.7:
                layout.update(compression="gzip", shuffle=bool(rng.random() < 0.3), fletcher32=bool(rng.random() < 0.2))
        data = image.create_dataset("image", data=random_array(rng, shape, order + code), **layout)
        data.attrs["dimorder"] = text(",".join(names + (["vector_dimension"] if rng.random() < 0.2 else [])))
        if code[0] in "iu" and rng.random() < 0.6:
            info = np.iinfo(code)
            low, high = sorted(int(v) for v in rng.integers(info.min, info.max, size=2))
            data.attrs["valid_range"] = np.array([low, high + (low == high)], rng.choice(["f8", "i8"]))
        scales = int(rng.integers(0, 3))
        kinds = [str(rng.choice(["<", ">"])) + str(rng.choice(["f8", "f8", "f4"])) for _ in range(2)]
        for name, low, kind in ("image-max", 20, kinds[0]), ("image-min", -20, kinds[1]):
            values = np.asarray(rng.normal(size=shape[:scales]) * 10 + low, kind)
            variable = image.create_dataset(name, data=values)
            if scales:
                variable.attrs["dimorder"] = text(",".join(names[:scales]))
    manifest.add_nibabel("MINC2", path)
