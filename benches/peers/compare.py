"""voxload against its peers and its floors: the same files, the same arrays, in alternation, on one machine.

    sh benches/peers/run.sh [--smoke] [--runs N] [--megabytes MB]

Every peer is a process that stays. Each round asks all of them, each in turn with voxload and twice; the second time counts,
once the machine is quiet (quiet.py). Shown are medians of times, and medians of ratios of two runs one after the other: what else
the machine does changes from one minute to the next. Every array is fully touched, has the same dtype and scaling, and is
compared value by value with nibabel's.
The table goes into benches/RESULTS.md between two marks; with --smoke (small files, two rounds) it is only printed.
"""

import argparse
import functools
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import files
import report
from quiet import PATIENCE, Memory

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = {"f32": np.float32, "f64": np.float64}

# Voxels that are compared at a time.
BLOCK = 1 << 24


class Peer:
    """A process that answers questions: see serve.rs."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, *words):
        """A number; or RuntimeError with what the peer says, or that it fell silent."""
        try:
            self.process.stdin.write("\t".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError("it died")
        if answer.startswith("!"):
            raise RuntimeError(answer[1:].strip())
        return float(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Field:
    """All peers, the folder of files, and the rows of the table that come of them."""

    def __init__(self, folder, scratch, arguments):
        self.folder, self.scratch, self.runs = folder, scratch, arguments.runs
        self.rows, self.notes, self.wrong = [], [], []
        self.peers = start_peers(arguments, self.notes)
        # More is touched before each measurement than any peer takes.
        size, patience = arguments.megabytes * 10_000_000, 0 if arguments.smoke else PATIENCE
        self.memory = Memory(functools.partial(self.peers["voxload"].ask, "touch"), size, patience)

    def path(self, name):
        return os.path.join(self.folder, name)

    def series(self, megabytes):
        """The int16 series of so many megabytes, made once."""
        path = self.path("series.nii")
        if not os.path.exists(path):
            files.series(path, "<i2", megabytes * 1_000_000)
        return path

    def packed(self, megabytes):
        """Another of half the size, deflated about 2 to 1, and its number of frames."""
        path = self.path("packed.nii")
        if not os.path.exists(path + ".gz"):
            self.frames = files.series(path, "<i2", megabytes * 500_000, amplitude=1)
            files.compress(path)
        return path + ".gz", self.frames

    def measure(self, peer, words):
        """Seconds, the second time and once the machine is quiet."""
        self.peers[peer].ask(*words)
        self.memory.settle()
        return self.peers[peer].ask(*words)

    def turns(self, ours, questions):
        """{name: (peer, *words)} in turns with our question: [(our seconds, its seconds)] by name. Who cannot answer is left
        out, with a note."""
        times = {name: [] for name, (peer, *_) in questions.items() if peer in self.peers}
        for _ in range(self.runs):
            for name in list(times):
                peer, *words = questions[name]
                mine = self.measure("voxload", ours)
                try:
                    times[name].append((mine, self.measure(peer, words)))
                except RuntimeError as error:
                    self.notes.append(f"{name} on {os.path.basename(str(words[-1]))}: {error}")
                    del times[name]
        return times

    def say(self, work, who, seconds, ratio="", promised="", holds=""):
        self.rows.append((work, who, time(seconds), ratio, promised, holds))
        print(" | ".join(self.rows[-1]), flush=True)

    def versus(self, work, ours, questions, least, most=None, wrong=None, who="voxload"):
        """Rows of one piece of work: ours, and of each question the median of its ratios to the run of ours just before.
        `least` are promised times of others over ours by name, `most` those of ours over others (floors); `wrong` are numbers
        of other values."""
        found, most, wrong = self.turns(ours, questions), most or {}, wrong or {}
        self.say(work, who, statistics.median(mine for pairs in found.values() for mine, _ in pairs))
        for name, pairs in found.items():
            its = statistics.median(its for _, its in pairs)
            whose = f"{name}, {wrong[name]} values differ" if wrong.get(name) else name
            if name in most:
                ratio = statistics.median(mine / its for mine, its in pairs)
                judged = f"voxload / it {ratio:.2f}", f"at most {most[name]}", verdict(ratio <= most[name])
            else:
                ratio, promised = statistics.median(its / mine for mine, its in pairs), least.get(name)
                judged = (f"it / voxload {ratio:.{2 if ratio < 2 else 1}f}",)
                judged += (f"at least {promised}", verdict(ratio >= promised)) if promised else ()
            self.say(work, whose, its, *judged)

    def differing(self, dtype, path, names):
        """How many values of each peer's array are not nibabel's, by name; any two NaN count as the same."""
        kept, other = (os.path.join(self.scratch, name) for name in ("expected.raw", "found.raw"))
        self.peers["nibabel"].ask("dump", dtype, path, kept)
        expected, counts = np.memmap(kept, DTYPES[dtype], "r"), {}
        for name, peer in names.items():
            if peer not in self.peers:
                continue
            try:
                self.peers[peer].ask("dump", dtype, path, other)
            except RuntimeError as error:
                self.notes.append(f"{name}, whole to {dtype}: {error}")
                continue
            found = np.memmap(other, DTYPES[dtype], "r")
            counts[name] = differing(expected, found)
            del found
            os.remove(other)
        del expected
        os.remove(kept)
        if counts.get("voxload") != 0:
            self.wrong.append(f"{path} to {dtype}: {counts.get('voxload')} values of voxload differ from nibabel's")
        return counts


def differing(expected, found):
    """Values that are not the same bits; a text where not even their number is the same."""
    if expected.size != found.size:
        return f"{found.size} values instead of {expected.size}; all"
    unsigned, count = f"u{expected.itemsize}", 0
    for start in range(0, expected.size, BLOCK):
        a, b = expected[start : start + BLOCK], found[start : start + BLOCK]
        unlike = a.view(unsigned) != b.view(unsigned)
        count += int(np.count_nonzero(unlike & ~(np.isnan(a) & np.isnan(b))))
    return count


def verdict(holds):
    return "yes" if holds else "**no**"


def time(seconds):
    for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            break
    return f"{seconds / size:.3g} {unit}"


FLOOR = "floor: a plain cast"

EVERYBODY = {
    "voxload": "voxload",
    "nibabel": "nibabel",
    "nifti-rs": "nifti-rs",
    "medrs": "medrs",
    "SimpleITK": "simpleitk",
    "numpy, f64 arithmetic in blocks, all threads": "numpy-exact",
    "numpy, output's arithmetic in blocks, all threads": "numpy",
    "numpy, f64 arithmetic in blocks, 1 thread": "numpy-exact-1",
    "numpy, output's arithmetic in blocks, 1 thread": "numpy-1",
}


def whole_reads(field, megabytes):
    path = field.series(megabytes)
    everybody = {who: peer for who, peer in EVERYBODY.items() if who != "voxload"}
    for dtype, made, least in (
        ("f32", 4, {"nibabel": 7, "nifti-rs": 7, "medrs": 4.5} | {name: 3 for name in EVERYBODY if "numpy" in name}),
        ("f64", 8, {"nibabel": 6}),
    ):
        wrong = field.differing(dtype, path, EVERYBODY)
        questions = {FLOOR: ("voxload", "floor", "fresh", 2, made, path)}
        questions |= {name: (peer, "whole", dtype, path) for name, peer in everybody.items()}
        field.versus(f".nii to {dtype}, fresh array", ("whole", dtype, path), questions, least, {FLOOR: 1.15}, wrong)
    questions = {FLOOR: ("voxload", "floor", "warm", 2, 4, path), "nibabel, fresh": ("nibabel", "whole", "f32", path)}
    field.versus(".nii to f32, warm buffer", ("warm", path), questions, {"nibabel, fresh": 13}, {FLOOR: 1.15})


def unscaled(field, megabytes):
    path = field.path("f32.nii")
    files.series(path, "<f4", megabytes * 1_000_000, scaled=False)
    field.differing("f32", path, {"voxload": "voxload"})
    work = "f32 .nii unscaled to f32"
    for kind, ours in (("fresh", ("whole", "f32", path)), ("warm", ("warm", path))):
        copies = {
            "memcpy, one part a thread": ("voxload", "copy", kind, path),
            "memcpy, pieces of 1 MiB": ("voxload", "floor", kind, 4, 4, path),
        }
        field.versus(f"{work}, {kind}", ours, copies, {name: 0.9 for name in copies}, who="voxload, safe copy")
    found = statistics.median(field.measure("voxload", ("zero_copy", path)) for _ in range(field.runs))
    field.say(work, "voxload, zero_copy, opening included", found, "", "under 1 ms", verdict(found < 1e-3))
    os.remove(path)


def parts(field, megabytes):
    path, places = field.series(megabytes), field.path("places")
    files.places(places, 1000)
    voxels, count = int(np.prod(files.SHAPE)), 370
    questions = {
        FLOOR: ("voxload", "floor", "frames", 2, 4, path, voxels, count),
        "nibabel": ("nibabel", "frames", path, count),
    }
    field.versus("one frame, file open", ("frames", path, count), questions, {"nibabel": 8}, {FLOOR: 1.3})
    questions = {"nibabel": ("nibabel", "series", path, places)}
    field.versus("time series of one voxel, 1000 random", ("series", path, places), questions, {"nibabel": 10})


def opening(field, megabytes):
    path, (packed, _) = field.series(megabytes), field.packed(megabytes)
    for work, name, least in (("open .nii, header only", path, 15), ("open .nii.gz, header only", packed, 100)):
        questions = {who: (who, "open", name, 50) for who in ("nibabel", "nifti-rs", "medrs")}
        if name == packed:
            questions["nibabel, indexed_gzip"] = ("indexed_gzip", "open", name, 3)
        field.versus(work, ("open", name, 50), questions, {"nibabel": least, "nibabel, indexed_gzip": least})


def packed_reads(field, megabytes):
    packed, frames = field.packed(megabytes)
    index = packed + ".voxgzi"
    peers = {
        "SimpleITK": "simpleitk",
        "nifti-rs": "nifti-rs",
        "medrs": "medrs",
        "nibabel": "nibabel",
        "nibabel, indexed_gzip": "indexed_gzip",
    }
    wrong = field.differing("f32", packed, {"voxload": "voxload"} | peers)
    field.peers["voxload"].ask("once", packed, frames - 1, index)
    questions = {name: (peer, "whole", "f32", packed) for name, peer in peers.items()}
    questions["voxload, index on disk"] = ("voxload", "whole", "f32", packed, index)
    least = {"SimpleITK": 1.25, "nifti-rs": 1.8, "nibabel, indexed_gzip": 4}
    field.versus(".nii.gz to f32, fresh array", ("whole", "f32", packed), questions, least, wrong=wrong)
    t = frames // 2
    questions = {
        "voxload, new image, index on disk": ("voxload", "once", packed, t, index),
        "nibabel, indexed_gzip": ("indexed_gzip", "again", packed, t),
    }
    least = {"nibabel, indexed_gzip": 10}
    field.versus("frame of .nii.gz, second access", ("again", packed, t, index), questions, least)


def many(field, megabytes):
    """Many files, as in a training loop: heads of 18 MB as .nii.gz, and small .nii."""
    kinds = {
        "240 x 240 x 155 .nii.gz to f32": ((240, 240, 155), ".nii.gz", 12, {"one": 3, "all": 2.2}),
        "64 x 64 x 40 .nii to f32": ((64, 64, 40), ".nii", 100, {"one": 2, "all": 1.5}),
    }
    for name, (shape, ending, count, least) in kinds.items():
        # A few contents; a file that is read again is as good as another one.
        paths = [field.path(f"head{k % 6}{ending}") for k in range(count)]
        for seed, path in enumerate(sorted(set(paths))):
            files.head(path, shape, seed)
        listed = field.path("list")
        with open(listed, "w", encoding="ascii") as file:
            file.write("\n".join(paths) + "\n")
        for how, text in (("one", "one by one"), ("all", "on all threads")):
            questions = {who: (who, "many", how, listed) for who in ("nifti-rs", "medrs")}
            if how == "all" and ending.endswith(".gz"):
                questions["libdeflate alone, buffer reused"] = ("voxload", "inflated", how, listed)
            field.versus(f"{count} files of {name}, {text}", ("many", how, listed), questions, {"nifti-rs": least[how]})


def stored_types(field, megabytes):
    for dtype in (">i2", "u1", "<f4", "<f8", "<i8"):
        path = field.path("typed.nii")
        files.series(path, dtype, megabytes * 1_000_000)
        field.differing("f32", path, {"voxload": "voxload"})
        item = np.dtype(dtype).itemsize
        for kind, ours in (("fresh", ("whole", "f32", path)), ("warm", ("warm", path))):
            questions = {FLOOR: ("voxload", "floor", kind, item, 4, path)}
            field.versus(f"{dtype} .nii, scaled, to f32, {kind}", ours, questions, {}, {FLOOR: 1.3})
        os.remove(path)


def growth(field, megabytes):
    """Ten times the bytes: no slower per byte, no more memory beside the output."""
    needed = megabytes * 10 * 3.5e6
    if available() < needed:
        field.notes.append(f"growth: it needs {needed / 1e9:.0f} GB of free memory, there are {available() / 1e9:.0f}")
        return
    small, large = field.path("small.nii"), field.path("large.nii")
    voxels = {name: files.sparse(name, size * 1_000_000) for name, size in ((small, megabytes), (large, 10 * megabytes))}
    field.memory.size *= 3
    work = f"growth, {megabytes} MB to {10 * megabytes} MB stored (zeros)"
    for who, ask in ((FLOOR, ("floor", "fresh", 2, 4)), ("voxload", ("whole", "f32"))):
        pairs = field.turns((*ask, small), {"large": ("voxload", *ask, large)})["large"]
        ratio = statistics.median(its / mine for mine, its in pairs) * voxels[small] / voxels[large]
        judged = ("at most 1.15", verdict(ratio <= 1.15)) if who == "voxload" else ()
        field.say(work, f"{who}, small", statistics.median(mine for mine, _ in pairs))
        field.say(work, f"{who}, large", statistics.median(its for _, its in pairs), f"per byte {ratio:.2f}", *judged)
    over = field.peers["voxload"].ask("memory", large) / 2**20
    field.rows.append(
        (work, "anonymous memory over the output", f"{over:.1f} MiB", "", "at most 64 MiB", verdict(over <= 64))
    )
    for name in voxels:
        os.remove(name)


def available():
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))


def start_peers(arguments, notes):
    built = {name: [os.path.join(arguments.programs, f"peer-{name}")] for name in ("voxload", "nifti-rs", "medrs")}
    worker = os.path.join(HERE, "worker.py")
    python = ("nibabel", "indexed_gzip", "simpleitk", "numpy", "numpy-1", "numpy-exact", "numpy-exact-1")
    peers = {}
    for name, command in (built | {name: [sys.executable, worker, name] for name in python}).items():
        if os.path.exists(command[0]):
            peers[name] = Peer(command)
        else:
            notes.append(f"{name} is skipped: {arguments.skipped or 'it was not built'}")
    return peers


PARTS = {
    "whole": whole_reads,
    "unscaled": unscaled,
    "parts": parts,
    "open": opening,
    "packed": packed_reads,
    "many": many,
    "types": stored_types,
    "growth": growth,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, help="where run.sh built the peers")
    parser.add_argument("--skipped", default="", help="why a peer was not built")
    parser.add_argument("--megabytes", type=int, default=420, help="stored size of the series")
    parser.add_argument("--runs", type=int, default=7, help="rounds that count")
    parser.add_argument("--only", choices=PARTS, help="one part, nothing is written down")
    parser.add_argument("--smoke", action="store_true", help="small and short, nothing is written down")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.megabytes, arguments.runs = 20, 2
    kept = not (arguments.smoke or arguments.only)
    if kept:
        report.around()
    load = os.getloadavg()
    # Arrays that are compared need not go to a disk, where there is another way.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) and available() > 8e9 else None
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=shared) as scratch:
        field = Field(folder, scratch, arguments)
        for name, part in PARTS.items():
            if arguments.only in (None, name):
                part(field, arguments.megabytes)
        for peer in field.peers.values():
            peer.end()
    text = report.table(field, load, arguments)
    print("\n" + text)
    if kept:
        report.write(text)
    if field.wrong:
        sys.exit("\n".join(field.wrong))


if __name__ == "__main__":
    main()
