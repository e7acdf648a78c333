"""Maps of a whole dataset on a cluster: the mean and the temporal signal-to-noise ratio of each subject's series.

    python dataset.py OUT BOLD [BOLD ...]        # on the processors of this machine
    python dataset.py --scheduler tcp://head:8786 --index /shared/indices OUT BOLD [BOLD ...]

Each subject is one task: a worker reads the series frame by frame, in memory that does not grow with its length, and
writes two files. With `--index` the places in gzip files are kept in a folder that all workers share.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from dask.distributed import Client, LocalCluster, as_completed

import voxload


def maps(path: str, out: str, index: str | None) -> dict[str, float | str]:
    """Writes the maps of one subject; what is reported of it."""
    img = voxload.load(path, gzip_index=index)
    mean, std = img.temporal_statistics()
    tsnr = np.divide(mean, std, out=np.zeros_like(mean), where=std > 0)
    name = Path(path).name.split(".")[0]
    for kind, values in [("mean", mean), ("tsnr", tsnr)]:
        voxload.Image(values, img.affine).to_filename(Path(out) / f"{name}_{kind}.nii.gz")
    inside = mean > mean.mean()
    return {"subject": name, "tsnr": float(np.median(tsnr[inside]))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheduler", help="the address of a cluster; one of this machine's processes by default")
    parser.add_argument("--index", help="a folder for the indices of gzip files, which all workers share")
    parser.add_argument("--workers", type=int, help="processes of a cluster on this machine")
    parser.add_argument("out", help="the folder for the maps, which all workers share")
    parser.add_argument("bold", nargs="+", help="series, one for each subject")
    arguments = parser.parse_args()
    Path(arguments.out).mkdir(parents=True, exist_ok=True)
    if arguments.index:
        Path(arguments.index).mkdir(parents=True, exist_ok=True)
    paths = [str(Path(path).resolve()) for path in arguments.bold]
    out = str(Path(arguments.out).resolve())
    index = None if arguments.index is None else str(Path(arguments.index).resolve())
    if arguments.scheduler:
        client = Client(arguments.scheduler)
    else:
        # A read uses all threads by itself: one task at a time in each process.
        cluster = LocalCluster(n_workers=arguments.workers, threads_per_worker=1, dashboard_address=None)
        client = Client(cluster)
    with client:
        tasks = client.map(maps, paths, out=out, index=index)
        for done in as_completed(tasks):
            found = done.result()
            print(f"{found['subject']}: median tSNR {found['tsnr']:.1f}", flush=True)


if __name__ == "__main__":
    main()
