//! Sources that want few and large requests ([`ReadHint`]): what is read beyond a request is kept for the next ones.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, ByteSource, zeros};
use crate::core::error::Result;
use crate::core::{scope, threads};

/// The most that a hint can ask for.
const MAX_HINT: u64 = 64 << 20;

/// Pieces that are kept beside one for each thread that reads.
const MORE_PIECES: usize = 2;

/// How a source is read best: [`ByteSource::hint`]. By default as it comes.
///
/// ```
/// let hint = voxload::ReadHint::new().merge_gap(64 << 10).min_read(1 << 20);
/// assert_eq!((hint.merge_gap, hint.min_read), (65_536, 1_048_576));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReadHint {
    /// Bytes. What is wanted in two places that are at most so far apart is read by one request, with what lies between;
    /// a request that was joined so is at most 8 MiB long.
    pub merge_gap: u64,
    /// Bytes. A request is at least so long, unless the source ends before or what follows is held already; for sources
    /// that know their length. What was read beyond is kept for the later requests of the same read (or stream): at most
    /// one such piece for each thread of the pool, and two more.
    pub min_read: u64,
}

impl ReadHint {
    /// Reads what is wanted and nothing else.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`Self::merge_gap`]; more than 64 MiB counts as that.
    #[must_use]
    pub fn merge_gap(mut self, bytes: u64) -> Self {
        self.merge_gap = bytes.min(MAX_HINT);
        self
    }

    /// Sets [`Self::min_read`]; more than 64 MiB counts as that.
    #[must_use]
    pub fn min_read(mut self, bytes: u64) -> Self {
        self.min_read = bytes.min(MAX_HINT);
        self
    }

    /// What suits both.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            merge_gap: self.merge_gap.max(other.merge_gap),
            min_read: self.min_read.max(other.min_read),
        }
    }
}

/// A source with a hint, and the pieces of it that are kept while it is read.
#[derive(Debug)]
pub(crate) struct HintedSource {
    inner: Arc<dyn ByteSource>,
    hint: ReadHint,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The least recently used one first.
    pieces: VecDeque<Arc<Piece>>,
    /// Reads under way.
    readers: usize,
    /// Whether pieces are kept between reads: while a header is read.
    keeps: bool,
}

#[derive(Debug)]
struct Piece {
    range: Range<u64>,
    /// Locked while it is read; `None` when that failed.
    bytes: Mutex<Option<Vec<u8>>>,
}

impl HintedSource {
    pub(crate) fn new(inner: Arc<dyn ByteSource>, hint: ReadHint) -> Arc<Self> {
        Arc::new(Self {
            inner,
            hint,
            state: Mutex::new(State {
                pieces: VecDeque::new(),
                readers: 0,
                keeps: true,
            }),
        })
    }

    pub(crate) fn inner(&self) -> &Arc<dyn ByteSource> {
        &self.inner
    }

    pub(crate) fn hint(&self) -> ReadHint {
        self.hint
    }

