//! Promise: the values of real types are those of `doc/VALUES.md`, to the bit, whatever the stored type, byte order,
//! scaling and output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use half::f16;
use voxload::{ArrayProxy, ByteOrder, DType, DataobjImage, ProxySpec, Scaling};

use crate::support::backend::Backend;
use crate::support::for_each_parallel;
use crate::support::naive::{self, Linear, Out};
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
use crate::support::types;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// Slope and inter as they stand in the header: none, unusable ones, and all kinds of numbers; for the f32
/// fields of NIfTI-1.
fn scls(version: u8) -> Vec<(f64, f64)> {
    let mut pairs = vec![
        (f64::NAN, f64::NAN),
        (f64::NAN, 5.0),
        (0.0, 0.0),
        (-0.0, 3.0),
        (f64::INFINITY, 1.0),
        (f64::NEG_INFINITY, f64::NAN),
        (1.0, 0.0),
        (1.0, -0.0),
        (1.0, 10.5),
        (1.0, -1e-3),
        (1.0, 1e30),
        (1.0, 1.0 / 3.0),
        (2.0, 0.0),
        (-1.0, 0.0),
        (-1.0, 1.0),
        (0.1, 0.0),
        (-0.37, 0.0),
        (0.5, 3.25),
        (0.25, -1000.1),
        (2f64.powi(-20), 1e-3),
        (2f64.powi(10), -0.7),
        (2f64.powi(-100), 2f64.powi(-90)),
        (0.075_406_969_5, 3_100.761_718_75),
        (3.883_363e-8, 0.0),
        (1e-45, 0.0),
        (1e-45, 1e-45),
        (5e-40, -3e-39),
        (1e-38, 1e-44),
        (3.4e38, 0.0),
        (3.4e38, 3.4e38),
        (-3.4e38, 1.0),
        (1e30, -1e36),
        (65504.0, 0.0),
        (2f64.powi(-24), 2f64.powi(-25)),
        (0.1, f64::from(1f32 / 3.0)),
        (f64::from_bits(0x3ff0_0000_6000_0000), 2f64.powi(-60)),
        (-0.001, 0.001),
        (1e5, 1e-5),
        // 4097 times the first is 2^-24 + 2^-60: f64 loses what decides a tie of f32.
        (16_773_121.0 * 2f64.powi(-60), 1.0),
    ];
    if version == 2 {
        pairs.extend([
            (0.1, 1.0 / 3.0),
            (5e-324, 0.0),
            (5e-324, 1e-310),
            (2.2e-308, -1e-320),
            (1e288, 0.0),
            (-1e280, 1e300),
            (std::f64::consts::PI, -std::f64::consts::E),
            (1.0 + f64::EPSILON, 0.0),
        ]);
    }
    let mut rng = Rng::new(u64::from(version));
    while pairs.len() < 48 {
        let slope = (rng.unit() - 0.5) * 10f64.powi(rng.between(-6, 6) as i32);
        let inter = (rng.unit() - 0.5) * 10f64.powi(rng.between(-6, 6) as i32);
        pairs.push((slope, inter));
    }
    pairs
}

/// The pair as its field's type holds it.
fn as_stored((slope, inter): (f64, f64), version: u8) -> (f64, f64) {
    match version {
        1 => (f64::from(slope as f32), f64::from(inter as f32)),
        _ => (slope, inter),
    }
}

/// Every value of a type of 8 or 16 bits.
fn all_values(dtype: DType, order: ByteOrder) -> Vec<u8> {
    match dtype.size_bytes() {
        1 => (0..=255).collect(),
        _ => (0..=u16::MAX)
            .flat_map(|n| match order {
                ByteOrder::Little => n.to_le_bytes(),
                ByteOrder::Big => n.to_be_bytes(),
            })
            .collect(),
    }
}

