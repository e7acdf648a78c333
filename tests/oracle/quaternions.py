"""Random NIfTI files with a qform alone, whose quaternions are about as long as 1, and what nibabel makes of them.

    quaternions.py OUTDIR [COUNT [SEED]]

writes COUNT (default 240) files into OUTDIR/quaternions/ and OUTDIR/quaternions.txt, lines taken apart at tabs: the file, a
threshold (float64 bits, "-" for the default), and the affine (float64 bits), or "refused". Each file has several lines.
"""

import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from random_files.common import hexadecimal


def surplus(rng):
    """How far the squared length is above 1: from less than the default threshold to much more, sometimes below 1."""
    return float(10.0 ** rng.uniform(-8, -1)) * float(rng.choice([1, 1, 1, -1]))


def header_of(rng):
    header = [nib.Nifti1Header, nib.Nifti2Header][rng.integers(2)](endianness=str(rng.choice(["<", ">"])))
    vector = rng.normal(size=3) * rng.choice([1, 1, 0], size=3)
    vector = vector if vector.any() else np.array([1.0, 0, 0])
    vector *= np.sqrt((1 + surplus(rng)) / (vector @ vector))
    header.set_data_shape([int(n) for n in rng.integers(1, 5, size=3)])
    header.set_data_dtype("u1")
    header["quatern_b"], header["quatern_c"], header["quatern_d"] = vector
    header["pixdim"][:4] = [rng.choice([-1, 1]), *rng.uniform(0.3, 4, size=3)]
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = rng.normal(size=3) * 50
    header["qform_code"] = int(rng.integers(1, 5))
    header["magic"] = b"n+1" if header.sizeof_hdr == 348 else b"n+2"
    header["vox_offset"] = header.sizeof_hdr + 4
    return header


def outcome(header, threshold):
    """nibabel has the threshold in the class."""
    kind = type(header) if threshold is None else type("Other", (type(header),), {"quaternion_threshold": threshold})
    try:
        return hexadecimal(kind(header.binaryblock, header.endianness).get_best_affine())
    except ValueError:
        return "refused"


def main(out, count, seed):
    folder = out / "quaternions"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        header = header_of(rng)
        vector = np.array([header["quatern_b"], header["quatern_c"], header["quatern_d"]], "f8")
        left = abs(1 - vector @ vector)
        path = folder / f"{k}.nii"
        path.write_bytes(header.binaryblock + bytes(4) + rng.bytes(int(np.prod(header.get_data_shape()))))
        # Near what the quaternion needs, on both sides, and anything; nibabel ignores the sign, and has a negative one itself.
        thresholds = [None, left * 1.0001, left * 0.9999, float(10.0 ** rng.uniform(-9, 0) * rng.choice([1, -1]))]
        for threshold in thresholds:
            text = "-" if threshold is None else hexadecimal(threshold)
            lines.append("\t".join([str(path.relative_to(out)), text, outcome(header, threshold)]))
    (out / "quaternions.txt").write_text("\n".join(lines) + "\n")
    print(f"{count} NIfTI files with quaternions, {sum(line.endswith('refused') for line in lines)} of {len(lines)} loads refused")


main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 240, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
