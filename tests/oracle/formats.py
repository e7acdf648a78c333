"""Files of every format but NIfTI, real ones and random ones, and what nibabel (for NRRD and MetaImage: SimpleITK and the
generator itself) makes of them.

    formats.py OUTDIR [COUNT [SEED]]

writes OUTDIR/formats/: real/ has nibabel's own test files, the other folders COUNT (default 200) random files each, and
manifest.txt has a line for each random file:

    format|path|options|shape|native dtype|affine|zooms|sha256 f16|f32|f64|native|index=sha256;...

The affine is 16 floats as hexadecimal bits, the zooms are one for each axis; or "-". Arrays are hashed in Fortran order, little-endian, every NaN as the
quiet one. Needs nibabel 5.4.2, numpy 2, scipy, h5py, SimpleITK.
"""

import gzip
import hashlib
import os
import shutil
import struct
import sys
import warnings
import zlib
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import scipy.io
from nibabel.externals.netcdf import netcdf_file
from nibabel.freesurfer import MGHImage

import SimpleITK as sitk

warnings.simplefilter("ignore")
np.seterr(all="ignore")
NIB = Path(nib.__file__).parent
REAL = [
    ("nicom/../tests/data", "test.mgz"),
    ("tests/data", "example4d+orig.HEAD"), ("tests/data", "example4d+orig.BRIK.gz"),
    ("tests/data", "scaled+tlrc.HEAD"), ("tests/data", "scaled+tlrc.BRIK"),
    ("tests/data", "phantom_EPI_asc_CLEAR_2_1.PAR"), ("tests/data", "phantom_EPI_asc_CLEAR_2_1.REC"),
    ("tests/data", "phantom_varscale.PAR"), ("tests/data", "phantom_varscale.REC"),
    ("tests/data", "phantom_truncated.PAR"), ("tests/data", "phantom_truncated.REC"),
    ("tests/data", "tiny.mnc"), ("tests/data", "minc1_1_scale.mnc"), ("tests/data", "minc1_4d.mnc"),
    ("tests/data", "minc1-no-att.mnc"), ("tests/data", "small.mnc"), ("tests/data", "tinypet.v"),
    *(("tests/data", f"{name}.mnc") for name in ["minc2_1_scale", "minc2_4d", "minc2-no-att", "minc2-4d-d", "minc2_baddim"]),
    ("cifti2/tests/data", "row_major.dconn.nii"), ("tests/data", "row_major.dconn.nii"),
]


def digest(array):
    array = np.array(array, order="F")
    if array.dtype.names is None:
        array = array.astype(array.dtype.newbyteorder("<"))
        if array.dtype.kind in "fc":
            parts = array.reshape(-1, order="F").view(array.dtype.type(0).real.dtype.newbyteorder("<"))
            parts[np.isnan(parts)] = np.nan
            return hashlib.sha256(parts.tobytes()).hexdigest()
    return hashlib.sha256(array.tobytes(order="F")).hexdigest()


def name_of(dtype):
    return {3: "RGB", 4: "RGBA"}[dtype.itemsize] if dtype.names else dtype.newbyteorder("=").name


def random_index(rng, shape):
    items = []
    for n in shape:
        kind = rng.integers(5)
        if kind == 0 and n:
            items.append(str(rng.integers(-n, n)))
        elif kind == 1:
            items.append(":")
        else:
            bound = lambda: "" if rng.random() < 0.3 else str(rng.integers(-n - 2, n + 3))
            step = rng.choice([1, 1, 2, 3, -1, -2])
            items.append(f"{bound()}:{bound()}:{step}")
    if rng.random() < 0.3 and len(items) > 1:
        cut = rng.integers(len(items))
        items[cut:] = ["..."] if rng.random() < 0.5 else []
        items = items or ["..."]
    return "[" + ", ".join(items) + "]"


def hexadecimal(values):
    return " ".join(f"{b:016x}" for b in np.asarray(values, "<f8").reshape(-1).view("<u8"))


def own_zooms(image):
    """The zooms of the file: nibabel replaces those of some formats by the lengths of the affine's columns."""
    header = image.header
    if isinstance(header, nib.ecat.EcatHeader):
        return None
    if isinstance(header, nib.brikhead.AFNIHeader):
        return header.copy().get_zooms()
    if isinstance(header, nib.parrec.PARRECHeader):
        return header.copy().get_zooms()
    if isinstance(image, nib.Minc1Image):  # MINC2 too
        return image.dataobj.minc_file.get_zooms()
    return header.get_zooms()


