"""The examples in the pages: every Python block runs, in the order of its page, among the files that it names."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import numbers, write_nifti

ROOT = Path(__file__).parents[2]
GUIDE = sorted(ROOT.glob("doc/guide/*.md"))
PAGES = [ROOT / "README.md", ROOT / "python" / "README.md", *sorted(ROOT.glob("doc/*.md")), *GUIDE]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Packages beside numpy and voxload, and what in a page needs them.
PACKAGES = {
    "nibabel": r"\bnibabel\b|voxload\.nib\b",
    "dask": r"\bdask\b",
    "distributed": r"\bdask\.distributed\b",
    "SimpleITK": r"\bSimpleITK\b",
}


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


WITH_BLOCKS = [page for page in PAGES if blocks(page)]


def make_files(folder: Path) -> None:
    """The files that the pages name: int16 with slope and inter."""
    write_nifti(folder / "t1.nii.gz", numbers("i2", (40, 41, 30)), 0.37, -12.5)
    write_nifti(folder / "bold.nii.gz", numbers("i2", (33, 41, 21, 31)), 0.37, -12.5)
    for subject in [1, 2]:
        # Far from zero, as means of series are.
        series = numbers("i2", (20, 21, 12, 9), subject)
        write_nifti(folder / f"sub-0{subject}_bold.nii.gz", series, 0.37, 25000.0)
    (folder / "indices").mkdir()


def test_pages_are_found() -> None:
    expected = {"python/README.md", "doc/PYTHON-CLUSTER.md", "doc/guide/cluster.md", "doc/guide/simpleitk.md"}
    assert expected <= {name(page) for page in WITH_BLOCKS}


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    source = "\n".join(blocks(page))
    for package, use in PACKAGES.items():
        if re.search(use, source) and find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    make_files(tmp_path)
    # What the pages call a shared folder.
    source = source.replace('"/shared', f'"{tmp_path.as_posix()}')
    (tmp_path / "page.py").write_text(source, encoding="utf-8")
    # As in a notebook: processes that a page starts do not run it again.
    run = "exec(compile(open('page.py').read(), 'page.py', 'exec'))"
    command = [sys.executable, "-c", run]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}"
