"""Makes the data of the browser's tests: files, and the values that nibabel reads from them.

    make_data.py FOLDER ORACLE
    make_data.py FOLDER ORACLE bench    the volume of the measurements as well

Real volumes are those of the nibabel wheel. Random slices are written as text for both sides. Random files, and the hashes of
what nibabel reads from them, are taken from ORACLE, which tests/oracle/make_all.sh makes; where it is not, its scripts are run.
"""

import functools
import gzip
import hashlib
import json
import math
import random
import re
import shutil
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import indexed_gzip
import nibabel
import numpy as np

VERSION = 6
SLICES = 4
MOST_VOXELS = 4_000_000

SCRIPTS = Path(__file__).resolve().parents[2] / "tests" / "oracle"
RANDOM_FILES = 500
RANDOM_NIFTI = 200
RANDOM_SLICES = 500


def main() -> None:
    folder, oracle = Path(sys.argv[1]), Path(sys.argv[2])
    if "bench" in sys.argv[3:]:
        bench(folder / "bench")
    done = folder / "manifest.json"
    if done.exists() and json.loads(done.read_text()).get("version") == VERSION:
        return
    # What is half made is made anew.
    done.unlink(missing_ok=True)
    for name in ["files", "values", "faults", "big", "large", "random"]:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    warnings.simplefilter("ignore")
    entries = real_volumes(folder)
    cases, slices = random_files(folder / "random", made_oracle(oracle, folder / "oracle"))
    faults(folder)
    big_faults(folder)
    large(folder)
    done.write_text(json.dumps({"version": VERSION, "volumes": entries, "random": cases, "slices": slices}))
    print(f"{len(entries)} real and {len(cases)} random volumes in {folder}")


def made_oracle(oracle: Path, own: Path) -> Path:
    """The folder with random files: the one that is there, or our own."""
    if (oracle / "formats" / "manifest.txt").exists() and (oracle / "slices.txt").exists():
        return oracle
    for script, *count in [["values"], ["slices", "2000"], ["formats", "40"]]:
        subprocess.run([sys.executable, SCRIPTS / f"{script}.py", own, *count], check=True)
    return own


def random_files(out: Path, oracle: Path) -> tuple[list[dict], list[dict]]:
    """Files of all formats, each with the hashes of its values; and files with many slices of each."""
    chance = random.Random(500)
    # NIfTI of all types, byte orders and kinds.
    hashes: dict[str, dict] = {}
    for line in (oracle / "values.txt").read_text().splitlines():
        name, kind, shape, digest = line.split("\t")
        case = hashes.setdefault(name, {"shape": [int(n) for n in shape.split(",")], "slices": []})
        case[{"f4": "f32", "f8": "f64"}.get(kind, kind)] = digest
    nifti = [(oracle / "values" / name, case) for name, case in sorted(hashes.items()) if {"f32", "f64"} <= case.keys()]
    chosen = chance.sample(nifti, RANDOM_NIFTI)

    # The other formats, as many of each. Where an option says how to read a file, the module has none, and colours are no floats.
    by_format: dict[str, list] = {}
    for line in (oracle / "formats" / "manifest.txt").read_text().splitlines():
        format, path, options, shape, _, affine, _, _, f32, f64, _, indexes = line.split("|")
        parts = companions(oracle / "formats" / path)
        if options or f32 == "-" or len(parts) > 3:
            continue
        slices = []
        for item in indexes.split(";"):
            index, digests = item.split("=")
            slices.append({"index": index, "dtype": "f32", "hash": digests.split(":")[1]})
        case = {"shape": [int(n) for n in shape.split()], "f32": f32, "f64": f64, "slices": slices}
        if affine != "-":
            numbers = [struct.unpack(">d", bytes.fromhex(number))[0] for number in affine.split()]
            # JSON has no infinities.
            case["affine"] = [number if math.isfinite(number) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(number), "NaN") for number in numbers]
        by_format.setdefault(format, []).append((oracle / "formats" / path, case))
    for files in by_format.values():
        chance.shuffle(files)
    while len(chosen) < RANDOM_FILES:
        for files in by_format.values():
            if files and len(chosen) < RANDOM_FILES:
                chosen.append(files.pop())

    # The volumes of the nilearn wheel, where it is.
    listed = oracle / "real_files.txt"
    for line in listed.read_text().splitlines() if listed.exists() else []:
        path, shape, _, affine, f32, f64 = line.split("\t")
        if "nilearn" in path and f32 != "missing" and Path(path).exists():
            numbers = [float.fromhex(number) for number in affine.split()]
            case = {"shape": [int(n) for n in shape.split(",")], "affine": numbers, "f32": f32, "f64": f64, "slices": []}
            chosen.append((Path(path), case))
    cases = [case | {"files": copied(path, out)} for path, case in chosen]

    lines = [line.split("\t") for line in (oracle / "slices.txt").read_text().splitlines()]
    lines = chance.sample([line for line in lines if line[2] != "f2"], RANDOM_SLICES)
    by_file: dict[str, list] = {}
    for name, index, kind, shape, digest in lines:
        sizes = [int(n) for n in shape.split(",") if n]
        taken = {"index": index, "dtype": {"f4": "f32", "f8": "f64"}[kind], "shape": sizes, "hash": digest}
        by_file.setdefault(name, []).append(taken)
    slices = [{"files": copied(oracle / "slices" / name, out), "slices": taken} for name, taken in by_file.items()]
    return cases, slices


