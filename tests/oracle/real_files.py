"""What nibabel reads from every NIfTI volume below some folders.

    real_files.py OUTDIR FOLDER...

writes to OUTDIR/real_files.txt one line for each, apart by tabs: path, shape, type, affine (16 float.hex, apart by
spaces), SHA-256 of get_fdata(dtype=f4) and of get_fdata(dtype=f8) in column-major order, little-endian, all NaN made
alike. `missing` in place of the hashes says that the voxels' file is not there.
"""

import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np

from values import hashed

warnings.simplefilter("ignore")


def line(path):
    try:
        image = nib.load(path)
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError):
        return None
    if not isinstance(image, (nib.Nifti1Pair, nib.Nifti2Pair)):
        # CIFTI-2 among them: the tests of the other formats have it.
        return None
    try:
        hashes = [hashed(image.get_fdata("unchanged", dtype=code)) for code in ("f4", "f8")]
    except FileNotFoundError:
        hashes = ["missing", "missing"]
    shape = ",".join(map(str, image.shape))
    affine = " ".join(float(v).hex() for v in np.ravel(image.affine))
    return "\t".join([str(path), shape, image.dataobj.dtype.newbyteorder("=").name, affine, *hashes])


def main(out, folders):
    endings = (".nii", ".nii.gz", ".hdr", ".hdr.gz")
    paths = sorted(p for folder in folders for p in Path(folder).rglob("*") if p.name.lower().endswith(endings))
    lines = [found for found in map(line, paths) if found]
    (out / "real_files.txt").write_text("\n".join(lines) + "\n")
    print(f"real files: {len(lines)} of {len(paths)} names")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
