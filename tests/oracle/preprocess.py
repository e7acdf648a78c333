"""Compares what examples/preprocess wrote with nibabel and numpy.

usage: preprocess.py SERIES KIND=FILE...      KIND: mean, std, tsnr, zscore, percent

Prints for each file: its kind, how many values differ from numpy's (computed in f64, rounded to f32 once), and the
largest difference in shares of what three roundings in f32 may make:

    2**-21 * abs(result) + 2**-23 * scale      scale: mean / std for z-scores, 100 for percents, 0 for maps
"""

import sys
import warnings

import nibabel as nib
import numpy as np

warnings.simplefilter("ignore")


def ratio(above, below):
    return np.where(below == 0, 0, above / np.where(below == 0, 1, below))


def expected(series):
    data = series.get_fdata()
    finite = np.where(np.isfinite(data), data, np.nan)
    if np.isfinite(data).all():
        mean, std = data.mean(axis=-1), data.std(axis=-1)
    else:
        mean, std = np.nanmean(finite, axis=-1), np.nanstd(finite, axis=-1)
    difference = data - mean[..., None]
    return {
        "mean": (mean, 0),
        "std": (std, 0),
        "tsnr": (ratio(mean, std), 0),
        "zscore": (ratio(difference, std[..., None]), abs(ratio(mean, std))[..., None]),
        "percent": (ratio(difference, mean[..., None]) * 100, 100),
    }


def main(source, pairs):
    series = nib.load(source)
    results = expected(series)
    for pair in pairs:
        kind, path = pair.split("=", 1)
        want, scale = results[kind]
        image = nib.load(path)
        got = image.get_fdata()
        narrow = want.astype(np.float32)
        assert got.shape == want.shape, f"{path}: {got.shape}, not {want.shape}"
        assert image.get_data_dtype() == np.float32, path
        assert np.array_equal(image.affine, series.affine), path
        assert np.array_equal(image.header.get_zooms(), series.header.get_zooms()[: got.ndim]), path
        same = (got == narrow) | (np.isnan(got) & np.isnan(narrow))
        allowed = 2.0**-21 * abs(want) + 2.0**-23 * scale + 1e-300
        share = np.where(same, 0, abs(got - want) / allowed)
        print(kind, int((~same).sum()), float(share.max()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