/// Compares one image with the naive model, read whole into new memory and over wrong values; gives the number of
/// values compared.
fn compare<T: Out>(backend: Backend, image: &DataobjImage, data: &[u8], linear: Linear) -> u64 {
    let (dtype, order) = (image.header().dtype, image.header().byte_order);
    let voxels = data.chunks_exact(dtype.size_bytes());
    let numbers = voxels.map(|voxel| naive::decode(dtype, order, voxel));
    let expected: Vec<_> = numbers
        .map(|number| (number, naive::value::<T>(number, linear)))
        .collect();
    let found = backend.read::<T>(image).expect("it can be read");
    assert_eq!(found.shape(), image.shape());
    // Not one voxel of it is right, so that each must be written.
    let wrong = expected.iter().map(|(_, (value, _))| value.unlike());
    let over = backend.read_over::<T>(image, wrong.collect());
    let over = over.expect("it can be read into a buffer");
    assert_eq!((found.len(), over.len()), (expected.len(), expected.len()));
    let pairs = found.as_slice().iter().zip(&over);
    for ((number, expected), (&new, &over)) in expected.into_iter().zip(pairs) {
        for found in [new, over] {
            assert!(
                naive::agrees(found, expected),
                "{backend:?} {dtype} {order}, slope and inter {linear:?}: {number:?} gives {:#x}, not {:#x}",
                found.bits(),
                expected.0.bits(),
            );
        }
    }
    found.len() as u64
}

/// The same for the three outputs.
fn compare_all(backend: Backend, image: &DataobjImage, data: &[u8], linear: Linear) -> u64 {
    let counts = [
        compare::<f16>(backend, image, data, linear),
        compare::<f32>(backend, image, data, linear),
        compare::<f64>(backend, image, data, linear),
    ];
    counts[0]
}

/// One volume of a type under every scaling, NIfTI-1 and NIfTI-2; values compared for each output.
fn every_scaling(dtype: DType, make: impl Fn(ByteOrder, u64) -> Vec<u8> + Sync) -> u64 {
    let compared = AtomicU64::new(0);
    let mut cases = Vec::new();
    for version in [1, 2] {
        let pairs = scls(version);
        assert!(pairs.len() >= 40, "at least 40 pairs");
        for (n, pair) in pairs.into_iter().enumerate() {
            for order in ORDERS {
                cases.push((version, order, pair, 2 * n as u64 + u64::from(version)));
            }
        }
    }
    let backends = Backend::available(&format!("bits of {dtype}"));
    for_each_parallel(cases, |(version, order, pair, seed)| {
        let data = make(order, seed);
        let shape = [data.len() / dtype.size_bytes()];
        // NIfTI-1 counts voxels in 16 bits.
        let shape = match shape {
            [long] if long > 32767 => vec![long / 4, 4],
            [short] => vec![short],
        };
        let nifti = Nifti::new(dtype, &shape, data.clone());
        let nifti = nifti.version(version).order(order).scl(pair.0, pair.1);
        let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
        let linear = naive::effective(as_stored(pair, version));
        for &backend in &backends {
            let count = compare_all(backend, &image, &data, linear);
            compared.fetch_add(count, Ordering::Relaxed);
        }
    });
    compared.into_inner()
}

#[test]
fn every_value_of_8_bits() {
    for dtype in [DType::U8, DType::I8] {
        let compared = every_scaling(dtype, |order, _| all_values(dtype, order));
        assert!(compared >= 2 * 2 * 40 * 256, "{compared}");
    }
}

#[test]
fn every_value_of_16_bits() {
    for dtype in [DType::U16, DType::I16] {
        let compared = every_scaling(dtype, |order, _| all_values(dtype, order));
        assert!(compared >= 2 * 2 * 40 * 65536, "{compared}");
    }
}

