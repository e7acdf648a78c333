//! The bits of streams are those of the whole array: all types, blocks, steps, orders, devices.

use half::f16;
use voxload::{ByteOrder, Caching, DType, DataobjImage, FrameOptions};

use super::{check, items};
use crate::support::backend::Backend;
use crate::support::naive::Out;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::types::NIFTI_REAL;

fn volume(rng: &mut Rng, dtype: DType, shape: &[usize]) -> Nifti {
    let voxels: usize = shape.iter().product();
    let data = rng.bytes(voxels * dtype.size_bytes());
    let scl = *rng.pick(&[(f64::NAN, 0.0), (0.1, -7.0), (1.0, 3.5)]);
    let order = *rng.pick(&[ByteOrder::Little, ByteOrder::Big]);
    Nifti::new(dtype, shape, data)
        .version(2)
        .order(order)
        .scl(scl.0, scl.1)
}

/// Streams an image with these options and compares what comes with `order`, blocks of frames.
fn run<T: Out>(
    what: &str,
    backend: Backend,
    image: &DataobjImage,
    options: FrameOptions,
    order: &[Vec<usize>],
) -> usize {
    let whole = image.get_fdata::<T>(Caching::Unchanged).expect("values");
    let axes = image.ndim().saturating_sub(usize::from(image.ndim() > 3));
    let frame_len: usize = image.shape()[..axes].iter().product();
    let mut stream = items::<T>(backend, image, options).expect("a stream");
    for frames in order {
        let got = stream.next().expect("another frame").expect("a frame");
        assert_eq!(&got.frames, frames, "{what}");
        check(what, &got, whole.as_slice(), frame_len);
    }
    order.len()
}

fn run_to_end<T: Out>(
    what: &str,
    backend: Backend,
    image: &DataobjImage,
    options: FrameOptions,
    order: &[Vec<usize>],
) -> usize {
    let count = run::<T>(what, backend, image, options.clone(), order);
    let stream = items::<T>(backend, image, options).expect("a stream");
    assert_eq!(stream.count(), order.len(), "{what}: no more");
    count
}

fn one_by_one(frames: impl IntoIterator<Item = usize>) -> Vec<Vec<usize>> {
    frames.into_iter().map(|frame| vec![frame]).collect()
}

#[test]
fn all_types_and_outputs() {
    let mut rng = Rng::new(31);
    let mut frames = 0;
    for backend in Backend::every_way("all types and outputs of streams") {
        for (n, dtype) in NIFTI_REAL.iter().copied().enumerate() {
            let shape = [13 + n, 7, 5, 4];
            let bytes = volume(&mut rng, dtype, &shape).single();
            let bytes = if n % 2 == 0 { bytes } else { gz(&bytes, 1) };
            let image = DataobjImage::from_bytes(bytes).expect("it loads");
            let what = format!("{backend:?} {dtype:?}");
            let order = one_by_one(0..4);
            let options = FrameOptions::new;
            frames += run_to_end::<f16>(&what, backend, &image, options(), &order);
            frames += run_to_end::<f32>(&what, backend, &image, options(), &order);
            frames += run_to_end::<f64>(&what, backend, &image, options(), &order);
        }
    }
    assert!(frames == 10 * 3 * 4 || frames == 4 * 10 * 3 * 4, "{frames}");
}

