"""A reader for MONAI's `LoadImage`, by voxload.

>>> from monai.transforms import LoadImage
>>> from voxload.monai import VoxloadReader
>>> load = LoadImage(reader=VoxloadReader())

Slope and inter are applied, on every device. Arrays are those of MONAI's own `NibabelReader`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data.image_reader import ImageReader
from monai.data.utils import affine_to_spacing, orientation_ras_lps
from monai.utils import MetaKeys, SpaceKeys
from monai.utils.misc import ensure_tuple

from ._image import Image, load

__all__ = ["VoxloadReader"]

_ENDINGS = (
    ".nii",
    ".hdr",
    ".img",
    ".mgh",
    ".mgz",
    ".mnc",
    ".par",
    ".rec",
    ".head",
    ".brik",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".v",
)
_COMPRESSIONS = (".gz", ".bz2", ".zst")


class VoxloadReader(ImageReader):  # type: ignore[misc]
    """Reads volumes by voxload.

    Parameters
    ----------
    channel_dim : int, str or None
        The axis of channels in the file; `"no_channel"` if there is none (the default).
    dtype : numpy.dtype
        The type of the values: float16, float32 or float64.
    squeeze_non_spatial_dims : bool
        Whether axes of length 1 after the third are dropped.
    affine_lps_to_ras : bool
        Whether affines are changed from LPS+ to RAS+: those of voxload are RAS+ already.
    gzip_index : str or os.PathLike, optional
        As of `voxload.load`.
    """

    def __init__(
        self,
        channel_dim: str | int | None = None,
        dtype: Any = np.float32,
        squeeze_non_spatial_dims: bool = False,
        affine_lps_to_ras: bool = False,
        gzip_index: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.dtype = np.dtype(dtype)
        self.squeeze_non_spatial_dims = squeeze_non_spatial_dims
        self.affine_lps_to_ras = affine_lps_to_ras
        self.options = {"gzip_index": gzip_index, **kwargs}

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether all names end as those of volumes do."""
        for name in ensure_tuple(filename):
            plain = str(name).lower()
            for suffix in _COMPRESSIONS:
                plain = plain.removesuffix(suffix)
            if not plain.endswith(_ENDINGS):
                return False
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Any:
        """Loads the headers of one file or several.

        Returns
        -------
        voxload.Image or list of voxload.Image
        """
        options = {**self.options, **kwargs}
        images = [load(name, **options) for name in ensure_tuple(data)]
        return images if len(images) > 1 else images[0]

    def get_data(self, img: Any) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        """The values, and what MONAI wants to know of them. Several images are stacked as channels.

        Returns
        -------
        array : numpy.ndarray
        meta : dict
            `affine`, `original_affine`, `space`, `spatial_shape`, `original_channel_dim`.
        """
        arrays: list[np.ndarray[Any, Any]] = []
        meta: dict[str, Any] = {}
        for image in ensure_tuple(img):
            values = image.get_fdata("unchanged", self.dtype)
            if self.squeeze_non_spatial_dims:
                while values.ndim > 3 and values.shape[-1] == 1:
                    values = values[..., 0]
            arrays.append(values)
            meta = meta or self._meta(image, values)
        if len(arrays) == 1:
            return arrays[0], meta
        meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = 0
        return np.stack(arrays, axis=0), meta

    def _meta(self, image: Image, values: np.ndarray[Any, Any]) -> dict[str, Any]:
        affine = np.eye(4) if image.affine is None else np.array(image.affine)
        space = SpaceKeys.RAS
        if self.affine_lps_to_ras:
            affine = orientation_ras_lps(affine)
            space = SpaceKeys.LPS
        spatial = list(values.shape[:3])
        channel: Any = self.channel_dim
        if channel is None:
            channel = "no_channel" if values.ndim == len(spatial) else -1
        elif channel != "no_channel":
            spatial = [n for axis, n in enumerate(values.shape) if axis != int(channel) % values.ndim][:3]
        fields = {name: value for name, value in image.header.items() if not isinstance(value, str)}
        return {
            **fields,
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPACE: space,
            MetaKeys.SPATIAL_SHAPE: np.asarray(spatial),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan") if channel == "no_channel" else channel,
            "spacing": affine_to_spacing(affine),
            "filename_or_obj": image.get_filename() or "",
        }
