//! Statistics on a device have the bits of the CPU's.

use super::*;
use crate::support::devices::{callers_gpu, own};
use crate::support::ways;
use half::f16;
use voxload::{Gpu, KernelChoice, KernelMethod};

/// All bits, NaN being NaN.
fn bits(statistics: &Statistics) -> (Vec<u64>, Option<voxload::Histogram>) {
    let Statistics {
        count,
        non_finite,
        min,
        max,
        mean,
        std,
        histogram,
        ..
    } = statistics.clone();
    let float = |v: f64| if v.is_nan() { u64::MAX } else { v.to_bits() };
    let numbers = vec![
        count,
        non_finite,
        float(min),
        float(max),
        float(mean),
        float(std),
    ];
    (numbers, histogram)
}

/// The best device in each way to drive it.
fn every_way(test: &str) -> Vec<Gpu> {
    let ways: [fn(Gpu) -> Gpu; 3] = [|gpu| gpu, ways::awaited, ways::as_in_browsers];
    let open = |way: fn(Gpu) -> Gpu| own(test).map(way);
    ways.into_iter().filter_map(open).collect()
}

fn same<T: Float>(what: &str, gpu: &Gpu, image: &DataobjImage, options: &StatisticsOptions) {
    let want = image.statistics::<T>(options).unwrap();
    let got = ways::statistics::<T>(image, gpu, options).unwrap();
    assert_eq!(bits(&got), bits(&want), "{what} as {}", T::DTYPE);
}

fn same_over_time(what: &str, gpu: &Gpu, image: &DataobjImage) {
    let want = image.temporal_statistics::<f64>().unwrap();
    let got = ways::temporal_statistics::<f64>(image, gpu).unwrap();
    assert_eq!(got.non_finite, want.non_finite, "{what}");
    let bits = |map: &HostArray<f64>| -> Vec<u64> {
        let bits = |v: &f64| if v.is_nan() { u64::MAX } else { v.to_bits() };
        map.as_slice().iter().map(bits).collect()
    };
    for (got, want) in [
        (&got.mean, &want.mean),
        (&got.std, &want.std),
        (&got.tsnr, &want.tsnr),
    ] {
        assert_eq!(got.shape(), want.shape(), "{what}");
        assert!(bits(got) == bits(want), "{what}: series differ");
    }
}

fn all_types(gpu: &Gpu, shape: &[usize]) -> usize {
    let options = StatisticsOptions::new().histogram(19).window(-50.0, 400.5);
    let mut compared = 0;
    for dtype in REAL {
        for scaling in scalings(shape.iter().product()) {
            let order = [ByteOrder::Little, ByteOrder::Big][compared % 2];
            let what = format!("{dtype} {order} {scaling:?}");
            let image = noise(shape, dtype, order, scaling);
            same::<f32>(&what, gpu, &image, &options);
            same::<f64>(&what, gpu, &image, &options);
            compared += 1;
        }
    }
    compared
}

#[test]
fn statistics_have_the_bits_of_the_cpu() {
    for gpu in every_way("statistics_have_the_bits_of_the_cpu") {
        statistics_have_the_bits_of_the_cpu_on(&gpu);
    }
}

fn statistics_have_the_bits_of_the_cpu_on(gpu: &Gpu) {
    assert_eq!(all_types(gpu, &[37, 13, 11, 5]), 33);
    let odd = some_not_finite(&[53, 47, 3]);
    let options = StatisticsOptions::new().histogram(1000);
    same::<f16>("some not finite", gpu, &odd, &options);
    same::<f32>("some not finite", gpu, &odd, &options);
    same::<f32>("no histogram", gpu, &odd, &StatisticsOptions::new());
    let view = odd.slicer("[::-3, 5:, ::2]").unwrap();
    same::<f64>("a view", gpu, &view, &options);
    let nothing = noise(&[3, 0, 2], DType::I16, ByteOrder::Little, Scaling::none());
    same::<f32>("nothing", gpu, &nothing, &options);
}

#[test]
fn each_kernel_and_tiny_devices_too() {
    let test = "each_kernel_and_tiny_devices_too";
    for method in KernelMethod::ALL {
        let Some(gpu) = own(test) else {
            return;
        };
        gpu.set_kernel_choice(KernelChoice::Only(method));
        let image = noise(
            &[64, 64, 20],
            DType::I16,
            ByteOrder::Big,
            Scaling::linear(0.1, 2.0),
        );
        same::<f32>(
            &method.to_string(),
            &gpu,
            &image,
            &StatisticsOptions::new().histogram(9),
        );
        same_over_time(&method.to_string(), &gpu, &image);
    }
    // The last is too small for statistics, which the CPU then makes.
    for (binding, side) in [(1 << 20, 64), (64 << 10, 3), (4096, 2)] {
        let gpu = callers_gpu(|limits| {
            limits.max_storage_buffer_binding_size = binding;
            limits.max_compute_workgroups_per_dimension = side;
        });
        assert_eq!(all_types(&gpu, &[64, 50, 5, 5]), 33);
        let image = noise(
            &[64, 50, 5, 5],
            DType::I16,
            ByteOrder::Big,
            Scaling::linear(0.1, 2.0),
        );
        same_over_time("tiny", &gpu, &image);
    }
}

#[test]
fn series_have_the_bits_of_the_cpu() {
    for gpu in every_way("series_have_the_bits_of_the_cpu") {
        series_have_the_bits_of_the_cpu_on(&gpu);
    }
}

fn series_have_the_bits_of_the_cpu_on(gpu: &Gpu) {
    for image in [
        noise(
            &[19, 8, 7, 6],
            DType::U8,
            ByteOrder::Little,
            Scaling::none(),
        ),
        noise(
            &[19, 8, 7, 6],
            DType::F64,
            ByteOrder::Big,
            Scaling::linear(0.1, 2.0),
        ),
        some_not_finite(&[9, 8, 7, 30]),
    ] {
        same_over_time("frames", gpu, &image);
        let view = image.slicer("[::-2, :, ::-1, 1:]").unwrap();
        same_over_time("a view", gpu, &view);
    }
}

/// More values than a run has, and more than fit a part.
#[test]
fn several_runs() {
    let Some(gpu) = own("several_runs") else {
        return;
    };
    let shape = [512, 512, 270];
    let scaling = Scaling::linear(0.1, 2.0);
    let image = image(&shape, DType::U8, ByteOrder::Little, scaling, |at| {
        (at >> 3) as u8 ^ at as u8
    });
    let options = StatisticsOptions::new().histogram(50).window(0.0, 30.0);
    let want = image.statistics::<f32>(&options).unwrap();
    assert_eq!(want.count, 512 * 512 * 270);
    let got = ways::statistics::<f32>(&image, &gpu, &options).unwrap();
    assert_eq!(bits(&got), bits(&want));
}

#[test]
fn a_lost_device_is_an_error_and_the_image_stays_usable() {
    for gpu in every_way("a_lost_device_is_an_error_and_the_image_stays_usable") {
        a_lost_device_is_an_error_on(&gpu);
    }
}

fn a_lost_device_is_an_error_on(gpu: &Gpu) {
    let image = noise(&[64, 64, 20], DType::I16, ByteOrder::Big, Scaling::none());
    gpu.device().destroy();
    let options = StatisticsOptions::new();
    let error = ways::statistics::<f32>(&image, gpu, &options).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::DeviceLost);
    let error = ways::temporal_statistics::<f32>(&image, gpu).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::DeviceLost);
    let other = Gpu::new().unwrap();
    same::<f32>("another device", &other, &image, &options);
}
