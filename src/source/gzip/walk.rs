//! Checks deflate data against the bytes that it was made from, and finds its last block.
//!
//! Nothing is inflated: literals and copies are compared with the bytes that should come out.

use std::ops::Range;

use multiversion::multiversion;

use super::codes::{Lengths, word};

/// Bytes that must follow the data in memory, as bits are read eight bytes at a time.
pub(crate) const PADDING: usize = 8;

/// Bits of the longest code.
const MAX_CODE: u32 = 15;

/// Entries of the tables, a power of two. Codes that are longer than their index, which are rare, are searched for.
const SYMBOL_ENTRIES: usize = 1 << 11;
const DISTANCE_ENTRIES: usize = 1 << 10;

/// Codes in the table that the 57 bits of a word have whole.
const LITERALS_IN_WORD: u32 = 57 / SYMBOL_ENTRIES.ilog2();

/// The base and the number of extra bits of each match length (symbols 257 to 285).
const LENGTHS: [(u16, u8); 29] = based::<29>(3, 4, 258);

/// The base and the number of extra bits of each distance.
const DISTANCES: [(u16, u8); 30] = based::<30>(1, 2, 0);

/// Bases that grow by powers of two: the first `2 * group` have no extra bits, then each `group` has one more. `last`, if
/// it is not 0, is the base of the last one, without extra bits.
const fn based<const N: usize>(first: u16, group: usize, last: u16) -> [(u16, u8); N] {
    let mut all = [(0, 0); N];
    let (mut base, mut i) = (first, 0);
    while i < N {
        let extra = if i < 2 * group { 0 } else { i / group - 1 };
        all[i] = (base, extra as u8);
        base = base.wrapping_add(1 << extra);
        i += 1;
    }
    if last != 0 {
        all[N - 1] = (last, 0);
    }
    all
}

/// Compares the deflate data in the first `length` bytes of `data` with what it should inflate to. The data must end with
/// its last block, and [`PADDING`] bytes must follow it. Returns the bits of the last block; `None` if anything differs.
pub(crate) fn last_block(data: &[u8], length: usize, expected: &[u8]) -> Option<Range<usize>> {
    let mut walk = Walk {
        data,
        at: 0,
        expected,
        out: 0,
    };
    let mut codes = Codes::new();
    loop {
        let block = walk.at;
        let head = word(data, block)?;
        walk.at += 3;
        match head >> 1 & 3 {
            0 => walk.stored()?,
            1 => {
                codes.set(&Lengths::fixed());
                coded(&mut walk, &codes)?;
            }
            2 => {
                let (lengths, end) = Lengths::read(data, block)?;
                if !lengths.are_complete() {
                    return None;
                }
                codes.set(&lengths);
                walk.at = end;
                coded(&mut walk, &codes)?;
            }
            _ => return None,
        }
        if head & 1 == 1 {
            let is_whole = walk.out == expected.len() && walk.at.div_ceil(8) == length;
            return is_whole.then_some(block..walk.at);
        }
    }
}

/// A block with codes, up to and including its end. Much of it is shifts by numbers that are not known before, which
/// some processors do in one instruction.
#[multiversion(targets("x86_64+bmi1+bmi2+lzcnt+popcnt"))]
fn coded(walk: &mut Walk<'_>, codes: &Codes) -> Option<()> {
    walk.coded_here(codes)
}

struct Walk<'a> {
    data: &'a [u8],
    /// The next bit.
    at: usize,
    expected: &'a [u8],
    /// Number of bytes that came out so far.
    out: usize,
}

