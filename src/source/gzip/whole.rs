//! A whole file inflated in one shot by libdeflate, every member at once.
//!
//! libdeflate neither says where a member ended nor what follows it, so each member is given exactly the bytes
//! between its header and the trailer before the next one: what inflates from there to the length and the
//! checksum of that trailer is that member. Whatever does not fit this picture (padding, damage, members that
//! are none) is left to [`super::member::Stream`], which tells what it is.

use libdeflater::Decompressor;
use rayon::prelude::*;

use super::GzipSource;
use super::framing::{Span, spans};
use crate::error::Result;
use crate::options::Limits;
use crate::source::zeros;

/// Compressed bytes that are held beside the output when they do not fit into it.
const MOST_BESIDE: usize = 32 << 20;

/// Bytes whose checksum one thread computes at a time.
const CHECKED_BYTES: usize = 4 << 20;

impl GzipSource {
    /// Inflates the whole file into the end of `room`: where it begins there, or `None` when it does not fit or
    /// has to be read otherwise; `room` then holds anything.
    ///
    /// `need` bytes are wanted at least. The compressed bytes stand at the start of `room` meanwhile, so that
    /// no memory is used but the caller's.
    ///
    /// # Errors
    /// What reading the compressed file gives.
    pub fn one_shot(&self, need: u64, room: &mut [u8]) -> Result<Option<usize>> {
        let Some(compressed) = self.compressed_length()? else {
            return Ok(None);
        };
        let Some(spare) = (room.len() as u64).checked_sub(need) else {
            return Ok(None);
        };
        let inside = spare >= compressed as u64;
        if !inside && compressed > MOST_BESIDE {
            return Ok(None);
        }
        let mut beside = zeros(if inside { 0 } else { compressed as u64 })?;
        let held = room.get_mut(..compressed).filter(|_| inside);
        let held = held.unwrap_or(&mut beside);
        self.read_compressed(0, held)?;
        let Some(members) = members(held, need, &self.limits) else {
            return Ok(None);
        };
        let total: usize = members.iter().map(|member| member.length).sum();
        let Some(start) = room.len().checked_sub(total) else {
            return Ok(None);
        };
        let (head, tail) = room.split_at_mut(start);
        let held: &[u8] = if inside { head } else { &beside };
        let Some(held) = held.get(..compressed) else {
            return Ok(None);
        };
        Ok(inflate(held, &members, tail).map(|()| start))
    }
}

/// A member and the bytes it inflates to.
struct Member {
    span: Span,
    length: usize,
}

/// The members of a file that should inflate to `need` bytes or more.
fn members(bytes: &[u8], need: u64, limits: &Limits) -> Option<Vec<Member>> {
    let spans = spans(bytes, limits)?;
    let alone = spans.len() == 1;
    let mut total = 0u64;
    let mut members = Vec::with_capacity(spans.len());
    for span in spans {
        let mut length = u64::from(span.trailer.length);
        if alone {
            // The trailer has the length modulo 2^32.
            length += need.saturating_sub(length).next_multiple_of(1 << 32);
        }
        total = total.checked_add(length)?;
        let length = usize::try_from(length).ok()?;
        members.push(Member { span, length });
    }
    (total >= need && usize::try_from(total).is_ok()).then_some(members)
}

/// Inflates every member to its place in `out`, which they fill; `None` when one is not as it should be.
fn inflate(bytes: &[u8], members: &[Member], mut out: &mut [u8]) -> Option<()> {
    let mut work = Vec::with_capacity(members.len());
    for member in members {
        let (place, rest) = out.split_at_mut_checked(member.length)?;
        out = rest;
        work.push((&member.span, place));
    }
    work.into_par_iter()
        .map_init(Decompressor::new, |decompressor, (span, place)| {
            let body = bytes.get(span.body.clone())?;
            let length = decompressor.deflate_decompress(body, place).ok()?;
            let right = length == place.len() && checksum(place) == span.trailer.crc;
            (right && !span.trailer.stands_in(body)).then_some(())
        })
        .collect()
}

/// The CRC-32 of bytes, all threads computing.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let part = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(bytes);
        hasher
    };
    if bytes.len() <= CHECKED_BYTES {
        return part(bytes).finalize();
    }
    let parts: Vec<_> = bytes.par_chunks(CHECKED_BYTES).map(part).collect();
    let mut whole = crc32fast::Hasher::new();
    parts.iter().for_each(|part| whole.combine(part));
    whole.finalize()
}
