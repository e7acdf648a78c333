//! The frame of a gzip member (RFC 1952) in bytes at hand, and where members lie in a file.

use std::ops::Range;

use rayon::prelude::*;

use crate::options::Limits;

const FLAG_HEADER_CRC: u8 = 2;
const FLAG_EXTRA: u8 = 4;
const FLAG_NAME: u8 = 8;
const FLAG_COMMENT: u8 = 16;
pub(super) const FLAG_RESERVED: u8 = 0xe0;

/// Bytes of a header without optional fields.
const FIXED_BYTES: usize = 10;

/// CRC-32 and length behind a member's data.
pub(super) const TRAILER_BYTES: usize = 8;

/// The shortest member: header, an empty block, trailer.
const LEAST_MEMBER: usize = FIXED_BYTES + 2 + TRAILER_BYTES;

/// Members of which a list is made whatever their size.
const FEW_MEMBERS: u64 = 1 << 16;

/// Bytes that members have at least, on average, where there are more.
const TINY_MEMBER: u64 = 512;

/// Bytes searched for members by one thread at a time.
const SEARCH_BYTES: usize = 4 << 20;

/// Whether these first bytes are a gzip member's.
pub(crate) fn is_gzip(prefix: &[u8]) -> bool {
    prefix.starts_with(&[0x1f, 0x8b])
}

/// A member's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the header.
    pub length: usize,
    /// Bytes of the whole member, where the header tells (BGZF, mgzip).
    pub member: Option<u64>,
}

impl Header {
    /// Parses the header that `bytes` begin with; `None` when there is none or it is not all there.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[0x1f, 0x8b, 8, flags, ..] = bytes else {
            return None;
        };
        if flags & FLAG_RESERVED != 0 {
            return None;
        }
        let mut length = FIXED_BYTES;
        let mut extra: &[u8] = &[];
        if flags & FLAG_EXTRA != 0 {
            let size = u16::from_le_bytes(*bytes.get(length..)?.first_chunk()?);
            let end = length + 2 + usize::from(size);
            extra = bytes.get(length + 2..end)?;
            length = end;
        }
        for flag in [FLAG_NAME, FLAG_COMMENT] {
            if flags & flag != 0 {
                length += bytes.get(length..)?.iter().position(|&byte| byte == 0)? + 1;
            }
        }
        if flags & FLAG_HEADER_CRC != 0 {
            length += 2;
        }
        (length <= bytes.len()).then(|| Self {
            length,
            member: member_length(extra, length),
        })
    }
}

/// The length of a member as its extra field has it.
fn member_length(mut extra: &[u8], header: usize) -> Option<u64> {
    while let [a, b, low, high, rest @ ..] = extra {
        let size = usize::from(u16::from_le_bytes([*low, *high]));
        let value = rest.get(..size)?;
        match ([*a, *b], value) {
            // BGZF: the length of the member less one.
            ([b'B', b'C'], &[low, high]) => {
                return Some(u64::from(u16::from_le_bytes([low, high])) + 1);
            }
            // mgzip and pgzip: the length of the deflate data.
            ([b'I', b'G'] | [b'M', b'Z'], value) => {
                let size = u32::from_le_bytes(value.try_into().ok()?);
                return Some((header + TRAILER_BYTES) as u64 + u64::from(size));
            }
            _ => extra = rest.get(size..)?,
        }
    }
    None
}

/// What stands behind a member's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    pub crc: u32,
    /// Inflated bytes, modulo 2^32.
    pub length: u32,
}

impl Trailer {
    pub fn parse(bytes: &[u8; TRAILER_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            crc: u32::from_le_bytes([a, b, c, d]),
            length: u32::from_le_bytes([e, f, g, h]),
        }
    }

    /// Whether the same bytes stand in a member's data: it may end there, and what follows may be another one that is
    /// damaged.
    pub fn stands_in(&self, body: &[u8]) -> bool {
        let mut bytes = [0; TRAILER_BYTES];
        let (crc, length) = bytes.split_at_mut(4);
        crc.copy_from_slice(&self.crc.to_le_bytes());
        length.copy_from_slice(&self.length.to_le_bytes());
        memchr::memmem::find(body, &bytes).is_some()
    }
}

/// A member as it seems to lie in a file: only inflating it tells whether it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The deflate data, in bytes of the file.
    pub body: Range<usize>,
    pub trailer: Trailer,
}

/// Members that a file of `length` bytes may have for a list of them to be made: one of more tiny ones would be larger
/// than the file.
pub(super) fn usual_members(length: u64, limits: &Limits) -> u64 {
    limits.members.min(FEW_MEMBERS + length / TINY_MEMBER)
}

/// Cuts a file at everything that looks like the header of a member, all threads searching; `None` for more than
/// [`usual_members`]. A false header is unlikely (one in some thousand files of 100 MB), and makes two spans that both
/// fail to inflate.
pub(super) fn spans(bytes: &[u8], limits: &Limits) -> Option<Vec<Span>> {
    let mut starts: Vec<usize> = (0..bytes.len().div_ceil(SEARCH_BYTES))
        .into_par_iter()
        .flat_map_iter(|i| headers_in(bytes, i * SEARCH_BYTES..(i + 1) * SEARCH_BYTES))
        .collect();
    let most = usual_members(bytes.len() as u64, limits);
    if starts.first() != Some(&0) || starts.len() as u64 > most {
        return None;
    }
    starts.push(bytes.len());
    starts
        .windows(2)
        .map(|pair| {
            let &[start, end] = pair else { return None };
            let header = Header::parse(bytes.get(start..end)?)?;
            let body = start + header.length..end.checked_sub(TRAILER_BYTES)?;
            let trailer = Trailer::parse(bytes.get(body.end..end)?.first_chunk()?);
            (body.start < body.end).then_some(Span { body, trailer })
        })
        .collect()
}

/// Positions in `range` at which a header seems to begin.
fn headers_in(bytes: &[u8], range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
    // Some bytes more, so that a header across the end of the range is seen whole.
    let end = bytes.len().min(range.end.saturating_add(FIXED_BYTES - 1));
    let searched = bytes.get(range.start..end).unwrap_or_default();
    memchr::memmem::find_iter(searched, &[0x1f, 0x8b, 8])
        .map(move |at| range.start + at)
        .filter(move |&at| at < range.end && looks_like_header(bytes, at))
}

fn looks_like_header(bytes: &[u8], at: usize) -> bool {
    let Some(&[_, _, _, flags, _, _, _, _, speed, system, ..]) = bytes.get(at..) else {
        return false;
    };
    flags & FLAG_RESERVED == 0
        && matches!(speed, 0 | 2 | 4)
        && matches!(system, 0..=13 | 255)
        && bytes.len() - at >= LEAST_MEMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_every_optional_field() {
        let mut header = vec![0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 255];
        header.extend([6, 0, b'B', b'C', 2, 0, 0x34, 0x12]);
        header.extend(b"name\0comment\0");
        header.extend([0xaa, 0xbb]);
        let parsed = Header {
            length: header.len(),
            member: Some(0x1235),
        };
        assert_eq!(Header::parse(&header), Some(parsed));
        for cut in 0..header.len() {
            assert_eq!(Header::parse(&header[..cut]), None, "cut at {cut}");
        }
    }

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
