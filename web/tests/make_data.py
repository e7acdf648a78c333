"""Makes the data of the browser's tests: files, and the values that nibabel reads from them.

    make_data.py FOLDER
    make_data.py FOLDER bench    the volume of the measurements as well

Real volumes are those of the nibabel wheel. Random slices are written as text for both sides.
"""

import gzip
import json
import random
import shutil
import sys
import warnings
from pathlib import Path

import nibabel
import numpy as np

VERSION = 1
SLICES = 4
MOST_VOXELS = 4_000_000


def main() -> None:
    folder = Path(sys.argv[1])
    if "bench" in sys.argv[2:]:
        bench(folder / "bench")
    done = folder / "manifest.json"
    if done.exists() and json.loads(done.read_text()).get("version") == VERSION:
        return
    for name in ["files", "values", "faults", "large"]:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    warnings.simplefilter("ignore")
    entries = real_volumes(folder)
    faults(folder)
    large(folder)
    done.write_text(json.dumps({"version": VERSION, "volumes": entries}))
    print(f"{len(entries)} volumes in {folder}")


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
    (out / "cut.nii.gz").write_bytes(packed[: len(packed) * 2 // 3])
    (out / "cut.nii").write_bytes(raw[: len(raw) * 2 // 3])
    loaded = nibabel.Nifti1Image.from_bytes(raw)
    write(out / "values.f32", np.asanyarray(loaded.dataobj, dtype=np.float32))


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


main()
