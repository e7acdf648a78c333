//! A part of a member: found, inflated behind a window of zeros, and put right.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher as _};
use std::ops::Range;

use libdeflater::Decompressor;
use zlib_rs::{Inflate, InflateFlush};

use crate::error::Result;
use crate::source::gzip::chunk::{
    WINDOW_BYTES, lead_in, lead_out, merge_first, stored_block, stream_from,
};
use crate::source::gzip::framing::Trailer;
use crate::source::gzip::guess::{TRIAL_BYTES, find_block};
use crate::source::{Session, resize};

/// Compressed bytes that are searched for a block, at first and then: those of usual compressors are shorter.
const SEARCH_BYTES: [u64; 2] = [64 << 10, 512 << 10];

/// Bytes that a part is inflated again by at a time.
const AGAIN_BYTES: usize = 32 << 10;

/// The only member of a file.
pub(super) struct Member {
    /// Its deflate data, in bytes of the file.
    pub body: Range<u64>,
    /// Inflated bytes.
    pub total: u64,
    pub trailer: Trailer,
}

/// Memory for a part, and the part that is in it.
pub(super) struct Room {
    decompressor: Decompressor,
    /// The part's bits, made a stream.
    input: Vec<u8>,
    /// The window, then what the part inflates to.
    out: Vec<u8>,
    /// Inflated bytes.
    pub length: usize,
}

impl Room {
    /// For parts of so many inflated bytes.
    pub fn new(bytes: u64) -> Self {
        let bytes = WINDOW_BYTES as u64 + bytes;
        Self {
            decompressor: Decompressor::new(),
            input: Vec::new(),
            // The system gives zeros where they are touched only.
            out: vec![0; bytes as usize],
            length: 0,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        let bytes = self.out.get(WINDOW_BYTES..WINDOW_BYTES + self.length);
        bytes.unwrap_or_default()
    }

    /// The last bytes; `None` when there are fewer than the next part may repeat.
    pub fn tail(&self) -> Option<Vec<u8>> {
        let from = self.length.checked_sub(WINDOW_BYTES)?;
        self.bytes().get(from..).map(<[u8]>::to_vec)
    }
}

/// A part: its number, its bits in the compressed file, and whether the member ends with it.
pub(super) struct Part {
    pub number: usize,
    pub bits: Range<u64>,
    pub last: bool,
}

impl Part {
    /// The first bit, as one of its byte.
    pub fn bit(&self) -> u32 {
        (self.bits.start % 8) as u32
    }

    /// The bytes of the file that hold it.
    pub fn bytes(&self) -> Range<u64> {
        self.bits.start / 8..self.bits.end.div_ceil(8)
    }
}

/// What finds and inflates parts.
pub(super) struct PartInflater<'a> {
    session: &'a Session<'a>,
    member: &'a Member,
    /// What stands behind each part while it is inflated: that it comes out shows that the part ends where it should.
    marker: Marker,
}

impl<'a> PartInflater<'a> {
    pub fn new(session: &'a Session<'a>, member: &'a Member) -> Self {
        Self {
            session,
            member,
            marker: Marker::new(),
        }
    }

    /// The first block from byte `at` on, as a bit of the file.
    pub fn find(&self, at: u64) -> Result<Option<u64>> {
        let mut bytes = Vec::new();
        let left = self.member.body.end.saturating_sub(at);
        for searched in SEARCH_BYTES {
            resize(&mut bytes, left.min(searched + TRIAL_BYTES as u64))?;
            self.session.read_at(at, &mut bytes)?;
            if let Some(bit) = find_block(&bytes, searched as usize) {
                return Ok(Some(at * 8 + bit as u64));
            }
        }
        Ok(None)
    }

