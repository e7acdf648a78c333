//! Statistics against naive computations on all values at once, on both backends; the backends agree to the bit.

#[cfg(feature = "gpu")]
mod on_a_device;

use std::sync::Arc;

use voxload::scaling::{Arithmetic, Factor, Step};
use voxload::{
    ByteOrder, ByteSource, Caching, DType, DataobjImage, ErrorKind, Extra, FileMap, Float,
    FrameOptions, Header, HostArray, ProxySpec, Result, Scaling, Statistics, StatisticsOptions,
    TemporalAccumulator,
};

use crate::support::rng::bits_of;
use crate::support::types::REAL;

/// Bytes made by a rule, of any length without memory.
struct Made<F> {
    len: u64,
    byte: F,
}

impl<F> std::fmt::Debug for Made<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} made bytes", self.len)
    }
}

impl<F: Fn(u64) -> u8 + Send + Sync> ByteSource for Made<F> {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.len))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        for (byte, at) in buffer.iter_mut().zip(offset..) {
            *byte = (self.byte)(at);
        }
        Ok(())
    }
}

/// An image of bytes made by a rule.
fn image(
    shape: &[usize],
    dtype: DType,
    byte_order: ByteOrder,
    scaling: Scaling,
    byte: impl Fn(u64) -> u8 + Send + Sync + 'static,
) -> DataobjImage {
    let voxels: usize = shape.iter().product();
    let source = Made {
        len: (voxels * dtype.size_bytes()) as u64,
        byte,
    };
    let mut header = Header::new(shape, dtype);
    header.byte_order = byte_order;
    header.scaling = scaling;
    let spec = ProxySpec::from(&header);
    let proxy = voxload::ArrayProxy::new(Arc::new(source), spec).unwrap();
    let map = FileMap::new();
    DataobjImage::new(proxy, header, Extra::new(), map).unwrap()
}

fn noise(shape: &[usize], dtype: DType, order: ByteOrder, scaling: Scaling) -> DataobjImage {
    image(shape, dtype, order, scaling, |at| bits_of(at) as u8)
}

/// Numbers of a moderate size with NaN and infinities among them.
fn some_not_finite(shape: &[usize]) -> DataobjImage {
    image(
        shape,
        DType::F32,
        ByteOrder::Little,
        Scaling::none(),
        |at| {
            let voxel = at / 4;
            let value = match voxel % 11 {
                3 => f32::NAN,
                5 => f32::INFINITY,
                7 => f32::NEG_INFINITY,
                _ => (bits_of(voxel) % 20_000) as f32 * 0.25 - 1000.0,
            };
            value.to_le_bytes()[at as usize % 4]
        },
    )
}

fn scalings(voxels: usize) -> Vec<Scaling> {
    let table = |n: usize| Factor::Table((0..n).map(|i| 0.5 + i as f64 * 0.37).collect());
    vec![
        Scaling::none(),
        Scaling::linear(0.1, -7.3),
        Scaling::new(
            vec![Step::Multiply(table(5))],
            voxels as u64 / 5,
            Arithmetic::F64,
        ),
    ]
}

/// A sum that loses nothing to speak of.
fn careful_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

/// numpy's histogram, bin by bin.
fn naive_histogram(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let bins = edges.len() - 1;
    let mut counts = vec![0; bins];
    for value in values {
        for (bin, count) in counts.iter_mut().enumerate() {
            let closed = bin == bins - 1 && *value == edges[bins];
            *count += u64::from(*value >= edges[bin] && *value < edges[bin + 1] || closed);
        }
    }
    counts
}

fn check(what: &str, values: &[f64], got: &Statistics) {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    assert_eq!(got.count, finite.len() as u64, "{what}");
    assert_eq!(
        got.non_finite,
        (values.len() - finite.len()) as u64,
        "{what}"
    );
    let min = finite.iter().copied().fold(f64::INFINITY, f64::min);
    let max = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!((got.min, got.max), (min, max), "{what}");
    let n = finite.len() as f64;
    let spread = max - min;
    // Squares of what random bits of floats hold may overflow.
    if spread < 1e150 {
        let mean = careful_sum(finite.iter().map(|v| v / n));
        assert!(
            (got.mean - mean).abs() <= 1e-12 * spread,
            "{what}: mean {} not {mean}",
            got.mean
        );
        let squares = careful_sum(finite.iter().map(|v| (v - mean) * (v - mean) / n));
        let std = squares.sqrt();
        assert!(
            (got.std - std).abs() <= 1e-11 * std,
            "{what}: std {} not {std}",
            got.std
        );
    }
    if let Some(histogram) = &got.histogram {
        assert_eq!(
            histogram.counts,
            naive_histogram(&finite, &histogram.edges),
            "{what}"
        );
    }
}

