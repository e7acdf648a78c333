//! A reader of a gzip file of its own: it inflates the file forwards once, whatever others read meanwhile.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use super::member::Stream;
use super::{SKIP_BYTES, drain};
use crate::error::Result;
use crate::options::Limits;
use crate::source::{Access, ByteSource, Source, truncated};

/// The bytes of a gzip file in order; a step back starts again.
pub(crate) struct Forwards {
    compressed: Source,
    trailing: Arc<AtomicU64>,
    limits: Limits,
    stream: Mutex<Option<Stream>>,
}

impl Forwards {
    pub fn new(compressed: Source, trailing: Arc<AtomicU64>, limits: Limits) -> Self {
        Self {
            compressed,
            trailing,
            limits,
            stream: Mutex::default(),
        }
    }

    /// Runs `work` on the stream, begun anew when it is behind `offset`. One that failed is not used again.
    fn with_stream(&self, offset: u64, work: impl FnOnce(&mut Stream) -> Result<()>) -> Result<()> {
        let mut kept = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = match kept.take() {
            Some(stream) if stream.position() <= offset => stream,
            _ => Stream::new(
                self.compressed.clone(),
                Arc::clone(&self.trailing),
                self.limits,
            ),
        };
        work(&mut stream).map_err(|error| error.at_maybe(self.compressed.path()))?;
        *kept = Some(stream);
        Ok(())
    }
}

/// Inflates until `buffer` is full or there is no more.
fn read_some(stream: &mut Stream, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

impl ByteSource for Forwards {
    fn len(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let need = offset.saturating_add(buffer.len() as u64);
        self.with_stream(offset, |stream| {
            let mut scratch = Vec::new();
            while stream.position() < offset {
                let ahead = (offset - stream.position()).min(SKIP_BYTES as u64);
                scratch.resize(ahead as usize, 0);
                if read_some(stream, &mut scratch)? == 0 {
                    return Err(truncated("voxel data", stream.position(), need));
                }
            }
            if read_some(stream, buffer)? < buffer.len() {
                return Err(truncated("voxel data", stream.position(), need));
            }
            Ok(())
        })
    }

    fn access(&self) -> Access {
        Access::Sequential
    }

    fn finish(&self, end: u64) -> Result<()> {
        self.with_stream(u64::MAX, |stream| drain(stream, Some(end), |_| Ok(())))
    }
}

impl fmt::Debug for Forwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwards")
            .field("compressed", &self.compressed)
            .finish_non_exhaustive()
    }
}
