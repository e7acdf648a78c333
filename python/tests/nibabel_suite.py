"""Runs nibabel's contract modules, and nilearn's, twice: as they are, and with voxload underneath.

    python nibabel_suite.py             nibabel's
    python nibabel_suite.py nilearn     those of nilearn.image and of masking

The counts of passed, skipped and expected failures must be the same. Of nibabel's, one test is left out by name: it
counts the objects that open files, which are nibabel's own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent

NIBABEL = [
    "nibabel.tests.test_arrayproxy",
    "nibabel.tests.test_proxy_api",
    "nibabel.tests.test_image_api",
    "nibabel.tests.test_dataobj_images",
    "nibabel.tests.test_spatialimages",
    "nibabel.tests.test_image_load_save",
    "nibabel.tests.test_loadsave",
    "nibabel.tests.test_nifti1",
    "nibabel.tests.test_nifti2",
    "nibabel.tests.test_analyze",
    "nibabel.tests.test_spm99analyze",
    "nibabel.tests.test_spm2analyze",
    "nibabel.tests.test_fileslice",
    "nibabel.tests.test_scaling",
    "nibabel.tests.test_volumeutils",
    "nibabel.tests.test_round_trip",
    "nibabel.tests.test_files_interface",
    "nibabel.tests.test_filebasedimages",
    "nibabel.tests.test_brikhead",
    "nibabel.tests.test_parrec",
    "nibabel.tests.test_ecat",
    "nibabel.tests.test_minc1",
    "nibabel.tests.test_minc2",
    "nibabel.tests.test_processing",
    "nibabel.tests.test_funcs",
    "nibabel.tests.test_mriutils",
    "nibabel.tests.test_orientations",
    "nibabel.tests.test_scripts",
    "nibabel.tests.test_diff",
    "nibabel.tests.test_imagestats",
    "nibabel.freesurfer.tests.test_mghformat",
    "nibabel.cifti2.tests",
]
NILEARN = ["nilearn.image", "nilearn.tests.test_masking"]
LEFT_OUT = "test_keep_file_open_true_false_invalid"
# In nibabel's tests, with the pinned versions, h5py and pytest-httpserver.
LEAST_SERVED = 140_000
MOST_FALLBACKS = 100


def run(modules: list[str], plugin: bool) -> tuple[dict[str, int], dict[str, int]]:
    """The counts of a run, and what the plug-in has counted."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        environment = {**os.environ, "VOXLOAD_COUNTS": str(counts)}
        paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
        # nibabel's tests call its commands.
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", f"not {LEFT_OUT}"]
        command += ["-p", "nibabel_plugin"] if plugin else []
        ran = subprocess.run(
            [*command, "--pyargs", *modules], capture_output=True, text=True, env=environment, cwd=folder, check=False
        )
        lines = ran.stdout.strip().splitlines() or [ran.stderr]
        print(("with voxload:   " if plugin else "pure:           ") + lines[-1], flush=True)
        if ran.returncode not in (0, 1):
            raise SystemExit(ran.stdout[-4000:] + ran.stderr[-4000:])
        for line in lines:
            if line.startswith("FAILED"):
                print(line)
        found = {
            kind: int(count) for count, kind in re.findall(r"(\d+) (passed|failed|skipped|xfailed|errors?)", lines[-1])
        }
        served = json.loads(counts.read_text()) if counts.exists() else {}
    return found, served


def main() -> None:
    nilearn = sys.argv[1:] == ["nilearn"]
    modules = NILEARN if nilearn else NIBABEL
    # Two runs of nilearn's at the same time disturb each other.
    with ThreadPoolExecutor(1 if nilearn else 2) as both:
        runs = both.map(lambda plugin: run(modules, plugin), [False, True])
    (pure, _), (ours, served) = runs
    print(f"reads: {served}")
    faults = []
    if pure != ours:
        faults.append(f"other counts: {pure} pure, {ours} with voxload")
    if "failed" in ours or "error" in ours or "errors" in ours:
        faults.append("some failed")
    least = 1 if nilearn else LEAST_SERVED
    if served.get("served", 0) < least:
        faults.append(f"fewer than {least} reads were served")
    if served.get("fallback", 0) > MOST_FALLBACKS:
        faults.append(f"more than {MOST_FALLBACKS} reads were left to nibabel")
    if faults:
        raise SystemExit("\n".join(faults))


if __name__ == "__main__":
    main()
