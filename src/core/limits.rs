//! Limits on what an untrusted file may make voxload allocate and compute.

use crate::core::error::{ErrorKind, Result};

/// Limits for untrusted files: [`crate::LoadOptions::limits`].
///
/// Each is checked before memory is allocated; a file that exceeds one gives [`ErrorKind::Limit`]. The defaults
/// accept every valid volume.
///
/// Some things are refused whatever the limits: a header that needs more bytes than the file has, or than its compression
/// can hold; more than 65 536 consecutive empty gzip members; and, in a read of the whole array, more inflated bytes
/// after the voxels than the larger of 256 MiB and the size of the voxels.
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

    /// Bytes of the largest array that is allocated for a whole read, a slice or a block of frames, on the host or on
    /// a device. Unlimited by default. Buffers of the caller do not count.
    pub fn output(mut self, bytes: u64) -> Self {
        self.output = Some(bytes);
        self
    }

    /// Bytes of a header without extensions; 256 MiB by default. Formats with short headers have smaller limits of
    /// their own.
    pub fn header(mut self, bytes: u64) -> Self {
        self.header = bytes;
        self
    }

    /// Bytes of a NIfTI header's extensions; 256 MiB by default.
    pub fn extensions(mut self, bytes: u64) -> Self {
        self.extensions = bytes;
        self
    }

    /// Members of a gzip file; 2^26 by default, enough for 4 TiB of BGZF.
    pub fn members(mut self, members: u64) -> Self {
        self.members = members;
        self
    }

    /// Inflated bytes per compressed byte. By default the most that each compression can reach (deflate about 1030,
    /// zstd 32 768).
    pub fn inflate_ratio(mut self, ratio: u64) -> Self {
        self.inflate_ratio = ratio;
        self
    }

    /// The most bytes that `compressed` bytes may inflate to, if their compression can reach `reach` to 1.
    pub(crate) fn inflated(&self, compressed: u64, reach: u64) -> u64 {
        compressed.saturating_mul(reach.min(self.inflate_ratio))
    }
}

/// Compares a size with a limit.
///
/// # Errors
/// [`ErrorKind::Limit`] if `needed` is above `allowed`.
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