/// Patterns of which many are special: NaN, infinities, subnormals, values near powers of two and near ties.
fn random_patterns(dtype: DType, order: ByteOrder, seed: u64, count: usize) -> Vec<u8> {
    let size = dtype.size_bytes();
    let mut rng = Rng::new(seed << 8 | size as u64);
    let mut bytes = Vec::with_capacity(count * size);
    for _ in 0..count {
        let mut word = rng.bits();
        match rng.below(8) {
            // Few bits set at either end: powers of two, subnormals, small integers and their neighbours.
            0 => word >>= rng.below(64),
            1 => word <<= rng.below(64),
            // Exponents around those of f16 and f32, where narrowing rounds and overflows.
            2 if dtype == DType::F64 => {
                let exponent = rng.between(1023 - 160, 1023 + 140) as u64;
                word = word & !(0x7ff << 52) | exponent << 52;
            }
            3 if dtype == DType::F32 => {
                let exponent = rng.between(127 - 30, 127 + 20) as u64;
                word = word & !(0xff << 23) | exponent << 23;
            }
            // A long tail of zeros: exact ties.
            4 => word &= u64::MAX << rng.below(size * 8),
            5 if dtype == DType::F64 => word |= 0x7ff << 52,
            6 if dtype == DType::F32 => word |= 0xff << 23,
            _ => {}
        }
        let mut raw = word.to_le_bytes()[..size].to_vec();
        if order == ByteOrder::Big {
            raw.reverse();
        }
        bytes.extend(raw);
    }
    bytes
}

#[test]
fn a_million_patterns_of_each_wider_type() {
    let wider: Vec<_> = types::NIFTI_REAL
        .iter()
        .filter(|dtype| dtype.size_bytes() > 2)
        .collect();
    assert_eq!(wider.len(), 6);
    for &dtype in wider {
        let make = |order, seed| random_patterns(dtype, order, seed, 6000);
        let compared = every_scaling(dtype, make);
        assert!(compared >= 1_000_000, "{dtype}: {compared}");
    }
}

/// f16 is no NIfTI type: through a proxy of the caller's. All 65536 patterns under every scaling.
#[test]
fn every_value_of_f16() {
    let compared = AtomicU64::new(0);
    let cases = [1, 2].into_iter().flat_map(|version| {
        let stored = move |pair| naive::effective(as_stored(pair, version));
        scls(version).into_iter().map(stored)
    });
    let cases = cases.flat_map(|linear| ORDERS.map(|order| (linear, order)));
    let backends = Backend::available("bits of float16");
    for_each_parallel(cases, |(linear, order)| {
        let data = all_values(DType::F16, order);
        let spec = ProxySpec::new(&[data.len() / 2], DType::F16)
            .byte_order(order)
            .scaling(Scaling::linear(linear.0, linear.1));
        let source: Arc<CountingSource> = CountingSource::new(data.clone());
        let proxy = ArrayProxy::new(source, spec.clone()).expect("it fits");
        let header = crate::support::header_of(&spec);
        let image = DataobjImage::new(proxy, header, Default::default(), Default::default());
        let image = image.expect("it fits");
        for &backend in &backends {
            let count = compare_all(backend, &image, &data, linear);
            compared.fetch_add(count, Ordering::Relaxed);
        }
    });
    assert!(compared.into_inner() >= 2 * 2 * 40 * 65536);
}

/// 64-bit integers go to f32 through f64 (`doc/VALUES.md`, section 1).
#[test]
fn i64_is_rounded_twice_through_a_proxy() {
    let value = (1i64 << 60) + (1 << 36) + 1;
    let nifti = Nifti::new(DType::I64, &[1], value.to_le_bytes().to_vec());
    let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
    let read = image.dataobj().read::<f32>().expect("it can be read");
    assert_eq!(read.as_slice(), [2f32.powi(60)]);
    assert_ne!(value as f32, 2f32.powi(60), "a direct cast differs");
}

/// Fusing multiply and add would give another last bit (`doc/VALUES.md`, section 1).
#[test]
fn two_roundings_are_two() {
    let slope = f64::from(f32::from_bits(0x3f80_0003));
    let inter = 2f64.powi(-60);
    let nifti = Nifti::new(DType::I16, &[1], 3i16.to_le_bytes().to_vec()).scl(slope, inter);
    let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
    let read = image.dataobj().read::<f32>().expect("it can be read");
    assert_eq!(read.as_slice()[0].to_bits(), 0x4040_0004);
    let wide = 3.0f64.mul_add(slope, inter);
    assert_eq!(
        (wide as f32).to_bits(),
        0x4040_0004,
        "f64 hides it, f32 does not:"
    );
    assert_eq!(
        3f32.mul_add(slope as f32, inter as f32).to_bits(),
        0x4040_0005
    );
}
