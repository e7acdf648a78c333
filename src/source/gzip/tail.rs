//! Bytes after the voxels that are kept when a read of the whole array passes them, so that the file need not be inflated
//! again for them.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A range of inflated bytes, and the bytes once a read has passed all of them.
#[derive(Debug, Default)]
pub(super) struct Tail {
    range: OnceLock<Range<u64>>,
    bytes: OnceLock<Vec<u8>>,
}

impl Tail {
    /// Sets the range: up to `most` bytes from byte `at` on. Only the first call counts.
    pub(super) fn keep(&self, at: u64, most: u64) {
        self.range.get_or_init(|| at..at.saturating_add(most));
    }

    /// The bytes of the range; fewer if the file ends before its end.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get().map(Vec::as_slice)
    }

    /// The range, if its bytes are still to be read.
    pub(super) fn wanted(&self) -> Option<Range<u64>> {
        self.range.get().filter(|_| self.bytes().is_none()).cloned()
    }

    /// Begins a read that goes forwards from the start of the file.
    pub(super) fn follow(&self) -> Followed {
        Followed {
            range: self.wanted(),
            bytes: Vec::new(),
        }
    }

    /// Ends a read that has reached the end of the file and verified it.
    pub(super) fn reached_end(&self, followed: &mut Followed) {
        if followed.range.take().is_some() {
            self.bytes
                .get_or_init(|| std::mem::take(&mut followed.bytes));
        }
    }

    /// Begins a read whose bytes come in any order.
    pub(super) fn begin(&self) -> Seen<'_> {
        Seen {
            tail: self,
            range: self.wanted(),
            pieces: Mutex::default(),
        }
    }
}

/// The part of `bytes`, which begin at byte `at`, that lies in a range.
fn overlap<'a>(range: &Range<u64>, at: u64, bytes: &'a [u8]) -> &'a [u8] {
    let end = at.saturating_add(bytes.len() as u64);
    let from = range.start.clamp(at, end) - at;
    let to = range.end.clamp(at, end) - at;
    bytes.get(from as usize..to as usize).unwrap_or_default()
}

/// What a read that goes forwards has seen of the range.
pub(super) struct Followed {
    /// `None` if there is nothing to keep.
    range: Option<Range<u64>>,
    bytes: Vec<u8>,
}

impl Followed {
    /// Copies what lies in the range of bytes that begin at byte `at`.
    pub(super) fn add(&mut self, at: u64, bytes: &[u8]) {
        if let Some(range) = &self.range {
            self.bytes.extend(overlap(range, at, bytes));
        }
    }
}

/// What a read has seen of the range, each part of the file once and in any order.
pub(super) struct Seen<'a> {
    tail: &'a Tail,
    /// `None` if there is nothing to keep.
    range: Option<Range<u64>>,
    pieces: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl Seen<'_> {
    /// Copies what lies in the range of bytes that begin at byte `at`.
    pub(super) fn offer(&self, at: u64, bytes: &[u8]) {
        let piece = self.range.as_ref().map(|range| overlap(range, at, bytes));
        let Some(piece) = piece.filter(|piece| !piece.is_empty()) else {
            return;
        };
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.push((at, piece.to_vec()));
    }

    /// Joins the pieces, once the whole file has been offered and verified.
    pub(super) fn complete(self) {
        if self.range.is_none() {
            return;
        }
        let pieces = self.pieces.into_inner();
        let mut pieces = pieces.unwrap_or_else(PoisonError::into_inner);
        pieces.sort_by_key(|&(at, _)| at);
        let joined = || pieces.into_iter().flat_map(|(_, piece)| piece).collect();
        self.tail.bytes.get_or_init(joined);
    }
}
