"""Images as arrays of dask's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._proxy import ArrayProxy

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ._image import Image

__all__ = ["from_image"]

# So large that dask's cost for each chunk does not count, so small that many fit in a worker.
_CHUNK_BYTES = 16 << 20


def from_image(image: Image, dtype: DTypeLike, chunks: Any) -> Any:
    """`Image.dask`."""
    import dask.array

    from_array: Any = dask.array.from_array
    wanted = np.dtype(dtype)
    dataobj = image.dataobj
    values = dataobj.astype(wanted)
    if isinstance(chunks, str) and chunks == "frames":
        chunks = frames(values.shape, wanted.itemsize)
    # Any number of threads may read at once, and what a chunk is does not depend on how it is taken.
    lock = False
    if not isinstance(dataobj, ArrayProxy):
        return from_array(values, chunks=chunks, lock=lock)
    return from_array(values, chunks=chunks, lock=lock, meta=np.empty((0,) * len(values.shape), wanted))


def frames(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Chunks of whole frames; the slowest axis is cut where there is no axis of frames, too."""
    if not shape:
        return ()
    each = itemsize
    for length in shape[:-1]:
        each *= length
    count = max(1, _CHUNK_BYTES // max(1, each))
    return (*shape[:-1], max(1, min(shape[-1], count)))