class Manifest:
    def __init__(self, out, rng):
        self.out, self.rng = out, rng
        self.lines = []

    def add(self, format, path, options, native, floats, affine, zooms=None):
        """`native` is np.asarray(dataobj); `floats` gives get_fdata of a dtype."""
        native = np.asarray(native)
        hashes = []
        for dtype in "f2", "f4", "f8":
            hashes.append("-" if native.dtype.names else digest(floats(dtype)))
        indices = []
        for _ in range(5):
            index = random_index(self.rng, native.shape)
            indices.append(f"{index}={digest(eval('native' + index))}")
        if affine is None:
            bits = "-"
        else:
            bits = hexadecimal(affine)
        sizes = "-" if zooms is None else hexadecimal(zooms)
        self.lines.append("|".join([
            format, os.path.relpath(path, self.out), options, " ".join(map(str, native.shape)),
            name_of(native.dtype), bits, sizes, *hashes, digest(native), ";".join(indices)]))

    def add_nibabel(self, format, path, options="", load=nib.load):
        image = load(path)
        floats = lambda dtype: np.asanyarray(image.dataobj, dtype=dtype)
        zooms = own_zooms(image) if hasattr(image.header, "get_zooms") else None
        self.add(format, path, options, np.asarray(image.dataobj), floats, getattr(image, "affine", None), zooms)

    def write(self):
        (self.out / "manifest.txt").write_text("\n".join(self.lines) + "\n")


def random_array(rng, shape, dtype):
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.names:
        return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape, order="F")
    if dtype.kind in "fc" and rng.random() < 0.7:
        parts = rng.normal(size=count * (2 if dtype.kind == "c" else 1)) * 10.0 ** rng.integers(-3, 4)
        parts[rng.random(parts.size) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
        part = dtype.type(0).real.dtype if dtype.kind == "c" else dtype
        return parts.astype(part).view(dtype.newbyteorder("=")).astype(dtype).reshape(shape, order="F")
    return np.frombuffer(rng.bytes(count * dtype.itemsize), dtype).reshape(shape, order="F")


def shape_of(rng, low, high):
    return tuple(int(n) for n in rng.integers(1, 8, size=rng.integers(low, high + 1)))


def stored(path, data, compressed):
    path.write_bytes(gzip.compress(data, 1) if compressed else data)


# ---------------------------------------------------------------- MGH
def mgh(rng, folder, k, manifest):
    code, dtype = [(0, ">u1"), (1, ">i4"), (3, ">f4"), (4, ">i2"), (10, ">u2")][rng.integers(5)]
    dims = [int(n) for n in rng.integers(1, 8, size=4)]
    if rng.random() < 0.5:
        dims[3] = 1
    good = int(rng.random() < 0.8)
    header = struct.pack(">i4iiih", 1, *dims, code, int(rng.integers(9)), good)
    header += rng.normal(size=15).astype(">f4").tobytes()
    footer = rng.normal(size=5).astype(">f4").tobytes() + b"tags" * int(rng.integers(3))
    footer = footer[: rng.choice([0, 3, 4, 19, 20, len(footer)])]
    data = random_array(rng, dims, dtype).tobytes(order="F")
    zipped = rng.random() < 0.4
    path = folder / (f"{k}.mgz" if zipped else f"{k}.mgh")
    stored(path, header.ljust(284, b"\0") + data + footer, zipped)
    manifest.add_nibabel("MGH", path)


# ---------------------------------------------------------------- Analyze and SPM
def special(rng, scale=1.0):
    return rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1e-45, 3e38, *(rng.normal(size=12) * scale)])


def analyze(rng, folder, k, manifest):
    variant = rng.choice(["spm2", "spm2", "spm2", "spm99", "analyze"])
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
            # The sign of a complex part that underflows to zero is not nibabel's (spec 3.5).
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
        matrix = lambda: rng.normal(size=(4, 4)) if rng.random() < 0.7 else rng.integers(-9, 9, size=(4, 4)).astype("f8")
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
        if zipped:
            stored(folder / f"{k}.mat.gz", mat.read_bytes(), True)
            mat.unlink()
    options = {"spm2": "", "spm99": "spm99", "analyze": "analyze"}[variant]
    name = {"spm2": "SPM2 Analyze", "spm99": "SPM99 Analyze", "analyze": "Analyze 7.5"}[variant]
    load = nib.load if variant == "spm2" else klass.from_filename
    manifest.add_nibabel(name, path, options, load)