def companions(path: Path) -> list[Path]:
    """The files of an image: those whose names differ in the ending alone, or by a number before it."""
    return names_in(path.parent)[stem(path)]


def stem(path: Path) -> str:
    return re.match(r"(.*?)(_\d+)?\.", path.name)[1]


@functools.cache
def names_in(folder: Path) -> dict[str, list[Path]]:
    names: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if "." in file.name:
            names.setdefault(stem(file), []).append(file)
    return names


def copied(path: Path, out: Path) -> list[str]:
    """Copies an image; the names of its files below `out`."""
    folder = path.parent.name.replace(" ", "")
    (out / folder).mkdir(exist_ok=True)
    names = []
    for file in companions(path):
        shutil.copy(file, out / folder / file.name)
        names.append(f"{folder}/{file.name}")
    return names


def real_volumes(folder: Path) -> list[dict]:
    data = Path(nibabel.__file__).parent / "tests" / "data"
    entries = []
    seen = set()
    chance = random.Random(18)
    for path in sorted(data.iterdir()):
        if not path.is_file() or path in seen:
            continue
        try:
            image = nibabel.load(path)
            values = np.asanyarray(image.dataobj)
        except Exception:
            continue
        if values.dtype.kind not in "iuf" or values.size > MOST_VOXELS:
            continue
        files = {holder.filename for holder in image.file_map.values() if holder.filename}
        files = [Path(name) for name in files if Path(name).exists()]
        seen.update(files)
        entries.append(entry(folder, image, files, chance))
    return entries


def entry(folder: Path, image, files: list[Path], chance: random.Random) -> dict:
    number = len(list((folder / "values").iterdir()))
    for file in files:
        shutil.copy(file, folder / "files" / file.name)
    dataobj = image.dataobj
    write(folder / "values" / f"{number}.f32", np.asanyarray(dataobj, dtype=np.float32))
    write(folder / "values" / f"{number}.f64", np.asanyarray(dataobj, dtype=np.float64))
    slices = []
    values = np.asanyarray(dataobj, dtype=np.float32)
    for k in range(SLICES):
        text = random_index(values.shape, chance)
        part = eval(f"values[{text}]", {"values": values})
        write(folder / "values" / f"{number}.{k}.f32", part)
        slices.append({"index": f"[{text}]", "shape": [int(n) for n in np.shape(part)], "values": f"{number}.{k}.f32"})
    # CIFTI images have none.
    affine = getattr(image, "affine", None)
    return {
        "files": [file.name for file in files],
        "shape": [int(n) for n in image.shape],
        "affine": None if affine is None else np.asarray(affine, dtype=float).tolist(),
        "f32": f"{number}.f32",
        "f64": f"{number}.f64",
        "slices": slices,
    }


