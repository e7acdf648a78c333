//! Inflates a whole file with one call of libdeflate per member.
//!
//! libdeflate does not report where a member ends. So each member is given exactly the bytes between its header and
//! the trailer that precedes the next header. If they inflate to the length and CRC-32 in that trailer, they are the
//! member. Everything else (padding, damage, false headers) is left to [`super::stream`], which reports what it is.

use std::ops::Range;

use libdeflater::Decompressor;

use super::chunk::inflate_all;
use super::member::{FIXED_BYTES, Header, TRAILER_BYTES, Trailer, max_listed_members};
use crate::core::error::Result;
use crate::core::limits::Limits;
use crate::core::parallel::*;
use crate::core::{scope, threads};
use crate::source::{Source, zeros};

/// Compressed bytes for which memory is allocated if the output has no room for them.
const MAX_SEPARATE_BYTES: usize = 32 << 20;

/// Bytes of which one thread computes the CRC-32 at a time.
const CHECKED_BYTES: usize = 4 << 20;

/// Compressed bytes that a read which can be cancelled reads at a time.
const CANCELLABLE_BYTES: usize = 4 << 20;

/// Bytes that one thread searches for members at a time.
const SEARCH_BYTES: usize = 4 << 20;

/// Inflates a whole file into the end of `buffer`. Returns the byte of `buffer` at which the result begins, or `None`
/// if it does not fit or the file must be read differently; then the contents of `buffer` are unspecified.
///
/// The file should inflate to at least `need` bytes. If possible, the compressed bytes are held at the start of
/// `buffer`, so that no other memory is needed.
///
/// # Errors
/// Errors of reading the compressed file.
pub(super) fn inflate(
    source: &Source,
    limits: &Limits,
    need: u64,
    buffer: &mut [u8],
) -> Result<Option<usize>> {
    let compressed = source.len()?;
    let Some(compressed) = compressed.and_then(|length| usize::try_from(length).ok()) else {
        return Ok(None);
    };
    let Some(spare) = (buffer.len() as u64).checked_sub(need) else {
        return Ok(None);
    };
    let in_buffer = spare >= compressed as u64;
    if !in_buffer && compressed > MAX_SEPARATE_BYTES {
        return Ok(None);
    }
    let mut separate = zeros(if in_buffer { 0 } else { compressed as u64 })?;
    let held = buffer.get_mut(..compressed).filter(|_| in_buffer);
    let held = held.unwrap_or(&mut separate);
    let session = source.begin()?;
    // One request, unless it could take long to end it early.
    let step = match scope::is_cancellable() {
        true => CANCELLABLE_BYTES,
        false => compressed.max(1),
    };
    for (number, piece) in held.chunks_mut(step).enumerate() {
        scope::check()?;
        session.read_at((number * step) as u64, piece)?;
    }
    session.end()?;
    let members = members(held, need, limits);
    scope::check()?;
    let Some(members) = members else {
        return Ok(None);
    };
    let total: usize = members.iter().map(|member| member.length).sum();
    let Some(start) = buffer.len().checked_sub(total) else {
        return Ok(None);
    };
    let (head, tail) = buffer.split_at_mut(start);
    let held: &[u8] = if in_buffer { head } else { &separate };
    let Some(held) = held.get(..compressed) else {
        return Ok(None);
    };
    let inflated = inflate_members(held, &members, tail);
    scope::check()?;
    Ok(inflated.map(|()| start))
}

/// A member and its inflated length.
struct Member {
    span: Span,
    length: usize,
}

/// The members of a file that should inflate to at least `need` bytes.
fn members(bytes: &[u8], need: u64, limits: &Limits) -> Option<Vec<Member>> {
    let spans = spans(bytes, limits)?;
    let is_only = spans.len() == 1;
    let mut total = 0u64;
    let mut members = Vec::with_capacity(spans.len());
    for span in spans {
        let mut length = u64::from(span.trailer.length);
        if is_only {
            // The trailer has the length modulo 2^32.
            length += need.saturating_sub(length).next_multiple_of(1 << 32);
        }
        total = total.checked_add(length)?;
        let length = usize::try_from(length).ok()?;
        members.push(Member { span, length });
    }
    (total >= need && usize::try_from(total).is_ok()).then_some(members)
}

