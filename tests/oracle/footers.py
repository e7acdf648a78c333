"""Random MGH files with all of a footer, a part of it, or none, and what nibabel reads of it.

    footers.py OUTDIR [COUNT [SEED]]

writes COUNT (default 240) files into OUTDIR/footers/ and OUTDIR/footers.txt, a line each, taken apart at tabs: the file, the
bytes of its footer, the five numbers in nibabel's header and its repetition time among the zooms (float64 bits; "-" if there
is one frame), and the tags as code:content in hexadecimal.
"""

import gzip
import shutil
import struct
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from random_files.common import hexadecimal

FIELDS = ["tr", "flip_angle", "te", "ti", "fov"]


def tag(rng):
    """A tag that has a length of 64 bits, and maybe NULs at its end, which are not part of it."""
    code = int(rng.choice([3, 3, 31, 41, 20, 44]))
    content = bytes(rng.integers(32, 127, size=int(rng.integers(0, 60)), dtype="u1"))
    stored = content + bytes(int(rng.integers(3)))
    return f"{code}:{content.hex()}", struct.pack(">iq", code, len(stored)) + stored


def footer_of(rng):
    numbers = (rng.uniform(1, 4000, size=5) * rng.choice([1, 1, 1, 0], size=5)).astype(">f4").tobytes()
    tags = [tag(rng) for _ in range(int(rng.integers(0, 4)))]
    whole = numbers + b"".join(stored for _, stored in tags)
    choice = rng.random()
    if choice < 0.15:
        return b"", []
    if choice < 0.45:
        return numbers[: int(rng.integers(1, 20))], []
    return whole, [text for text, _ in tags]


def main(out, count, seed):
    folder = out / "footers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        dims = [*rng.integers(1, 7, size=3), rng.choice([1, 1, 2, 5])]
        header = struct.pack(">i4iiih", 1, *(int(n) for n in dims), 4, 0, 1) + rng.normal(size=15).astype(">f4").tobytes()
        footer, tags = footer_of(rng)
        data = header.ljust(284, b"\0") + rng.bytes(2 * int(np.prod(dims))) + footer
        path = folder / f"{k}.{'mgz' if rng.random() < 0.7 else 'mgh'}"
        path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".mgz" else data)
        found = nib.load(path).header
        zooms = found.get_zooms()
        time = hexadecimal(zooms[3]) if len(zooms) > 3 else "-"
        lines.append("\t".join([str(path.relative_to(out)), str(len(footer)), hexadecimal([found[name] for name in FIELDS]), time, " ".join(tags)]))
    (out / "footers.txt").write_text("\n".join(lines) + "\n")
    print(f"{count} MGH files with footers")


main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 240, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