impl Walk<'_> {
    fn stored(&mut self) -> Option<()> {
        let from = self.at.div_ceil(8);
        let &[a, b, c, d] = self.data.get(from..)?.first_chunk()?;
        let length = u16::from_le_bytes([a, b]);
        if length != !u16::from_le_bytes([c, d]) {
            return None;
        }
        let (from, length) = (from + 4, usize::from(length));
        let bytes = self.data.get(from..from + length)?;
        self.compare(bytes)?;
        self.at = 8 * (from + length);
        Some(())
    }

    /// A block with codes, up to and including its end.
    #[inline(always)]
    fn coded_here(&mut self, codes: &Codes) -> Option<()> {
        loop {
            self.literals(&codes.symbols)?;
            let word = word(self.data, self.at)?;
            let entry = codes.symbols.find(word);
            self.at += entry.all_bits();
            if entry.kind() == COPY {
                self.copy(codes, entry.value(word))?;
            } else if entry.kind() == LITERAL {
                self.compare(&[entry.base() as u8])?;
            } else {
                return (entry.kind() == END).then_some(());
            }
        }
    }

    /// Literals up to something else, or to one whose code is not in the table. Most of noise is that, so nothing but the
    /// next code depends on the last one here.
    #[inline(always)]
    fn literals(&mut self, symbols: &Code<SYMBOL_ENTRIES>) -> Option<()> {
        let (mut at, mut out) = (self.at, self.out);
        'words: loop {
            let mut word = word(self.data, at)?;
            for _ in 0..LITERALS_IN_WORD {
                let entry = symbols.near(word);
                if entry.kind() != LITERAL {
                    break 'words;
                }
                if *self.expected.get(out)? != entry.base() as u8 {
                    return None;
                }
                out += 1;
                at += entry.bits() as usize;
                word >>= entry.bits();
            }
        }
        (self.at, self.out) = (at, out);
        Some(())
    }

    #[inline(always)]
    fn copy(&mut self, codes: &Codes, length: usize) -> Option<()> {
        let word = word(self.data, self.at)?;
        let entry = codes.distances.find(word);
        if entry.kind() != COPY {
            return None;
        }
        let from = self.out.checked_sub(entry.value(word))?;
        self.at += entry.all_bits();
        // What the copy would write is there already, so the two may overlap. Most copies are short: no call for them.
        let word = |at: usize| Some(u64::from_le_bytes(*self.expected.get(at..)?.first_chunk()?));
        if length <= 8
            && let (Some(old), Some(new)) = (word(from), word(self.out))
        {
            self.out += length;
            return ((old ^ new) << (64 - 8 * length) == 0).then_some(());
        }
        let bytes = self.expected.get(from..from + length)?;
        self.compare(bytes)
    }

    fn compare(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.out + bytes.len();
        if self.expected.get(self.out..end)? != bytes {
            return None;
        }
        self.out = end;
        Some(())
    }
}

// Kinds of entries.
const LITERAL: u32 = 0;
const COPY: u32 = 1;
const END: u32 = 2;
const INVALID: u32 = 3;

/// What a code stands for: its length (6 bits, as many as a shift looks at), its kind (2), the number of extra bits (4), and
/// from bit 16 on the literal or the base that the extra bits are added to.
#[derive(Clone, Copy)]
struct Entry(u32);

impl Entry {
    const INVALID: Self = Self(INVALID << 6);

    fn new(kind: u32, bits: u32, base: u16, extra: u8) -> Self {
        Self(bits | kind << 6 | u32::from(extra) << 8 | u32::from(base) << 16)
    }

    fn kind(self) -> u32 {
        self.0 >> 6 & 3
    }

    /// Bits of the code.
    fn bits(self) -> u32 {
        self.0 & 63
    }

    fn extra(self) -> u32 {
        self.0 >> 8 & 15
    }

    /// Bits of the code and its extra bits.
    fn all_bits(self) -> usize {
        (self.bits() + self.extra()) as usize
    }

    fn base(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// The base and the extra bits, which follow the code in `word`.
    fn value(self, word: u64) -> usize {
        let extra = word >> self.bits() & ((1 << self.extra()) - 1);
        self.base() + extra as usize
    }
}

/// The two codes of a block.
pub(super) struct Codes {
    symbols: Code<SYMBOL_ENTRIES>,
    distances: Code<DISTANCE_ENTRIES>,
}

impl Codes {
    fn new() -> Self {
        Self {
            symbols: Code::new(),
            distances: Code::new(),
        }
    }

