//! Devices too weak for the kernel: the CPU converts, and the values are uploaded.

use half::f16;
use voxload::{DataobjImage, ErrorKind, FrameOptions, Gpu, StreamOptions, StreamTarget, Texels};

use super::{WAYS, check, driven, got_on, small_slots};
use crate::device_outputs::devices::buffer_of;
use crate::support::backend::Backend;
use crate::support::devices::callers_gpu;
use crate::support::naive::Out;
use crate::support::nifti::{Nifti, gz};
use crate::support::ways;

/// A device whose shaders may see one buffer only.
fn weak(test: &str) -> Option<Gpu> {
    let there = Backend::available(test).len() > 1;
    there.then(|| callers_gpu(|limits| limits.max_storage_buffers_per_shader_stage = 1))
}

/// Such devices, in each way to drive them.
fn all_weak(test: &str) -> Vec<Gpu> {
    let way = |way| weak(test).map(|gpu| driven(gpu, way));
    (0..WAYS).filter_map(way).collect()
}

fn is_unsupported(error: Option<&voxload::Error>) -> bool {
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::GpuUnsupported(_)))
}

/// Streams all frames; gives how many items came.
fn stream<T: Out>(gpu: &Gpu, image: &DataobjImage, options: StreamOptions) -> usize {
    let whole = image.dataobj().read::<T>().expect("values");
    let frame_len: usize = image.shape()[..3].iter().product();
    let stream = ways::stream::<T>(image, gpu, options).expect("a stream");
    let check = |item: voxload::Result<voxload::Frame<T>>| {
        let got = got_on(gpu, &item.expect("a frame")).expect("values");
        check("weak", &got, whole.as_slice(), frame_len);
    };
    stream.map(check).count()
}

fn all_types(gpu: &Gpu, image: &DataobjImage, options: &StreamOptions, items: usize) {
    assert_eq!(stream::<f16>(gpu, image, options.clone()), items);
    assert_eq!(stream::<f32>(gpu, image, options.clone()), items);
    assert_eq!(stream::<f64>(gpu, image, options.clone()), items);
}

#[test]
fn weak_devices_are_given_what_the_cpu_makes() {
    for gpu in all_weak("streams on weak devices") {
        weak_devices_are_given_what_the_cpu_makes_on(&gpu);
    }
}

fn weak_devices_are_given_what_the_cpu_makes_on(gpu: &Gpu) {
    // Frames of an odd number of voxels, larger than a staging slot.
    let bytes = Nifti::counting(&[33, 21, 17, 5]).scl(0.3, -2.0).single();
    for bytes in [gz(&bytes, 1), bytes] {
        let image = DataobjImage::from_bytes(bytes).expect("it loads");
        let frames = FrameOptions::new;
        all_types(gpu, &image, &small_slots(frames()), 5);
        all_types(gpu, &image, &small_slots(frames().reverse().slots(1)), 5);
        all_types(gpu, &image, &small_slots(frames().block(3)), 2);
        all_types(gpu, &image, &small_slots(frames().range(1..1)), 0);
        let mut stream =
            (ways::stream::<f32>(&image, gpu, small_slots(frames()))).expect("a stream");
        for to in [3, 0, 4] {
            stream.seek(to).expect("it is selected");
            let frame = stream.next().expect("an item").expect("a frame");
            assert_eq!(frame.index(), to);
        }
    }
}

#[test]
fn targets_of_weak_devices() {
    let Some(gpu) = weak("targets of weak devices") else {
        return;
    };
    let image = Nifti::counting(&[33, 21, 17, 5]).scl(0.3, -2.0).single();
    let image = DataobjImage::from_bytes(image).expect("it loads");
    let place = |usage| {
        let target = StreamTarget::BufferRange {
            buffer: buffer_of(&gpu, &[0; 400_000], wgpu::BufferUsages::STORAGE | usage),
            offset: 12,
        };
        small_slots(FrameOptions::new().slots(2)).target(target)
    };
    let range = place(wgpu::BufferUsages::COPY_SRC);
    assert_eq!(stream::<f32>(&gpu, &image, range.clone()), 5);
    // Half words are not copied, and textures are made by the kernel only.
    let refused = image.stream::<f16>(&gpu, range).err();
    assert!(is_unsupported(refused.as_ref()), "{refused:?}");
    let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d {
            width: 33,
            height: 21,
            depth_or_array_layers: 17,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D3,
        format: wgpu::TextureFormat::R32Float,
        usage: wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let texels = Texels::R32Float;
    let target = StreamTarget::Texture { texture, texels };
    let refused = image.stream::<f32>(&gpu, StreamOptions::new().target(target));
    let refused = refused.err();
    assert!(is_unsupported(refused.as_ref()), "{refused:?}");
}
