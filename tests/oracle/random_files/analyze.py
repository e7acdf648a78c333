"""Random Analyze, SPM99 and SPM2 files."""

import nibabel as nib
import numpy as np
import scipy.io

from .common import random_array, shape_of, stored


def special(rng, scale=1.0):
    return rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1e-45, 3e38, *(rng.normal(size=12) * scale)])


def analyze(variant, rng, folder, k, manifest):
    order = rng.choice(["<", ">"])
    klass = {"spm2": nib.Spm2AnalyzeImage, "spm99": nib.Spm99AnalyzeImage, "analyze": nib.AnalyzeImage}[variant]
    header = np.zeros((), nib.Spm2AnalyzeImage.header_class.template_dtype.newbyteorder(order))
    code = rng.choice([2, 4, 8, 16, 32, 64, 128])
    dtype = nib.analyze.data_type_codes.dtype[int(code)].newbyteorder(order)
    shape = shape_of(rng, 1, 7) if rng.random() < 0.5 else shape_of(rng, 3, 4)
    if len(shape) > 4:
        shape = tuple(min(n, 3) for n in shape)
    header["sizeof_hdr"] = 348
    header["dim"][: len(shape) + 1] = (len(shape), *shape)
    header["datatype"], header["bitpix"] = code, dtype.itemsize * 8
    header["pixdim"] = rng.choice([0.0, 1.0, -2.0, 0.1, *rng.uniform(0.1, 5, size=8)], size=8)
    offset = int(rng.choice([0, 0, 0, 5, 348]))
    header["vox_offset"] = offset + rng.choice([0, 0.5])
    if code != 128:
        header["scl_slope"], header["scl_inter"] = special(rng), special(rng, 10)
        if code == 32 and abs(header["scl_slope"]) < 1e-38:
            # The sign of a complex part that underflows to zero is not nibabel's.
            header["scl_slope"] = 0.1
        if rng.random() < 0.3:
            header["glmax"], header["glmin"] = rng.integers(-(2**31), 2**31, size=2)
            header["cal_max"], header["cal_min"] = rng.normal(size=2) * 100
            header["scl_slope"] = rng.choice([0, np.nan])
    if rng.random() < 0.6:
        header["origin"] = rng.integers(-3, 14, size=5)
    if rng.random() < 0.1:
        header["origin"] = rng.integers(-30000, 30000, size=5)
    header["descrip"] = b"made at random"
    zipped = rng.random() < 0.3
    suffix = ".gz" if zipped else ""
    path = folder / f"{k}.{rng.choice(['hdr', 'img'])}{suffix}"
    stored(folder / f"{k}.hdr{suffix}", header.tobytes(), zipped)
    data = random_array(rng, shape, dtype).tobytes(order="F")
    stored(folder / f"{k}.img{suffix}", rng.bytes(offset) + data + rng.bytes(3), zipped)
    if variant != "analyze" and rng.random() < 0.6:
        matrix = lambda: rng.normal(size=(4, 4)) if rng.random() < 0.7 else rng.integers(-9, 9, size=(4, 4)).astype(rng.choice(["f8", "i8", "u4", "i2"]))
        content = {}
        if rng.random() < 0.7:
            content["M"] = matrix()
        if rng.random() < 0.6 or not content:
            content["mat"] = matrix() if rng.random() < 0.7 else rng.normal(size=(4, 4, 3))
        if rng.random() < 0.3:
            content["other"] = rng.choice([1.0, 2.0], size=(2, 3))
        format = "4" if rng.random() < 0.4 and content.get("mat", np.zeros((4, 4))).ndim == 2 else "5"
        mat = folder / f"{k}.mat"
        scipy.io.savemat(mat, content, format=format, do_compression=format == "5" and rng.random() < 0.5)
        if format == "5":
            # The text at the front has the date in it.
            mat.write_bytes(b"MATLAB 5.0 MAT-file, made at random".ljust(116) + mat.read_bytes()[116:])
        if zipped:
            stored(folder / f"{k}.mat.gz", mat.read_bytes(), True)
            mat.unlink()
    options = {"spm2": "", "spm99": "spm99", "analyze": "analyze"}[variant]
    name = {"spm2": "SPM2 Analyze", "spm99": "SPM99 Analyze", "analyze": "Analyze 7.5"}[variant]
    load = nib.load if variant == "spm2" else klass.from_filename
    manifest.add_nibabel(name, path, options, load)
