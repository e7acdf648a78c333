//! The parts of the work on the best device, each by itself: kernels in each way of computing, loads by stored type,
//! scaling and output, the stages of one load, and statistics beside those of the CPU.
//!
//! `cargo bench --bench device`, or a part of it: `cargo bench --bench device -- statistics`.

#![allow(
    unreachable_pub,
    reason = "files are shared with the tests and the command"
)]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/nifti.rs"]
mod nifti;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/rng.rs"]
mod rng;

use std::time::Instant;

use half::f16;
use nifti::Nifti;
use rng::Rng;
use voxload::{
    Caching, DType, DataobjImage, Float, Gpu, HostArray, KernelChoice, KernelMethod, Scaling,
    StatisticsOptions,
};

/// Stored bytes of a volume.
const BYTES: usize = 128 << 20;

/// Runs whose best counts.
const RUNS: usize = 3;

const UNSCALED: (f64, f64) = (f64::NAN, f64::NAN);
const SCALED: (f64, f64) = (0.3, -7.0);

/// A volume in memory of random bits.
fn volume(dtype: DType, scl: (f64, f64)) -> DataobjImage {
    let voxels = BYTES / dtype.size_bytes();
    let shape = [1 << 10, voxels >> 10];
    let nifti = Nifti::new(dtype, &shape, Rng::new(10).bytes(BYTES));
    let bytes = nifti.version(2).scl(scl.0, scl.1).single();
    DataobjImage::from_bytes(bytes).expect("a volume")
}

/// Processor time of all threads, in seconds: unlike the clock it does not count other programs.
#[cfg(target_os = "linux")]
fn processor_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

#[cfg(not(target_os = "linux"))]
fn processor_seconds() -> f64 {
    f64::NAN
}

/// The best time of some runs, after one that is not measured.
fn best(clock: impl Fn() -> f64, mut work: impl FnMut()) -> f64 {
    work();
    let runs = (0..RUNS).map(|_| {
        let start = clock();
        work();
        clock() - start
    });
    runs.fold(f64::INFINITY, f64::min)
}

fn wall() -> impl Fn() -> f64 {
    let start = Instant::now();
    move || start.elapsed().as_secs_f64()
}

/// Voxels a second of the kernels alone, each way of computing.
fn ways_of_computing(gpu: &Gpu) {
    let scaling = Scaling::linear(SCALED.0, SCALED.1);
    for stored in [
        DType::U8,
        DType::I8,
        DType::U16,
        DType::I16,
        DType::U32,
        DType::I32,
        DType::U64,
        DType::I64,
        DType::F16,
        DType::F32,
        DType::F64,
    ] {
        for output in [DType::F16, DType::F32, DType::F64] {
            let report = gpu.kernel_rates(stored, &scaling, output);
            print!("{stored} scaled to {output}:");
            for rate in report.expect("rates").rates {
                let speed = rate.voxels_per_second.unwrap_or(f64::NAN);
                print!("  {} {:.0} M/s", rate.method, speed / 1e6);
            }
            println!();
        }
    }
}

fn load<T: Float>(gpu: &Gpu, stored: DType, scl: (f64, f64)) {
    let image = volume(stored, scl);
    let voxels = BYTES / stored.size_bytes();
    let seconds = best(processor_seconds, || {
        let loaded = image.get_fdata_gpu::<T>(gpu, Caching::Unchanged);
        drop(loaded.expect("a load"));
    });
    println!(
        "load of {stored} with {scl:?} to {}: {:.1} M voxels/s of one processor",
        T::DTYPE,
        voxels as f64 / seconds / 1e6
    );
}

/// Voxels a second of whole loads; of interest for software devices, whose work is the processor's.
fn loads(gpu: &Gpu) {
    load::<f32>(gpu, DType::F32, UNSCALED);
    load::<f32>(gpu, DType::I16, UNSCALED);
    load::<f32>(gpu, DType::I16, (0.3, 0.0));
    load::<f32>(gpu, DType::I16, (1.0, -7.0));
    load::<f32>(gpu, DType::I16, SCALED);
    load::<f16>(gpu, DType::I16, SCALED);
    load::<f64>(gpu, DType::I16, SCALED);
    load::<f32>(gpu, DType::F32, SCALED);
    load::<f32>(gpu, DType::F64, SCALED);
}

