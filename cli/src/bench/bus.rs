//! The floors of a load to a device: its bytes copied from mapped memory, or within the device, without a kernel.

use voxload::Gpu;

use super::measure::{Failure, Runs};

/// Bytes of a buffer to copy from, at most: copies go round in it. Larger than the device's caches.
const BUFFER_BYTES: u64 = 256 << 20;

/// The median time, in seconds, of copying so many bytes from mapped (pinned) staging memory to a device buffer.
///
/// # Errors
/// When the device does not answer.
pub fn upload(gpu: &Gpu, bytes: u64, runs: Runs) -> Result<f64, Failure> {
    copies(gpu, bytes, runs, wgpu::BufferUsages::MAP_WRITE)
}

/// The same from one buffer on the device to another: each byte is read once and written once.
///
/// # Errors
/// When the device does not answer.
pub fn within(gpu: &Gpu, bytes: u64, runs: Runs) -> Result<f64, Failure> {
    copies(gpu, bytes, runs, wgpu::BufferUsages::COPY_DST)
}

fn copies(gpu: &Gpu, bytes: u64, runs: Runs, usage: wgpu::BufferUsages) -> Result<f64, Failure> {
    let most = BUFFER_BYTES.min(gpu.limits().max_buffer_size);
    let size = bytes.next_multiple_of(4).min(most) & !3;
    let buffer = |label, usage, mapped| {
        gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: mapped,
        })
    };
    let from = buffer("bench from", usage | wgpu::BufferUsages::COPY_SRC, true);
    // Memory that was never written may not be there at all.
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
