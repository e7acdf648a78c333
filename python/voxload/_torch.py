"""Images as tensors of torch's. Torch is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._proxy import ArrayProxy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._image import Image

__all__ = ["from_image"]

# What is scaled on the device at a time: it is there as float64, too.
_SLAB_BYTES = 64 << 20

# Stored types that torch computes with, and types of the same size, without a sign, that it has only in part.
_AS_THEY_ARE = ("u1", "i1", "i2", "i4", "i8", "f4", "f8")
_UNSIGNED = {"u2": ("i2", 0xFFFF), "u4": ("i4", 0xFFFF_FFFF)}


def from_image(image: Image, device: Any, dtype: Any) -> Any:
    """`Image.to_torch`."""
    import torch

    wanted = torch.float32 if dtype is None else dtype
    types = {torch.float16: np.float16, torch.float32: np.float32, torch.float64: np.float64}
    if wanted not in types:
        raise TypeError(f"{wanted} is none of torch.float16, torch.float32, torch.float64")
    place = torch.device(device)
    dataobj = image.dataobj
    if place.type == "cuda" and isinstance(dataobj, ArrayProxy) and _scales_there(dataobj, wanted, torch):
        return _scaled_on(place, dataobj, wanted, torch)
    values = image.get_fdata("unchanged", types[wanted])
    if image._fdata_cache is values:
        # The kept array stays the image's.
        values = values.copy(order="F")
    return torch.from_numpy(_writable(values)).to(place)


def _scales_there(dataobj: ArrayProxy, wanted: Any, torch: Any) -> bool:
    """Whether the device computes the same bits: multiply and add in float64, one rounding to the type wanted."""
    native = dataobj._native
    kind = native.stored_dtype.newbyteorder("=").str[1:]
    # Torch rounds float64 to float16 by way of float32, which is twice.
    rounds_once = wanted != torch.float16
    return rounds_once and native.is_linear and (kind in _AS_THEY_ARE or kind in _UNSIGNED) and dataobj._cast is None


def _scaled_on(place: Any, dataobj: ArrayProxy, wanted: Any, torch: Any) -> Any:
    """Stored numbers through pinned memory, scaled on the device."""
    shape = dataobj.shape
    native = dataobj._native
    stored = native.stored_dtype.newbyteorder("=")
    kind = stored.str[1:]
    carried, mask = _UNSIGNED.get(kind, (kind, None))
    reversed_shape = tuple(reversed(shape))
    result = torch.empty(reversed_shape, dtype=wanted, device=place)
    if result.numel() == 0:
        return result.permute(*reversed(range(len(shape))))
    count = result.numel() * stored.itemsize
    pinned = torch.empty(count, dtype=torch.uint8, pin_memory=True)
    # The memory of numpy's array in Fortran order is that of torch's in C order, with the axes reversed.
    array = pinned.numpy().view(stored).reshape(shape, order="F")
    native.read(None, None, array, True)
    numbers = torch.from_numpy(array.reshape(-1, order="F").view(carried))
    flat = result.view(-1)
    slope, inter = dataobj.slope, dataobj.inter
    step = max(1, _SLAB_BYTES // 8)
    for start in range(0, flat.numel(), step):
        part = numbers[start : start + step].to(place, non_blocking=True)
        if mask is not None:
            part = part.to(torch.int64) & mask
        # Two calls, each with its rounding: one fused call would round once, and give other bits.
        if slope != 1:
            part = part.to(torch.float64).mul(slope)
        if inter != 0:
            part = part.to(torch.float64).add(inter)
        if part.dtype == torch.int64:
            part = part.to(torch.float64)
        flat[start : start + step] = part.to(wanted)
    torch.cuda.synchronize(place)
    return result.permute(*reversed(range(len(shape))))


def _writable(values: NDArray[Any]) -> NDArray[Any]:
    """Torch takes arrays of the machine's byte order that may be written to."""
    values = values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
    return values if values.flags.writeable else values.copy(order="F")
