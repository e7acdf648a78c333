//! Tests of adapters, and of arrays without a kernel.

use half::f16;

use super::testing::{IS_BROWSER_LIKE, gpu_or_skip, plain_device};
use super::*;
use crate::core::error::ErrorKind;
use crate::core::float::Float;

#[test]
fn adapters_are_numbered_as_they_open() {
    let adapters = Gpu::adapters();
    for (i, adapter) in adapters.iter().enumerate() {
        assert_eq!(adapter.index, i);
        let gpu = Gpu::with_adapter(i).unwrap();
        assert_eq!(gpu.info().name, adapter.info.name);
        assert_eq!(gpu.is_software(), adapter.software);
    }
    let error = Gpu::with_adapter(adapters.len()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoGpu(_)), "{error}");
}

#[test]
fn adapters_are_the_same_when_they_are_awaited() {
    let names = |adapters: Vec<AdapterDescription>| {
        let name = |adapter: AdapterDescription| adapter.info.name;
        adapters.into_iter().map(name).collect::<Vec<_>>()
    };
    let adapters = Gpu::adapters();
    let count = adapters.len();
    let awaited = pollster::block_on(Gpu::adapters_async());
    assert_eq!(names(adapters), names(awaited));
    let error = pollster::block_on(Gpu::with_adapter_async(count)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoGpu(_)), "{error}");
    let (blocking, awaited) = (Gpu::new(), pollster::block_on(Gpu::request()));
    assert_eq!(
        blocking.ok().map(|gpu| gpu.info().name.clone()),
        awaited.ok().map(|gpu| gpu.info().name.clone())
    );
}

fn upload<T: Float>(gpu: &Gpu, shape: &[usize], values: &[T]) -> DeviceArray<T> {
    match gpu.context().is_browser_like() {
        true => pollster::block_on(DeviceArray::from_slice_async(gpu, shape, values)).unwrap(),
        false => DeviceArray::from_slice(gpu, shape, values).unwrap(),
    }
}

fn download_into<T: Float>(array: &DeviceArray<T>, out: &mut [T]) {
    match array.gpu().context().is_browser_like() {
        true => pollster::block_on(array.download_into_async(out)).unwrap(),
        false => array.download_into(out).unwrap(),
    }
}

#[test]
fn arrays_go_up_and_come_down() {
    let Some(gpu) = gpu_or_skip("arrays_go_up_and_come_down") else {
        return;
    };
    // Small buffers, so that both transfers need many pieces.
    let small = plain_device("arrays_go_up_and_come_down", |limits| {
        limits.max_buffer_size = 1 << 20;
        limits.max_storage_buffer_binding_size = 1 << 16;
    });
    let small = small.map(|(device, queue)| Gpu::from_device(&device, &queue));
    let devices = small.iter().chain([&gpu]);
    for (gpu, is_browser_like) in devices.flat_map(|gpu| IS_BROWSER_LIKE.map(|like| (gpu, like))) {
        gpu.set_browser_like(is_browser_like);
        for len in [0, 1, 2, 3, 524_287] {
            let values: Vec<f16> = (0..len).map(|i| f16::from_bits(i as u16)).collect();
            let array = upload(gpu, &[1, len], &values);
            assert_eq!(array.strides(), [1, 1]);
            assert_eq!(
                array.size_bytes(),
                (2 * len as u64).next_multiple_of(4).max(4)
            );
            let mut out = vec![f16::ONE; len];
            download_into(&array, &mut out);
            let same = |(a, b): (&f16, &f16)| a.to_bits() == b.to_bits();
            assert!(values.iter().zip(&out).all(same), "{len} elements");
        }
    }
    let large: Vec<f64> = (0..5_000_001).map(f64::from).collect();
    let mut out = vec![0.0; large.len()];
    for is_browser_like in IS_BROWSER_LIKE {
        gpu.set_browser_like(is_browser_like);
        let array = upload(&gpu, &[large.len()], &large);
        out.fill(0.0);
        download_into(&array, &mut out);
        assert_eq!(out, large);
    }
    let array = upload(&gpu, &[large.len()], &large);
    assert!(array.download_into(&mut out[1..]).is_err());
    assert!(DeviceArray::from_slice(&gpu, &[3], &out).is_err());
    assert!(!array.clone().is_modified());
    array.clone().mark_modified();
    assert!(array.is_modified());
}
