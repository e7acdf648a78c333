"""Indices that are more than numpy's basic ones: lists, arrays, booleans."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ._errors import BadIndexError

__all__ = ["split"]


def split(index: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """An index as two in sequence: one of slices alone, and the rest for numpy.

    The first reads what the index needs of each axis: the slices in it, and around positions and lists from the
    smallest to the largest. `array[first][rest]` is `array[index]`.

    Raises
    ------
    IndexError
        For an index that does not fit the shape.
    """
    items = list(index) if isinstance(index, tuple) else [index]
    items = [_array(item) for item in items]
    named = sum(_axes(item) for item in items)
    if sum(item is Ellipsis for item in items) > 1:
        raise BadIndexError("an index can only have a single ellipsis ('...')")
    if named > len(shape):
        raise BadIndexError(f"too many indices for array: array is {len(shape)}-dimensional, but {named} were indexed")
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    first: list[Any] = []
    rest: list[Any] = []
    for item in items:
        axis = len(first)
        if item is None:
            rest.append(None)
        elif item is Ellipsis:
            whole = len(shape) - named
            first += [slice(None)] * whole
            rest += [slice(None)] * whole
        elif isinstance(item, slice):
            first.append(item)
            rest.append(slice(None))
        elif item.dtype == bool:
            _check_mask(item, shape, axis)
            first += [slice(None)] * item.ndim
            rest.append(item)
        else:
            length = shape[axis]
            wrapped = np.where(item < 0, item + length, item)
            outside = (wrapped < 0) | (wrapped >= length)
            if outside.any():
                raise BadIndexError(f"index {item[outside][0]} is out of bounds for axis {axis} with size {length}")
            low = int(wrapped.min()) if wrapped.size else 0
            high = int(wrapped.max()) + 1 if wrapped.size else 0
            first.append(slice(low, high))
            rest.append(wrapped - low)
    return tuple(first), tuple(rest)


def _array(item: Any) -> Any:
    """Lists and scalars as arrays."""
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    array = np.asarray(item)
    if array.dtype == bool:
        return array
    if array.size == 0 and not isinstance(item, np.ndarray):
        return array.astype(np.intp)
    if array.dtype.kind not in "iu":
        message = (
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays "
            "are valid indices"
        )
        raise BadIndexError(message)
    if array.ndim == 0:
        return np.asarray(operator.index(item))
    return array.astype(np.intp)


def _axes(item: Any) -> int:
    """How many axes an item takes."""
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, slice) or item.dtype != bool:
        return 1
    return int(item.ndim)


def _check_mask(mask: Any, shape: tuple[int, ...], axis: int) -> None:
    for k, length in enumerate(mask.shape):
        if length != shape[axis + k]:
            raise BadIndexError(
                f"boolean index did not match indexed array along axis {axis + k}; size of axis is {shape[axis + k]} "
                f"but size of corresponding boolean axis is {length}"
            )
