//! Reads of parts of a gzip file: the seek index is grown as far as needed, then chunks are inflated independently.
//!
//! One stream inflates the file from its start and records the index. A read beyond the index continues that stream.
//! A read inside it inflates the chunks that overlap (on several threads if there are several), and keeps those that
//! the next read may need.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::checkpoints::{Index, Key, Origin, from_member_headers};
use super::chunk::{Chunk, Inflater};
use super::chunk_table;
use super::index_file;
use super::stream::{GzipCodec, Stream};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::options::GzipIndex;
use crate::core::parallel::*;
use crate::core::{scope, threads};
use crate::source::forward::{Decoder, SKIP_BYTES, drain, read_exact, skip_to};
use crate::source::{Session, Source, max_tail, truncated};

/// Default size of the cache of inflated chunks, in inflated bytes.
const CACHE_BYTES: usize = 32 << 20;

/// Whole reads inflate chunks on all threads only up to this size, because each thread needs memory for one.
const MAX_PARALLEL_CHUNK: usize = 8 << 20;

/// The seek index of a gzip file, and reads that use it.
pub(super) struct RandomAccess {
    compressed: Source,
    codec: GzipCodec,
    /// Where the options say that the index is.
    kept_index: Option<GzipIndex>,
    /// Inflates from the start of the file and records the index, as far as needed so far.
    stream: Mutex<Option<Stream>>,
    index: RwLock<Arc<Index>>,
    /// Whether an existing index has been looked for.
    looked_up: Mutex<bool>,
    /// Whether the index has been written, or need not be.
    written: Mutex<bool>,
    cache: ChunkCache,
    inflaters: Mutex<Vec<Inflater>>,
}

impl RandomAccess {
    /// Up to `cache` bytes of inflated chunks are kept for later slices. `kept_index` says where the index is.
    pub(super) fn new(
        compressed: Source,
        codec: GzipCodec,
        cache: Option<usize>,
        kept_index: Option<GzipIndex>,
    ) -> Self {
        Self {
            compressed,
            codec,
            kept_index,
            stream: Mutex::default(),
            index: RwLock::default(),
            looked_up: Mutex::default(),
            written: Mutex::default(),
            cache: ChunkCache::new(cache.unwrap_or(CACHE_BYTES)),
            inflaters: Mutex::default(),
        }
    }

    /// Whether the index covers the whole file, so that every part costs the same.
    pub(super) fn is_complete(&self) -> bool {
        self.snapshot().complete
    }

