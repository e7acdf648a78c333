"""Random CIFTI-2 files of all kinds of maps, and what nibabel says of their axes; and files whose XML is broken.

    cifti_maps.py OUTDIR [COUNT [SEED]]

writes COUNT (default 240) files that are right, and half as many that are not, into OUTDIR/cifti_maps/, and
OUTDIR/cifti_maps.txt, a line each, taken apart at tabs: the file, its shape, and what the indices of each axis are, or
"broken" and what is wrong with it:

    series START STEP UNIT COUNT        start and step as bits of float64
    scalars|labels|parcels NAME ...     in hexadecimal
    models STRUCTURE:SURFACE:OFFSET:COUNT ...
"""

import shutil
import struct
import sys
from pathlib import Path
from xml.parsers import expat

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Header, LabelAxis, ParcelsAxis, ScalarAxis, SeriesAxis

from random_files.common import hexadecimal, rotation

SURFACES = ["CORTEX_LEFT", "CORTEX_RIGHT", "CEREBELLUM"]
VOLUMES = ["THALAMUS_LEFT", "BRAIN_STEM", "AMYGDALA_RIGHT", "PUTAMEN_LEFT", "OTHER_GREY_MATTER"]
# The intents that files of two such maps have.
INTENTS = {"series": [3002, 3004], "scalars": [3006, 3008], "labels": [3007, 3007], "parcels": [3003, 3003], "models": [3001, 3010]}
LETTERS = list("abcXYZ019_-.&<>\"'() \u00e9\u4e2d\u03b1")


def word(rng):
    text = "".join(rng.choice(LETTERS, size=int(rng.integers(1, 12)))).strip()
    return " ".join(text.split()) or "x"


def names(rng):
    # nibabel finds parcels by their names, so each has another one.
    return [f"{word(rng)}{k}" for k in range(int(rng.integers(1, 7)))]


def space(rng):
    affine = np.eye(4)
    affine[:3, :3] = rotation(rng) * 2
    affine[:3, 3] = rng.normal(size=3) * 50
    return affine, tuple(int(n) for n in rng.integers(3, 6, size=3))


def models(rng):
    affine, shape = space(rng)
    parts = []
    for name in rng.permutation(SURFACES)[: rng.integers(0, 4)]:
        count = int(rng.integers(10, 40))
        parts.append(BrainModelAxis.from_surface(np.sort(rng.choice(count, int(rng.integers(1, 9)), replace=False)), count, name=str(name)))
    for name in rng.permutation(VOLUMES)[: rng.integers(0 if parts else 1, 4)]:
        mask = np.zeros(shape, bool)
        mask.ravel()[rng.choice(mask.size, int(rng.integers(1, 9)), replace=False)] = True
        parts.append(BrainModelAxis.from_mask(mask, name=str(name), affine=affine))
    return sum(parts[1:], parts[0])


def parcels(rng):
    affine, shape = space(rng)
    found = names(rng)
    left = 30
    voxels = [np.array([rng.integers(0, n, size=2) for n in shape]).T for _ in found]
    vertices = [{"CIFTI_STRUCTURE_CORTEX_LEFT": np.sort(rng.choice(left, 3, replace=False))} for _ in found]
    return ParcelsAxis(found, voxels, vertices, affine, shape, {"CIFTI_STRUCTURE_CORTEX_LEFT": left})


def series(rng):
    # Numbers of few digits, and of as many as there are.
    number = lambda: float(rng.choice([round(rng.normal() * 10, 2), rng.normal() * 100, rng.integers(0, 2000)]))
    unit = str(rng.choice(["SECOND", "SECOND", "HERTZ", "METER", "RADIAN"]))
    return SeriesAxis(number(), abs(number()) + 0.01, int(rng.integers(1, 12)), unit)


def labels(rng):
    found = names(rng)
    table = lambda: {int(k): (word(rng), tuple(float(v) for v in rng.uniform(size=4))) for k in rng.integers(0, 99, size=3)}
    return LabelAxis(found, [table() for _ in found])


FIRST = {"series": series, "scalars": lambda rng: ScalarAxis(names(rng)), "labels": labels, "parcels": parcels, "models": models}


