"""`load_many`: files that are read ahead, in order."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._core import get_num_threads
from ._errors import UsageError
from ._image import Image, load
from ._index import split

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from numpy.typing import DTypeLike, NDArray

__all__ = ["Loaded", "load_many"]

#: Files for each thread that are asked for before their turn.
_FILES_PER_THREAD = 4


class Loaded(NamedTuple):
    """A file of `load_many`: the image, and the values that were asked for."""

    image: Image
    values: NDArray[Any]


def load_many(
    files: Iterable[Any],
    *,
    index: Any = (),
    dtype: DTypeLike = np.float32,
    ahead: int = 1 << 30,
    threads: int | None = None,
    **options: Any,
) -> _Volumes:
    """Reads many files, several at a time, and gives them in order.

    For training loops and statistics over a study: while one file is used, the next ones are read by threads.

    Parameters
    ----------
    files : iterable
        What `load` takes, or pairs of that and the index to read of the file. It may have no end.
    index
        What to read of files that have no index of their own, as of `img.dataobj[index]`; all voxels by default.
    dtype
        The type of the values.
    ahead : int
        The most bytes of values that are read or held before they are asked for. A file with more is read in its turn,
        alone.
    threads : int, optional
        The number of files to read at the same time; that of `get_num_threads()` by default.
    **options
        Those of `load`.

    Returns
    -------
    iterator of Loaded
        `image` and `values` of each file; the values are not in the cache of the image. Its `close()` begins no other
        file.

    Raises
    ------
    OSError, ValueError, IndexError
        As `load` and `img.dataobj[index]`, in the turn of the file; `next` then goes on with the file after it.

    Examples
    --------
    >>> for image, values in voxload.load_many(paths, index=np.s_[16:80, 16:80, 8:40]):
    ...     step(values)
    """
    count = get_num_threads() if threads is None else int(threads)
    if count < 1:
        raise UsageError("load_many needs at least one thread")
    return _Volumes(iter(files), index, np.dtype(dtype), int(ahead), count, options)


class _Job:
    """A file on its way."""

    def __init__(self, file: Any, part: Any) -> None:
        self.file, self.part = file, part
        self.image: Image | None = None
        self.nbytes = 0
        self.begun = False
        # Imported when it is needed, as it is slow.
        from concurrent.futures import Future

        self.done: Future[Loaded] = Future()


class _Volumes(Iterator[Loaded]):
    """The files in order. No thread waits for room: what does not fit is begun when something was taken."""

    def __init__(
        self, files: Iterator[Any], index: Any, dtype: np.dtype[Any], ahead: int, count: int, options: dict[str, Any]
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._files, self._index, self._dtype, self._options = files, index, dtype, options
        self._ahead, self._held, self._count = ahead, 0, count
        self._lock = threading.RLock()
        self._jobs: deque[_Job] = deque()
        self._pool: ThreadPoolExecutor | None = ThreadPoolExecutor(count, "voxload")

    def __next__(self) -> Loaded:
        self._ask()
        if not self._jobs:
            self.close()
            raise StopIteration
        job = self._jobs[0]
        # Ctrl-C while it waits leaves the file in its turn.
        error = job.done.exception()
        with self._lock:
            self._jobs.popleft()
            self._held -= job.nbytes if job.begun else 0
        self._begin()
        if error is not None:
            raise error
        return job.done.result()

    def close(self) -> None:
        """Begins no other file."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._jobs.clear()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> _Volumes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _ask(self) -> None:
        """Has headers loaded for the next files."""
        wanted = self._count * _FILES_PER_THREAD - len(self._jobs)
        for file in itertools.islice(self._files, max(0, wanted)):
            job = _Job(*file) if isinstance(file, tuple) else _Job(file, self._index)
            with self._lock:
                if self._pool is None:
                    return
                self._jobs.append(job)
                self._pool.submit(self._open, job)

    def _open(self, job: _Job) -> None:
        try:
            image = load(job.file, **self._options)
            job.nbytes = _selected(image.shape, job.part) * self._dtype.itemsize
            job.image = image
        except BaseException as error:
            job.done.set_exception(error)
        self._begin()

    def _begin(self) -> None:
        """Has the voxels read of those next files that there is room for."""
        with self._lock:
            for job in self._jobs:
                if job.begun or job.done.done():
                    continue
                fits = self._held + job.nbytes <= self._ahead or job is self._jobs[0]
                if job.image is None or not fits or self._pool is None:
                    return
                job.begun = True
                self._held += job.nbytes
                self._pool.submit(self._read, job, job.image)

    def _read(self, job: _Job, image: Image) -> None:
        try:
            proxy: Any = image.dataobj
            job.done.set_result(Loaded(image, proxy.read(job.part, self._dtype)))
        except BaseException as error:
            job.done.set_exception(error)


def _selected(shape: tuple[int, ...], index: Any) -> int:
    """How many voxels an index selects, or a few more."""
    first, _ = split(index, shape)
    return int(np.broadcast_to(np.empty((), np.bool_), shape)[first].size)
