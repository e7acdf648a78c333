"""Random ECAT 7 files."""

import nibabel as nib
import numpy as np

from .common import random_array


def ecat(rng, folder, k, manifest):
    order = ">" if rng.random() < 0.8 else "<"
    main = np.zeros((), nib.ecat.hdr_dtype.newbyteorder(order))
    main["magic_number"] = rng.choice([b"MATRIX72v", b"MATRIX70v"])
    main["sw_version"] = 74 if order == "<" else rng.choice([72, 74])
    main["patient_orientation"] = rng.integers(0, 10)
    main["ecat_calibration_factor"] = rng.choice([1.0, rng.normal() * 10, rng.normal() * 1e-8])
    frames = int(rng.choice([1, 1, 2, 3, 5, 40]))
    main["num_frames"] = frames
    shape = tuple(int(n) for n in rng.integers(1, 8 if frames < 9 else 3, size=3))
    code = int(rng.choice([1, 2, 3, 4, 5, 6, 6, 6, 7]))
    dtype = nib.ecat.data_type_codes.dtype[code].newbyteorder(order)
    rows = [1 << 24 | 1 << 16 | (n + 1) for n in range(frames)]
    if rng.random() < 0.3:
        rows = list(rng.permutation(rows))
    sub = np.zeros((), nib.ecat.subhdr_dtype.newbyteorder(order))
    sub["data_type"], sub["num_dimensions"] = code, 3
    sub["x_dimension"], sub["y_dimension"], sub["z_dimension"] = shape
    for name in "x_offset", "y_offset", "z_offset":
        sub[name] = rng.normal() * 10
    for name in "x_pixel_size", "y_pixel_size", "z_pixel_size":
        sub[name] = rng.random()
    data_blocks = -(-(int(np.prod(shape)) * dtype.itemsize) // 512)
    blocks = {1: main.tobytes()}
    free, where = 3, []
    lists = [2]
    for _ in range((frames - 1) // 31):
        lists.append(free)
        free += 1
    for n in rng.permutation(frames):
        free += int(rng.integers(3))
        where.append((int(n), free))
        sub["scale_factor"] = rng.choice([1.0, rng.normal(), rng.normal() * 1e-6]) if rng.random() < 0.8 else 0.25
        blocks[free] = sub.tobytes()
        blocks[free + 1] = random_array(rng, shape, dtype).tobytes(order="F")
        free += 1 + data_blocks
    where = dict(where)
    for n, at in enumerate(lists):
        chunk = range(n * 31, min(frames, n * 31 + 31))
        rows_here = [[rows[i], where[i], where[i] + data_blocks, 1] for i in chunk]
        following = lists[n + 1] if n + 1 < len(lists) else int(rng.choice([0, 1, 2]))
        table = [[31 - len(chunk), following, 0, len(chunk)]] + rows_here
        blocks[at] = np.array(table, order + "i4").tobytes().ljust(512, b"\0")
    out = bytearray()
    for at in sorted(blocks):
        out = out.ljust((at - 1) * 512, b"\xee") + blocks[at]
    path = folder / f"{k}.v"
    path.write_bytes(bytes(out).ljust(-(-len(out) // 512) * 512, b"\0"))
    if rng.random() < 0.3:
        # As nibabel writes it, where it can: it knows of no second list.
        image = nib.ecat.load(path)
        if order == ">" and frames < 31 and image.header["patient_orientation"] > 7:
            written = folder / f"{k}w.v"
            with written.open("wb") as stream:
                holder = nib.FileHolder(fileobj=stream)
                image.to_file_map({"header": holder, "image": holder})
            path.unlink()
            path = written
    manifest.add_nibabel("ECAT 7", path, load=nib.ecat.load)
