//! What surrounds the deflate data of a gzip member (RFC 1952): its header, and its trailer with CRC-32 and length.
//!
//! [`Header::read`] is the only parser of headers and [`Trailer::check`] the only comparison of checksum and length,
//! however a file is read.

use crate::core::error::{Error, ErrorKind, Result};
use crate::core::limits::Limits;
use crate::source::truncated;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Deflate reaches about 1030 to 1. A header that needs a higher ratio is wrong.
pub(in crate::source) const MAX_DEFLATE_RATIO: u64 = 1100;

/// The compression method "deflate", the only one that RFC 1952 defines.
const DEFLATE: u8 = 8;

// Flags of a header (RFC 1952, section 2.3.1). Bit 0, "probably text", has no effect on readers.
const FLAG_HEADER_CRC: u8 = 1 << 1;
pub(super) const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0xe0;

/// Bytes of a header without optional fields.
pub(super) const FIXED_BYTES: usize = 10;

/// Where the extra field, if there is one, begins: after its length.
pub(super) const EXTRA_FROM: usize = FIXED_BYTES + 2;

/// Bytes of CRC-32 and length after a member's data.
pub(super) const TRAILER_BYTES: usize = 8;

/// Bytes of the shortest member: a header, an empty block, a trailer.
const MIN_MEMBER_BYTES: usize = FIXED_BYTES + 2 + TRAILER_BYTES;

/// Largest number of consecutive empty members: more make a decompression bomb.
pub(super) const MAX_EMPTY_MEMBERS: u32 = 1 << 16;

/// Number of members that are always listed, however short the file.
const ALWAYS_LISTED_MEMBERS: u64 = 1 << 16;

/// Mean number of compressed bytes that further members must have.
const MIN_MEAN_MEMBER_BYTES: u64 = 512;

/// Whether a gzip member begins with these bytes.
pub(crate) fn is_gzip(prefix: &[u8]) -> bool {
    prefix.starts_with(&MAGIC)
}

/// Largest number of members of a file of `length` bytes that are kept in a list. A list of more could be larger than
/// the file.
pub(super) fn max_listed_members(length: u64, limits: &Limits) -> u64 {
    limits
        .members
        .min(ALWAYS_LISTED_MEMBERS + length / MIN_MEAN_MEMBER_BYTES)
}

/// The error for damaged gzip data.
pub(super) fn damaged(detail: impl Into<String>) -> Error {
    ErrorKind::Integrity {
        codec: "gzip",
        detail: detail.into(),
    }
    .into()
}

/// The error for data that is not gzip.
pub(super) fn not_gzip() -> Error {
    damaged("not a gzip file: it does not begin with 1f 8b")
}

/// The part of a member's header that voxload uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the header.
    pub length: u64,
    /// Bytes of the whole member, if the header has that (BGZF, mgzip, pgzip).
    pub member: Option<u64>,
}

impl Header {
    /// Reads a header; `next` returns its bytes one by one.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] if the header is not valid, and errors of `next`.
    pub(super) fn read(mut next: impl FnMut() -> Result<u8>) -> Result<Self> {
        let mut length = 0;
        let mut byte = || {
            length += 1;
            next()
        };
        let mut fixed = [0; FIXED_BYTES];
        for place in &mut fixed {
            *place = byte()?;
        }
        if !is_gzip(&fixed) {
            return Err(not_gzip());
        }
        // Time, compression level and operating system are not used.
        let [_, _, method, flags, ..] = fixed;
        if method != DEFLATE {
            return Err(damaged(format!("compression method {method} instead of 8")));
        }
        if flags & FLAGS_RESERVED != 0 {
            return Err(damaged(format!("reserved flags {flags:#04x} are set")));
        }
        let mut extra = Vec::new();
        if flags & FLAG_EXTRA != 0 {
            let size = u16::from_le_bytes([byte()?, byte()?]);
            for _ in 0..size {
                extra.push(byte()?);
            }
        }
        for flag in [FLAG_NAME, FLAG_COMMENT] {
            // Strings that end with a zero byte.
            while flags & flag != 0 && byte()? != 0 {}
        }
        if flags & FLAG_HEADER_CRC != 0 {
            byte()?;
            byte()?;
        }
        Ok(Self {
            length,
            member: member_bytes(&extra, length),
        })
    }

