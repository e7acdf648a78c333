//! Inflates a file from its start to its end for a reader that goes forwards: some parts at a time on all threads, or, if
//! the file is not suitable for that, in order.
//!
//! No thread works while the reader does not ask: parts are inflated when the last ones have been used up.

use std::collections::VecDeque;

use super::parallel::Parts;
use super::stream::{GzipCodec, Stream};
use super::tail::Followed;
use crate::core::error::Result;
use crate::source::Source;
use crate::source::forward::{Decoder, skip_to};

/// The decoder of gzip files.
pub(crate) struct Forwards {
    compressed: Source,
    codec: GzipCodec,
    way: Way,
}

enum Way {
    Parts(Box<Ahead>),
    InOrder(Box<Stream>),
}

/// Parts that have been inflated, and where the next ones come from.
struct Ahead {
    /// `None` at the end, when all has been verified.
    parts: Option<Parts>,
    ready: VecDeque<Vec<u8>>,
    /// Number of bytes of the first of them that have been returned.
    used: usize,
    /// Number of parts to inflate next.
    batch: usize,
    position: u64,
    followed: Followed,
}

impl Forwards {
    /// A decoder of the file that begins at byte `start` of the source.
    ///
    /// # Errors
    /// Errors of reading the source.
    pub(crate) fn new(compressed: &Source, start: u64, codec: &GzipCodec) -> Result<Self> {
        let parts = match start {
            0 => Parts::forwards(compressed)?,
            _ => None,
        };
        let way = match parts {
            Some(parts) => Way::Parts(Box::new(Ahead {
                batch: parts.threads(),
                parts: Some(parts),
                ready: VecDeque::new(),
                used: 0,
                position: 0,
                followed: codec.tail.follow(),
            })),
            None => {
                let stream = Stream::new(compressed.clone(), start, codec.clone());
                Way::InOrder(Box::new(stream))
            }
        };
        Ok(Self {
            compressed: compressed.clone(),
            codec: codec.clone(),
            way,
        })
    }
}

impl Decoder for Forwards {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let ahead = match &mut self.way {
            Way::InOrder(stream) => return stream.read(out),
            Way::Parts(ahead) => ahead,
        };
        if let Some(read) = ahead.read(&self.compressed, &self.codec, out)? {
            return Ok(read);
        }
        // A part that does not fit: in order from here on, which reports what is wrong if something is.
        let mut stream = Box::new(self.codec.stream(&self.compressed));
        skip_to(
            &mut *stream,
            ahead.position,
            ahead.position,
            &mut Vec::new(),
        )?;
        let read = stream.read(out);
        self.way = Way::InOrder(stream);
        read
    }

    fn position(&self) -> u64 {
        match &self.way {
            Way::Parts(ahead) => ahead.position,
            Way::InOrder(stream) => stream.position(),
        }
    }

    fn is_sound(&self) -> bool {
        match &self.way {
            // After an error, parts are inflated again.
            Way::Parts(_) => true,
            Way::InOrder(stream) => stream.is_sound(),
        }
    }
}

impl Ahead {
    /// Returns inflated bytes, none at the verified end; `None` if a part does not fit.
    fn read(
        &mut self,
        compressed: &Source,
        codec: &GzipCodec,
        out: &mut [u8],
    ) -> Result<Option<usize>> {
        loop {
            if let Some(read) = self.take(out) {
                return Ok(Some(read));
            }
            let Some(parts) = &mut self.parts else {
                return Ok(Some(0));
            };
            if parts.is_done() {
                let index = self.parts.take().map(Parts::finish).transpose()?;
                if let Some(index) = index.flatten() {
                    codec.leave(index);
                }
                codec.tail.reached_end(&mut self.followed);
                continue;
            }
            let copied = |_, bytes: &[u8], ()| bytes.to_vec();
            let Some(pieces) = parts.inflate(compressed, self.batch, |_| (), copied)? else {
                return Ok(None);
            };
            // The first bytes should come soon; after that, threads should not wait for each other often.
            self.batch = 2 * parts.threads();
            self.ready.extend(pieces);
        }
    }

    /// Returns bytes that are ready, if there are any.
    fn take(&mut self, out: &mut [u8]) -> Option<usize> {
        loop {
            let bytes = self.ready.front()?.get(self.used..).unwrap_or_default();
            if bytes.is_empty() {
                self.ready.pop_front();
                self.used = 0;
                continue;
            }
            let length = bytes.len().min(out.len());
            let (place, bytes) = (out.get_mut(..length)?, bytes.get(..length)?);
            place.copy_from_slice(bytes);
            self.followed.add(self.position, bytes);
            self.used += length;
            self.position += length as u64;
            return Some(length);
        }
    }
}
