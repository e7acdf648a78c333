//! Blocks of a slow source, kept so that nothing is fetched twice while it is kept.
//!
//! Readers ask for a few bytes in many places, and each request of a browser costs as much as many bytes. So requests are of
//! whole blocks, missing neighbours are fetched by one request, and a reader that goes forwards is given more ahead.

use std::collections::HashMap;
use std::ops::Range;

use voxload::{ErrorKind, Result};

/// Bytes of a block: the header of most files is in the first one. With larger ones, frames of a gzip file fetched more than
/// the file has.
pub(crate) const BLOCK: u64 = 64 << 10;

/// The most that is fetched beyond what is wanted.
const MAX_AHEAD: u64 = 1 << 20;

/// The longest request.
const MAX_REQUEST: u64 = 8 << 20;

/// What is missing and at least so long goes to where it is wanted, and is not kept: a read of so much has no use for it again,
/// and would put everything else out.
const DIRECT: u64 = 4 << 20;

/// The blocks of one source.
#[derive(Debug)]
pub(crate) struct Blocks {
    length: u64,
    /// How many may be kept.
    most: usize,
    kept: HashMap<u64, Block>,
    /// Counts uses, to find the block that was not used for longest.
    clock: u64,
    /// Where the last request ended: a reader that continues there goes forwards.
    end: u64,
    /// How much was fetched ahead of it.
    ahead: u64,
}

#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    used: u64,
}

impl Blocks {
    /// Of a source with this length, keeping about so many bytes.
    pub fn new(length: u64, budget: u64) -> Self {
        // At least two: a read may lie across the end of one.
        let most = usize::try_from((budget / BLOCK).max(2)).unwrap_or(usize::MAX);
        Self {
            length,
            most,
            kept: HashMap::new(),
            clock: 0,
            end: 0,
            ahead: 0,
        }
    }

    /// Fills `buffer` with the bytes from `offset` on; `fetch` fills a slice with those of a range, which are not kept.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] beyond the end, and those of `fetch`.
    pub fn read(
        &mut self,
        offset: u64,
        mut buffer: &mut [u8],
        mut fetch: impl FnMut(Range<u64>, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        if need > self.length {
            return Err(ErrorKind::Truncated {
                what: "file",
                have: self.length,
                need,
            }
            .into());
        }
        let mut at = offset;
        while !buffer.is_empty() {
            let number = at / BLOCK;
            let within = (at % BLOCK) as usize;
            self.clock += 1;
            if let Some(block) = self.kept.get_mut(&number) {
                block.used = self.clock;
                let have = block.bytes.get(within..).unwrap_or_default();
                let count = have.len().min(buffer.len());
                let (place, rest) = buffer.split_at_mut(count);
                place.copy_from_slice(have.get(..count).unwrap_or_default());
                at += count as u64;
                buffer = rest;
                continue;
            }
            let range = self.missing(number, need);
            let end = range.end.min(need);
            if end - at >= DIRECT {
                let (place, rest) = buffer.split_at_mut((end - at) as usize);
                fetch(at..end, place)?;
                buffer = rest;
                at = end;
                continue;
            }
            // At most MAX_REQUEST and a block.
            let mut got = vec![0; (range.end - range.start) as usize];
            fetch(range.clone(), &mut got)?;
            let have = got.get(within..).unwrap_or_default();
            let count = have.len().min(buffer.len());
            let (place, rest) = buffer.split_at_mut(count);
            place.copy_from_slice(have.get(..count).unwrap_or_default());
            at += count as u64;
            buffer = rest;
            self.keep(number, &got);
            self.end = range.end;
        }
        Ok(())
    }

    /// The bytes to ask for: from block `number` to the one with the last byte that is needed, and some ahead, up to the
    /// next block that is kept.
    fn missing(&mut self, number: u64, need: u64) -> Range<u64> {
        let start = number * BLOCK;
        let goes_forwards = start == self.end && start > 0;
        self.ahead = match goes_forwards {
            true => (self.ahead * 2).clamp(BLOCK, MAX_AHEAD),
            false => 0,
        };
        let wanted = need
            .saturating_add(self.ahead)
            .min(start.saturating_add(MAX_REQUEST))
            .min(self.length);
        let mut end = number + 1;
        while end * BLOCK < wanted && !self.kept.contains_key(&end) {
            end += 1;
        }
        start..(end * BLOCK).min(self.length)
    }

    fn keep(&mut self, first: u64, bytes: &[u8]) {
        // Of a request that is longer than the budget, what comes last is next to what is read next.
        let pieces = bytes.chunks(BLOCK as usize);
        let skipped = pieces.len().saturating_sub(self.most / 2);
        for (number, piece) in (first..).zip(pieces).skip(skipped) {
            let used = self.clock;
            let bytes = match self.kept.len() >= self.most {
                true => self.evict(),
                false => Vec::new(),
            };
            let mut bytes = bytes;
            bytes.clear();
            bytes.extend_from_slice(piece);
            self.kept.insert(number, Block { bytes, used });
        }
    }

    /// Takes out the block that was not used for longest, and gives its memory.
    fn evict(&mut self) -> Vec<u8> {
        let oldest = self.kept.iter().min_by_key(|(_, block)| block.used);
        let oldest = oldest.map(|(&number, _)| number);
        oldest
            .and_then(|number| self.kept.remove(&number))
            .map(|block| block.bytes)
            .unwrap_or_default()
    }
}
