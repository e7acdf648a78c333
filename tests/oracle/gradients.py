"""What nibabel makes of the diffusion weighting of PAR/REC headers.

    gradients.py FOLDER

writes into FOLDER the headers of nibabel's tests, and those with diffusion in all three slice orientations too. Prints one
line for each header and way of sorting, apart by tabs: path, `strict` or `plain`, b values, directions (numbers apart by
spaces, `none` if there are none).
"""

import sys
import warnings
from pathlib import Path

import nibabel
from nibabel.parrec import PARRECError, PARRECHeader

warnings.simplefilter("ignore")

#: The word of a slice's line that has its orientation.
ORIENTATION = 25


def turned(text, orientation):
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0].isdigit() and len(words) > ORIENTATION:
            words[ORIENTATION] = str(orientation)
            line = "  ".join(words)
        lines.append(line)
    return "\n".join(lines) + "\n"


def numbers(values):
    return "none" if values is None else " ".join(repr(float(v)) for v in values.ravel())


def main(folder):
    data = Path(nibabel.__file__).parent / "tests/data"
    for path in sorted(data.glob("*.PAR")):
        text = path.read_text(encoding="latin1")
        variants = {path.stem: text}
        if path.stem.startswith("DTI"):
            variants |= {f"{path.stem}-{k}": turned(text, k) for k in (1, 2, 3)}
        for stem, content in variants.items():
            copy = folder / f"{stem}.PAR"
            copy.write_text(content, encoding="latin1")
            for strict in (False, True):
                try:
                    with open(copy, encoding="latin1") as file:
                        header = PARRECHeader.from_fileobj(file, permit_truncated=True, strict_sort=strict)
                    weights, directions = header.get_bvals_bvecs()
                except PARRECError:
                    continue
                words = [str(copy), "strict" if strict else "plain", numbers(weights), numbers(directions)]
                print("\t".join(words))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
