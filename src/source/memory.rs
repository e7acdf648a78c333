//! Bytes in memory.

use std::sync::Arc;

use super::{ByteSource, truncated};
use crate::core::error::Result;

/// Bytes in memory, shared with their owner and never copied.
#[derive(Clone)]
pub(crate) struct MemorySource(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl MemorySource {
    pub(crate) fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self(Arc::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl ByteSource for MemorySource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.bytes().len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        copy(self.bytes(), offset, buffer)
    }
}

impl std::fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemorySource({} bytes)", self.bytes().len())
    }
}

/// Copies the bytes that begin at `offset`.
///
/// # Errors
/// [`crate::ErrorKind::Truncated`] if there are fewer.
pub(crate) fn copy(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> Result<()> {
    let end = offset.saturating_add(buffer.len() as u64);
    let from = usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..start.checked_add(buffer.len())?))
        .ok_or_else(|| truncated("voxel data", bytes.len() as u64, end))?;
    buffer.copy_from_slice(from);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_where_they_are() {
        let bytes = vec![7; 100_000];
        let place = bytes.as_ptr();
        let source = MemorySource::new(bytes);
        assert_eq!(source.clone().bytes().as_ptr(), place);
    }
}