/// Inflates each member to its part of `out`; `None` if a member is not valid or the read was cancelled.
fn inflate_members(bytes: &[u8], members: &[Member], mut out: &mut [u8]) -> Option<()> {
    let mut work = Vec::with_capacity(members.len());
    for member in members {
        let (place, rest) = out.split_at_mut_checked(member.length)?;
        out = rest;
        work.push((&member.span, place));
    }
    let inflate = |decompressor: &mut Decompressor, span: &Span, place: &mut [u8]| {
        scope::check().ok()?;
        let body = bytes.get(span.body.clone())?;
        let length = inflate_all(decompressor, body, place).ok()??;
        let is_whole = length == place.len() && !span.trailer.occurs_in(body);
        let checked = span.trailer.check(checksum(place), length as u64);
        (is_whole && checked.is_ok()).then_some(())
    };
    if work.len() == 1 {
        let mut decompressor = Decompressor::new();
        let mut inflated = work.into_iter();
        return inflated.try_for_each(|(span, place)| inflate(&mut decompressor, span, place));
    }
    threads::parallel(|scope| {
        work.into_par_iter()
            .map_init(Decompressor::new, |decompressor, (span, place)| {
                scope.enter(|| inflate(decompressor, span, place))
            })
            .collect()
    })
}

/// The CRC-32 of bytes, computed on all threads.
fn checksum(bytes: &[u8]) -> u32 {
    let part = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(bytes);
        hasher
    };
    if bytes.len() <= CHECKED_BYTES {
        return part(bytes).finalize();
    }
    let parts: Vec<_> = threads::parallel(|_| bytes.par_chunks(CHECKED_BYTES).map(part).collect());
    let mut whole = crc32fast::Hasher::new();
    parts.iter().for_each(|part| whole.combine(part));
    whole.finalize()
}

/// A range that looks like a member. Only inflating it shows whether it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    /// The range of the deflate data in the file.
    body: Range<usize>,
    trailer: Trailer,
}

/// Splits a file at everything that looks like a member's header, searching on all threads; `None` if there are more
/// than [`max_listed_members`]. A false header is unlikely (one in some thousand files of 100 MB); it splits a member
/// into two spans, neither of which inflates.
fn spans(bytes: &[u8], limits: &Limits) -> Option<Vec<Span>> {
    let in_part = |i| headers_in(bytes, i * SEARCH_BYTES..(i + 1) * SEARCH_BYTES);
    let mut starts: Vec<usize> = match bytes.len().div_ceil(SEARCH_BYTES) {
        0 | 1 => in_part(0).collect(),
        parts => threads::parallel(|_| {
            let parts = (0..parts).into_par_iter();
            parts.flat_map_iter(in_part).collect()
        }),
    };
    let max = max_listed_members(bytes.len() as u64, limits);
    if starts.first() != Some(&0) || starts.len() as u64 > max {
        return None;
    }
    starts.push(bytes.len());
    starts
        .windows(2)
        .map(|pair| {
            let &[start, end] = pair else { return None };
            let header = Header::parse(bytes.get(start..end)?)?;
            let body = start + header.length as usize..end.checked_sub(TRAILER_BYTES)?;
            let trailer = Trailer::parse(bytes.get(body.end..end)?.first_chunk()?);
            (body.start < body.end).then_some(Span { body, trailer })
        })
        .collect()
}

/// Positions in `range` at which a header seems to begin.
fn headers_in(bytes: &[u8], range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
    // The search continues a little beyond the range, to find headers across its end.
    let end = bytes.len().min(range.end.saturating_add(FIXED_BYTES - 1));
    let searched = bytes.get(range.start..end).unwrap_or_default();
    memchr::memmem::find_iter(searched, &Header::START)
        .map(move |at| range.start + at)
        .filter(move |&at| at < range.end && Header::may_begin(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_sees_headers_across_its_seams() {
        let member = [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        for shift in 0..2 * FIXED_BYTES {
            let mut bytes = member.to_vec();
            bytes.resize(SEARCH_BYTES - shift, 0x55);
            bytes.extend(member);
            let spans = spans(&bytes, &Limits::default()).expect("two members");
            assert_eq!(spans.len(), 2, "shift {shift}");
            assert_eq!(spans[1].body.start, SEARCH_BYTES - shift + FIXED_BYTES);
        }
    }
}
