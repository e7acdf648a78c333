//! Downloads: two mapped buffers; the host reads one while the device writes to the other.

use std::collections::VecDeque;
use std::ops::Range;

use super::context::{Context, Mapping, map};
use crate::core::error::{ErrorKind, Result};
use crate::core::scope;

const SLOTS: usize = 2;
const SLOT_BYTES: u64 = 8 << 20;

/// Copies `out.len()` bytes from a buffer, starting at `offset` (a multiple of 4). The buffer must contain them in
/// whole words.
///
/// # Errors
/// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::Gpu`] if the device does not finish its work
/// within a minute.
pub(crate) async fn copy_bytes(
    context: &Context,
    source: &wgpu::Buffer,
    offset: u64,
    out: &mut [u8],
) -> Result<()> {
    if out.is_empty() {
        return context.check_lost();
    }
    let whole = (out.len() as u64).next_multiple_of(4);
    let largest = context.limits().max_buffer_size & !3;
    let size = SLOT_BYTES.min(largest).min(whole);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let mut slots = VecDeque::new();
    for _ in 0..whole.div_ceil(size).min(SLOTS as u64) {
        let slot = context.buffer("voxload download", size, usage, false);
        slots.push_back(slot.await?);
    }
    let mut on_way = VecDeque::new();
    let mut next = 0;
    let mut pieces = out.chunks_mut(size as usize);
    while next < whole || !on_way.is_empty() {
        scope::check()?;
        while next < whole
            && let Some(slot) = slots.pop_front()
        {
            let part = offset + next..offset + whole.min(next + size);
            next = part.end - offset;
            let mapping = request(context, source, &slot, part).await?;
            on_way.push_back((slot, mapping));
        }
        if let (Some((slot, mapping)), Some(piece)) = (on_way.pop_front(), pieces.next()) {
            mapping.await?;
            copy_mapped(&slot, piece)?;
            context.guarded(0, || slot.unmap()).await?;
            slots.push_back(slot);
        }
    }
    Ok(())
}

fn copy_mapped(slot: &wgpu::Buffer, piece: &mut [u8]) -> Result<()> {
    // The buffer is mapped; only a loss of the device can have changed that.
    let view = slot.get_mapped_range(..);
    let view = view.map_err(|_| ErrorKind::DeviceLost)?;
    let bytes = view.get(..piece.len()).ok_or(ErrorKind::DeviceLost)?;
    piece.copy_from_slice(bytes);
    Ok(())
}

/// Copies a part of the buffer to the slot and requests the slot's mapping.
async fn request(
    context: &Context,
    source: &wgpu::Buffer,
    slot: &wgpu::Buffer,
    part: Range<u64>,
) -> Result<Mapping> {
    let size = part.end - part.start;
    let copy = context.guarded(size, || {
        let device = context.device();
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(source, part.start, slot, 0, size);
        context.queue().submit([encoder.finish()]);
        map(slot, wgpu::MapMode::Read)
    });
    Ok(context.mapping(copy.await?))
}
