//! One slot of the ring: how the host writes it, and how a kernel gets at it.

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};

/// Staging memory that is mapped while the host has it.
pub(crate) struct Slot {
    pub(super) staging: wgpu::Buffer,
    /// What a kernel reads, where that cannot be the staging buffer itself.
    pub(super) raw: Option<wgpu::Buffer>,
}

impl Slot {
    /// The buffer that the host fills.
    pub fn staging(&self) -> &wgpu::Buffer {
        &self.staging
    }

    /// Records what makes `used` bytes readable for a kernel, and says in which buffer.
    pub fn bindable(&self, used: u64, encoder: &mut wgpu::CommandEncoder) -> &wgpu::Buffer {
        let Some(raw) = &self.raw else {
            return &self.staging;
        };
        encoder.copy_buffer_to_buffer(&self.staging, 0, raw, 0, used);
        raw
    }
}

/// Writes a slot from its start on. It may be write-combined memory: written in order, never read.
pub(crate) struct Writer {
    pub(super) view: wgpu::BufferViewMut,
    pub(super) used: usize,
}

impl Writer {
    /// Bytes written.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when they do not fit: whoever cut the tasks was wrong about one.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.used + bytes.len();
        if end > self.view.len() {
            return Err(Error::shape(
                end,
                format_args!("at most {} bytes in a staging slot", self.view.len()),
            ));
        }
        self.view.slice(self.used..end).copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }
}