    fn set(&mut self, lengths: &Lengths) {
        self.symbols.set(lengths.symbols(), |symbol, bits| {
            let length = |(base, extra): &(u16, u8)| Entry::new(COPY, bits, *base, *extra);
            match symbol {
                0..256 => Entry::new(LITERAL, bits, symbol as u16, 0),
                256 => Entry::new(END, bits, 0, 0),
                _ => LENGTHS.get(symbol - 257).map_or(Entry::INVALID, length),
            }
        });
        self.distances.set(lengths.distances(), |symbol, bits| {
            let distance = |(base, extra): &(u16, u8)| Entry::new(COPY, bits, *base, *extra);
            DISTANCES.get(symbol).map_or(Entry::INVALID, distance)
        });
    }

    /// The fixed codes (RFC 1951 section 3.2.6).
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn fixed() -> Self {
        let mut codes = Self::new();
        codes.set(&Lengths::fixed());
        codes
    }

    /// The bit after the literal or the match that begins at bit `at`; `None` if there is an end of the block or an invalid
    /// code, and near the end of `bytes`.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn skip(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let bits = word(bytes, at)?;
        let symbol = self.symbols.find(bits);
        let after = match symbol.kind() {
            LITERAL => 0,
            COPY => {
                let distance = self.distances.find(bits >> symbol.all_bits());
                (distance.kind() == COPY).then(|| distance.all_bits())?
            }
            _ => return None,
        };
        Some(at + symbol.all_bits() + after)
    }
}

/// A table of a canonical code.
struct Code<const ENTRIES: usize> {
    /// Indexed by the next bits; [`Entry::INVALID`] where a longer code, or none, begins with them.
    table: Box<[Entry; ENTRIES]>,
    /// Codes that are longer, lowest bit first, with their entries.
    long: Vec<(u32, Entry)>,
}

impl<const ENTRIES: usize> Code<ENTRIES> {
    fn new() -> Self {
        Self {
            table: Box::new([Entry::INVALID; ENTRIES]),
            long: Vec::new(),
        }
    }

    /// Sets the code. `entry` is called with each symbol that has one and the length of its code.
    fn set(&mut self, lengths: &[u8], entry: impl Fn(usize, u32) -> Entry) {
        self.table.fill(Entry::INVALID);
        self.long.clear();
        let mut next = 0;
        for bits in 1..=MAX_CODE {
            next <<= 1;
            for (symbol, _) in lengths
                .iter()
                .enumerate()
                .filter(|&(_, &own)| u32::from(own) == bits)
            {
                let code = u32::reverse_bits(next) >> (32 - bits);
                next += 1;
                self.put(code, bits, entry(symbol, bits));
            }
        }
    }

    fn put(&mut self, code: u32, bits: u32, entry: Entry) {
        if bits > ENTRIES.ilog2() {
            self.long.push((code, entry));
            return;
        }
        let places = self.table.iter_mut().skip(code as usize).step_by(1 << bits);
        places.for_each(|place| *place = entry);
    }

    /// The entry of the code at the start of `word`.
    #[inline(always)]
    fn find(&self, word: u64) -> Entry {
        match self.near(word) {
            entry if entry.kind() != INVALID => entry,
            _ => self.find_long(word),
        }
    }

    /// The same; [`Entry::INVALID`] for a code that is not in the table.
    #[inline(always)]
    fn near(&self, word: u64) -> Entry {
        let index = word as usize & (ENTRIES - 1);
        self.table.get(index).copied().unwrap_or(Entry::INVALID)
    }

    #[cold]
    fn find_long(&self, word: u64) -> Entry {
        let fits = |(code, entry): &&(u32, Entry)| word as u32 & ((1 << entry.bits()) - 1) == *code;
        let found = self.long.iter().find(fits);
        found.map_or(Entry::INVALID, |(_, entry)| *entry)
    }
}

#[cfg(test)]
mod tests;