# ---------------------------------------------------------------- AFNI
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
        factors = np.where(rng.random(bricks) < 0.4, 0.0, rng.normal(size=bricks) * 10.0 ** rng.integers(-8, 3))
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


# ---------------------------------------------------------------- PAR/REC
GENERAL = """# === DATA DESCRIPTION FILE ======================================================
#
# CAUTION - Investigational device.
#
# Dataset name: made at random
#
# CLINICAL TRYOUT             Research image export tool     {version}
#
# === GENERAL INFORMATION ========================================================
#
.    Patient name                       :   phantom
.    Examination name                   :   random: {k}
.    Protocol name                      :   any
.    Examination date/time              :   2014.02.14 / 09:00:57
.    Series Type                        :   Image   MRSERIES
.    Acquisition nr                     :   2
.    Reconstruction nr                  :   1
.    Scan Duration [sec]                :   14
.    Max. number of cardiac phases      :   1
.    Max. number of echoes              :   {echoes}
.    Max. number of slices/locations    :   {slices}
.    Max. number of dynamics            :   {dynamics}
.    Max. number of mixes               :   1
.    Patient position                   :   Head First Supine
.    Preparation direction              :   Anterior-Posterior
.    Technique                          :   FEEPI
.    Scan resolution  (x, y)            :   64  39
.    Scan mode                          :   MS
.    Repetition time [{ms}]              :   {tr}
.    FOV (ap,fh,rl) [mm]                :   240.000  70.000  240.000
.    Water Fat shift [pixels]           :   11.050
.    Angulation midslice(ap,fh,rl)[degr]:   {angles}
.    Off Centre midslice(ap,fh,rl) [mm] :   {offset}
.    Flow compensation <0=no 1=yes> ?   :   0
.    Presaturation     <0=no 1=yes> ?   :   0
.    Phase encoding velocity [cm/sec]   :   0.000000  0.000000  0.000000
.    MTC               <0=no 1=yes> ?   :   0
.    SPIR              <0=no 1=yes> ?   :   1
.    EPI factor        <0,1=no EPI>     :   39
.    Dynamic scan      <0=no 1=yes> ?   :   {dynamic}
.    Diffusion         <0=no 1=yes> ?   :   {diffusion}
.    Diffusion echo time [ms]           :   0.0000
"""


