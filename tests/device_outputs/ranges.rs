//! Slices into places of a caller's buffer: the bits of the CPU path, and nothing else in the buffer changed.

use half::f16;
use voxload::{BufferTarget, DataobjImage, ErrorKind, Float, Gpu, HostArray, Index};

use super::devices::{Device, buffer_of, devices, download};
use super::images::Random;
use crate::support::environment::volume;
use crate::support::ways;

/// No result of these tests looks like it.
const POISON: u8 = 0xb7;

/// Strides that step over each other in a random order and direction, with gaps, and the first element that keeps
/// everything at 0 or above.
fn random_strides(random: &mut Random, shape: &[usize]) -> (Vec<i64>, u64) {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    let mut strides = vec![0; shape.len()];
    let (mut span, mut first) = (1, 0);
    for k in order {
        let stride = span + [0, 0, 1, 5][random.below(4)];
        let reach = stride * (shape[k].max(1) as i64 - 1);
        strides[k] = stride;
        if random.below(3) == 0 {
            strides[k] = -stride;
            first += reach;
        }
        span += reach;
    }
    (strides, first as u64)
}

/// The element of each voxel, first axis fastest.
fn elements(shape: &[usize], first: u64, strides: &[i64]) -> Vec<usize> {
    let mut elements = vec![first as i64];
    for (&count, &stride) in shape.iter().zip(strides) {
        elements = (0..count as i64)
            .flat_map(|i| elements.iter().map(move |&at| at + i * stride))
            .collect();
    }
    elements.into_iter().map(|at| at as usize).collect()
}

fn check<T: Float>(device: &Device, image: &DataobjImage, index: &Index, random: &mut Random) {
    let gpu = &device.gpu;
    let expected: HostArray<T> = image.dataobj().slice(index).expect("a slice");
    let shape = expected.shape();
    let (strides, first) = random_strides(random, shape);
    let offset = random.below(700) as u64;
    let places = elements(shape, offset + first, &strides);
    let item = size_of::<T>();
    let last = places.iter().max().map_or(0, |last| last + 1);
    let size = ((last + random.below(3)) * item).next_multiple_of(4).max(4);

    let poison = vec![POISON; size];
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = buffer_of(gpu, &poison, usage);
    let target = BufferTarget::new(&buffer)
        .offset(offset + first)
        .strides(&strides);
    let outcome = ways::slice_into_buffer::<T>(image.dataobj(), gpu, index, &target);
    outcome.unwrap_or_else(|error| panic!("{} {index:?}: {error}", device.name));

    let mut wanted = poison;
    for (&place, &value) in places.iter().zip(expected.as_slice()) {
        wanted[place * item..][..item].copy_from_slice(bytemuck::bytes_of(&value));
    }
    let mut found = download(gpu, &buffer);
    unify_nans::<T>(&mut found, &places);
    unify_nans::<T>(&mut wanted, &places);
    let wrong = found.iter().zip(&wanted).position(|(a, b)| a != b);
    assert_eq!(
        wrong,
        None,
        "{}: {index:?} of {:?} at {offset} {strides:?}",
        device.name,
        image.header()
    );
}

/// Any NaN equals any NaN.
fn unify_nans<T: Float>(bytes: &mut [u8], places: &[usize]) {
    let item = size_of::<T>();
    for &place in places {
        let value = &mut bytes[place * item..][..item];
        let nan = match *value {
            [a, b] => f16::from_ne_bytes([a, b]).is_nan(),
            [a, b, c, d] => f32::from_ne_bytes([a, b, c, d]).is_nan(),
            _ => f64::from_ne_bytes((&*value).try_into().expect("8 bytes")).is_nan(),
        };
        if nan {
            value.fill(0xff);
        }
    }
}

#[test]
fn slices_into_places_of_a_buffer() {
    let mut checked = 0;
    let all = devices("slices_into_places_of_a_buffer");
    let images = volume(25, 300);
    for device in &all {
        let mut random = Random::new(21);
        for _ in 0..images {
            let image = random.image(4, 3000);
            let index = random.index(image.shape());
            check::<f16>(device, &image, &index, &mut random);
            check::<f32>(device, &image, &index, &mut random);
            check::<f64>(device, &image, &index, &mut random);
            checked += 3;
        }
    }
    assert_eq!(checked, all.len() * images * 3);
}