def bench(folder: Path) -> None:
    """105 MB of int16 with a slope, plain and gzipped."""
    if (folder / "big.nii.gz").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(7)
    shape = (320, 320, 512)
    x, y, z = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    head = (x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2) < 0.8
    values = np.where(head, 400 + 60 * chance.standard_normal(shape, dtype=np.float32), 0).astype(np.int16)
    image = nibabel.Nifti1Image(values, np.eye(4))
    raw = bytearray(image.to_bytes())
    raw[112:120] = np.array([0.0123, -7.7], dtype="<f4").tobytes()
    (folder / "big.nii").write_bytes(raw)
    (folder / "big.nii.gz").write_bytes(gzip.compress(bytes(raw), 3))


def write(path: Path, values) -> None:
    path.write_bytes(np.asarray(values).tobytes(order="F"))


def random_index(shape: tuple[int, ...], chance: random.Random) -> str:
    items = []
    for length in shape:
        kind = chance.randrange(4)
        if kind == 0:
            items.append(str(chance.randrange(-length, length)))
        elif kind == 1:
            items.append(":")
        else:
            a, b = sorted(chance.randrange(length + 1) for _ in range(2))
            items.append(f"{a}:{b}:{chance.choice([1, 1, 2, 3])}" if kind == 2 else f"{a}:{max(b, a + 1)}")
    return ", ".join(items)


