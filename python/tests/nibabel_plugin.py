"""nibabel's own tests with voxload underneath: `pytest -p nibabel_plugin --pyargs nibabel.tests.test_nifti1 ..`."""

from __future__ import annotations

import json
import os
from typing import Any

import voxload.nib


def pytest_configure(config: Any) -> None:
    voxload.nib.install()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"voxload: {voxload.nib.counts}")
    path = os.environ.get("VOXLOAD_COUNTS")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(voxload.nib.counts, file)