/// More than one packet, more than one binding.
#[test]
fn large_slices_into_places_of_a_buffer() {
    for device in devices("large_slices_into_places_of_a_buffer") {
        let mut random = Random::new(22);
        for _ in 0..4 {
            let image = random.image(3, 12_000);
            check::<f16>(&device, &image, &Index::new(), &mut random);
            check::<f64>(&device, &image, &Index::new(), &mut random);
        }
    }
}

#[test]
fn arrays_and_dense_targets() {
    let Some(Device { gpu, .. }) = devices("arrays_and_dense_targets").into_iter().next() else {
        return;
    };
    let values: Vec<f32> = (0..24).map(|i| i as f32 / 3.0).collect();
    let array = HostArray::from_vec(&[2, 3, 4], values).expect("it fits");
    let image = DataobjImage::from_array(array, None).expect("it fits");
    let device = Device { gpu, name: "own" };
    let mut random = Random::new(23);
    for text in ["[...]", "[::-1, 1]", "[:, 5:, :]", "[1, 2, 3]"] {
        let index = text.parse().expect("an index");
        check::<f32>(&device, &image, &index, &mut random);
        check::<f16>(&device, &image, &index, &mut random);
    }
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = buffer_of(&device.gpu, &[POISON; 100], usage);
    let target = BufferTarget::new(&buffer).offset(1);
    let whole = Index::new();
    let outcome = image
        .dataobj()
        .read_into_buffer::<f32>(&device.gpu, &target);
    outcome.expect("24 elements after the first");
    let found = download(&device.gpu, &buffer);
    assert_eq!(found[..4], [POISON; 4]);
    let expected = image.dataobj().slice::<f32>(&whole).expect("a slice");
    assert_eq!(
        &found[4..],
        bytemuck::cast_slice::<f32, u8>(expected.as_slice())
    );
}

/// The kind of error that a load of 4 x 3 voxels into 64 bytes of f32 gives.
fn refusal(
    gpu: &Gpu,
    usage: wgpu::BufferUsages,
    offset: u64,
    strides: Option<&[i64]>,
) -> ErrorKind {
    let mut random = Random::new(24);
    let image = loop {
        let image = random.image(2, 24);
        if image.shape() == [4, 3] {
            break image;
        }
    };
    let buffer = buffer_of(gpu, &[POISON; 64], usage | wgpu::BufferUsages::COPY_SRC);
    let mut target = BufferTarget::new(&buffer).offset(offset);
    if let Some(strides) = strides {
        target = target.strides(strides);
    }
    let outcome = ways::slice_into_buffer::<f32>(image.dataobj(), gpu, &Index::new(), &target);
    let kind = outcome.expect_err("it cannot work").kind().clone();
    assert_eq!(download(gpu, &buffer), [POISON; 64], "{kind:?}");
    kind
}

#[test]
fn targets_that_cannot_serve() {
    for Device { gpu, .. } in devices("targets_that_cannot_serve") {
        targets_that_cannot_serve_on(&gpu);
    }
}

fn targets_that_cannot_serve_on(gpu: &Gpu) {
    let storage = wgpu::BufferUsages::STORAGE;
    let shape = |offset, strides| {
        let kind = refusal(gpu, storage, offset, strides);
        assert!(matches!(kind, ErrorKind::Shape { .. }), "{kind:?}");
    };
    shape(5, None);
    shape(u64::MAX, None);
    shape(u64::MAX / 4, None);
    shape(0, Some(&[1, 7]));
    shape(0, Some(&[1]));
    shape(0, Some(&[1, 4, 12]));
    shape(2, Some(&[-1, 4]));
    shape(0, Some(&[i64::MIN, 1]));
    shape(0, Some(&[i64::MAX, 1]));
    let usage = |usage, strides| {
        let kind = refusal(gpu, usage, 0, strides);
        assert!(matches!(kind, ErrorKind::Usage(_)), "{kind:?}");
    };
    usage(storage, Some(&[1, 3]));
    usage(storage, Some(&[0, 1]));
    usage(storage, Some(&[1, -2]));
    usage(wgpu::BufferUsages::VERTEX, None);
}