def faults(folder: Path) -> None:
    """A gzip file in several forms, whole and damaged."""
    chance = np.random.default_rng(18)
    values = chance.integers(-2000, 2000, (64, 64, 40), dtype=np.int16)
    image = nibabel.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0]))
    image.header.set_slope_inter(0.0123, -7.7)
    raw = image.to_bytes()
    out = folder / "faults"
    (out / "plain.nii").write_bytes(raw)
    packed = gzip.compress(raw, 6)
    (out / "one.nii.gz").write_bytes(packed)
    third = len(raw) // 3
    parts = [raw[:third], raw[third : 2 * third], raw[2 * third :]]
    (out / "members.nii.gz").write_bytes(b"".join(gzip.compress(part, 6) for part in parts))
    (out / "padded.nii.gz").write_bytes(packed + bytes(1000))
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 4
    (out / "flipped.nii.gz").write_bytes(bytes(flipped))
    stored = bytearray(gzip.compress(raw, 0))
    stored[len(stored) // 2] ^= 4
    (out / "stored-flipped.nii.gz").write_bytes(bytes(stored))
    members = bytearray((out / "members.nii.gz").read_bytes())
    (out / "members-cut.nii.gz").write_bytes(members[: len(members) * 5 // 6])
    members[len(members) // 2] ^= 4
    (out / "members-flipped.nii.gz").write_bytes(members)
    # The length in the trailer is another one.
    length = bytearray(packed)
    length[-4] ^= 1
    (out / "length.nii.gz").write_bytes(length)
    (out / "cut.nii.gz").write_bytes(packed[: len(packed) * 2 // 3])
    (out / "cut.nii").write_bytes(raw[: len(raw) * 2 // 3])
    packed_inside(out, chance)
    loaded = nibabel.Nifti1Image.from_bytes(raw)
    write(out / "values.f32", np.asanyarray(loaded.dataobj, dtype=np.float32))


def packed_inside(out: Path, chance) -> None:
    """NRRD and MetaImage whose voxels alone are compressed, larger than what is read at once; a bit of a voxel is flipped."""
    shape = (192, 192, 160)
    raw = chance.integers(-2000, 2000, shape, dtype="<i2").tobytes()
    write(out / "packed.f32", np.frombuffer(raw, "<i2").astype(np.float32))
    nrrd = "NRRD0004\ntype: int16\ndimension: 3\nsizes: {} {} {}\nendian: little\nencoding: gzip\n{}\n"
    meta = "NDims = 3\nDimSize = {} {} {}\nElementType = MET_SHORT\nElementByteOrderMSB = False\nCompressedData = True\n"
    meta += "CompressedDataSize = {}\nElementDataFile = {}\n"
    # Stored, not deflated: another bit is another voxel, and nothing but the checksum tells.
    by_gzip, by_zlib = gzip.compress(raw, 0), zlib.compress(raw, 0)
    for name, inside, outside in [("packed", by_gzip, by_zlib), ("packed-flipped", flip(by_gzip), flip(by_zlib))]:
        (out / f"{name}.nrrd").write_bytes(nrrd.format(*shape, "").encode() + inside)
        (out / f"{name}.nhdr").write_text(nrrd.format(*shape, f"data file: {name}.raw.gz\n"))
        (out / f"{name}.raw.gz").write_bytes(inside)
        (out / f"{name}.mha").write_bytes(meta.format(*shape, len(outside), "LOCAL").encode() + outside)
        (out / f"{name}.mhd").write_text(meta.format(*shape, len(outside), f"{name}.zraw"))
        (out / f"{name}.zraw").write_bytes(outside)
    # And a file that is much shorter than its voxels.
    few = (np.frombuffer(raw, "<i2") & 3).astype("<i2")
    write(out / "well-packed.f32", few.astype(np.float32))
    (out / "well-packed.nrrd").write_bytes(nrrd.format(*shape, "").encode() + gzip.compress(few.tobytes(), 1))


def flip(packed: bytes) -> bytes:
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 4
    return bytes(flipped)


def big_faults(folder: Path) -> None:
    """A volume that is large enough for two workers, in several forms, whole and damaged."""
    chance = np.random.default_rng(16)
    values = chance.integers(0, 16, (256, 256, 160), dtype=np.int16)
    image = nibabel.Nifti1Image(values, np.eye(4))
    image.header.set_slope_inter(0.0123, -7.7)
    raw = image.to_bytes()
    out = folder / "big"
    packed = gzip.compress(raw, 1)
    third = len(raw) // 3
    parts = [raw[:third], raw[third : 2 * third], raw[2 * third :]]
    (out / "one.nii.gz").write_bytes(packed)
    (out / "members.nii.gz").write_bytes(b"".join(gzip.compress(part, 1) for part in parts))
    (out / "padded.nii.gz").write_bytes(packed + bytes(1000))
    (out / "flipped.nii.gz").write_bytes(flip(packed))
    (out / "stored-flipped.nii.gz").write_bytes(flip(gzip.compress(raw, 0)))
    (out / "sum-flipped.nii.gz").write_bytes(packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:])
    (out / "cut.nii.gz").write_bytes(packed[: len(packed) * 2 // 3])
    (out / "cut-late.nii.gz").write_bytes(packed[:-9])
    loaded = nibabel.Nifti1Image.from_bytes(raw).dataobj
    hashes = {name: hashlib.sha256(np.asanyarray(loaded, dtype=kind).tobytes(order="F")).hexdigest() for name, kind in [("f32", "<f4"), ("f64", "<f8")]}
    (out / "hashes.json").write_text(json.dumps(hashes))


def large(folder: Path) -> None:
    """A series of some size, with noise that does not compress to nothing."""
    chance = np.random.default_rng(5)
    out = folder / "large"
    frame = chance.integers(0, 900, (96, 96, 60), dtype=np.int16)
    series = np.stack([np.roll(frame, t, axis=0) for t in range(40)], axis=3)
    image = nibabel.Nifti1Image(series, np.eye(4))
    raw = image.to_bytes()
    (out / "series.nii").write_bytes(raw)
    (out / "series.nii.gz").write_bytes(gzip.compress(raw, 1))
    with indexed_gzip.IndexedGzipFile(out / "series.nii.gz", spacing=1 << 20) as packed:
        packed.build_full_index()
        packed.export_index(out / "series.gzidx")


main()
