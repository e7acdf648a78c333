#!/bin/sh
# What the tests compare with, made by nibabel: make_all.sh PYTHON OUTDIR NILEARN
#
# OUTDIR is emptied first. NILEARN is the folder of the nilearn package, of which only the data are needed.
set -eu
python=$1
out=$2
nilearn=$3
scripts=$(dirname "$0")

rm -rf "$out"
mkdir -p "$out"
for name in values slices nifti_headers formats axes conversions orientation saved footers cifti_maps quaternions; do
    "$python" "$scripts/$name.py" "$out"
done
nibabel=$("$python" -c 'import nibabel, os; print(os.path.dirname(nibabel.__file__))')
"$python" "$scripts/real_files.py" "$out" "$nibabel" "$nilearn"