    /// Fills `buffer` with the inflated bytes that begin at `offset`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`], [`crate::ErrorKind::Truncated`], and errors of reading the compressed file.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.look_for_index()?;
        self.keep_index()?;
        let end = offset.saturating_add(buffer.len() as u64);
        let index = self.snapshot();
        if end <= index.end() {
            let read = self.read_chunks(&index, offset, buffer);
            return match self.or_without_table(&index, read)? {
                Some(()) => Ok(()),
                None => self.read_at(offset, buffer),
            };
        }
        if index.complete {
            return Err(truncated("voxel data", index.end(), end));
        }
        drop(index);
        self.read_growing(offset, buffer)
    }

    /// Verifies what a read of all voxels, which end at byte `end`, has not verified yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`], [`crate::ErrorKind::Truncated`], [`crate::ErrorKind::Limit`] if the file
    /// continues too far after the voxels, and errors of reading the compressed file.
    pub(super) fn check_to_end(&self, end: u64) -> Result<()> {
        let index = self.snapshot();
        if index.complete {
            let verified = self.verify_all(&index);
            // Without its table the whole file has been verified as well.
            return self.or_without_table(&index, verified).map(|_| ());
        }
        self.grow(|stream| stream.drain_tail(end, |stream| self.collect(stream, u64::MAX)))
    }

    /// Completes the index and writes it to `path`.
    ///
    /// # Errors
    /// As [`Self::read_at`] and [`index_file::write`].
    pub(super) fn write_index(&self, path: &Path) -> Result<()> {
        self.look_for_index()?;
        if self.snapshot().origin == Origin::Table {
            self.replace_table()?;
        }
        if !self.is_complete() {
            self.grow_to_end()?;
        }
        index_file::write(path, &self.snapshot(), &self.compressed)
    }

    /// All chunks, if the index is complete and they are small enough to inflate one per thread.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(super) fn chunks(&self) -> Result<Option<Chunks>> {
        self.look_for_index()?;
        let index = self.snapshot();
        let usable = index.complete && index.largest() <= MAX_PARALLEL_CHUNK;
        Ok(usable.then_some(Chunks(index)))
    }

    /// Inflates every chunk, on all threads, and calls `work` with its offset in the inflated bytes, its bytes, and
    /// the corresponding item of `places`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] for a damaged chunk, and errors of reading the compressed file.
    pub(super) fn for_chunks<W: Send, R: Send>(
        &self,
        chunks: &Chunks,
        places: Vec<W>,
        work: impl Fn(u64, &[u8], W) -> R + Sync,
    ) -> Result<Vec<R>> {
        let session = self.compressed.begin()?;
        let results = threads::parallel(|scope| {
            let inflate = |(chunk, place): (&Arc<Chunk>, W)| {
                self.inflate_chunk(&session, chunk, |bytes| work(chunk.out.start, bytes, place))
            };
            let chunks = chunks.0.chunks.par_iter().zip(places);
            chunks
                .map(|chunk| scope.enter(|| inflate(chunk)))
                .collect::<Result<_>>()
        })?;
        session.end()?;
        Ok(results)
    }

    // ---- the index ----

    /// The index at this moment: until it is complete, that of a read of the whole file if there was one.
    fn snapshot(&self) -> Arc<Index> {
        let own = Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner));
        match self.codec.of_parts() {
            Some(index) if !own.complete => index,
            _ => own,
        }
    }

    fn set_index(&self, index: Index) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
    }

    /// Looks once for an index that can be had without inflating: in an index file, in the table in the file's header, or in
    /// the headers of all members.
    ///
    /// # Errors
    /// Errors of reading the compressed file.
    pub(super) fn look_for_index(&self) -> Result<()> {
        let mut looked_up = scope::lock(&self.looked_up)?;
        if !*looked_up {
            let kept = match (&self.kept_index, self.index_path()) {
                (Some(GzipIndex::Bytes(bytes)), _) => {
                    index_file::from_bytes(bytes, &self.compressed)?
                }
                (_, Some(path)) => index_file::load(&path, &self.compressed)?,
                (_, None) => None,
            };
            let found = match kept {
                None => chunk_table::from_header(&self.compressed)?,
                kept => kept,
            };
            let found = match found {
                None => from_member_headers(&self.compressed, self.codec.limits())?,
                found => found,
            };
            if let Some(index) = found {
                self.set_index(index);
            }
            *looked_up = true;
        }
        Ok(())
    }

    /// If the options ask to keep the index, completes and writes it before the first read that uses it.
    fn keep_index(&self) -> Result<()> {
        if cfg!(target_family = "wasm") {
            // Browsers have no files.
            return Ok(());
        }
        let mut written = scope::lock(&self.written)?;
        if !*written
            && let Some(path) = self.index_path()
            && (!self.is_complete() || self.snapshot().origin == Origin::Parts)
        {
            if !self.is_complete() {
                self.grow_to_end()?;
            }
            // An error is ignored: without the file the next process has to make the index again, which is only
            // slower.
            let _ = self.write_index(&path);
            scope::check()?;
        }
        *written = true;
        Ok(())
    }

    /// After a read by the index: `None` if the file's own table, which was used, turned out to be wrong. It has been replaced
    /// then, and the read is to be done again.
    ///
    /// # Errors
    /// Errors of the read, also if it is not the table that is damaged but the file.
    fn or_without_table<R>(&self, used: &Index, read: Result<R>) -> Result<Option<R>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) => {
                let is_wrong = matches!(error.kind(), ErrorKind::Integrity { .. });
                match is_wrong && used.origin == Origin::Table {
                    true => self.replace_table().map(|()| None),
                    false => Err(error),
                }
            }
        }
    }

    /// Inflates and verifies the whole file and thereby makes an index, instead of the file's own table.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Integrity`] and others for a damaged file, which keeps its table: by that, reads of its sound chunks
    /// are still verified.
    fn replace_table(&self) -> Result<()> {
        let mut kept = scope::lock(&self.stream)?;
        // Another thread may have replaced it in the meantime.
        if self.snapshot().origin != Origin::Table {
            return Ok(());
        }
        let mut stream = self.codec.stream(&self.compressed).recording();
        let mut index = Index::default();
        let mut collect = |stream: &mut Stream| {
            let finished = stream.take_finished().into_iter();
            index
                .chunks
                .extend(finished.map(|part| Arc::new(part.chunk)));
        };
        drain(&mut stream, |stream| {
            collect(stream);
            Ok(())
        })?;
        collect(&mut stream);
        index.complete = stream.recorder().is_some();
        self.cache.clear();
        self.set_index(index);
        *kept = Some(stream);
        Ok(())
    }

    /// The index file of this gzip file; the options name the file itself or its folder.
    fn index_path(&self) -> Option<PathBuf> {
        let Some(GzipIndex::At(place)) = &self.kept_index else {
            return None;
        };
        if !place.is_dir() {
            return Some(place.clone());
        }
        // Files of the same name in different folders have different indexes.
        let path = std::path::absolute(self.compressed.path()?).ok()?;
        let folder = crc32fast::hash(path.parent()?.as_os_str().as_encoded_bytes());
        let name = path.file_name()?.to_string_lossy();
        Some(place.join(format!("{name}.{folder:08x}.voxgzi")))
    }

    /// Inflates to the end of the file. Afterwards the index is complete, unless a chunk was too large.
    fn grow_to_end(&self) -> Result<()> {
        self.grow(|stream| {
            drain(stream, |stream| {
                self.collect(stream, u64::MAX);
                Ok(())
            })
        })
    }

    /// Continues the stream with `read`.
    fn grow(&self, read: impl FnOnce(&mut Stream) -> Result<()>) -> Result<()> {
        let mut kept = scope::lock(&self.stream)?;
        let mut stream = self.stream_for(kept.take(), u64::MAX);
        let done = read(&mut stream);
        self.put_back(&mut kept, stream, u64::MAX, done)
    }

    // ---- the stream ----

    /// Reads beyond the end of the index and thereby grows it.
    fn read_growing(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(buffer.len() as u64);
        let mut kept = scope::lock(&self.stream)?;
        // Another thread may have grown the index in the meantime.
        let index = self.snapshot();
        if index.complete {
            drop(kept);
            return self.read_at(offset, buffer);
        }
        let mut stream = self.stream_for(kept.take(), offset);
        let known = index.end().min(end).saturating_sub(offset);
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let (indexed, rest) = buffer.split_at_mut(known.min(buffer.len()));
        let from = offset + indexed.len() as u64;
        let (open, rest) = copy_open(&stream, from, rest);
        let from = from + open as u64;
        let read = self
            .advance(&mut stream, from, end, offset)
            .and_then(|()| self.fill(&mut stream, rest, end, offset))
            .and_then(|()| match stream.is_nearly_done()? {
                // Little is left: read it too, so that the index is complete and the file verified.
                true => drain(&mut stream, |stream| {
                    self.collect(stream, offset);
                    Ok(())
                }),
                false => Ok(()),
            });
        self.put_back(&mut kept, stream, offset, read)?;
        drop(kept);
        self.read_chunks(&index, offset, indexed)
    }

    /// The stream for a read that begins at `offset`: the kept one, unless it no longer records and is past `offset`.
    fn stream_for(&self, kept: Option<Stream>, offset: u64) -> Stream {
        match kept {
            Some(stream) if stream.recorder().is_some() || stream.position() <= offset => stream,
            // A new recording would stop at the same place.
            Some(_) => self.codec.stream(&self.compressed),
            None => {
                self.set_index(Index::default());
                self.codec.stream(&self.compressed).recording()
            }
        }
    }

    /// Keeps the stream for the next read. After an error it is dropped, and the next read starts again; a stream that was
    /// cancelled between two of its steps is kept.
    fn put_back(
        &self,
        kept: &mut Option<Stream>,
        mut stream: Stream,
        wanted: u64,
        done: Result<()>,
    ) -> Result<()> {
        let is_cancelled = done.as_ref().is_err_and(Error::is_cancelled);
        if done.is_ok() || stream.is_at_end() || (is_cancelled && stream.is_sound()) {
            self.collect(&mut stream, wanted);
            *kept = Some(stream);
        } else {
            self.set_index(Index::default());
            self.cache.clear();
        }
        done
    }

    /// Inflates up to `offset`, for a read from `wanted` to `need`. Finished chunks are collected after each step.
    fn advance(&self, stream: &mut Stream, offset: u64, need: u64, wanted: u64) -> Result<()> {
        let mut scratch = Vec::new();
        while stream.position() < offset {
            let next = offset.min(stream.position() + SKIP_BYTES as u64);
            skip_to(stream, next, need, &mut scratch)?;
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

    /// Moves finished chunks from the stream to the index. The bytes of those that end after `wanted` go to the
    /// cache.
    fn collect(&self, stream: &mut Stream, wanted: u64) {
        let finished = stream.take_finished();
        let complete = stream.is_at_end() && stream.recorder().is_some();
        if finished.is_empty() && !complete {
            return;
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let index = Arc::make_mut(&mut index);
        for part in finished {
            if part.chunk.out.end > wanted {
                let key = index.key(index.chunks.len());
                self.cache.put(key, Arc::new(part.bytes));
            }
            index.chunks.push(Arc::new(part.chunk));
        }
        index.complete = complete;
    }

    // ---- chunks ----

    /// Copies from the index's chunks; if there are several, on several threads.
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
            let (place, after) = rest.split_at_mut(length as usize);
            rest = after;
            let key = index.key(number);
            work.push((key, chunk, (from - chunk.out.start) as usize, place));
        }
        match &mut work[..] {
            [(key, chunk, from, place)] => {
                self.copy_chunk(&session, *key, chunk, *from, place)?;
            }
            work => threads::parallel(|scope| {
                work.par_iter_mut()
                    .try_for_each(|(key, chunk, from, place)| {
                        scope.enter(|| self.copy_chunk(&session, *key, chunk, *from, place))
                    })
            })?,
        }
        session.end()
    }

    fn copy_chunk(
        &self,
        session: &Session<'_>,
        key: Key,
        chunk: &Chunk,
        from: usize,
        place: &mut [u8],
    ) -> Result<()> {
        let copy = |bytes: &[u8], place: &mut [u8]| {
            let part = bytes.get(from..from + place.len()).unwrap_or_default();
            place.copy_from_slice(part);
        };
        if let Some(bytes) = self.cache.peek(key) {
            copy(&bytes, place);
            return Ok(());
        }
        if place.len() == chunk.len() {
            // The whole chunk is used now, so it is not worth caching.
            return self.inflate_chunk(session, chunk, |bytes| copy(bytes, place));
        }
        let bytes = self.cache.get(key, || {
            self.inflate_chunk(session, chunk, |bytes| Arc::new(bytes.to_vec()))
        })?;
        copy(&bytes, place);
        Ok(())
    }

    /// Inflates a chunk and calls `work` with its bytes.
    fn inflate_chunk<R>(
        &self,
        session: &Session<'_>,
        chunk: &Chunk,
        work: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        scope::check()?;
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

    /// Inflates the chunks that have not been verified yet.
    fn verify_all(&self, index: &Index) -> Result<()> {
        let session = self.compressed.begin()?;
        threads::parallel(|scope| {
            let unverified = index.chunks.par_iter().filter(|chunk| !chunk.is_verified());
            unverified
                .try_for_each(|chunk| scope.enter(|| self.inflate_chunk(&session, chunk, |_| ())))
        })?;
        session.end()
    }
}

/// The chunks of a whole file.
pub(crate) struct Chunks(Arc<Index>);

impl Chunks {
    /// Whether they contain voxels that end at inflated byte `end`, and no tail so long that it must be a bomb.
    pub(crate) fn hold(&self, end: u64) -> bool {
        let total = self.0.end();
        total >= end && total - end <= max_tail(end)
    }

    /// The range of each chunk in the inflated bytes.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.chunks.iter().map(|chunk| chunk.out.clone())
    }
}