#[test]
fn blocks_steps_and_orders() {
    let mut rng = Rng::new(32);
    for backend in Backend::every_way("blocks, steps and orders of streams") {
        for compressed in [false, true] {
            let bytes = volume(&mut rng, DType::I16, &[31, 17, 9, 11]).single();
            let bytes = if compressed { gz(&bytes, 1) } else { bytes };
            let image = DataobjImage::from_bytes(bytes).expect("it loads");
            let new = FrameOptions::new;
            let cases = [
                ("all", new(), one_by_one(0..11)),
                ("range", new().range(3..=5), one_by_one(3..6)),
                ("clamped", new().range(9..100), one_by_one(9..11)),
                ("nothing", new().range(11..), vec![]),
                ("step", new().range(1..).step(4), one_by_one([1, 5, 9])),
                ("reverse", new().reverse(), one_by_one((0..11).rev())),
                (
                    "blocks",
                    new().block(4),
                    vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9, 10]],
                ),
                (
                    "blocks of a step backwards",
                    new().range(2..).step(3).block(2).reverse(),
                    vec![vec![8], vec![2, 5]],
                ),
                ("one slot", new().slots(1), one_by_one(0..11)),
                ("one block", new().block(100), vec![(0..11).collect()]),
            ];
            for (what, options, order) in cases {
                let what = format!("{backend:?} {what}, gz: {compressed}");
                run_to_end::<f32>(&what, backend, &image, options.clone(), &order);
                run_to_end::<f16>(&what, backend, &image, options, &order);
            }
            let twice_and_more = one_by_one((0..11).chain(0..11).chain(0..3));
            run::<f32>("loop", backend, &image, new().looping(), &twice_and_more);
            let backwards = one_by_one([4, 2, 0, 4, 2, 0, 4]);
            let options = new().range(..6).step(2).reverse().looping();
            run::<f64>("loop backwards", backend, &image, options, &backwards);
        }
    }
}

#[test]
fn shapes_with_few_and_many_axes() {
    let mut rng = Rng::new(33);
    let shapes: [&[usize]; 8] = [
        &[5, 4, 3],
        &[50_000],
        &[7, 9],
        &[3, 3, 3, 1],
        &[2, 3, 4, 1, 5],
        &[2, 3, 0, 4],
        &[2, 3, 4, 0],
        &[3, 1, 1, 6],
    ];
    for backend in Backend::every_way("shapes of streams") {
        for shape in shapes {
            let image = volume(&mut rng, DType::U16, shape).single();
            let image = DataobjImage::from_bytes(image).expect("it loads");
            let frames = if shape.len() > 3 {
                shape[shape.len() - 1]
            } else {
                1
            };
            let order = one_by_one(0..frames);
            let what = format!("{backend:?} {shape:?}");
            run_to_end::<f16>(&what, backend, &image, FrameOptions::new(), &order);
            run_to_end::<f64>(&what, backend, &image, FrameOptions::new(), &order);
            let mut stream = items::<f32>(backend, &image, FrameOptions::new()).expect("a stream");
            let kept = shape.len() - usize::from(shape.len() > 3);
            if let Some(first) = stream.next() {
                assert_eq!(first.expect("a frame").shape, shape[..kept], "{what}");
            }
            let blocks = FrameOptions::new().block(2);
            let mut stream = items::<f32>(backend, &image, blocks).expect("a stream");
            if shape.len() > 3 && frames > 1 {
                let first = stream.next().expect("a block").expect("a block");
                let (last, others) = first.shape.split_last().expect("axes");
                assert_eq!((*last, others), (2, &shape[..kept]), "{what}");
            }
        }
    }
}

#[test]
fn devices_with_small_limits() {
    let mut rng = Rng::new(34);
    let shape = [67, 53, 11, 5];
    let mut frames = 0;
    let backends = Backend::small_devices("streams on devices with small limits");
    for &backend in &backends {
        for dtype in [DType::U8, DType::I16, DType::F32, DType::F64] {
            let image = volume(&mut rng, dtype, &shape).single();
            let image = DataobjImage::from_bytes(image).expect("it loads");
            let what = format!("{backend:?} {dtype:?}");
            let order = one_by_one(0..5);
            frames += run_to_end::<f16>(&what, backend, &image, FrameOptions::new(), &order);
            frames += run_to_end::<f32>(&what, backend, &image, FrameOptions::new(), &order);
            let blocks = FrameOptions::new().block(3);
            let order = [vec![0, 1, 2], vec![3, 4]];
            frames += run_to_end::<f64>(&what, backend, &image, blocks, &order);
        }
    }
    assert_eq!(frames, backends.len() * 4 * 12);
}

/// The comparison can fail.
#[test]
#[should_panic(expected = "voxel 3 is 9.0")]
fn a_wrong_voxel_is_seen() {
    let whole = [1.0f32, 2.0, 3.0, 4.0];
    let got = super::Got {
        frames: vec![0],
        shape: vec![4],
        values: vec![1.0, 2.0, 3.0, 9.0],
    };
    check("a wrong voxel", &got, &whole, 4);
}
