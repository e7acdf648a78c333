"""The package itself: what is exported, documented, typed; its import."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import voxload

HERE = Path(__file__).parent


def public(holder: object) -> list[str]:
    return [name for name in vars(holder) if not name.startswith("_")]


def test_everything_public_is_documented() -> None:
    missing = [name for name in voxload.__all__ if not inspect.getdoc(getattr(voxload, name))]
    for klass in [voxload.Image, voxload.ArrayProxy, voxload.Header]:
        missing += [f"{klass.__name__}.{name}" for name in public(klass) if not inspect.getdoc(getattr(klass, name))]
    assert not missing


def test_stubs_and_modules_are_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    package = HERE.parent / "voxload"
    use = tmp_path / "use.py"
    use.write_text(
        "import numpy as np\nimport voxload\n"
        "img = voxload.load('a.nii')\n"
        "shape: tuple[int, ...] = img.shape\n"
        "data: np.ndarray = img.get_fdata(dtype=np.float32)\n"
        "for frame in img.frames():\n    frame.sum()\n"
        "mean, std = img.temporal_statistics()\n"
        "reveal_type(img.slicer[1:])\n"
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--config-file",
            str(HERE.parent / "pyproject.toml"),
            "--cache-dir",
            str(tmp_path),
            str(package),
            str(use),
        ],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        check=False,
    )
    errors = [line for line in ran.stdout.splitlines() if ": error:" in line]
    assert not errors, "\n".join(errors)
    assert "voxload._image.Image" in ran.stdout


def test_the_code_is_clean() -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed")
    for arguments in [["check"], ["format", "--check"]]:
        ran = subprocess.run([ruff, *arguments, str(HERE.parent)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_import_is_fast() -> None:
    """Beyond numpy's own import; the least of several, as a machine that does much else takes longer."""
    script = "import time, numpy; t = time.perf_counter(); import voxload; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", script]
    # As installed packages are: compiled.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    outputs = [subprocess.run(run, capture_output=True, text=True, check=True, env=environment) for _ in range(9)]
    assert min(float(ran.stdout) for ran in outputs) < 0.005