    /// Inflates a part behind a window of zeros; whether it ends where it should.
    pub fn inflate(&self, part: &Part, room: &mut Room) -> Result<bool> {
        // The first has nothing before it: in its place there is room for the window all the same.
        let window: &[u8] = match part.number {
            0 => &[],
            _ => &[0; WINDOW_BYTES],
        };
        let input = &mut room.input;
        input.clear();
        if !window.is_empty() {
            stored_block(input).copy_from_slice(window);
        }
        let low = lead_in(part.bit(), input);
        let bytes = part.bytes();
        let from = input.len();
        resize(input, from as u64 + (bytes.end - bytes.start))?;
        let place = input.get_mut(from..).unwrap_or_default();
        self.session.read_at(bytes.start, place)?;
        merge_first(place, low, part.bit());
        if part.last && self.member.trailer.stands_in(place) {
            return Ok(false);
        }
        if !part.last {
            lead_out((part.bits.end % 8) as u32, self.marker.block(), input);
        }
        let out = room.out.get_mut(WINDOW_BYTES - window.len()..);
        let out = out.unwrap_or_default();
        let Ok(made) = room.decompressor.deflate_decompress(input, out) else {
            return Ok(false);
        };
        let made = out.get(window.len()..made).unwrap_or_default();
        let own = match part.last {
            true => Some(made),
            false => made.strip_suffix(&self.marker.bytes),
        };
        room.length = own.map_or(0, <[u8]>::len);
        Ok(own.is_some())
    }

    /// Inflates a part again behind what really stands there until that makes no difference; `false` when it does so to
    /// the bytes that the next part may repeat.
    pub fn again(&self, part: &Part, room: &mut Room, window: &[u8]) -> Result<bool> {
        let bytes = part.bytes();
        let mut first = [0];
        self.session.read_at(bytes.start, &mut first)?;
        let mut input = stream_from(part.bit(), &first);
        let mut at = bytes.start + 1;
        let mut inflate = Inflate::new(false, 15);
        if inflate.set_dictionary(window).is_err() {
            return Ok(false);
        }
        let out = room.out.get_mut(WINDOW_BYTES..WINDOW_BYTES + room.length);
        let out = out.unwrap_or_default();
        let mut made = vec![0; AGAIN_BYTES];
        let (mut taken, mut done) = (0, 0);
        // Where the window of zeros was right by chance, so is what repeats it.
        let mut same = window.iter().rev().take_while(|&&byte| byte == 0).count();
        while same < WINDOW_BYTES && done < out.len() {
            if taken == input.len() {
                taken = 0;
                let left = bytes.end.saturating_sub(at);
                resize(&mut input, left.min(AGAIN_BYTES as u64))?;
                self.session.read_at(at, &mut input)?;
                at += input.len() as u64;
            }
            let before = (inflate.total_in(), inflate.total_out());
            let input = input.get(taken..).unwrap_or_default();
            let place = made.get_mut(..AGAIN_BYTES.min(out.len() - done));
            let place = place.unwrap_or_default();
            let inflated = inflate.decompress(input, place, InflateFlush::NoFlush);
            let used = (inflate.total_in() - before.0) as usize;
            let new = (inflate.total_out() - before.1) as usize;
            if inflated.is_err() || (used, new) == (0, 0) {
                return Ok(false);
            }
            taken += used;
            let new = made.get(..new).unwrap_or_default();
            let old = out.get_mut(done..done + new.len()).unwrap_or_default();
            same = match old.iter().zip(new).rposition(|(old, new)| old != new) {
                None => same + new.len(),
                Some(last) => new.len() - last - 1,
            };
            old.copy_from_slice(new);
            done += new.len();
        }
        // Nothing repeats the last part.
        Ok(same >= WINDOW_BYTES || part.last)
    }
}

/// Bytes that no file can know, in a final block of fixed codes.
pub(super) struct Marker {
    pub bytes: [u8; 8],
}

impl Marker {
    pub fn new() -> Self {
        let random = RandomState::new().build_hasher().finish();
        // Bytes below 144 have codes of eight bits.
        let bytes = random.to_le_bytes().map(|byte| byte % 144);
        Self { bytes }
    }

    /// The last block yes, fixed codes; the bytes; the end of the block, seven zeros.
    pub fn block(&self) -> u128 {
        let codes = self.bytes.map(|byte| (0x30 + byte).reverse_bits());
        u128::from(u64::from_le_bytes(codes)) << 3 | 0b011
    }
}
