//! Measurements, ignored in normal runs.

use super::model::*;
use super::*;
use crate::device::staging::{Purpose, Ring};

/// Processor time of all threads, in seconds: unlike wall time it does not include other programs.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default();
    let field = |k| ticks.split_whitespace().nth(k).and_then(|t| t.parse().ok());
    (field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0)) / 100.0
}

/// Voxels per second of a software adapter: `cargo test --release -- --ignored --nocapture throughput`.
#[test]
#[ignore = "a measurement"]
fn throughput() {
    let Some(gpu) = gpu_or_skip("throughput") else {
        return;
    };
    let count = 64 << 20;
    let memory = random_volume(DType::I16, count, &mut Random(10));
    let memory = Memory {
        piece: usize::MAX,
        ..memory
    };
    for (stored, scaling, output) in [
        (DType::F32, Scaling::none(), DType::F32),
        (DType::I16, Scaling::none(), DType::F32),
        (DType::I16, Scaling::linear(0.3, 0.0), DType::F32),
        (DType::I16, Scaling::linear(1.0, -7.0), DType::F32),
        (DType::I16, Scaling::linear(0.3, -7.0), DType::F32),
        (DType::I16, Scaling::linear(0.3, -7.0), DType::F16),
        (DType::I16, Scaling::linear(0.3, -7.0), DType::F64),
        (DType::F32, Scaling::linear(0.3, -7.0), DType::F32),
        (DType::F64, Scaling::linear(0.3, -7.0), DType::F32),
    ] {
        let conversion = Conversion::new(stored, ByteOrder::Little, &scaling, output).unwrap();
        let count = (memory.bytes.len() / stored.size_bytes()) as u64;
        let memory = Memory {
            bytes: memory.bytes.clone(),
            item: stored.size_bytes(),
            piece: usize::MAX,
        };
        let bytes = count as usize * output.size_bytes();
        let target = DeviceArray::<f64>::zeroed(&gpu, &[bytes / 8]).unwrap();
        let options = StagingOptions::default();
        let best = (0..3).map(|_| {
            let start = processor_seconds();
            load_into(
                &gpu,
                &conversion,
                &line(count),
                &memory,
                target.buffer(),
                &options,
            )
            .unwrap();
            processor_seconds() - start
        });
        println!(
            "{stored} with {} steps to {output}: {:.1} M voxels/s of one processor",
            scaling.steps().len(),
            count as f64 / best.fold(f64::INFINITY, f64::min) / 1e6
        );
    }
}

/// Voxels per second of the kernels alone, for each method: `cargo test --release -- --ignored --nocapture
/// ways_of_computing`.
#[test]
#[ignore = "a measurement"]
fn ways_of_computing() {
    let Some(gpu) = gpu_or_skip("ways_of_computing") else {
        return;
    };
    for stored in REAL {
        for output in OUTPUTS {
            let start = std::time::Instant::now();
            let rates = gpu
                .kernel_rates(stored, &Scaling::linear(0.3, -7.0), output)
                .unwrap();
            print!("{stored} scaled to {output}:");
            for rate in rates.rates {
                let speed = rate.voxels_per_second.unwrap_or(f64::NAN);
                print!("  {} {:.0} M/s", rate.method, speed / 1e6);
            }
            println!(
                "  (measured in {:.0} ms)",
                start.elapsed().as_secs_f64() * 1e3
            );
        }
    }
}

/// The time of each stage: `cargo test --release -- --ignored --nocapture stages`.
#[test]
#[ignore = "a measurement"]
fn stages() {
    let Some(gpu) = gpu_or_skip("stages") else {
        return;
    };
    let count = 64 << 20;
    let memory = Memory {
        piece: usize::MAX,
        ..random_volume(DType::I16, count, &mut Random(10))
    };
    let scaling = Scaling::linear(0.3, -7.0);
    let conversion = Conversion::new(DType::I16, ByteOrder::Little, &scaling, DType::F32).unwrap();
    let target = DeviceArray::<f32>::zeroed(&gpu, &[count as usize]).unwrap();
    gpu.set_kernel_choice(KernelChoice::Only(KernelMethod::Integers));
    let timed = |what: &str, action: &mut dyn FnMut()| {
        action();
        let start = std::time::Instant::now();
        action();
        println!("{what}: {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    };
    let options = StagingOptions::default();
    let plan = line(count);
    timed("a ring of 4 x 16 MiB", &mut || {
        let ring = Ring::new(gpu.context(), Purpose::Bind, 16 << 20, 4);
        wait(&gpu, ring).unwrap();
    });
    let rates = gpu.kernel_rates(DType::I16, &scaling, DType::F32).unwrap();
    let speed = rates.rates[0].voxels_per_second.unwrap();
    println!("kernels alone: {:.3} ms", count as f64 / speed * 1e3);
    timed("staging and kernels", &mut || {
        load_into(&gpu, &conversion, &plan, &memory, target.buffer(), &options).unwrap();
    });
    let mut out = vec![0.0f32; count as usize];
    timed("download of 256 MiB", &mut || {
        target.download_into(&mut out).unwrap();
    });
    timed("upload of 256 MiB", &mut || {
        upload(&gpu, &[count as usize], &out).unwrap();
    });
    timed("4096 voxels", &mut || {
        load_into(
            &gpu,
            &conversion,
            &line(4096),
            &memory,
            target.buffer(),
            &options,
        )
        .unwrap();
    });
}
