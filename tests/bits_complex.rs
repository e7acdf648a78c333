//! Promise: complex voxels are scaled without fused multiply-add (`doc/VALUES.md`, section 3), colours are given raw and
//! never scaled, and copies of the stored type keep every bit.

use half::f16;
use voxload::{ByteOrder, Caching, DType, DataobjImage, Element, c64, c128};

use crate::support::errors::outcome;
use crate::support::naive::{self, Linear, Number, Out};
use crate::support::nifti::Nifti;
use crate::support::rng::Rng;

const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

const SCLS: [(f64, f64); 12] = [
    (f64::NAN, 0.0),
    (0.0, 1.0),
    (1.0, 0.0),
    (1.0, 2.5),
    (1.0, -1e30),
    (2.0, 0.0),
    (-3.0, 1.0),
    (0.5, -7.25),
    (1e30, 0.0),
    (1.5e-30, 1e-30),
    (-0.1, 0.0),
    (1e-3, 1e3),
];

/// Same bits, or both NaN; zeros may differ in sign, for numpy fuses (`doc/VALUES.md`, section 3).
fn part_agrees(found: f64, expected: f64) -> bool {
    found.to_bits() == expected.to_bits()
        || found.is_nan() && expected.is_nan()
        || found == 0.0 && expected == 0.0
}

fn complex_agrees(found: c128, expected: c128) -> bool {
    part_agrees(found.re, expected.re) && part_agrees(found.im, expected.im)
}

fn widened(value: c64) -> c128 {
    c128::new(f64::from(value.re), f64::from(value.im))
}

/// Parts with NaN, infinities, zeros of both signs among them.
fn parts(rng: &mut Rng, dtype: DType) -> Vec<u8> {
    let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0];
    let mut part = || match rng.below(6) {
        0 => *rng.pick(&special),
        1 => f64::from_bits(rng.bits()),
        _ => (rng.unit() - 0.5) * 10f64.powi(rng.between(-3, 3) as i32),
    };
    match dtype {
        DType::C64 => [part() as f32, part() as f32]
            .iter()
            .flat_map(|part| part.to_le_bytes())
            .collect(),
        _ => [part(), part()]
            .iter()
            .flat_map(|p| p.to_le_bytes())
            .collect(),
    }
}

/// Reverses the bytes of each number of `size` bytes.
fn swapped(data: &[u8], size: usize) -> Vec<u8> {
    let swap = |number: &[u8]| number.iter().rev().copied().collect::<Vec<_>>();
    data.chunks_exact(size).flat_map(swap).collect()
}

fn check(image: &DataobjImage, numbers: &[Number], linear: Linear) {
    let read = image.get_fdata::<c128>(Caching::Unchanged).expect("c128");
    for (&found, &number) in read.as_slice().iter().zip(numbers) {
        let expected = naive::as_c128(number, linear);
        assert!(
            complex_agrees(found, expected),
            "{number:?} {linear:?}: {found} {expected}"
        );
    }
    let read = image.get_fdata::<c64>(Caching::Unchanged).expect("c64");
    for (&found, &number) in read.as_slice().iter().zip(numbers) {
        let expected = naive::as_c64(number, linear);
        let same = complex_agrees(widened(found), widened(expected));
        assert!(same, "{number:?} {linear:?}: {found} {expected}");
    }
    check_real::<f16>(image, numbers, linear);
    check_real::<f32>(image, numbers, linear);
    check_real::<f64>(image, numbers, linear);
}

/// A real request takes the real part.
fn check_real<T: Out>(image: &DataobjImage, numbers: &[Number], linear: Linear) {
    let read = image
        .get_fdata::<T>(Caching::Unchanged)
        .expect("real values");
    assert_eq!(read.len(), numbers.len());
    for (&found, &number) in read.as_slice().iter().zip(numbers) {
        let (expected, _) = naive::value::<T>(number, linear);
        let zeros = found.bits() << 1 == 0 || expected == T::narrowed(0.0);
        let zeros = zeros && found == T::narrowed(0.0) && expected == T::narrowed(0.0);
        assert!(
            zeros || naive::agrees(found, (expected, false)),
            "{number:?} {linear:?}: {found:?} {expected:?}"
        );
    }
}

