//! Promise: a device of any size gives the same bits. Devices asked for with bindings of 1 MiB and of 64 KiB, and 64
//! workgroups per dimension, so that loads are cut into many tiles.

use half::f16;
use voxload::{ByteOrder, DType, DataobjImage, Index};

use crate::support::backend::Backend;
use crate::support::naive::Out;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{environment, slicing};

/// Random bits of a type and shape, scaled or not.
fn volume(rng: &mut Rng, shape: &[usize]) -> Nifti {
    let types = [
        DType::U8,
        DType::I16,
        DType::U32,
        DType::I64,
        DType::F32,
        DType::F64,
    ];
    let dtype = *rng.pick(&types);
    let voxels: usize = shape.iter().product();
    let data = rng.bytes(voxels * dtype.size_bytes());
    let scl = *rng.pick(&[(f64::NAN, 0.0), (0.1, -7.0), (1.0, 3.5)]);
    let order = *rng.pick(&[ByteOrder::Little, ByteOrder::Big]);
    let nifti = Nifti::new(dtype, shape, data);
    nifti.version(2).order(order).scl(scl.0, scl.1)
}

/// Compares with the CPU, which other tests compare with the naive model.
fn compare<T: Out>(device: Backend, image: &DataobjImage, index: &Index) -> usize {
    let expected = Backend::Cpu.slice::<T>(image, index).expect("on the CPU");
    let found = device.slice::<T>(image, index);
    let found = found.unwrap_or_else(|error| panic!("{device:?}: {index:?}: {error}"));
    assert_eq!(found.shape(), expected.shape());
    for (n, (&found, &expected)) in found.as_slice().iter().zip(expected.as_slice()).enumerate() {
        let nans = found.is_not_a_number() && expected.is_not_a_number();
        assert!(
            nans || found.bits() == expected.bits(),
            "{device:?}: {index:?} of {:?}: element {n} is {found:?}, not {expected:?}",
            image.shape()
        );
    }
    found.len()
}

fn compare_as(kind: usize, device: Backend, image: &DataobjImage, index: &Index) -> usize {
    match kind % 3 {
        0 => compare::<f16>(device, image, index),
        1 => compare::<f32>(device, image, index),
        _ => compare::<f64>(device, image, index),
    }
}

#[test]
fn volumes_larger_than_a_binding() {
    let mut rng = Rng::new(1);
    for device in Backend::small_devices("volumes larger than a binding") {
        for (kind, shape) in [
            [613, 401, 3],
            [2, 3, 99_991],
            [70_001, 5, 2],
            [128, 128, 33],
        ]
        .iter()
        .enumerate()
        .flat_map(|(n, shape)| [(n, shape), (n + 1, shape), (n + 2, shape)])
        {
            let bytes = volume(&mut rng, shape).single();
            let bytes = if kind % 2 == 0 { gz(&bytes, 1) } else { bytes };
            let image = DataobjImage::from_bytes(bytes).expect("it loads");
            let voxels: usize = shape.iter().product();
            assert_eq!(compare_as(kind, device, &image, &Index::new()), voxels);
            let flipped = "[::-1, 1:, ::-1]".parse().expect("an index");
            assert!(compare_as(kind + 1, device, &image, &flipped) > voxels / 3);
            let stepped = "[::3, ::-2, 1:]".parse().expect("an index");
            assert!(compare_as(kind + 2, device, &image, &stepped) > 0);
        }
    }
}

#[test]
fn random_slices_on_small_devices() {
    let mut rng = Rng::new(2);
    for device in Backend::small_devices("random slices on small devices") {
        for n in 0..environment::volume(120, 1000) {
            let shape = slicing::random_shape(&mut rng);
            let nifti = volume(&mut rng, &shape);
            let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
            for _ in 0..2 {
                let index = slicing::random_index(&mut rng, &shape);
                compare_as(n, device, &image, &index);
            }
        }
    }
}