fn values_of<T: Float>(image: &DataobjImage) -> Vec<f64> {
    let values = image.get_fdata::<T>(Caching::Unchanged).unwrap();
    values.as_slice().iter().map(|v| v.to_f64()).collect()
}

fn naive_series<T: Float>(image: &DataobjImage) -> Vec<[f64; 3]> {
    let values = values_of::<T>(image);
    let frames = *image.shape().last().unwrap();
    let voxels = values.len() / frames;
    let series = |voxel: usize| {
        let finite: Vec<f64> = (0..frames)
            .map(|t| values[t * voxels + voxel])
            .filter(|v| v.is_finite())
            .collect();
        let n = finite.len() as f64;
        let mean = careful_sum(finite.iter().copied()) / n;
        let std = (careful_sum(finite.iter().map(|v| (v - mean) * (v - mean))) / n).sqrt();
        [mean, std, if std == 0.0 { 0.0 } else { mean / std }]
    };
    (0..voxels).map(series).collect()
}

fn close(got: f64, want: f64, scale: f64) -> bool {
    (got - want).abs() <= 1e-11 * scale || (got.is_nan() && want.is_nan())
}

fn check_series(what: &str, want: &[[f64; 3]], maps: [&HostArray<f64>; 3]) {
    assert!(maps.iter().all(|map| map.len() == want.len()), "{what}");
    for (i, want) in want.iter().enumerate() {
        let got = maps.map(|map| map.as_slice()[i]);
        // The finite numbers here are below 1e4.
        assert!(
            close(got[0], want[0], 1e4),
            "{what}: mean {got:?} not {want:?}"
        );
        assert!(
            close(got[1], want[1], 1e4),
            "{what}: std {got:?} not {want:?}"
        );
        let steady = want[1] < 1e-6;
        assert!(
            steady || close(got[2], want[2], 1e9),
            "{what}: tSNR {got:?} not {want:?}"
        );
    }
}

#[test]
fn every_type_order_and_scaling() {
    let shape = [37, 13, 11, 5];
    let mut compared = 0;
    for dtype in REAL {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for scaling in scalings(shape.iter().product()) {
                let what = format!("{dtype} {order} {scaling:?}");
                let image = noise(&shape, dtype, order, scaling);
                let options = StatisticsOptions::new().histogram(19).window(-50.0, 400.5);
                let got = image.statistics::<f32>(&options).unwrap();
                check(&what, &values_of::<f32>(&image), &got);
                let got = image.statistics::<f64>(&options).unwrap();
                check(&what, &values_of::<f64>(&image), &got);
                compared += 2;
            }
        }
    }
    assert_eq!(compared, 11 * 2 * 3 * 2);
}

#[test]
fn what_is_not_finite_is_counted_and_left_out() {
    let image = some_not_finite(&[50, 40, 30]);
    let options = StatisticsOptions::new().histogram(32);
    let got = image.statistics::<f32>(&options).unwrap();
    check("some not finite", &values_of::<f32>(&image), &got);
    assert!(got.non_finite > 10_000);
    let histogram = got.histogram.unwrap();
    assert_eq!(
        histogram.counts.iter().sum::<u64>(),
        got.count,
        "the window is that of the values"
    );
    assert_eq!(
        (histogram.edges[0], histogram.edges[32]),
        (got.min, got.max)
    );

    let none = [f64::NAN, f64::INFINITY];
    let none = HostArray::from_vec(&[2], none.to_vec()).unwrap();
    let got = DataobjImage::from_array(none, None)
        .unwrap()
        .statistics::<f64>(&options)
        .unwrap();
    assert_eq!((got.count, got.non_finite), (0, 2));
    assert!(
        [got.min, got.max, got.mean, got.std]
            .iter()
            .all(|v| v.is_nan())
    );
    assert_eq!(got.histogram.unwrap().counts, [0; 32]);
}

#[test]
fn views_and_edits_are_what_is_reduced() {
    let mut image = noise(
        &[40, 30, 20],
        DType::I16,
        ByteOrder::Big,
        Scaling::linear(0.5, 3.0),
    );
    let options = StatisticsOptions::new().histogram(7);
    let view = image.slicer("[::-3, 5:, ::2]").unwrap();
    check(
        "a view",
        &values_of::<f32>(&view),
        &view.statistics::<f32>(&options).unwrap(),
    );
    let before = image.statistics::<f32>(&options).unwrap();
    image.fdata_mut::<f32>().unwrap()[[1, 2, 3]] = 1e6;
    let after = image.statistics::<f32>(&options).unwrap();
    assert_eq!(
        (before.max < 1e6, after.max),
        (true, 1e6),
        "the edit is seen"
    );
    check("edited", &values_of::<f32>(&image), &after);
    assert!(
        image.statistics::<f64>(&options).unwrap().max < 1e6,
        "of another type it is not"
    );
}