    /// Begins a read, until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> KeptPieces {
        self.state().readers += 1;
        KeptPieces(Some(Arc::clone(self)))
    }

    /// Bytes that are kept at most during a read.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.hint.min_read.saturating_mul(max_pieces() as u64)
    }

    /// Drops what reading a header has left.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        state.keeps = false;
        state.clear_if_idle();
    }

    /// Whether pieces are kept between reads.
    pub(crate) fn keeps(&self) -> bool {
        self.state().keeps
    }

    /// The piece that holds byte `at`, or a new one to be read from there on, which others wait for; `None` when the
    /// `wanted` bytes are to be read by themselves.
    fn piece(&self, at: u64, wanted: u64, length: u64) -> Option<Arc<Piece>> {
        let mut state = self.state();
        let found = state.pieces.iter();
        let found = found
            .enumerate()
            .find(|(_, piece)| piece.range.contains(&at));
        if let Some((number, _)) = found {
            let piece = state.pieces.remove(number)?;
            state.pieces.push_back(Arc::clone(&piece));
            return Some(piece);
        }
        let needed = at.saturating_add(wanted);
        if wanted >= self.hint.min_read || needed > length {
            return None;
        }
        let next = state.pieces.iter().map(|piece| piece.range.start);
        let next = next.filter(|&start| start >= needed).min();
        let end = at.saturating_add(self.hint.min_read).min(length);
        let piece = Arc::new(Piece {
            range: at..next.map_or(end, |next| next.min(end)),
            bytes: Mutex::default(),
        });
        state.pieces.push_back(Arc::clone(&piece));
        while state.pieces.len() > max_pieces() {
            state.pieces.pop_front();
        }
        Some(piece)
    }

    fn forget(&self, piece: &Arc<Piece>) {
        let mut state = self.state();
        state.pieces.retain(|other| !Arc::ptr_eq(other, piece));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn max_pieces() -> usize {
    threads::count().saturating_add(MORE_PIECES)
}

impl State {
    fn clear_if_idle(&mut self) {
        if self.readers == 0 && !self.keeps {
            self.pieces.clear();
        }
    }
}

impl ByteSource for HintedSource {
    fn len(&self) -> Result<Option<u64>> {
        self.inner.len()
    }

    fn max_len(&self) -> Result<Option<u64>> {
        self.inner.max_len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let length = self.inner.len()?.filter(|_| self.hint.min_read > 0);
        let (Some(length), Some(_requesting)) = (length, Requesting::begin()) else {
            return self.inner.read_at(offset, buffer);
        };
        let (mut at, mut rest) = (offset, buffer);
        while !rest.is_empty() {
            let Some(piece) = self.piece(at, rest.len() as u64, length) else {
                return self.inner.read_at(at, rest);
            };
            let mut held = scope::lock(&piece.bytes)?;
            if held.is_none() {
                let mut bytes = zeros(piece.range.end - piece.range.start)?;
                if let Err(error) = self.inner.read_at(piece.range.start, &mut bytes) {
                    self.forget(&piece);
                    return Err(error);
                }
                *held = Some(bytes);
            }
            let from = (at - piece.range.start) as usize;
            let have = held.as_deref().and_then(|bytes| bytes.get(from..));
            let have = have.unwrap_or_default();
            let (place, after) = rest.split_at_mut(rest.len().min(have.len()));
            place.copy_from_slice(have.get(..place.len()).unwrap_or_default());
            at += place.len() as u64;
            rest = after;
        }
        Ok(())
    }

    fn access(&self) -> Access {
        self.inner.access()
    }

    fn finish(&self, end: u64) -> Result<()> {
        self.inner.finish(end)
    }

    fn hint(&self) -> ReadHint {
        self.hint
    }
}

thread_local! {
    static IS_REQUESTING: Cell<bool> = const { Cell::new(false) };
}

/// A request that this thread makes.
struct Requesting;

impl Requesting {
    /// `None` within another request of this thread: a source that uses rayon may be given other parts of the same read to
    /// do meanwhile, which must not wait for this one.
    fn begin() -> Option<Self> {
        let is_requesting = IS_REQUESTING.try_with(|is| is.replace(true));
        (is_requesting == Ok(false)).then_some(Self)
    }
}

impl Drop for Requesting {
    fn drop(&mut self) {
        let _ = IS_REQUESTING.try_with(|is| is.set(false));
    }
}

/// Keeps the pieces that reads leave, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct KeptPieces(Option<Arc<HintedSource>>);

impl KeptPieces {
    /// The source that is read.
    pub(crate) fn source(&self) -> Option<&HintedSource> {
        self.0.as_deref()
    }
}

impl Drop for KeptPieces {
    fn drop(&mut self) {
        if let Some(source) = self.0.take() {
            let mut state = source.state();
            state.readers -= 1;
            state.clear_if_idle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::ErrorKind;

    /// Bytes that count up, and the requests for them.
    #[derive(Debug, Default)]
    struct Counted {
        requests: Mutex<Vec<(u64, usize)>>,
        fails: Mutex<bool>,
    }

    const LENGTH: u64 = 1000;

    impl ByteSource for Counted {
        fn len(&self) -> Result<Option<u64>> {
            Ok(Some(LENGTH))
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
            self.requests.lock().unwrap().push((offset, buffer.len()));
            if *self.fails.lock().unwrap() {
                return Err(ErrorKind::Usage("no".to_owned()).into());
            }
            for (at, byte) in (offset..).zip(buffer) {
                *byte = at as u8;
            }
            Ok(())
        }
    }

    fn hinted(min_read: u64) -> (Arc<Counted>, Arc<HintedSource>) {
        let counted = Arc::new(Counted::default());
        let hint = ReadHint::new().min_read(min_read);
        let source = HintedSource::new(Arc::clone(&counted) as _, hint);
        source.release();
        (counted, source)
    }

    fn read(source: &HintedSource, range: Range<u64>) {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        source.read_at(range.start, &mut bytes).unwrap();
        assert!(bytes.iter().zip(range).all(|(&byte, at)| byte == at as u8));
    }

    fn requests(counted: &Counted) -> Vec<(u64, usize)> {
        std::mem::take(&mut *counted.requests.lock().unwrap())
    }

    #[test]
    fn what_was_read_beyond_serves_later_requests_of_the_same_read() {
        let (counted, source) = hinted(100);
        let hold = source.begin();
        read(&source, 10..20);
        read(&source, 30..110);
        // A part is there, the rest is asked for.
        read(&source, 100..120);
        assert_eq!(requests(&counted), [(10, 100), (110, 100)]);
        // Large requests are made as they are; the last one ends with the source.
        read(&source, 300..400);
        read(&source, 990..995);
        // No byte is read twice, though the request is short then.
        read(&source, 290..295);
        read(&source, 980..985);
        assert_eq!(
            requests(&counted),
            [(300, 100), (990, 10), (290, 100), (980, 10)]
        );
        drop(hold);
        read(&source, 10..20);
        assert_eq!(requests(&counted), [(10, 100)], "another read");
    }

    #[test]
    fn few_pieces_are_kept() {
        let (_, source) = hinted(10);
        let _hold = source.begin();
        for at in (0..LENGTH).step_by(20) {
            read(&source, at..at + 3);
        }
        assert_eq!(source.state().pieces.len(), max_pieces());
    }

    #[test]
    fn a_failed_request_leaves_nothing() {
        let (counted, source) = hinted(100);
        let _hold = source.begin();
        *counted.fails.lock().unwrap() = true;
        source.read_at(5, &mut [0; 3]).unwrap_err();
        *counted.fails.lock().unwrap() = false;
        read(&source, 5..8);
        source.read_at(LENGTH - 1, &mut [0; 3]).unwrap();
        assert_eq!(requests(&counted), [(5, 100), (5, 100), (LENGTH - 1, 3)]);
    }
}
