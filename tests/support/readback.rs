//! Buffers and textures of a device: written, and read back by wgpu's own calls.

use std::sync::mpsc;

use voxload::Gpu;

/// A buffer that holds these bytes.
pub fn buffer_of(gpu: &Gpu, bytes: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes.len() as u64,
        usage: usage | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue().write_buffer(&buffer, 0, bytes);
    buffer
}

/// All bytes of a buffer.
pub fn download(gpu: &Gpu, buffer: &wgpu::Buffer) -> Vec<u8> {
    read_back(gpu, buffer.size(), |encoder, copy| {
        encoder.copy_buffer_to_buffer(buffer, 0, copy, 0, buffer.size());
    })
}

/// All texels of a 3-D texture, without the padding of rows; slice by slice, for devices with small buffers.
pub fn download_texture(gpu: &Gpu, texture: &wgpu::Texture) -> Vec<u8> {
    let mut size = texture.size();
    let depth = std::mem::replace(&mut size.depth_or_array_layers, 1);
    let texel = texture.format().block_copy_size(None).expect("one aspect");
    let row = size.width * texel;
    let padded = row.next_multiple_of(256);
    let slice = |z| {
        let mut source = texture.as_image_copy();
        source.origin.z = z;
        let bytes = u64::from(padded * size.height);
        read_back(gpu, bytes, |encoder, buffer| {
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(padded),
                rows_per_image: None,
            };
            let target = wgpu::TexelCopyBufferInfo { buffer, layout };
            encoder.copy_texture_to_buffer(source, target, size);
        })
    };
    let mut texels = Vec::new();
    for rows in (0..depth).map(slice) {
        for padded in rows.chunks_exact(padded as usize) {
            texels.extend(&padded[..row as usize]);
        }
    }
    texels
}

/// Bytes that are copied to where the host reads them.
fn read_back(
    gpu: &Gpu,
    size: u64,
    copy: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::Buffer),
) -> Vec<u8> {
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    copy(&mut encoder, &buffer);
    gpu.queue().submit([encoder.finish()]);
    let (sender, receiver) = mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        sender.send(result).expect("the caller waits");
    });
    let waited = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    waited.expect("the device answers");
    receiver.recv().expect("an answer").expect("it is mapped");
    buffer.get_mapped_range(..).expect("it is mapped").to_vec()
}
