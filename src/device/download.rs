//! The way down: two mapped buffers, one copied from while the other is filled.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Instant;

use super::{Gpu, PATIENCE, TICK};
use crate::error::{ErrorKind, Result};

const SLOTS: usize = 2;
const SLOT_BYTES: u64 = 8 << 20;

/// Copies `out.len()` bytes of a buffer from `offset` on, a multiple of 4, where it has at least that many in whole
/// words.
///
/// # Errors
/// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::Gpu`] when the device does not finish its
/// work within a minute.
pub(crate) fn copy_bytes(
    gpu: &Gpu,
    source: &wgpu::Buffer,
    offset: u64,
    out: &mut [u8],
) -> Result<()> {
    if out.is_empty() {
        return gpu.check_lost();
    }
    let whole = (out.len() as u64).next_multiple_of(4);
    let size = SLOT_BYTES.min(gpu.limits().max_buffer_size & !3).min(whole);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let mut slots = VecDeque::new();
    for _ in 0..whole.div_ceil(size).min(SLOTS as u64) {
        slots.push_back(gpu.buffer("voxload download", size, usage, false)?);
    }
    let mut on_way = VecDeque::new();
    let mut next = 0;
    let mut pieces = out.chunks_mut(size as usize);
    while next < whole || !on_way.is_empty() {
        while next < whole
            && let Some(slot) = slots.pop_front()
        {
            let part = next..whole.min(next + size);
            next = part.end;
            let mapped = request(gpu, source, &slot, offset + part.start..offset + part.end)?;
            on_way.push_back((slot, mapped));
        }
        if let (Some((slot, mapped)), Some(piece)) = (on_way.pop_front(), pieces.next()) {
            wait(gpu, &mapped)?;
            // It was mapped a moment ago: only the loss of the device undoes that.
            let view = slot
                .get_mapped_range(..)
                .map_err(|_| ErrorKind::DeviceLost)?;
            piece.copy_from_slice(&view[..piece.len()]);
            drop(view);
            gpu.guarded(0, || slot.unmap())?;
            slots.push_back(slot);
        }
    }
    Ok(())
}

/// Has a part of the buffer copied to the slot and the slot mapped.
fn request(
    gpu: &Gpu,
    source: &wgpu::Buffer,
    slot: &wgpu::Buffer,
    part: Range<u64>,
) -> Result<Receiver<bool>> {
    let (sender, receiver) = mpsc::channel();
    gpu.guarded(part.end - part.start, || {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(source, part.start, slot, 0, part.end - part.start);
        gpu.queue().submit([encoder.finish()]);
        slot.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone when the download has failed.
            let _ = sender.send(result.is_ok());
        });
    })?;
    Ok(receiver)
}

/// Waits until the slot is mapped.
fn wait(gpu: &Gpu, mapped: &Receiver<bool>) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        gpu.poll()?;
        match mapped.recv_timeout(TICK) {
            Ok(true) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(false) | Err(RecvTimeoutError::Disconnected) => {
                return Err(ErrorKind::DeviceLost.into());
            }
        }
    }
    Err(ErrorKind::Gpu("no answer within a minute".to_owned()).into())
}
