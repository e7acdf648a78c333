"""Reads back what voxload wrote.

usage: check_written.py LIST

Each line of LIST: a source, the file that voxload wrote from it, and the type asked for (`kept`, `float32`,
`float64`). Both must give the same array, affine, zooms, codes, text fields and extensions. Prints how many pairs
were compared; ends with 1 when any differs.
"""

import sys
import warnings

import nibabel as nib
import numpy as np

warnings.simplefilter("ignore")

FIELDS = ["dim", "pixdim", "descrip", "intent_code", "intent_name", "xyzt_units", "qform_code", "sform_code",
          "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "srow_x", "srow_y", "srow_z", "cal_max", "toffset"]


def difference(source, written, asked):
    old, new = nib.load(source), nib.load(written)
    want = np.asarray(old.dataobj)
    if asked != "kept":
        want = want.astype(asked)
    got = np.asarray(new.dataobj)
    if want.dtype.newbyteorder("=") != got.dtype.newbyteorder("=") or want.shape != got.shape:
        return f"{want.dtype} {want.shape} became {got.dtype} {got.shape}"
    if not np.array_equal(want, got, equal_nan=want.dtype.kind in "fc"):
        return "values differ"
    if not np.array_equal(old.affine, new.affine):
        return "affines differ"
    for field in FIELDS:
        if not np.array_equal(old.header[field], new.header[field]):
            return f"{field}: {old.header[field]} became {new.header[field]}"
    contents = [[(e.get_code(), e.get_content()) for e in h.header.extensions] for h in (old, new)]
    return None if contents[0] == contents[1] else "extensions differ"


def main(path):
    compared, bad = 0, 0
    for line in open(path):
        source, written, asked = line.split()
        found = difference(source, written, asked)
        compared += 1
        if found:
            bad += 1
            print(f"{source} -> {written} ({asked}): {found}")
    print(f"compared {compared}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
