//! Devices of several strengths, and how to read back what is on them.

use std::sync::mpsc;

use voxload::Gpu;

use crate::support::ways;

/// A device, and what to call it in a message.
pub struct Device {
    pub gpu: Gpu,
    pub name: &'static str,
}

/// The crate's own device, a caller's with default limits, one with tiny limits; one whose calls are awaited, and one that
/// works as in browsers. Empty, with a notice, where there is
/// no adapter; a panic where `VOXLOAD_REQUIRE_GPU=1` says that there must be one.
pub fn devices(test: &str) -> Vec<Device> {
    let gpu = match Gpu::new() {
        Ok(gpu) => gpu,
        Err(error) => {
            let required = std::env::var("VOXLOAD_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!required, "{test}: {error}");
            println!("no GPU: {test} ({error})");
            return Vec::new();
        }
    };
    let tiny = |limits: &mut wgpu::Limits| {
        limits.max_storage_buffer_binding_size = 64 << 10;
        limits.max_buffer_size = 256 << 10;
        limits.max_compute_workgroups_per_dimension = 64;
        limits.max_texture_dimension_3d = 128;
    };
    vec![
        Device { gpu, name: "own" },
        Device {
            gpu: callers(|_| {}),
            name: "default limits",
        },
        Device {
            gpu: callers(tiny),
            name: "tiny limits",
        },
        Device {
            gpu: ways::awaited(callers(|_| {})),
            name: "awaited",
        },
        Device {
            gpu: ways::as_in_browsers(callers(|_| {})),
            name: "as in browsers",
        },
    ]
}

/// A device as a caller would make it: no features, these limits changed from wgpu's defaults.
pub fn callers(change: impl FnOnce(&mut wgpu::Limits)) -> Gpu {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = adapters.into_iter().next().expect("an adapter");
    let mut required_limits = wgpu::Limits::default();
    change(&mut required_limits);
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_limits,
        ..Default::default()
    });
    let (device, queue) = pollster::block_on(request).expect("a device");
    Gpu::from_device(&device, &queue)
}

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
        sender.send(result).expect("somebody waits");
    });
    let waited = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    waited.expect("the device answers");
    receiver.recv().expect("an answer").expect("it is mapped");
    buffer.get_mapped_range(..).expect("it is mapped").to_vec()
}
