//! The header of a deflate block with dynamic codes (RFC 1951 section 3.2.7): the lengths of its codes.

/// The order in which the code lengths of the code length alphabet are stored.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Bits before these code lengths: the final-block flag, the block type and three counts.
pub(super) const HEAD_BITS: usize = 17;

/// Most symbols of the code of literals and lengths, and of the code of distances, that a header can give lengths for.
const MAX_SYMBOLS: usize = 288;
const MAX_DISTANCES: usize = 32;

/// The code lengths of a block, in bits; 0 for unused symbols.
pub(super) struct Lengths {
    all: [u8; MAX_SYMBOLS + MAX_DISTANCES],
    symbols: usize,
    distances: usize,
}

impl Lengths {
    /// The lengths of the fixed codes (section 3.2.6).
    pub(super) fn fixed() -> Self {
        let mut all = [8; MAX_SYMBOLS + MAX_DISTANCES];
        for (range, length) in [(144..256, 9), (256..280, 7), (MAX_SYMBOLS..320, 5)] {
            all.get_mut(range).unwrap_or_default().fill(length);
        }
        Self {
            all,
            symbols: MAX_SYMBOLS,
            distances: MAX_DISTANCES,
        }
    }

    /// Reads the header of a block with dynamic codes at bit `at`. Returns the bit after it too; `None` if the header is
    /// malformed or cut off. Whether the two codes are complete is not checked.
    pub(super) fn read(bytes: &[u8], at: usize) -> Option<(Self, usize)> {
        let head = word(bytes, at)?;
        let [symbols, distances] =
            [257 + (head >> 3 & 31), 1 + (head >> 8 & 31)].map(|n| n as usize);
        let given = 4 + (head >> 13 & 15) as usize;
        let written = word(bytes, at + HEAD_BITS)?;
        let mut lengths = [0; 19];
        for (i, &code) in ORDER.iter().enumerate().take(given) {
            *lengths.get_mut(code)? = (written >> (3 * i) & 7) as u8;
        }
        let used = |&length: &u8| if length == 0 { 0 } else { 128 >> length };
        if lengths.iter().map(used).sum::<u32>() != 128 {
            return None;
        }
        let mut all = [0; MAX_SYMBOLS + MAX_DISTANCES];
        let own = all.get_mut(..symbols + distances)?;
        let end = read_lengths(bytes, at + HEAD_BITS + 3 * given, &lengths, own)?;
        let read = Self {
            all,
            symbols,
            distances,
        };
        Some((read, end))
    }

    /// Of literals, end-of-block and match lengths.
    pub(super) fn symbols(&self) -> &[u8] {
        self.all.get(..self.symbols).unwrap_or_default()
    }

    /// Of distances.
    pub(super) fn distances(&self) -> &[u8] {
        let end = self.symbols + self.distances;
        self.all.get(self.symbols..end).unwrap_or_default()
    }

    /// Whether both are complete codes, and the first has an end-of-block symbol.
    pub(super) fn are_complete(&self) -> bool {
        let (symbols, distances) = (self.symbols(), self.distances());
        let ends = symbols.get(256).is_some_and(|&length| length > 0);
        // A code of at most one distance need not be complete.
        let single = distances.iter().filter(|&&length| length > 0).count() <= 1;
        ends && is_complete(symbols) && (single || is_complete(distances))
    }
}

/// Whether codes of these lengths use the whole code space (15 bits at most).
fn is_complete(lengths: &[u8]) -> bool {
    let taken = |&length: &u8| match length {
        0 => 0,
        length => 1 << (15 - length),
    };
    lengths.iter().map(taken).sum::<u32>() == 1 << 15
}

/// At least 57 bits starting at bit `at`; `None` near the end of `bytes`.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at / 8..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes) >> (at % 8))
}

/// Reads run-length coded code lengths starting at bit `at`. Returns the bit after them; `None` if they are malformed.
fn read_lengths(bytes: &[u8], mut at: usize, codes: &[u8; 19], all: &mut [u8]) -> Option<usize> {
    let table = table(codes);
    let mut filled = 0;
    while filled < all.len() {
        let bits = word(bytes, at)?;
        let (code, length) = *table.get((bits & 127) as usize)?;
        let bits = bits >> length;
        let (value, run, more) = match code {
            16 => (*all.get(filled.checked_sub(1)?)?, 3 + (bits & 3), 2),
            17 => (0, 3 + (bits & 7), 3),
            18 => (0, 11 + (bits & 127), 7),
            value => (value, 1, 0),
        };
        at += usize::from(length) + more;
        all.get_mut(filled..filled + run as usize)?.fill(value);
        filled += run as usize;
    }
    Some(at)
}

/// For each value of the next seven bits: the symbol they begin with and its code length.
fn table(lengths: &[u8; 19]) -> [(u8, u8); 128] {
    let mut table = [(0, 0); 128];
    let mut next = 0u8;
    for length in 1..=7u8 {
        for (code, _) in (0u8..).zip(lengths).filter(|&(_, &own)| own == length) {
            // Codes are assigned in increasing order and stored with their highest bit first.
            let reversed = next.reverse_bits() >> 1;
            let first = usize::from(reversed);
            for place in table.iter_mut().skip(first).step_by(1 << length) {
                *place = (code, length);
            }
            next = next.saturating_add(1 << (7 - length));
        }
    }
    table
}
