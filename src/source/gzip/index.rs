//! The seek index: chunks that inflate on their own, and the few of them that are kept inflated.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::chunk::Chunk;
use crate::error::Result;

/// Chunks of a file, each behind the other from its first inflated byte on.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    pub chunks: Vec<Arc<Chunk>>,
    /// Whether they reach to the verified end of the file.
    pub complete: bool,
}

impl Index {
    /// Inflated bytes that the chunks hold.
    pub fn end(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.out.end)
    }

    /// The chunks that hold a range of inflated bytes.
    pub fn holding(&self, range: &Range<u64>) -> Range<usize> {
        let first = self
            .chunks
            .partition_point(|chunk| chunk.out.end <= range.start);
        let behind = self
            .chunks
            .partition_point(|chunk| chunk.out.start < range.end);
        first..behind.max(first)
    }

    /// Inflated bytes of the largest chunk.
    pub fn largest(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.len())
            .max()
            .unwrap_or(0)
    }
}

/// Inflated chunks, the most recently used ones up to a number of bytes.
#[derive(Debug)]
pub(super) struct ChunkCache {
    budget: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<usize, Entry>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug, Default)]
struct Entry {
    slot: Arc<Slot>,
    bytes: usize,
    used: u64,
}

/// Locked while a chunk is inflated, so that no two threads inflate the same.
type Slot = Mutex<Option<Bytes>>;

/// The bytes of a chunk, taken over as they were made.
pub(super) type Bytes = Arc<Vec<u8>>;

impl ChunkCache {
    /// A cache of at most `budget` bytes; the chunk in use may be larger.
    pub fn new(budget: usize) -> Self {
        Self {
            budget,
            state: Mutex::default(),
        }
    }

    /// The bytes of chunk `number`, made by `inflate` when they are not at hand.
    ///
    /// # Errors
    /// What `inflate` gives.
    pub fn get(&self, number: usize, inflate: impl FnOnce() -> Result<Bytes>) -> Result<Bytes> {
        let slot = self.slot(number);
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = &*held {
            return Ok(Arc::clone(bytes));
        }
        let bytes = inflate()?;
        *held = Some(Arc::clone(&bytes));
        drop(held);
        self.account(number, bytes.len());
        Ok(bytes)
    }

    /// The bytes of a chunk if they are at hand.
    pub fn peek(&self, number: usize) -> Option<Bytes> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.entries.get_mut(&number)?;
        entry.used = clock;
        entry.slot.try_lock().ok()?.clone()
    }

    /// Keeps the bytes of a chunk.
    pub fn put(&self, number: usize, bytes: Bytes) {
        let length = bytes.len();
        let slot = self.slot(number);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
        self.account(number, length);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, number: usize) -> Arc<Slot> {
        let mut state = self.lock();
        state.clock += 1;
        let clock = state.clock;
        let entry = state.entries.entry(number).or_default();
        entry.used = clock;
        Arc::clone(&entry.slot)
    }

    /// Counts a chunk's bytes, and lets go of the least recently used others while there are too many.
    fn account(&self, number: usize, bytes: usize) {
        let mut state = self.lock();
        let Some(entry) = state.entries.get_mut(&number) else {
            return;
        };
        let before = std::mem::replace(&mut entry.bytes, bytes);
        state.bytes = state.bytes.saturating_sub(before).saturating_add(bytes);
        while state.bytes > self.budget {
            let others = state.entries.iter().filter(|&(&other, _)| other != number);
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
            assert_eq!(
                cache.get(number, make(number as u8)).unwrap()[0],
                number as u8
            );
        }
        cache.get(0, || panic!("it is at hand")).unwrap();
        cache.get(3, make(3)).unwrap();
        assert!(cache.peek(1).is_none(), "the least recently used one went");
        for number in [0, 2, 3] {
            assert!(cache.peek(number).is_some(), "chunk {number}");
        }
    }
}