    /// Parses the header at the start of `bytes`; `None` if it is not valid or not complete.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.iter();
        let have = bytes.len() as u64;
        Self::read(|| {
            let byte = rest.next().copied();
            byte.ok_or_else(|| truncated("gzip header", have, have + 1))
        })
        .ok()
    }

    /// Whether a member may begin at byte `at`: a fast test with few false positives.
    pub(super) fn may_begin(bytes: &[u8], at: usize) -> bool {
        let rest = bytes.get(at..).unwrap_or_default();
        let &[_, _, method, flags, _, _, _, _, level, system, ..] = rest else {
            return false;
        };
        is_gzip(rest)
            && method == DEFLATE
            && flags & FLAGS_RESERVED == 0
            && matches!(level, 0 | 2 | 4)
            && matches!(system, 0..=13 | 255)
            && rest.len() >= MIN_MEMBER_BYTES
    }

    /// The bytes with which every valid header begins.
    pub(super) const START: [u8; 3] = [MAGIC[0], MAGIC[1], DEFLATE];
}

/// The length of a member, from the extra field of its header.
fn member_bytes(mut extra: &[u8], header: u64) -> Option<u64> {
    while let [a, b, low, high, rest @ ..] = extra {
        let size = usize::from(u16::from_le_bytes([*low, *high]));
        let value = rest.get(..size)?;
        match ([*a, *b], value) {
            // BGZF: the length of the member minus one.
            ([b'B', b'C'], &[low, high]) => {
                return Some(u64::from(u16::from_le_bytes([low, high])) + 1);
            }
            // mgzip and pgzip: the length of the deflate data.
            ([b'I', b'G'] | [b'M', b'Z'], value) => {
                let size = u32::from_le_bytes(value.try_into().ok()?);
                return Some(header + TRAILER_BYTES as u64 + u64::from(size));
            }
            _ => extra = rest.get(size..)?,
        }
    }
    None
}

/// What follows the deflate data of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    /// The CRC-32 of the inflated bytes.
    pub crc: u32,
    /// The number of inflated bytes, modulo 2^32.
    pub length: u32,
}

impl Trailer {
    pub(super) fn parse(bytes: &[u8; TRAILER_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h] = *bytes;
        Self {
            crc: u32::from_le_bytes([a, b, c, d]),
            length: u32::from_le_bytes([e, f, g, h]),
        }
    }

    /// Compares a member's CRC-32 and number of inflated bytes with the trailer.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] if one of them differs.
    pub(super) fn check(self, crc: u32, length: u64) -> Result<()> {
        if self.crc != crc {
            return Err(damaged(format!(
                "checksum {crc:08x}, the file says {:08x}",
                self.crc
            )));
        }
        if self.length != length as u32 {
            return Err(damaged(format!(
                "{length} bytes inflated, the file says {} (modulo 2^32)",
                self.length
            )));
        }
        Ok(())
    }

    /// Whether the trailer's bytes also occur inside the data. Then the member may end there, and a damaged member
    /// may follow.
    pub(super) fn occurs_in(self, data: &[u8]) -> bool {
        let mut bytes = [0; TRAILER_BYTES];
        let (crc, length) = bytes.split_at_mut(4);
        crc.copy_from_slice(&self.crc.to_le_bytes());
        length.copy_from_slice(&self.length.to_le_bytes());
        memchr::memmem::find(data, &bytes).is_some()
    }
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
            length: header.len() as u64,
            member: Some(0x1235),
        };
        assert_eq!(Header::parse(&header), Some(parsed));
        for cut in 0..header.len() {
            assert_eq!(Header::parse(&header[..cut]), None, "cut at {cut}");
        }
    }
}
