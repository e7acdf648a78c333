//! Reads of parts: the index is grown as far as they reach, then chunks are inflated by themselves.

use std::sync::{Arc, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::chunk::Chunk;
use super::index::Index;
use super::member::Stream;
use super::walk::walk;
use super::{GzipSource, SKIP_BYTES, drain, read_exact, skip_to};
use crate::error::Result;
use crate::source::{Session, most_tail, truncated};

/// Chunks larger than this are not inflated side by side on a whole read: each thread needs room for one.
const MOST_SIDE_BY_SIDE: usize = 8 << 20;

impl GzipSource {
    /// The index as it is.
    pub(super) fn snapshot(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_index(&self, index: Index) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
    }

    /// Looks once for an index that need not be made.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn prepare(&self) -> Result<()> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if !*prepared {
            let kept = self.load_index()?;
            let found = match kept {
                None => walk(&self.compressed, &self.limits)?,
                kept => kept,
            };
            if let Some(index) = found {
                self.set_index(index);
            }
            *prepared = true;
        }
        Ok(())
    }

    /// Makes and writes the index that the options want kept, at the first read that uses it.
    fn keep_index(&self) -> Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !*kept
            && let Some(path) = self.index_path()
            && !self.snapshot().complete
        {
            self.grow_to_end()?;
            // Without the file the next process makes the index again: slower, and as right.
            let _ = self.write_index(&path);
        }
        *kept = true;
        Ok(())
    }

    /// Fills `buffer` with the inflated bytes from `offset` on.
    pub(super) fn read_random(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.prepare()?;
        self.keep_index()?;
        let end = offset.saturating_add(buffer.len() as u64);
        let index = self.snapshot();
        if end <= index.end() {
            return self.read_chunks(&index, offset, buffer);
        }
        if index.complete {
            return Err(truncated("voxel data", index.end(), end));
        }
        drop(index);
        self.read_growing(offset, buffer)
    }

    /// The same beyond the end of the index, which grows.
    fn read_growing(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        let mut slot = self.lock_stream();
        let mut stream = self.taken(slot.take(), offset);
        // What the index holds by now may reach farther than when it was looked at.
        let index = self.snapshot();
        let known = index
            .end()
            .min(end)
            .saturating_sub(offset)
            .min(buffer.len() as u64);
        let (indexed, rest) = buffer.split_at_mut(known as usize);
        let from = offset + known;
        let (open, rest) = copy_open(&stream, from, rest);
        let from = from + open;
        let read = self
            .advance(&mut stream, from, offset)
            .and_then(|()| self.fill(&mut stream, rest, end, offset))
            .and_then(|()| match stream.nearly_done()? {
                // Little is left, and then everything is known and verified.
                true => drain(&mut stream, None, |stream| {
                    self.collect(stream, offset);
                    Ok(())
                }),
                false => Ok(()),
            });
        self.put_back(&mut slot, stream, offset, read)?;
        drop(slot);
        self.read_chunks(&index, offset, indexed)
    }

    /// Keeps a stream for the next read, unless it failed: then the next one starts again.
    fn put_back(
        &self,
        slot: &mut Option<Stream>,
        mut stream: Stream,
        wanted: u64,
        done: Result<()>,
    ) -> Result<()> {
        if done.is_ok() || stream.at_end() {
            self.collect(&mut stream, wanted);
            *slot = Some(stream);
        } else {
            self.set_index(Index::default());
            self.cache.clear();
        }
        done
    }

    /// The stream to go on with from `offset`: the one there is, unless recording was given up behind it.
    fn taken(&self, stream: Option<Stream>, offset: u64) -> Stream {
        let usable = |stream: &Stream| {
            let recording = stream
                .recorder()
                .is_some_and(|recorder| recorder.open().is_some());
            recording || stream.position() <= offset
        };
        match stream {
            Some(stream) if usable(&stream) => stream,
            // Recording again would give up at the same place.
            Some(_) => self.stream(),
            None => {
                self.set_index(Index::default());
                self.stream().recording()
            }
        }
    }

    /// Inflates up to `offset`, piece by piece, so that what is recorded is taken in time.
    fn advance(&self, stream: &mut Stream, offset: u64, wanted: u64) -> Result<()> {
        let mut scratch = Vec::new();
        while stream.position() < offset {
            let next = offset.min(stream.position() + SKIP_BYTES as u64);
            skip_to(stream, next, &mut scratch)?;
            self.collect(stream, wanted);
        }
        Ok(())
    }

    fn fill(&self, stream: &mut Stream, buffer: &mut [u8], need: u64, wanted: u64) -> Result<()> {
        for piece in buffer.chunks_mut(SKIP_BYTES) {
            read_exact(stream, piece, need)?;
            self.collect(stream, wanted);
        }
        Ok(())
    }

    /// Takes over the chunks that the stream finished; the bytes of those from `wanted` on are kept.
    fn collect(&self, stream: &mut Stream, wanted: u64) {
        let finished = stream.take_finished();
        let recording = stream
            .recorder()
            .is_some_and(|recorder| recorder.open().is_some());
        let complete = stream.at_end() && recording;
        if finished.is_empty() && !complete {
            return;
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let index = Arc::make_mut(&mut index);
        for part in finished {
            if part.chunk.out.end > wanted {
                self.cache.put(index.chunks.len(), Arc::new(part.bytes));
            }
            index.chunks.push(Arc::new(part.chunk));
        }
        index.complete = complete;
    }

    /// Checks what a read of all voxels, which end at `end`, has not seen yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`], [`crate::ErrorKind::Truncated`], [`crate::ErrorKind::Limit`] for too
    /// long a tail, and what reading the compressed file gives.
    pub(super) fn check_to_end(&self, end: u64) -> Result<()> {
        match self.snapshot().complete {
            true => self.check_all(),
            false => self.grow(|stream| {
                self.drain_behind(stream, end, |stream| self.collect(stream, u64::MAX))
            }),
        }
    }

    /// Inflates to the end of the file: the index is complete then, unless it cannot be.
    ///
    /// # Errors
    /// As [`Self::check_to_end`], without the limit.
    pub(super) fn grow_to_end(&self) -> Result<()> {
        self.grow(|stream| {
            drain(stream, None, |stream| {
                self.collect(stream, u64::MAX);
                Ok(())
            })
        })
    }

    /// Lets `read` take the stream farther.
    fn grow(&self, read: impl FnOnce(&mut Stream) -> Result<()>) -> Result<()> {
        let mut slot = self.lock_stream();
        let mut stream = self.taken(slot.take(), u64::MAX);
        let done = read(&mut stream);
        self.put_back(&mut slot, stream, u64::MAX, done)
    }

    fn lock_stream(&self) -> MutexGuard<'_, Option<Stream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every chunk, when they are known to the end of the file and small enough to be inflated side by side.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn chunks(&self) -> Result<Option<Chunks>> {
        self.prepare()?;
        let index = self.snapshot();
        Ok((index.complete && index.largest() <= MOST_SIDE_BY_SIDE).then_some(Chunks(index)))
    }

    /// Copies from the chunks of the index, on several threads when there are several.
    fn read_chunks(&self, index: &Index, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let range = offset..offset + buffer.len() as u64;
        let numbers = index.holding(&range);
        let session = self.compressed.begin()?;
        let mut rest = buffer;
        let mut work = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(chunk) = index.chunks.get(number) else {
                break;
            };
            let from = range.start.max(chunk.out.start);
            let length = range.end.min(chunk.out.end) - from;
            let (place, behind) = rest.split_at_mut(length as usize);
            rest = behind;
            work.push((number, chunk, (from - chunk.out.start) as usize, place));
        }
        match &mut work[..] {
            [(number, chunk, from, place)] => {
                self.copy_chunk(&session, *number, chunk, *from, place)?;
            }
            work => work
                .par_iter_mut()
                .try_for_each(|(number, chunk, from, place)| {
                    self.copy_chunk(&session, *number, chunk, *from, place)
                })?,
        }
        session.end()
    }

    fn copy_chunk(
        &self,
        session: &Session<'_>,
        number: usize,
        chunk: &Chunk,
        from: usize,
        place: &mut [u8],
    ) -> Result<()> {
        let copy = |bytes: &[u8], place: &mut [u8]| {
            let part = bytes.get(from..from + place.len()).unwrap_or_default();
            place.copy_from_slice(part);
        };
        if let Some(bytes) = self.cache.peek(number) {
            copy(&bytes, place);
            return Ok(());
        }
        if place.len() == chunk.len() {
            // All of it is wanted, so that nothing is left for a next read.
            return self.inflate_chunk(session, chunk, |bytes| copy(bytes, place));
        }
        let bytes = self.cache.get(number, || {
            self.inflate_chunk(session, chunk, |bytes| Arc::new(bytes.to_vec()))
        })?;
        copy(&bytes, place);
        Ok(())
    }

    /// Inflates a chunk and hands its bytes to `work`.
    fn inflate_chunk<R>(
        &self,
        session: &Session<'_>,
        chunk: &Chunk,
        work: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        let pool = || {
            self.inflaters
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let mut inflater = pool().pop().unwrap_or_default();
        let result = inflater
            .inflate(chunk, |at, bytes| session.read_at(at, bytes))
            .map(work);
        pool().push(inflater);
        result
    }

    /// Inflates the chunks that were not inflated yet, for their checksums.
    fn check_all(&self) -> Result<()> {
        let index = self.snapshot();
        let session = self.compressed.begin()?;
        index
            .chunks
            .par_iter()
            .filter(|chunk| !chunk.seen())
            .try_for_each(|chunk| self.inflate_chunk(&session, chunk, |_| ()))?;
        session.end()
    }

    /// Inflates every chunk, on all threads, and hands each to `work` with its place in the file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] for a damaged chunk, and what reading the compressed file gives.
    pub fn for_chunks<W: Send, R: Send>(
        &self,
        chunks: &Chunks,
        places: Vec<W>,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Vec<R>> {
        let session = self.compressed.begin()?;
        let results = chunks
            .0
            .chunks
            .par_iter()
            .zip(places)
            .map(|(chunk, place)| {
                self.inflate_chunk(&session, chunk, |bytes| work(chunk.out.start, bytes, place))
            })
            .collect::<Result<_>>()?;
        session.end()?;
        Ok(results)
    }
}

/// The chunks of a whole file.
pub(crate) struct Chunks(Arc<Index>);

impl Chunks {
    /// Whether they hold voxels that end at inflated byte `end`, and no tail that only a bomb has.
    pub fn hold(&self, end: u64) -> bool {
        let total = self.0.end();
        total >= end && total - end <= most_tail(end)
    }

    /// The inflated bytes of each chunk.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<u64>> + '_ {
        self.0.chunks.iter().map(|chunk| chunk.out.clone())
    }
}

/// Copies what the stream's open chunk holds from `from` on: how many bytes, and what is left to fill.
fn copy_open<'a>(stream: &Stream, from: u64, buffer: &'a mut [u8]) -> (u64, &'a mut [u8]) {
    let open = stream.recorder().and_then(|recorder| recorder.open());
    let bytes = open.and_then(|(start, bytes)| bytes.get(from.checked_sub(start)? as usize..));
    let bytes = bytes.unwrap_or_default();
    let length = bytes.len().min(buffer.len());
    let (place, rest) = buffer.split_at_mut(length);
    place.copy_from_slice(&bytes[..length]);
    (length as u64, rest)
}