#[test]
fn complex_voxels_and_complex_requests() {
    let mut rng = Rng::new(31);
    let mut compared = 0;
    let stored = [
        DType::C64,
        DType::C128,
        DType::I16,
        DType::F32,
        DType::F64,
        DType::U64,
    ];
    for dtype in stored {
        for scl in SCLS {
            for order in ORDERS {
                let mut data: Vec<u8> = Vec::new();
                while data.len() < 3000 * dtype.size_bytes() {
                    match dtype.is_complex() {
                        true => data.extend(parts(&mut rng, dtype)),
                        false => data.extend(rng.bytes(dtype.size_bytes())),
                    }
                }
                let size = match dtype {
                    DType::C64 => 4,
                    DType::C128 => 8,
                    real => real.size_bytes(),
                };
                if order == ByteOrder::Big {
                    data = swapped(&data, size);
                }
                let voxels = data.chunks_exact(dtype.size_bytes());
                let decode = |voxel| naive::decode(dtype, order, voxel);
                let numbers: Vec<Number> = voxels.map(decode).collect();
                let nifti = Nifti::new(dtype, &[numbers.len() / 10, 10], data.clone());
                let nifti = nifti.version(2).order(order).scl(scl.0, scl.1);
                let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
                check(&image, &numbers, naive::effective(scl));
                compared += numbers.len();
            }
        }
    }
    assert_eq!(compared, 6 * 12 * 2 * 3000);
}

/// Spec 3.5: an infinite part makes the other part NaN, also for real floats asked for as c128.
#[test]
fn infinity_times_a_complex_slope() {
    let nifti = Nifti::new(DType::F32, &[1], f32::INFINITY.to_le_bytes().to_vec()).scl(2.0, 0.0);
    let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
    let wide = image.get_fdata::<c128>(Caching::Unchanged).expect("c128");
    assert!(wide.as_slice()[0].re.is_infinite() && wide.as_slice()[0].im.is_nan());
    let narrow = image.get_fdata::<c64>(Caching::Unchanged).expect("c64");
    assert!(narrow.as_slice()[0].re.is_infinite());
    assert_eq!(narrow.as_slice()[0].im, 0.0);
}

/// Payloads and signalling bits of NaN included.
#[test]
fn unscaled_copies_keep_every_bit() {
    let mut rng = Rng::new(5);
    let mut copies = 0;
    for dtype in DType::ALL.into_iter().filter(|&dtype| dtype != DType::F16) {
        for order in ORDERS {
            let count = 5000;
            let mut data = rng.bytes(count * dtype.size_bytes());
            if matches!(dtype, DType::F32 | DType::C64) {
                for part in data.chunks_exact_mut(8) {
                    part[..4].copy_from_slice(&0x7f80_0001u32.to_le_bytes());
                }
            }
            let native = match dtype.part_bytes() {
                size if size > 1 && order != ByteOrder::NATIVE => swapped(&data, size),
                _ => data.clone(),
            };
            let nifti = Nifti::new(dtype, &[count], data).order(order);
            let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
            let unscaled = image.dataobj().unscaled().expect("it can be read");
            assert_eq!(unscaled.dtype(), dtype);
            assert!(unscaled.as_bytes() == native, "unscaled {dtype} {order}");
            let asarray = image.dataobj().native().expect("it can be read");
            assert!(asarray.as_bytes() == native, "native {dtype} {order}");
            let bytes = match dtype {
                DType::F32 => Some(same_type::<f32>(image.get_fdata(Caching::Fill))),
                DType::F64 => Some(same_type::<f64>(image.get_fdata(Caching::Fill))),
                DType::C64 => Some(same_type::<c64>(image.get_fdata(Caching::Fill))),
                DType::C128 => Some(same_type::<c128>(image.get_fdata(Caching::Fill))),
                _ => None,
            };
            assert!(bytes.is_none_or(|bytes| bytes == native), "{dtype} {order}");
            copies += 1;
        }
    }
    assert_eq!(copies, 14 * 2);
}