/// Where the time of a load goes, with one kernel.
fn stages(gpu: &Gpu) {
    gpu.set_kernel_choice(KernelChoice::Only(KernelMethod::Integers));
    let timed = |what: &str, work: &mut dyn FnMut()| {
        println!("{what}: {:.3} ms", best(wall(), work) * 1e3);
    };
    let image = volume(DType::I16, SCALED);
    let voxels = BYTES / 2;
    let scaling = Scaling::linear(SCALED.0, SCALED.1);
    let report = gpu.kernel_rates(DType::I16, &scaling, DType::F32);
    let speed = report.expect("rates").rates[0].voxels_per_second;
    println!(
        "kernels alone: {:.3} ms",
        voxels as f64 / speed.unwrap_or(f64::NAN) * 1e3
    );
    let load = |image: &DataobjImage| {
        let loaded = image.get_fdata_gpu::<f32>(gpu, Caching::Unchanged);
        loaded.expect("a load")
    };
    timed("staging and kernels of 64 Mi voxels", &mut || {
        drop(load(&image));
    });
    let loaded = load(&image);
    let mut out = vec![0f32; voxels];
    timed("download of 256 MiB", &mut || {
        loaded.download_into(&mut out).expect("values");
    });
    let array = HostArray::from_vec(&[voxels], out).expect("an array");
    let array = DataobjImage::from_array(array, None).expect("an image");
    timed("upload of 256 MiB", &mut || drop(load(&array)));
    let small = Nifti::counting(&[64, 64]).scl(SCALED.0, SCALED.1).single();
    let small = DataobjImage::from_bytes(small).expect("a volume");
    timed("4096 voxels", &mut || drop(load(&small)));
    gpu.set_kernel_choice(KernelChoice::default());
}

/// Values a second of statistics, and of what they are made from.
fn statistics(gpu: &Gpu) {
    let shape = [128, 128, 64, 32];
    let count: usize = shape.iter().product();
    let nifti = Nifti::new(DType::I16, &shape, Rng::new(11).bytes(2 * count));
    let bytes = nifti.scl(0.1, 2.0).single();
    let image = DataobjImage::from_bytes(bytes).expect("a volume");
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let seconds = best(wall(), work);
        println!("{what}: {:.0} M values/s", count as f64 / seconds / 1e6);
    };
    let plain = StatisticsOptions::new();
    let binned = plain.histogram(256).window(-3000.0, 3000.0);
    timed("convert alone, CPU", &mut || {
        drop(image.get_fdata::<f32>(Caching::Unchanged).expect("values"));
    });
    timed("moments, CPU", &mut || {
        drop(image.statistics::<f32>(&plain).expect("statistics"));
    });
    timed("with 256 bins, CPU", &mut || {
        drop(image.statistics::<f32>(&binned).expect("statistics"));
    });
    timed("over time, CPU", &mut || {
        drop(image.temporal_statistics::<f32>().expect("statistics"));
    });
    timed("moments, device", &mut || {
        drop(
            image
                .statistics_gpu::<f32>(gpu, &plain)
                .expect("statistics"),
        );
    });
    timed("with 256 bins, device", &mut || {
        drop(
            image
                .statistics_gpu::<f32>(gpu, &binned)
                .expect("statistics"),
        );
    });
    timed("over time, device", &mut || {
        drop(
            image
                .temporal_statistics_gpu::<f32>(gpu)
                .expect("statistics"),
        );
    });
}

type Part = (&'static str, fn(&Gpu));

fn main() {
    let gpu = Gpu::new().expect("a device");
    println!("{gpu:?}");
    let parts: [Part; 4] = [
        ("kernels", ways_of_computing),
        ("loads", loads),
        ("stages", stages),
        ("statistics", statistics),
    ];
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("\n{name}");
            part(&gpu);
        }
    }
}
