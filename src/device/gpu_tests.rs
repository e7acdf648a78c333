//! Adapters, and arrays without a kernel.

use half::f16;

use super::testing::{gpu_or_skip, plain_device};
use super::*;
use crate::error::ErrorKind;

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
fn arrays_go_up_and_come_down() {
    let Some(gpu) = gpu_or_skip("arrays_go_up_and_come_down") else {
        return;
    };
    // Small buffers, so that both ways are in many pieces.
    let small = plain_device("arrays_go_up_and_come_down", |limits| {
        limits.max_buffer_size = 1 << 20;
        limits.max_storage_buffer_binding_size = 1 << 16;
    });
    let small = small.map(|(device, queue)| Gpu::from_device(&device, &queue));
    for gpu in small.iter().chain([&gpu]) {
        for len in [0, 1, 2, 3, 524_287] {
            let values: Vec<f16> = (0..len).map(|i| f16::from_bits(i as u16)).collect();
            let array = DeviceArray::from_slice(gpu, &[1, len], &values).unwrap();
            assert_eq!(array.strides(), [1, 1]);
            assert_eq!(
                array.size_bytes(),
                (2 * len as u64).next_multiple_of(4).max(4)
            );
            let mut out = vec![f16::ONE; len];
            array.download_into(&mut out).unwrap();
            let same = |(a, b): (&f16, &f16)| a.to_bits() == b.to_bits();
            assert!(values.iter().zip(&out).all(same), "{len} elements");
        }
    }
    let large: Vec<f64> = (0..5_000_001).map(f64::from).collect();
    let array = DeviceArray::from_slice(&gpu, &[large.len()], &large).unwrap();
    let mut out = vec![0.0; large.len()];
    array.download_into(&mut out).unwrap();
    assert_eq!(out, large);
    assert!(array.download_into(&mut out[1..]).is_err());
    assert!(DeviceArray::from_slice(&gpu, &[3], &out).is_err());
    assert!(!array.clone().is_modified());
    array.clone().mark_modified();
    assert!(array.is_modified());
}
