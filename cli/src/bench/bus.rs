//! Lower bounds for a load to a device: copying its bytes from mapped memory, or within the device, without a kernel.

use voxload::Gpu;

use super::measure::{Failure, Runs};

/// Largest size of the buffer from which bytes are copied repeatedly. It exceeds the device's caches.
const BUFFER_BYTES: u64 = 256 << 20;

/// The median time, in seconds, of copying `bytes` bytes from mapped (pinned) staging memory to a device buffer.
///
/// # Errors
/// If the device does not answer.
pub(super) fn upload(gpu: &Gpu, bytes: u64, runs: Runs) -> Result<f64, Failure> {
    copies(gpu, bytes, runs, wgpu::BufferUsages::MAP_WRITE)
}

/// The same from one device buffer to another: each byte is read once and written once.
///
/// # Errors
/// If the device does not answer.
pub(super) fn within(gpu: &Gpu, bytes: u64, runs: Runs) -> Result<f64, Failure> {
    copies(gpu, bytes, runs, wgpu::BufferUsages::COPY_DST)
}

fn copies(gpu: &Gpu, bytes: u64, runs: Runs, usage: wgpu::BufferUsages) -> Result<f64, Failure> {
    let max = BUFFER_BYTES.min(gpu.limits().max_buffer_size);
    let size = bytes.next_multiple_of(4).min(max) & !3;
    let buffer = |label, usage, mapped| {
        gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: mapped,
        })
    };
    let from = buffer("bench from", usage | wgpu::BufferUsages::COPY_SRC, true);
    // Memory that was never written may not be allocated yet.
    from.get_mapped_range_mut(..)?.slice(..).fill(0x5a);
    from.unmap();
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let to = buffer("bench to", storage, false);
    let run = || -> Result<(), Failure> {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let mut left = bytes & !3;
        while left > 0 {
            let part = left.min(size);
            encoder.copy_buffer_to_buffer(&from, 0, &to, 0, part);
            left -= part;
        }
        gpu.queue().submit([encoder.finish()]);
        gpu.device().poll(wgpu::PollType::wait_indefinitely())?;
        Ok(())
    };
    run()?;
    Ok(runs.median(run)?.0)
}