/// Copies the bytes of the stream's open chunk that begin at `from`. Returns how many, and the rest of `buffer`.
fn copy_open<'a>(stream: &Stream, from: u64, buffer: &'a mut [u8]) -> (usize, &'a mut [u8]) {
    let bytes = stream.recorder().and_then(|recorder| {
        let (start, bytes) = recorder.open();
        bytes.get(usize::try_from(from.checked_sub(start)?).ok()?..)
    });
    let bytes = bytes.unwrap_or_default();
    let length = bytes.len().min(buffer.len());
    let (place, rest) = buffer.split_at_mut(length);
    place.copy_from_slice(bytes.get(..length).unwrap_or_default());
    (length, rest)
}

/// A cache of inflated chunks that keeps the most recently used ones, up to a number of bytes.
#[derive(Debug)]
struct ChunkCache {
    budget: usize,
    state: Mutex<CacheState>,
}

#[derive(Debug, Default)]
struct CacheState {
    entries: HashMap<Key, CacheEntry>,
    bytes: usize,
    /// Incremented at each use.
    clock: u64,
}

#[derive(Debug, Default)]
struct CacheEntry {
    slot: Arc<Slot>,
    bytes: usize,
    used: u64,
}

/// Locked while a chunk is inflated, so that two threads do not inflate the same chunk.
type Slot = Mutex<Option<Bytes>>;