#[test]
fn a_large_mean_costs_no_digits_of_the_spread() {
    let image = image(
        &[100_000],
        DType::F64,
        ByteOrder::Little,
        Scaling::none(),
        |at| {
            let value = 1e9 + (bits_of(at / 8) % 1000) as f64 * 1e-3;
            value.to_le_bytes()[at as usize % 8]
        },
    );
    let got = image.statistics::<f64>(&StatisticsOptions::new()).unwrap();
    check("1e9 and a bit", &values_of::<f64>(&image), &got);
    assert!((got.std - 0.2887).abs() < 1e-3);
}

#[test]
fn a_wrong_value_anywhere_is_noticed() {
    let image = noise(
        &[33, 33, 33],
        DType::U16,
        ByteOrder::Little,
        Scaling::none(),
    );
    let options = StatisticsOptions::new().histogram(16);
    let got = image.statistics::<f32>(&options).unwrap();
    let mut values = values_of::<f32>(&image);
    let last = values.len() - 1;
    values[last] += 4096.0;
    let check = || check("one value wrong", &values, &got);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err());
}

#[test]
fn over_time() {
    let frames_of = |dtype, scaling| noise(&[9, 8, 7, 6], dtype, ByteOrder::Little, scaling);
    for (what, image) in [
        ("u8", frames_of(DType::U8, Scaling::none())),
        (
            "i16 scaled",
            frames_of(DType::I16, Scaling::linear(0.1, 5.0)),
        ),
        ("with NaN", some_not_finite(&[9, 8, 7, 6])),
        ("mostly NaN", some_not_finite(&[11, 1, 1, 3])),
    ] {
        let got = image.temporal_statistics::<f64>().unwrap();
        let shape = &image.shape()[..3];
        assert_eq!(got.mean.shape(), shape);
        check_series(
            what,
            &naive_series::<f64>(&image),
            [&got.mean, &got.std, &got.tsnr],
        );
        let not_finite = values_of::<f64>(&image)
            .iter()
            .filter(|v| !v.is_finite())
            .count();
        assert_eq!(got.non_finite, not_finite as u64, "{what}");
        let view = image.slicer("[::-2, :, ::-1, 1:]").unwrap();
        let got = view.temporal_statistics::<f64>().unwrap();
        check_series(
            what,
            &naive_series::<f64>(&view),
            [&got.mean, &got.std, &got.tsnr],
        );
    }
    let flat = noise(&[9], DType::U8, ByteOrder::Little, Scaling::none());
    let error = flat.temporal_statistics::<f32>().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
}

/// Frames handed over one by one, those of a stream among them, give the bits of the same frames in one go.
#[test]
fn frames_handed_over_are_the_series() {
    let shape = [7, 5, 4, 9];
    let image = noise(
        &shape,
        DType::I16,
        ByteOrder::Big,
        Scaling::linear(0.3, 2.0),
    );
    let mut over_time = TemporalAccumulator::new(&shape[..3]).unwrap();
    let error = over_time.take(&[0.0f64; 139]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Shape { .. }), "{error}");
    assert_eq!(over_time.frames(), 0);
    for frame in image.frames::<f32>(FrameOptions::new().range(3..)).unwrap() {
        over_time.take(frame.unwrap().as_slice()).unwrap();
    }
    assert_eq!(over_time.frames(), 6);
    let got = over_time.statistics::<f32>().unwrap();
    let late = image.slicer("[..., 3:]").unwrap();
    let want = late.temporal_statistics::<f32>().unwrap();
    for (got, want) in [
        (&got.mean, &want.mean),
        (&got.std, &want.std),
        (&got.tsnr, &want.tsnr),
    ] {
        assert_eq!(got.shape(), want.shape());
        assert_eq!(got.as_slice(), want.as_slice());
    }
}

#[test]
fn nothing_to_reduce() {
    let image = noise(&[3, 0, 2], DType::I16, ByteOrder::Little, Scaling::none());
    let got = image
        .statistics::<f32>(&StatisticsOptions::new().histogram(3))
        .unwrap();
    assert_eq!((got.count, got.non_finite, got.mean.is_nan()), (0, 0, true));
    assert_eq!(image.temporal_statistics::<f32>().unwrap().mean.len(), 0);
    let no_frames = noise(&[3, 2, 0], DType::I16, ByteOrder::Little, Scaling::none());
    let got = no_frames.temporal_statistics::<f32>().unwrap();
    assert!(got.tsnr.as_slice().iter().all(|v| v.is_nan()) && got.tsnr.len() == 6);
}