def xml_of(rng, first):
    axes = [FIRST[first](rng), models(rng) if first == "models" or rng.random() < 0.7 else parcels(rng)]
    header = Cifti2Header.from_axes(axes)
    for map in header.matrix:
        if map.indices_map_to_data_type == "CIFTI_INDEX_TYPE_SERIES":
            map.series_exponent = int(rng.choice([0, 0, -3, -6, 3, int(rng.integers(-9, 10))]))
    xml = header.to_xml()
    xml = xml if isinstance(xml, bytes) else xml.encode()
    version = str(rng.choice(["2", "2", "2.0", "2.1", "3"]))
    assert xml.startswith(b'<CIFTI Version="2.0">')
    return xml.replace(b'Version="2.0"', f'Version="{version}"'.encode(), 1), [len(axis) for axis in axes]


def container(rng, xml, shape, intent):
    order = str(rng.choice(["<", ">"]))
    header = nib.Nifti2Header(endianness=order)
    header.set_data_dtype(order + "f4")
    header.set_data_shape((1, 1, 1, 1, *shape))
    header["intent_code"] = intent
    size = (len(xml) + 8 + 15) // 16 * 16
    header["vox_offset"] = 544 + size
    values = rng.normal(size=int(np.prod(shape))).astype(order + "f4")
    return header.binaryblock + b"\1\0\0\0" + struct.pack(order + "ii", size, 32) + xml.ljust(size - 8, b"\0") + values.tobytes()


def of_axis(axis):
    words = lambda values: " ".join(str(value).encode().hex() for value in values)
    if isinstance(axis, SeriesAxis):
        return f"series {hexadecimal(axis.start)} {hexadecimal(axis.step)} {axis.unit} {axis.size}"
    if isinstance(axis, BrainModelAxis):
        part = lambda name, at, model: f"{name.removeprefix('CIFTI_STRUCTURE_')}:{int(model.surface_mask.all())}:{at.start}:{len(model)}"
        return "models " + " ".join(part(*found) for found in axis.iter_structures())
    kind = {ScalarAxis: "scalars", LabelAxis: "labels", ParcelsAxis: "parcels"}[type(axis)]
    return f"{kind} {words(axis.name)}"


def right(rng, path):
    first = list(FIRST)[rng.integers(len(FIRST))]
    xml, shape = xml_of(rng, first)
    path.write_bytes(container(rng, xml, shape, int(rng.choice(INTENTS[first]))))
    image = nib.load(path)
    assert isinstance(image, nib.Cifti2Image) and image.shape == tuple(shape), path
    return [" ".join(map(str, image.shape)), *(of_axis(image.header.get_axis(n)) for n in range(2))]


def is_wrong(xml):
    try:
        expat.ParserCreate().Parse(xml, True)
    except expat.ExpatError:
        return True
    return False


def broken_xml(rng, xml):
    """XML that a parser of XML refuses: cut, with a sign gone, added or changed, or of no encoding."""
    while True:
        at = int(rng.integers(1, len(xml)))
        what, other = [("cut", xml[:at]), ("a sign less", xml[:at] + xml[at + 1 :]), ("<", xml[:at] + b"<" + xml[at:]),
                       ("&", xml[:at] + b"&" + xml[at:]), ("not UTF-8", xml[:at] + b"\xff" + xml[at:])][rng.integers(5)]
        if is_wrong(other):
            return f"XML, {what} at {at}", other


def wrong_version(rng, xml):
    version = str(rng.choice(["1", "1.0", "1.9", "0", "", "two", "-2"]))
    start = xml.index(b'Version="')
    end = xml.index(b'"', start + 9) + 1
    other = b"" if rng.random() < 0.1 else f'Version="{version}"'.encode()
    return f"version {other.decode()}", xml[:start] + other + xml[end:]


def broken(rng, path):
    first = list(FIRST)[rng.integers(len(FIRST))]
    xml, shape = xml_of(rng, first)
    what, xml = [broken_xml, wrong_version][rng.integers(2)](rng, xml)
    path.write_bytes(container(rng, xml, shape, INTENTS[first][0]))
    return ["broken", what]


def main(out, count, seed):
    folder = out / "cifti_maps"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for k in range(count + count // 2):
        path = folder / f"{k}.nii"
        found = (right if k < count else broken)(np.random.default_rng([seed, k]), path)
        lines.append("\t".join([str(path.relative_to(out)), *found]))
    (out / "cifti_maps.txt").write_text("\n".join(lines) + "\n")
    print(f"{count} CIFTI-2 files, {count // 2} broken ones")


main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 240, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
