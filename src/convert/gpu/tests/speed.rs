//! Measurements, for the record.

use super::model::*;
use super::*;

/// Voxels a second, for the record: `cargo test --release -- --ignored --nocapture throughput`.
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
    for (scaling, output) in [
        (Scaling::none(), DType::F32),
        (Scaling::linear(0.3, 0.0), DType::F32),
        (Scaling::linear(0.3, -7.0), DType::F32),
        (Scaling::linear(0.3, -7.0), DType::F16),
        (Scaling::linear(0.3, -7.0), DType::F64),
    ] {
        let conversion = Conversion::new(DType::I16, ByteOrder::Little, &scaling, output).unwrap();
        let bytes = count as usize * output.size_bytes();
        let target = DeviceArray::<f64>::zeroed(&gpu, &[bytes / 8]).unwrap();
        for _ in 0..3 {
            let start = std::time::Instant::now();
            let options = StagingOptions::default();
            load_into(
                &gpu,
                &conversion,
                &line(count),
                &memory,
                target.buffer(),
                &options,
            )
            .unwrap();
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{:?} {output}: {:.1} M voxels/s",
                scaling.steps().len(),
                count as f64 / seconds / 1e6
            );
        }
    }
}
