"""Files of every format but NIfTI, real ones and random ones, and what nibabel (for NRRD and MetaImage: SimpleITK and the
generator itself) makes of them.

    formats.py OUTDIR [COUNT [SEED]] [-v]

writes OUTDIR/formats/: real/ has nibabel's own test files, the other folders at least COUNT (default 200) random files each
whose values are real numbers, and manifest.txt has a line for each random file:

    format|path|options|shape|native dtype|affine|zooms|sha256 f16|f32|f64|native|index=sha256 native:f32;...

The affine is 16 floats as hexadecimal bits, the zooms are one for each axis; or "-", as are the floats of colours. Arrays are
hashed in Fortran order, little-endian, every NaN as the quiet one. Needs nibabel 5.4.2, numpy 2, scipy, h5py, SimpleITK.
"""

import logging
import shutil
import sys
import warnings
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np

from random_files.afni import afni
from random_files.analyze import analyze
from random_files.cifti import cifti
from random_files.common import Manifest
from random_files.ecat import ecat
from random_files.metaimage import metaimage
from random_files.mgh import mgh
from random_files.minc import minc, minc2
from random_files.nrrd import nrrd
from random_files.parrec import parrec
from random_files.simpleitk import check_sitk

warnings.simplefilter("ignore")
np.seterr(all="ignore")
nib.imageglobals.logger.setLevel(logging.CRITICAL)
NIB = Path(nib.__file__).parent

# Volumes with nibabel, and what belongs to them: tests/formats/real.rs has their hashes.
REAL = [
    "anatomical.nii", "functional.nii", "example4d.nii.gz", "standard.nii.gz", "reoriented_anat_moved.nii",
    "resampled_anat_moved.nii", "example_nifti2.nii.gz", "test.mgz", "example4d+orig.HEAD", "example4d+orig.BRIK.gz",
    "scaled+tlrc.HEAD", "scaled+tlrc.BRIK", "phantom_EPI_asc_CLEAR_2_1.PAR", "phantom_EPI_asc_CLEAR_2_1.REC",
    "phantom_varscale.PAR", "phantom_varscale.REC", "phantom_truncated.PAR", "phantom_truncated.REC", "tiny.mnc",
    "minc1_1_scale.mnc", "minc1_4d.mnc", "minc1-no-att.mnc", "small.mnc", "tinypet.v", "minc2_1_scale.mnc",
    "minc2_4d.mnc", "minc2-no-att.mnc", "minc2-4d-d.mnc", "minc2_baddim.mnc", "row_major.dconn.nii",
]

# Formats by the names that voxload gives them, and what makes a file of them.
FORMATS = {
    "MGH": mgh,
    "Analyze 7.5": partial(analyze, "analyze"),
    "SPM99 Analyze": partial(analyze, "spm99"),
    "SPM2 Analyze": partial(analyze, "spm2"),
    "AFNI": afni,
    "PAR/REC": parrec,
    "MINC1": minc,
    "MINC2": minc2,
    "CIFTI-2": cifti,
    "ECAT 7": ecat,
    "NRRD": nrrd,
    "MetaImage": metaimage,
}


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "-v"]
    out = Path(arguments[0]).absolute() / "formats"
    count = int(arguments[1]) if len(arguments) > 1 else 200
    seed = int(arguments[2]) if len(arguments) > 2 else 1
    shutil.rmtree(out, ignore_errors=True)
    (out / "real").mkdir(parents=True)
    for file in REAL:
        shutil.copy(next(NIB.glob(f"**/tests/data/{file}")), out / "real")
    manifest = Manifest(out, np.random.default_rng(seed))
    for name, make in FORMATS.items():
        folder = out / name.replace("/", "").replace(" ", "").lower()
        folder.mkdir()
        rng = np.random.default_rng([seed, *name.encode()])
        refused = []
        for k in range(4 * count):
            if manifest.real_numbers[name] >= count:
                break
            try:
                make(rng, folder, k, manifest)
            except Exception as error:
                # nibabel refuses some of what is random.
                refused.append(f"{name} {k}: {error!r}"[:200])
        print(f"{name}: {k - len(refused)} files, {len(refused)} that the oracle does not read")
        if "-v" in sys.argv:
            print(*refused, sep="\n", end="\n" * bool(refused))
    manifest.write()
    check_sitk(manifest, out)


main()
