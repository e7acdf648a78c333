//! Bounds on what a file may make its reader take.

use crate::core::error::{ErrorKind, Result};

/// Bounds on what a file may make voxload take, for untrusted files: [`crate::LoadOptions::limits`].
///
/// Each is compared before memory is asked for; more is [`ErrorKind::Limit`]. The defaults accept every valid volume.
/// Besides, and whatever the limits, a header that needs more bytes than its file has, or than its compression
/// can hold, is refused before memory is asked for, as are 65 536 empty gzip members in a row and, on whole
/// reads, more inflated bytes after the voxels than the voxels are (and 256 MiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    pub(crate) output: Option<u64>,
    pub(crate) header: u64,
    pub(crate) extensions: u64,
    pub(crate) members: u64,
    pub(crate) inflate_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output: None,
            header: 256 << 20,
            extensions: 256 << 20,
            members: 1 << 26,
            inflate_ratio: u64::MAX,
        }
    }
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of the largest array that is made for a whole read, a slice or a block of frames, on the host or on a
    /// device; none by default. Buffers of the caller's are not counted.
    pub fn output(mut self, bytes: u64) -> Self {
        self.output = Some(bytes);
        self
    }

    /// Bytes of a header, without extensions; 256 MiB by default. Formats whose headers are short have smaller
    /// bounds of their own.
    pub fn header(mut self, bytes: u64) -> Self {
        self.header = bytes;
        self
    }

    /// Bytes of a NIfTI header's extensions; 256 MiB by default.
    pub fn extensions(mut self, bytes: u64) -> Self {
        self.extensions = bytes;
        self
    }

    /// Members of a gzip file; 2^26 by default, which are 4 TiB of BGZF.
    pub fn members(mut self, members: u64) -> Self {
        self.members = members;
        self
    }

    /// Inflated bytes for each compressed one; by default no less than the compression can reach (deflate about
    /// 1030, zstd 32 768).
    pub fn inflate_ratio(mut self, ratio: u64) -> Self {
        self.inflate_ratio = ratio;
        self
    }

    /// The most that compressed bytes may inflate to, given what their compression can reach.
    pub(crate) fn inflated(&self, compressed: u64, reach: u64) -> u64 {
        compressed.saturating_mul(reach.min(self.inflate_ratio))
    }
}

/// # Errors
/// [`ErrorKind::Limit`] when more is needed than allowed.
pub(crate) fn check(what: &'static str, needed: u128, allowed: u64) -> Result<()> {
    match needed > u128::from(allowed) {
        true => Err(ErrorKind::Limit {
            what,
            needed,
            allowed,
        }
        .into()),
        false => Ok(()),
    }
}
