"""What random NRRD and MetaImage files share: SimpleITK."""

import numpy as np
import SimpleITK as sitk

from .common import digest, random_array, rotation, shape_of


def bits_of_sitk(image):
    """The affine to RAS of the first two or three axes."""
    n = image.GetDimension()
    direction = np.array(image.GetDirection()).reshape(n, n)
    affine = np.eye(4)
    m = min(n, 3)
    affine[:m, :m] = (direction * np.array(image.GetSpacing()))[:m, :m]
    affine[:m, 3] = image.GetOrigin()[:m]
    return np.diag([-1, -1, 1, 1]) @ affine + 0.0


def sitk_array(image):
    array = sitk.GetArrayFromImage(image)
    return array.transpose()


SITK_TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def written_by_sitk(rng, path, code, channels):
    shape = shape_of(rng, 2, 3)
    array = random_array(rng, shape + ((channels,) if channels > 1 else ()), code)
    order = tuple(range(len(shape)))[::-1] + ((len(shape),) if channels > 1 else ())
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(order)), isVector=channels > 1)
    if len(shape) == 3:
        image.SetDirection(rotation(rng).ravel().tolist())
    image.SetSpacing([float(v) for v in rng.uniform(0.2, 4, size=len(shape))])
    image.SetOrigin([float(v) for v in rng.normal(size=len(shape)) * 40])
    sitk.WriteImage(image, str(path), useCompression=bool(rng.random() < 0.5))
    return array, sitk.ReadImage(str(path))


def add_known(manifest, format, path, native, affine):
    def floats(dtype):
        # As a proxy: in the promoted type first.
        return native.astype(np.promote_types(native.dtype, dtype)).astype(dtype)
    manifest.add(format, path, "", native, floats, affine)


def as_text(rng, values, between):
    """Numbers, the shortest that give the values back."""
    words = [str(value) for value in values.reshape(-1, order="F")]
    return "".join(word + str(rng.choice(between)) for word in words).encode()


def first_axis(array, channels):
    return np.moveaxis(array, -1, 0) if channels > 1 else array


def check_sitk(manifest, out):
    """What SimpleITK reads has the values and the affine of the manifest."""
    checked = moved = 0
    for line in manifest.lines:
        format, path, _, shape, _, bits, *_, native, _ = line.split("|")
        if format not in ("NRRD", "MetaImage"):
            continue
        try:
            image = sitk.ReadImage(str(out / path))
        except RuntimeError:
            continue
        array = sitk_array(image)
        if image.GetNumberOfComponentsPerPixel() == 1 and digest(array) != native:
            if sorted(n for n in array.shape if n > 1) == sorted(n for n in map(int, shape.split()) if n > 1) and " none" in (out / path).read_bytes().decode("latin1"):
                moved += 1  # SimpleITK moves an axis that is not in space to the front.
            else:
                print("SimpleITK reads other values:", path, array.shape, shape)
            continue
        affine = bits_of_sitk(image)
        if affine is not None and bits != "-":
            listed = np.array([int(b, 16) for b in bits.split()], "<u8").view("<f8").reshape(4, 4)
            if not np.allclose(listed, affine, rtol=1e-6, atol=1e-6):
                print("SimpleITK has another affine:", path)
        checked += 1
    print(f"{checked} NRRD and MetaImage files agree with SimpleITK where nothing is said above; {moved} have an axis moved")