fn same_type<T: Element>(read: voxload::Result<voxload::HostArray<T>>) -> Vec<u8> {
    bytemuck::cast_slice(read.expect("it can be read").as_slice()).to_vec()
}

#[test]
fn the_type_of_native_values() {
    let native = |dtype: DType, scl: (f64, f64)| {
        let nifti = Nifti::new(dtype, &[2], vec![1; 2 * dtype.size_bytes()]);
        let image = DataobjImage::from_bytes(nifti.scl(scl.0, scl.1).single()).expect("it loads");
        image.dataobj().native().map(|array| array.dtype())
    };
    for dtype in DType::ALL.into_iter().filter(|&dtype| dtype != DType::F16) {
        assert_eq!(native(dtype, (1.0, 0.0)).expect("raw"), dtype);
        match native(dtype, (2.0, 0.0)) {
            Ok(scaled) if dtype.is_complex() => assert_eq!(scaled, DType::C128),
            Ok(scaled) => assert!(scaled == DType::F64 && !dtype.is_colour()),
            Err(_) => assert!(dtype.is_colour()),
        }
    }
}

#[test]
fn colours_are_raw_or_an_error() {
    let mut rng = Rng::new(7);
    let mut refused = 0;
    for (dtype, bytes) in [(DType::Rgb24, 3), (DType::Rgba32, 4)] {
        let data = rng.bytes(24 * bytes);
        for scl in [(f64::NAN, 0.0), (2.0, 0.0), (1.0, 3.0)] {
            let nifti = Nifti::new(dtype, &[4, 3, 2], data.clone()).scl(scl.0, scl.1);
            let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
            let dataobj = image.dataobj();
            let raw = dataobj.unscaled().expect("raw colours");
            assert_eq!(raw.as_bytes(), data);
            let row = dataobj.sliced("[:, 1, 1]").expect("an index");
            let row = row.unscaled().expect("raw colours");
            assert_eq!(row.as_bytes(), &data[16 * bytes..20 * bytes]);
            let native = outcome(&dataobj.native());
            assert_eq!(native, if scl.0.is_nan() { "Ok" } else { "DType" });
            let outcomes = [
                outcome(&image.get_fdata::<f16>(Caching::Fill)),
                outcome(&image.get_fdata::<f32>(Caching::Fill)),
                outcome(&image.get_fdata::<f64>(Caching::Unchanged)),
                outcome(&image.get_fdata::<c64>(Caching::Fill)),
                outcome(&image.get_fdata::<c128>(Caching::Fill)),
                outcome(&dataobj.slice::<f32>("[0]")),
                outcome(&dataobj.read_into(&mut [0f32; 24])),
            ];
            for outcome in outcomes {
                assert_eq!(outcome, "DType");
                refused += 1;
            }
            assert!(!image.in_memory(), "nothing was kept");
        }
    }
    assert_eq!(refused, 2 * 3 * 7);
}
/// Found by the test above: `half`'s own conversion from f64 rounds twice on processors with F16C.
#[test]
fn complex_to_f16_rounds_once() {
    let mut data = f64::from_bits(0x3f74_0011_7a9b_cf3b).to_le_bytes().to_vec();
    data.extend([0; 8]);
    let nifti = Nifti::new(DType::C128, &[1], data).version(2).scl(1.0, 2.5);
    let image = DataobjImage::from_bytes(nifti.single()).expect("it loads");
    let read = image
        .get_fdata::<f16>(Caching::Fill)
        .expect("it can be read");
    assert_eq!(read.as_slice(), [f16::from_bits(0x4103)]);
}
