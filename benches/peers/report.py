"""The table of compare.py, and the place in benches/RESULTS.md that it is written to."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "..", "RESULTS.md")
BEGIN, END = "<!-- compare.py: begin -->", "<!-- compare.py: end -->"


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) / 2**20
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
        pages = file.read().split("[")[1].split("]")[0]
    return f"{name}, {os.cpu_count()} threads, {memory:.0f} GiB, {platform.system()} {platform.release()}, huge pages {pages}"


def versions():
    python = ("nibabel", "numpy", "indexed_gzip", "SimpleITK")
    listed = [f"{name} {importlib.metadata.version(name)}" for name in python]
    for crate in ("nifti", "medrs"):
        folder = "nifti-rs" if crate == "nifti" else crate
        with open(os.path.join(HERE, folder, "Cargo.lock"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        listed.append(f"{folder} " + lines[lines.index(f'name = "{crate}"') + 1].split('"')[1])
    rustc = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1]
    return ", ".join([f"Rust {rustc}", *listed])


def table(field, load, arguments):
    lines = [
        f"{datetime.date.today()}; {machine()}.",
        f"{versions()}.",
        f"Load average {load[0]:.1f} before and {os.getloadavg()[0]:.1f} after; medians of {arguments.runs} runs, and of ratios of runs in turns;",
        f"{arguments.megabytes} MB stored ({arguments.megabytes // 2} MB in the .gz), in page cache; opening is in each time",
        f"unless it says otherwise. {field.memory.said()}",
        "",
        "| work | who | median | ratio | promised | holds |",
        "|---|---|---:|---|---|---|",
    ]
    work = None
    for row in field.rows:
        lines.append("| " + " | ".join(("" if row[0] == work else row[0], *row[1:])) + " |")
        work = row[0]
    return "\n".join(lines + [f"\n{note}" for note in dict.fromkeys(field.notes)]) + "\n"


def around():
    """What stands before and behind the table in the results."""
    with open(RESULTS, encoding="utf-8") as file:
        before, mark, rest = file.read().partition(BEGIN)
    _, other, behind = rest.partition(END)
    if not (mark and other):
        sys.exit(f"{RESULTS}: there must be {BEGIN} and {END} in it")
    return before, behind


def write(text):
    before, behind = around()
    with open(RESULTS, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + text + END + behind)
