//! Files whose member headers tell where the next one is (BGZF, mgzip, pgzip): their index is read, not made.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::chunk::{Chunk, may_hold};
use super::framing::{Header, TRAILER_BYTES, Trailer, usual_members};
use super::index::Index;
use super::member::MOST_EMPTY;
use super::record::MOST_CHUNK;
use crate::error::Result;
use crate::options::Limits;
use crate::source::Source;

/// Bytes read at a member's start; a header that is longer is not of these formats.
const HEADER_BYTES: u64 = 512;

/// Deflate data of no bytes as everybody writes it.
const EMPTY_DATA: [u8; 2] = [3, 0];

/// The index of a file all of whose members tell their length; `None` for any other.
///
/// # Errors
/// What reading the file gives.
pub(super) fn walk(compressed: &Source, limits: &Limits) -> Result<Option<Index>> {
    let Some(length) = compressed.len()? else {
        return Ok(None);
    };
    let session = compressed.begin()?;
    let mut index = Index::default();
    let (mut empty, mut members) = (0, 0);
    let mut buffer = [0; HEADER_BYTES as usize];
    let (mut at, mut out) = (0, 0);
    while at < length {
        let size = (length - at).min(HEADER_BYTES) as usize;
        let start = buffer.get_mut(..size).unwrap_or_default();
        session.read_at(at, start)?;
        let Some(header) = Header::parse(start) else {
            return Ok(None);
        };
        let end = header.member.map(|member| at.saturating_add(member));
        let body = at + header.length as u64;
        let Some(trailer_at) = end.and_then(|end| end.checked_sub(TRAILER_BYTES as u64)) else {
            return Ok(None);
        };
        if trailer_at <= body || trailer_at + TRAILER_BYTES as u64 > length {
            return Ok(None);
        }
        let mut trailer = [0; TRAILER_BYTES];
        session.read_at(trailer_at, &mut trailer)?;
        let trailer = Trailer::parse(&trailer);
        let next = out + u64::from(trailer.length);
        if next == out {
            // Empty members are left out, so they are checked here.
            let data = start
                .get(header.length..)
                .and_then(|data| data.first_chunk());
            empty += 1;
            if data != Some(&EMPTY_DATA) || trailer_at != body + 2 || trailer.crc != 0 {
                return Ok(None);
            }
        } else {
            empty = 0;
        }
        members += 1;
        // A stream says what is wrong with these.
        if empty > MOST_EMPTY || members > usual_members(length, limits) {
            return Ok(None);
        }
        let bits = body * 8..trailer_at * 8;
        if next > out {
            // Large ones are better cut by a stream.
            if next - out > MOST_CHUNK as u64 || !may_hold(&bits, next - out) {
                return Ok(None);
            }
            index.chunks.push(Arc::new(Chunk {
                out: out..next,
                bits,
                window: None,
                crc: trailer.crc,
                ends_member: true,
                seen: AtomicBool::new(false),
            }));
        }
        out = next;
        at = trailer_at + TRAILER_BYTES as u64;
    }
    session.end()?;
    index.complete = true;
    Ok(Some(index))
}