def parrec(rng, folder, k, manifest):
    version = rng.choice(["V4", "V4.1", "V4.2"])
    bits = int(rng.choice([8, 16]))
    x, y, slices = shape_of(rng, 3, 3)
    echoes, dynamics = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    b_values = int(rng.integers(1, 3)) if version != "V4" else 1
    fixed = dict(size=bits, rx=x, ry=y, thick=round(rng.uniform(1, 5), 3), gap=round(rng.uniform(0, 1), 3),
                 orient=int(rng.integers(1, 4)), sx=round(rng.uniform(1, 4), 3), sy=round(rng.uniform(1, 4), 3))
    keys = [(s + 1, e + 1, d + 1, b + 1) for d in range(dynamics) for b in range(b_values) for e in range(echoes) for s in range(slices)]
    shuffle = rng.random()
    if shuffle < 0.4:
        keys = [keys[i] for i in rng.permutation(len(keys))]
    elif shuffle < 0.6:
        keys.sort()
    options = []
    if rng.random() < 0.2 and len(keys) > slices:
        keys = keys[: len(keys) - int(rng.integers(1, slices + 1))]
        options.append("permit_truncated")
    if rng.random() < 0.4:
        options.append("fp")
    if rng.random() < 0.3:
        options.append("strict_sort")
    same = rng.random() < 0.2
    constant = rng.normal(size=3) * 3
    lines = []
    for index, (s, e, d, b) in enumerate(keys):
        ri, rs, ss = constant if same else rng.normal(size=3) * 3
        words = [s, e, d, 1, 0, 2, index, fixed["size"], 61, fixed["rx"], fixed["ry"], f"{ri:.5f}", f"{rs:.5f}", f"{ss:.5e}",
                 1070, 1860, "-13.26", "-0.00", "-0.00", "2.51", "22.08", "-32.22", fixed["thick"], fixed["gap"], 0,
                 fixed["orient"], 0, 2, fixed["sx"], fixed["sy"], "30.00", "0.00", "0.00", b * 100.0, 1, "90.00", 0, 0, 0, 39, "0.0"]
        if version != "V4":
            words += [b, 1, "MS", "Q", "0.0", "0.0", "0.0"]
        if version == "V4.2":
            words += [1]
        lines.append("  " + "  ".join(map(str, words)))
    numbers = lambda n, scale: "  ".join(f"{v:.3f}" for v in rng.choice([0.0, *rng.normal(size=6) * scale], size=n))
    text = GENERAL.format(version=version, k=k, echoes=echoes, slices=slices, dynamics=dynamics,
                          ms=rng.choice(["ms", "msec"]), tr=f"{rng.uniform(100, 3000):.3f}", angles=numbers(3, 40),
                          offset=numbers(3, 30), dynamic=int(rng.random() < 0.7), diffusion=int(rng.random() < 0.5))
    if version != "V4":
        text += f".    Max. number of diffusion values    :   {b_values}\n.    Max. number of gradient orients    :   1\n"
    if version == "V4.2":
        text += ".    Number of label types   <0=no ASL> :   0\n"
    text += "#\n# === PIXEL VALUES ==\n#  PV = pixel value in REC file\n#\n#  sl ec  dyn ph ty\n\n" + "\n".join(lines) + "\n\n# === END OF DATA DESCRIPTION FILE ====\n"
    if rng.random() < 0.2:
        text = text.replace("\n", "\r\n")
    upper = rng.random() < 0.5
    par, rec = (f"{k}.PAR", f"{k}.REC") if upper else (f"{k}.par", f"{k}.rec")
    (folder / par).write_bytes(text.encode())
    (folder / rec).write_bytes(rng.bytes(x * y * len(keys) * bits // 8 + int(rng.integers(3))))
    keywords = dict(permit_truncated="permit_truncated" in options, strict_sort="strict_sort" in options,
                    scaling="fp" if "fp" in options else "dv")
    path = folder / (par if rng.random() < 0.5 else rec)
    manifest.add_nibabel("PAR/REC", path, ",".join(options), lambda path: nib.load(path, **keywords))


# ---------------------------------------------------------------- MINC1
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
    for name, n in zip(names, shape):
        file.createDimension(name, n)
    attributes = rng.random() < 0.8
    for name in names:
        variable = file.createVariable(name, "i", ())
        variable.spacing = b"regular__"
        if attributes or rng.random() < 0.5:
            variable.step = float(rng.normal())
            variable.start = float(rng.normal() * 50)
            if name != "time" and rng.random() < 0.7:
                variable.direction_cosines = rng.normal(size=3)
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
        variable.data[...] = np.ascontiguousarray(data).view(variable.data.dtype)
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


# ---------------------------------------------------------------- MINC2
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
                variable.attrs["step"] = float(rng.normal())
                variable.attrs["start"] = float(rng.normal() * 50)
                if rng.random() < 0.7:
                    variable.attrs["direction_cosines"] = rng.normal(size=3)
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


# ---------------------------------------------------------------- CIFTI-2
def cifti(rng, folder, k, manifest):
    source = nib.Nifti2Image.from_filename(next(p for p in [NIB / "tests/data/row_major.dconn.nii", NIB / "cifti2/tests/data/row_major.dconn.nii"] if p.exists()))
    order = rng.choice(["<", ">"])
    code = rng.choice(["u1", "i2", "i4", "f4", "f8", "i8", "u2"])
    shape = tuple(int(n) for n in rng.integers(1, 12, size=2))
    header = nib.Nifti2Header(endianness=order)
    header.set_data_dtype(order + code)
    header.set_data_shape((1, 1, 1, 1) + shape)
    header["intent_code"] = 3001
    header["intent_name"] = b"ConnDense"
    if rng.random() < 0.6:
        header["scl_slope"], header["scl_inter"] = rng.normal(size=2)
    content = source.header.extensions[0].get_content()
    content = content.to_xml() if hasattr(content, "to_xml") else content
    size = (len(content) + 8 + 15) // 16 * 16
    extension = struct.pack(order + "ii", size, 32) + content.ljust(size - 8, b"\0")
    header["vox_offset"] = 544 + size
    data = random_array(rng, shape, order + code).tobytes(order="F")
    zipped = rng.random() < 0.2
    path = folder / (f"{k}.dconn.nii" + (".gz" if zipped else ""))
    stored(path, header.binaryblock + b"\1\0\0\0" + extension + data, zipped)
    manifest.add_nibabel("NIfTI-2" if zipped else "CIFTI-2", path)


# ---------------------------------------------------------------- ECAT
def ecat(rng, folder, k, manifest):
    order = ">" if rng.random() < 0.8 else "<"
    main = np.zeros((), nib.ecat.hdr_dtype.newbyteorder(order))
    main["magic_number"] = rng.choice([b"MATRIX72v", b"MATRIX70v"])
    main["sw_version"] = 74 if order == "<" else rng.choice([72, 74])
    main["patient_orientation"] = rng.integers(0, 10)
    main["ecat_calibration_factor"] = rng.choice([1.0, rng.normal() * 10, rng.normal() * 1e-8])
    frames = int(rng.choice([1, 1, 2, 3, 5, 40]))
    main["num_frames"] = frames
    shape = tuple(int(n) for n in rng.integers(1, 8 if frames < 9 else 3, size=3))
    code = int(rng.choice([1, 2, 3, 4, 5, 6, 6, 6, 7]))
    dtype = nib.ecat.data_type_codes.dtype[code].newbyteorder(order)
    rows = [1 << 24 | 1 << 16 | (n + 1) for n in range(frames)]
    if rng.random() < 0.3:
        rows = list(rng.permutation(rows))
    sub = np.zeros((), nib.ecat.subhdr_dtype.newbyteorder(order))
    sub["data_type"], sub["num_dimensions"] = code, 3
    sub["x_dimension"], sub["y_dimension"], sub["z_dimension"] = shape
    for name in "x_offset", "y_offset", "z_offset":
        sub[name] = rng.normal() * 10
    for name in "x_pixel_size", "y_pixel_size", "z_pixel_size":
        sub[name] = rng.random()
    data_blocks = -(-(int(np.prod(shape)) * dtype.itemsize) // 512)
    blocks = {1: main.tobytes()}
    free, where = 3, []
    lists = [2]
    for _ in range((frames - 1) // 31):
        lists.append(free)
        free += 1
    for n in rng.permutation(frames):
        free += int(rng.integers(3))
        where.append((int(n), free))
        sub["scale_factor"] = rng.choice([1.0, rng.normal(), rng.normal() * 1e-6]) if rng.random() < 0.8 else 0.25
        blocks[free] = sub.tobytes()
        blocks[free + 1] = random_array(rng, shape, dtype).tobytes(order="F")
        free += 1 + data_blocks
    where = dict(where)
    for n, at in enumerate(lists):
        chunk = range(n * 31, min(frames, n * 31 + 31))
        rows_here = [[rows[i], where[i], where[i] + data_blocks, 1] for i in chunk]
        following = lists[n + 1] if n + 1 < len(lists) else int(rng.choice([0, 1, 2]))
        table = [[31 - len(chunk), following, 0, len(chunk)]] + rows_here
        blocks[at] = np.array(table, order + "i4").tobytes().ljust(512, b"\0")
    out = bytearray()
    for at in sorted(blocks):
        out = out.ljust((at - 1) * 512, b"\xee") + blocks[at]
    path = folder / f"{k}.v"
    path.write_bytes(bytes(out).ljust(-(-len(out) // 512) * 512, b"\0"))
    if rng.random() < 0.3:
        # As nibabel writes it, where it can: it knows of no second list.
        image = nib.ecat.load(path)
        if order == ">" and frames < 31 and image.header["patient_orientation"] > 7:
            written = folder / f"{k}w.v"
            with written.open("wb") as stream:
                holder = nib.FileHolder(fileobj=stream)
                image.to_file_map({"header": holder, "image": holder})
            path.unlink()
            path = written
    manifest.add_nibabel("ECAT 7", path, load=nib.ecat.load)


# ---------------------------------------------------------------- NRRD and MetaImage
def bits_of_sitk(image):
    if image.GetDimension() != 3:
        return None
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ affine + 0.0


def sitk_array(image):
    array = sitk.GetArrayFromImage(image)
    return array.transpose()


SITK_TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
NRRD_NAMES = {"u1": ["uchar", "unsigned char", "uint8"], "i1": ["signed char", "int8"], "u2": ["ushort", "unsigned short", "uint16"],
              "i2": ["short", "int16_t"], "u4": ["uint", "unsigned int"], "i4": ["int", "signed int"], "u8": ["uint64", "unsigned long long"],
              "i8": ["longlong", "int64"], "f4": ["float"], "f8": ["double"]}
MET_NAMES = {"u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT",
             "u8": "MET_ULONG_LONG", "i8": "MET_LONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE"}


def written_by_sitk(rng, path, code, channels):
    shape = shape_of(rng, 2, 3)
    array = random_array(rng, shape + ((channels,) if channels > 1 else ()), code)
    order = tuple(range(len(shape)))[::-1] + ((len(shape),) if channels > 1 else ())
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(order)), isVector=channels > 1)
    if len(shape) == 3:
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        image.SetDirection(q.ravel().tolist())
    image.SetSpacing([float(v) for v in rng.uniform(0.2, 4, size=len(shape))])
    image.SetOrigin([float(v) for v in rng.normal(size=len(shape)) * 40])
    sitk.WriteImage(image, str(path), useCompression=bool(rng.random() < 0.5))
    return array, sitk.ReadImage(str(path))


def add_known(manifest, format, path, native, affine):
    def floats(dtype):
        # As a proxy: in the promoted type first.
        return native.astype(np.promote_types(native.dtype, dtype)).astype(dtype)
    manifest.add(format, path, "", native, floats, affine)


def first_axis(array, channels):
    return np.moveaxis(array, -1, 0) if channels > 1 else array


def nrrd(rng, folder, k, manifest):
    code = str(rng.choice(SITK_TYPES))
    ending = str(rng.choice(["nrrd", "nhdr"]))
    path = folder / f"{k}.{ending}"
    channels = int(rng.choice([1, 1, 3]))
    if rng.random() < 0.3:
        array, image = written_by_sitk(rng, path, code, channels)
        got = sitk_array(image)
        affine = bits_of_sitk(image)
        # In float64 SimpleITK's spacing is a norm: the header's own directions are what we read.
        affine = nrrd_affine(path) if affine is not None else None
        add_known(manifest, "NRRD", path, first_axis(array, channels), affine)
        return
    shape = shape_of(rng, 1, 5)
    order = str(rng.choice(["<", ">"]))
    array = random_array(rng, shape, order + code)
    data = array.tobytes(order="F")
    gz = rng.random() < 0.4
    lines = [f"NRRD000{rng.integers(1, 6)}", "# made at random", f"type: {rng.choice(NRRD_NAMES[code])}", f"dimension: {len(shape)}",
             "sizes: " + " ".join(map(str, shape)), f"encoding: {rng.choice(['gzip', 'gz']) if gz else 'raw'}"]
    if code not in ("u1", "i1") or rng.random() < 0.5:
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
    elif rng.random() < 0.5:
        lines.append("spacings: " + " ".join(rng.choice(["nan", "1.5", "2"]) for _ in shape))
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
        count = int(rng.choice([0, 7, -1])) if not gz else int(rng.integers(0, 9))
        lines.append(rng.choice(["byte skip", "byteskip"]) + f": {count}")
        before = rng.bytes(count if count >= 0 else int(rng.integers(9)))
    pack = lambda bytes: skipped + (gzip.compress(before + bytes, 1) if gz else before + bytes)
    newline = "\r\n" if rng.random() < 0.2 else "\n"
    if ending == "nrrd":
        path.write_bytes((newline.join(lines) + newline * 2).encode() + pack(data))
    else:
        layout = rng.random()
        if layout < 0.5 or len(shape) < 2:
            lines.append(f"data file: {k}.raw")
            (folder / f"{k}.raw").write_bytes(pack(data))
            end = newline * int(rng.integers(1, 3))
        else:
            n = shape[-1]
            share = len(data) // n
            files = [f"{k}_{i:03d}.raw" for i in range(n)]
            for i, file in enumerate(files):
                (folder / file).write_bytes(pack(data[i * share: (i + 1) * share]))
            if layout < 0.75:
                lines.append("data file: LIST")
                lines += files
            else:
                lines.append(f"data file: {k}_%03d.raw 0 {n - 1} 1")
            end = newline
        path.write_bytes((newline.join(lines) + end).encode())
    add_known(manifest, "NRRD", path, array, affine)


def nrrd_affine(path):
    text = Path(path).read_bytes().split(b"\n\n")[0].decode("latin1")
    fields = dict(line.split(": ", 1) for line in text.splitlines()[1:] if ": " in line)
    parse = lambda s: [float(x) for x in s.strip("()").split(",")]
    vectors = [parse(v) for v in fields["space directions"].split() if v != "none"]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = np.array(vectors).T, parse(fields["space origin"])
    affine[:2] *= -1
    return affine + 0.0


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
    array = random_array(rng, full, order + code)
    data = array.tobytes(order="F")
    compressed = rng.random() < 0.4
    lines = ["ObjectType = Image", f"NDims = {len(shape)}", "BinaryData = True",
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
        data = zlib.compress(data) if rng.random() < 0.7 else gzip.compress(data, 1)
        lines += ["CompressedData = True", f"CompressedDataSize = {len(data)}"]
    if ending == "mha":
        path.write_bytes(("\n".join(lines) + "\nElementDataFile = LOCAL\n").encode() + data)
    elif compressed or rng.random() < 0.5:
        file = f"{k}.zraw" if compressed else f"{k}.raw"
        before = b""
        if not compressed and rng.random() < 0.5:
            size = int(rng.choice([-1, 9]))
            lines.append(f"HeaderSize = {size}")
            before = rng.bytes(9)
        (folder / file).write_bytes(before + data)
        path.write_text("\n".join(lines) + f"\nElementDataFile = {file}\n")
    else:
        share = len(data) // shape[-1]
        for i in range(shape[-1]):
            (folder / f"{k}_{i + 1:02d}.raw").write_bytes(data[i * share: (i + 1) * share])
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
    if n < 3:
        return None
    get = lambda keys, default: np.array(next(([float(v) for v in fields[key].split()] for key in keys if key in fields), default))
    matrix = get(["TransformMatrix", "Rotation", "Orientation"], np.eye(n).ravel()).reshape(n, n)
    affine = np.eye(4)
    affine[:3, :3] = (matrix.T * get(["ElementSpacing"], np.ones(n)))[:3, :3]
    affine[:3, 3] = get(["Offset", "Position", "Origin"], np.zeros(n))[:3]
    affine[:2] *= -1
    return affine + 0.0


def check_sitk(manifest, out):
    """Whatever SimpleITK reads has the values and the affine that the manifest tells."""
    checked = moved = 0
    for line in manifest.lines:
        format, path, _, shape, _, bits, *_, native, _ = line.split("|")
        if format not in ("NRRD", "MetaImage"):
            continue
        try:
            image = sitk.ReadImage(str(out / path))
        except RuntimeError:
            continue
        array = sitk_array(image)
        if image.GetNumberOfComponentsPerPixel() == 1 and digest(array) != native:
            if sorted(n for n in array.shape if n > 1) == sorted(n for n in map(int, shape.split()) if n > 1) and " none" in (out / path).read_bytes().decode("latin1"):
                moved += 1  # SimpleITK moves an axis that is not in space to the front.
            else:
                print("SimpleITK reads other values:", path, array.shape, shape)
            continue
        affine = bits_of_sitk(image)
        if affine is not None and bits != "-":
            told = np.array([int(b, 16) for b in bits.split()], "<u8").view("<f8").reshape(4, 4)
            if not np.allclose(told, affine, rtol=1e-6, atol=1e-6):
                print("SimpleITK has another affine:", path)
        checked += 1
    print(f"{checked} NRRD and MetaImage files agree with SimpleITK where nothing is said above; {moved} have an axis moved")


def main():
    out = Path(sys.argv[1]).absolute() / "formats"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    shutil.rmtree(out, ignore_errors=True)
    (out / "real").mkdir(parents=True)
    for folder, file in REAL:
        if (NIB / folder / file).exists():
            shutil.copy(NIB / folder / file, out / "real")
    manifest = Manifest(out, np.random.default_rng(seed))
    for make in mgh, analyze, afni, parrec, minc, minc2, cifti, ecat, nrrd, metaimage:
        folder = out / make.__name__
        folder.mkdir()
        rng = np.random.default_rng([seed, *make.__name__.encode()])
        skipped = 0
        for k in range(count):
            before = len(manifest.lines)
            try:
                make(rng, folder, k, manifest)
            except Exception as error:
                # nibabel refuses some of what is random.
                skipped += 1
                if "-v" in sys.argv:
                    print(make.__name__, k, repr(error)[:200])
        print(f"{make.__name__}: {count - skipped} files, {skipped} that the oracle does not read")
    manifest.write()
    check_sitk(manifest, out)


main()