/// The bytes of a chunk, shared without copying.
type Bytes = Arc<Vec<u8>>;

impl ChunkCache {
    /// A cache of at most `budget` bytes, or of the one chunk in use if that is larger.
    fn new(budget: usize) -> Self {
        Self {
            budget,
            state: Mutex::default(),
        }
    }

    /// The bytes of a chunk; `inflate` is called if they are not in the cache.
    ///
    /// # Errors
    /// Errors of `inflate`.
    fn get(&self, key: Key, inflate: impl FnOnce() -> Result<Bytes>) -> Result<Bytes> {
        let slot = self.slot(key);
        let mut held = scope::lock(&slot)?;
        if let Some(bytes) = &*held {
            return Ok(Arc::clone(bytes));
        }
        let bytes = inflate()?;
        *held = Some(Arc::clone(&bytes));
        drop(held);
        self.account(key, bytes.len());
        Ok(bytes)
    }

    /// The bytes of a chunk, if they are in the cache.
    fn peek(&self, key: Key) -> Option<Bytes> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.entries.get_mut(&key)?;
        entry.used = clock;
        entry.slot.try_lock().ok()?.clone()
    }

    /// Adds the bytes of a chunk.
    fn put(&self, key: Key, bytes: Bytes) {
        let length = bytes.len();
        let slot = self.slot(key);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        self.account(key, length);
    }

    /// Empties the cache.
    fn clear(&self) {
        *self.lock() = CacheState::default();
    }

    fn lock(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, key: Key) -> Arc<Slot> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.entries.entry(key).or_default();
        entry.used = clock;
        Arc::clone(&entry.slot)
    }

    /// Records the size of a chunk, and drops the least recently used others while the cache is too large.
    fn account(&self, key: Key, bytes: usize) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&key) else {
            return;
        };
        let before = std::mem::replace(&mut entry.bytes, bytes);
        state.bytes = state.bytes.saturating_sub(before).saturating_add(bytes);
        while state.bytes > self.budget {
            let others = state.entries.iter().filter(|&(&other, _)| other != key);
            let Some((&oldest, _)) = others.min_by_key(|(_, entry)| entry.used) else {
                break;
            };
            let freed = state.entries.remove(&oldest).map_or(0, |entry| entry.bytes);
            state.bytes = state.bytes.saturating_sub(freed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_what_was_used_last() {
        let cache = ChunkCache::new(30);
        let make = |byte: u8| move || Ok(Arc::new(vec![byte; 10]));
        for number in 0..3 {
            let bytes = cache
                .get((Origin::Recorded, number), make(number as u8))
                .unwrap();
            assert_eq!(bytes[0], number as u8);
        }
        let of_table = cache.peek((Origin::Table, 0));
        assert!(of_table.is_none(), "chunk 0 of another index");
        cache
            .get((Origin::Recorded, 0), || panic!("it is cached"))
            .unwrap();
        cache.get((Origin::Recorded, 3), make(3)).unwrap();
        assert!(
            cache.peek((Origin::Recorded, 1)).is_none(),
            "the least recently used one is dropped"
        );
        for number in [0, 2, 3] {
            assert!(
                cache.peek((Origin::Recorded, number)).is_some(),
                "chunk {number}"
            );
        }
    }
}
