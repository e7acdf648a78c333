//! The kernel against a scalar model in native f64 arithmetic.

use std::sync::Arc;

use half::f16;

use super::*;
use crate::convert::double::to_f16;
use crate::gpu::testing::{gpu_or_skip, plain_device};
use crate::index::plan::Axis;
use crate::scaling::{Arithmetic, Scaling};

const REAL: [DType; 11] = [
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
];
const OUTPUTS: [DType; 3] = [DType::F16, DType::F32, DType::F64];
const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// Stored bytes in memory, read as the proxy would.
struct Memory {
    bytes: Vec<u8>,
    item: usize,
    piece: usize,
}

impl TileReader for Memory {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        let gather = tile.gather(self.item as u64);
        for start in gather.run_starts() {
            let first = (tile.stored_first + start) as usize * self.item;
            let run = &self.bytes[first..first + gather.run as usize * self.item];
            run.chunks(self.piece).for_each(&mut *sink);
        }
        Ok(())
    }
}

/// A small generator: tests must be the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A stored number in f64.
fn model_decode(dtype: DType, order: ByteOrder, bytes: &[u8]) -> f64 {
    let mut le = [0; 8];
    le[..bytes.len()].copy_from_slice(bytes);
    if order == ByteOrder::Big {
        le[..bytes.len()].reverse();
    }
    let bits = u64::from_le_bytes(le);
    match dtype {
        DType::U8 | DType::U16 | DType::U32 => bits as u32 as f64,
        DType::I8 => bits as i8 as f64,
        DType::I16 => bits as i16 as f64,
        DType::I32 => bits as i32 as f64,
        DType::U64 => bits as f64,
        DType::I64 => bits as i64 as f64,
        DType::F16 => f16::from_bits(bits as u16).to_f64(),
        DType::F32 => f32::from_bits(bits as u32).into(),
        _ => f64::from_bits(bits),
    }
}

fn model_steps(conversion: &Conversion, stored_index: u64, mut value: f64) -> f64 {
    let entry = stored_index.checked_div(conversion.block).unwrap_or(0) as usize;
    for step in conversion.steps_at(entry) {
        value = match step {
            Step::Multiply(factor) => value * factor.at(0),
            Step::Add(factor) => value + factor.at(0),
            Step::RoundToF32 => f64::from(value as f32),
            Step::Clip { .. } if value.is_nan() => value,
            Step::Clip { lo, hi } => {
                let value = if value > lo { value } else { lo };
                if value < hi || value.is_nan() {
                    value
                } else {
                    hi
                }
            }
        };
    }
    value
}

/// The bits of the answer in the low bytes, and whether it is NaN.
fn model(conversion: &Conversion, stored_index: u64, bytes: &[u8]) -> (u64, bool) {
    let value = model_decode(conversion.stored, conversion.order, bytes);
    if conversion.is_copy() {
        let mut le = [0; 8];
        le[..bytes.len()].copy_from_slice(bytes);
        if conversion.order == ByteOrder::Big {
            le[..bytes.len()].reverse();
        }
        return (u64::from_le_bytes(le), false);
    }
    let value = model_steps(conversion, stored_index, value);
    let bits = match conversion.output {
        DType::F16 => to_f16(value).to_bits().into(),
        DType::F32 => (value as f32).to_bits().into(),
        _ => value.to_bits(),
    };
    (bits, value.is_nan())
}

fn is_nan(output: DType, bits: u64) -> bool {
    match output {
        DType::F16 => f16::from_bits(bits as u16).is_nan(),
        DType::F32 => f32::from_bits(bits as u32).is_nan(),
        _ => f64::from_bits(bits).is_nan(),
    }
}

/// All bytes of a buffer.
fn download(gpu: &Gpu, conversion: &Conversion, plan: &Plan, memory: &Memory) -> Vec<u8> {
    let len = plan.len() as usize;
    let options = StagingOptions::default();
    fn get<T: Float>(array: &DeviceArray<T>) -> Vec<u8> {
        let mut out = vec![T::from_f64(0.0); array.len()];
        array.download_into(&mut out).unwrap();
        bytemuck::cast_slice(&out).to_vec()
    }
    match conversion.output {
        DType::F16 => get::<f16>(&load(gpu, conversion, plan, memory, &[len], &options).unwrap()),
        DType::F32 => get::<f32>(&load(gpu, conversion, plan, memory, &[len], &options).unwrap()),
        _ => get::<f64>(&load(gpu, conversion, plan, memory, &[len], &options).unwrap()),
    }
}

/// Compares a dense output with the model, voxel by voxel.
fn check(gpu: &Gpu, conversion: &Conversion, plan: &Plan, memory: &Memory) {
    let got = download(gpu, conversion, plan, memory);
    check_bytes(conversion, plan, memory, &got);
}

fn check_bytes(conversion: &Conversion, plan: &Plan, memory: &Memory, got: &[u8]) {
    let (item, size) = (memory.item, conversion.output.size_bytes());
    for_each_voxel(plan, |stored, out| {
        let bytes = &memory.bytes[stored as usize * item..][..item];
        let mut le = [0; 8];
        le[..size].copy_from_slice(&got[out as usize * size..][..size]);
        let bits = u64::from_le_bytes(le);
        let (want, nan) = model(conversion, stored, bytes);
        assert!(
            bits == want || (nan && is_nan(conversion.output, bits)),
            "{conversion:?}: stored {bytes:02x?} at {stored} to {out}: {bits:#x} instead of {want:#x}"
        );
    });
}

fn for_each_voxel(plan: &Plan, mut each: impl FnMut(u64, u64)) {
    let mut index = vec![0u64; plan.axes.len()];
    for _ in 0..plan.len() {
        let (mut stored, mut out) = (plan.stored_first, plan.out_first);
        for (i, axis) in index.iter().zip(&plan.axes) {
            stored += i * axis.stored;
            out = out.wrapping_add_signed(*i as i64 * axis.out);
        }
        each(stored, out);
        for (i, axis) in index.iter_mut().zip(&plan.axes) {
            *i += 1;
            if *i < axis.count {
                break;
            }
            *i = 0;
        }
    }
}

fn line(count: u64) -> Plan {
    let axis = Axis {
        count,
        stored: 1,
        out: 1,
    };
    Plan::new(vec![axis], 0, 0)
}

/// All values of an 8- or 16-bit type, or this many random ones with every special exponent well represented.
fn values(dtype: DType, order: ByteOrder, count: usize, random: &mut Random) -> Memory {
    let item = dtype.size_bytes();
    let mut bytes = Vec::new();
    let count = if item <= 2 { 1 << (8 * item) } else { count };
    for i in 0..count as u64 {
        let bits = if item <= 2 {
            i
        } else {
            special(dtype, i, random)
        };
        let le = &bits.to_le_bytes()[..item];
        match order {
            ByteOrder::Little => bytes.extend(le),
            ByteOrder::Big => bytes.extend(le.iter().rev()),
        }
    }
    Memory {
        bytes,
        item,
        piece: 1 << 20,
    }
}

/// Random bits; of floats, some with exponents near those at which something happens in a narrower type.
fn special(dtype: DType, i: u64, random: &mut Random) -> u64 {
    let bits = random.next();
    match (dtype, i % 4) {
        (_, 0) => bits,
        (DType::F64, kind) => {
            const EDGES: [i64; 10] = [-1074, -1022, -150, -149, -126, -25, -14, 15, 127, 1023];
            let edge = EDGES[random.below(10) as usize] + random.below(5) as i64 - 2;
            let field = (edge + 1023).clamp(0, 2047) as u64;
            let fraction = match kind {
                1 => bits & 0xf_ffff_ffff_ffff,
                // Halfway cases of f32 and f16.
                2 => bits & 0xf_ffff_f000_0000,
                _ => bits & 0xf_fe00_0000_0000,
            };
            (bits & 1 << 63) | field << 52 | fraction
        }
        (DType::F32, kind) => {
            const EDGES: [i64; 8] = [-127, -126, -25, -24, -15, -14, 15, 127];
            let edge = EDGES[random.below(8) as usize] + random.below(3) as i64 - 1;
            let field = (edge + 127).clamp(0, 255) as u64;
            let fraction = if kind == 1 {
                bits & 0x7f_ffff
            } else {
                bits & 0x7f_f000
            };
            (bits & 1 << 31) | field << 23 | fraction
        }
        // Integers of every length.
        (_, 1 | 2) => bits >> random.below(64),
        _ => !(bits >> random.below(64)),
    }
}

/// Pairs of slope and inter: absent, simple, subnormal, huge, random.
fn scalings(random: &mut Random, some: usize) -> Vec<Scaling> {
    let mut pairs = vec![
        (1.0, 0.0),
        (0.1f32.into(), 0.0),
        (1.0, -1024.0),
        (2.0, 0.5),
        (-0.1, 1.0 / 3.0),
        (f64::from(f32::from_bits(1)), 0.0),
        (5e-324, 1e-310),
        (1e-300, -5e-324),
        (3.4e38, -1e38),
        (1e300, -1e305),
        (-1.7e308, 1.7e308),
        (0.0, -0.0),
        (2f64.powi(-24), 2f64.powi(-14)),
        (0.007_812_499, 1e9),
    ];
    for _ in 0..some {
        let float = |r: &mut Random| f64::from(f32::from_bits(r.next() as u32));
        let (s, b) = (float(random), float(random));
        if s.is_finite() && b.is_finite() {
            pairs.push((s, b));
        }
        let moderate = |r: &mut Random| (r.next() as i64 as f64) * 2f64.powi(-50);
        pairs.push((moderate(random), moderate(random)));
    }
    pairs.iter().map(|&(s, b)| Scaling::linear(s, b)).collect()
}

#[test]
fn a_pipeline_for_every_combination() {
    let Some(gpu) = gpu_or_skip("a_pipeline_for_every_combination") else {
        return;
    };
    let mut made = 0;
    for stored in REAL {
        for order in ORDERS {
            for output in OUTPUTS {
                for scaling in [Scaling::none(), Scaling::linear(2.0, 1.0)] {
                    let conversion = Conversion::new(stored, order, &scaling, output).unwrap();
                    gpu.can_convert(&conversion).unwrap();
                    gpu.kernels().get(&gpu, &conversion).unwrap();
                    made += 1;
                }
            }
        }
    }
    assert_eq!(made, 11 * 2 * 3 * 2);
    // One byte has no order: those share their variants.
    let made = gpu.kernels().0.lock().unwrap().pipelines.len();
    assert_eq!(made, (11 * 2 - 2) * 3 * 2);
}

#[test]
fn every_small_value() {
    let Some(gpu) = gpu_or_skip("every_small_value") else {
        return;
    };
    let mut random = Random(1);
    let mut compared = 0;
    for stored in [DType::U8, DType::I8, DType::U16, DType::I16, DType::F16] {
        for scaling in scalings(&mut random, 20) {
            let order = ORDERS[random.below(2) as usize];
            let memory = values(stored, order, 0, &mut random);
            let plan = line((memory.bytes.len() / memory.item) as u64);
            for output in OUTPUTS {
                let conversion = Conversion::new(stored, order, &scaling, output).unwrap();
                check(&gpu, &conversion, &plan, &memory);
                compared += plan.len();
            }
        }
    }
    assert!(compared > 15_000_000, "{compared}");
}

#[test]
fn a_million_patterns_of_each_wide_type() {
    let Some(gpu) = gpu_or_skip("a_million_patterns_of_each_wide_type") else {
        return;
    };
    let mut random = Random(2);
    for stored in &REAL[4..] {
        if *stored == DType::F16 {
            continue;
        }
        for order in ORDERS {
            let memory = values(*stored, order, 250_000, &mut random);
            let plan = line(250_000);
            for output in OUTPUTS {
                let some = scalings(&mut random, 1);
                for k in [0, 1, 4, 14] {
                    let scaling =
                        &some[(k + random.below(3) as usize * usize::from(k > 0)) % some.len()];
                    let conversion = Conversion::new(*stored, order, scaling, output).unwrap();
                    check(&gpu, &conversion, &plan, &memory);
                }
            }
        }
    }
}

/// A box taken out of a random volume: cropped, stepped, flipped, its axes in any order; dense in the output.
fn random_plan(random: &mut Random) -> (Plan, u64) {
    let ndim = 1 + random.below(4) as usize;
    let mut stored = 1;
    let mut axes = Vec::new();
    let mut first = 0;
    for _ in 0..ndim {
        let size = 1 + random.below(if ndim == 1 { 5000 } else { 19 });
        let step = 1 + random.below(3).min(size - 1);
        let start = random.below(size);
        let count = (size - start).div_ceil(step);
        first += start * stored;
        axes.push(Axis {
            count,
            stored: step * stored,
            out: 0,
        });
        stored *= size;
    }
    let mut order: Vec<usize> = (0..ndim).collect();
    for i in (1..ndim).rev() {
        order.swap(i, random.below(i as u64 + 1) as usize);
    }
    let (mut stride, mut out_first) = (1i64, 0);
    for k in order {
        let flipped = random.below(3) == 0;
        axes[k].out = if flipped { -stride } else { stride };
        if flipped {
            out_first += (axes[k].count as i64 - 1) * stride;
        }
        stride *= axes[k].count as i64;
    }
    (Plan::new(axes, first, out_first as u64), stored)
}

fn random_volume(dtype: DType, voxels: u64, random: &mut Random) -> Memory {
    let item = dtype.size_bytes();
    let bytes = (0..voxels as usize * item)
        .map(|_| random.next() as u8)
        .collect();
    Memory {
        bytes,
        item,
        piece: 1 + random.below(300) as usize,
    }
}

fn random_tables(voxels: u64, random: &mut Random) -> Scaling {
    let blocks: Vec<u64> = (1..=voxels.min(64))
        .filter(|n| voxels.is_multiple_of(*n))
        .collect();
    let entries = blocks[random.below(blocks.len() as u64) as usize];
    let table = |r: &mut Random| -> Arc<[f64]> {
        (0..entries)
            .map(|_| r.next() as i64 as f64 * 1e-17)
            .collect()
    };
    let steps = vec![
        Step::Clip {
            lo: -100.0,
            hi: 1000.25,
        },
        Step::Multiply(Factor::Table(table(random))),
        Step::Add(if random.below(2) == 0 {
            Factor::Table(table(random))
        } else {
            Factor::One(0.1)
        }),
        Step::RoundToF32,
    ];
    Scaling::new(steps, voxels / entries, Arithmetic::F64)
}

/// Random boxes of random types, with and without tables, on this device.
fn random_boxes(gpu: &Gpu, seed: u64, count: usize) {
    let mut random = Random(seed);
    for _ in 0..count {
        let (plan, voxels) = random_plan(&mut random);
        let stored = REAL[random.below(11) as usize];
        let output = OUTPUTS[random.below(3) as usize];
        let order = ORDERS[random.below(2) as usize];
        let memory = random_volume(stored, voxels, &mut random);
        let scaling = match random.below(3) {
            0 => Scaling::none(),
            1 => Scaling::linear(0.3, -7.0),
            _ => random_tables(voxels, &mut random),
        };
        let conversion = Conversion::new(stored, order, &scaling, output).unwrap();
        check(gpu, &conversion, &plan, &memory);
    }
}

#[test]
fn boxes_of_any_stride() {
    if let Some(gpu) = gpu_or_skip("boxes_of_any_stride") {
        random_boxes(&gpu, 3, 400);
    }
}

#[test]
fn a_callers_device_with_default_limits() {
    let test = "a_callers_device_with_default_limits";
    if let Some((device, queue)) = plain_device(test, |_| {}) {
        let gpu = Gpu::from_device(&device, &queue);
        assert!(!gpu.maps_primary(), "no feature was asked for");
        random_boxes(&gpu, 4, 100);
    }
}

#[test]
fn devices_with_tiny_limits() {
    for (binding, side) in [(1 << 20, 64), (64 << 10, 64), (4096, 2)] {
        let Some((device, queue)) = plain_device("devices_with_tiny_limits", |limits| {
            limits.max_storage_buffer_binding_size = binding;
            limits.max_compute_workgroups_per_dimension = side;
        }) else {
            return;
        };
        let gpu = Gpu::from_device(&device, &queue);
        random_boxes(&gpu, 5, 60);
        // Many tiles, some with many table entries.
        let mut random = Random(6);
        let counts = [61, 43, 57];
        let (mut stored, mut out) = (1, 1);
        let mut axes: Vec<Axis> = Vec::new();
        for count in counts {
            axes.push(Axis { count, stored, out });
            stored *= count;
            out *= count as i64;
        }
        // Transposed and flipped.
        (axes[0].out, axes[2].out) = (43 * 57, -1);
        axes[1].out = 57;
        let plan = Plan::new(axes, 0, 56);
        for output in OUTPUTS {
            let memory = random_volume(DType::I16, plan.len(), &mut random);
            let table = |n: u64| Factor::Table((0..n).map(|i| i as f64 * 0.37 - 9.0).collect());
            for entries in [57, 43 * 57, 61 * 43 * 57] {
                let steps = vec![Step::Multiply(table(entries)), Step::Add(table(entries))];
                let scaling = Scaling::new(steps, plan.len() / entries, Arithmetic::F64);
                let conversion =
                    Conversion::new(DType::I16, ByteOrder::Big, &scaling, output).unwrap();
                check(&gpu, &conversion, &plan, &memory);
            }
        }
    }
}

#[test]
fn a_callers_buffer_keeps_its_other_elements() {
    let Some(gpu) = gpu_or_skip("a_callers_buffer_keeps_its_other_elements") else {
        return;
    };
    let mut random = Random(7);
    for _ in 0..60 {
        let (mut plan, voxels) = random_plan(&mut random);
        let offset = random.below(3000);
        plan.out_first += offset;
        let memory = random_volume(DType::U8, voxels, &mut random);
        for output in OUTPUTS {
            let scaling = Scaling::linear(0.5, 0.25);
            let conversion =
                Conversion::new(DType::U8, ByteOrder::Little, &scaling, output).unwrap();
            let len = (plan.out_range().end + 5) as usize * output.size_bytes() / 2;
            // Any bytes do for poison, so long as no result looks like them.
            let poison = DeviceArray::from_slice(&gpu, &[len], &vec![f16::from_bits(0xabcd); len]);
            let target = poison.unwrap();
            let options = StagingOptions::default();
            load_into(&gpu, &conversion, &plan, &memory, target.buffer(), &options).unwrap();
            let mut got = vec![f16::ZERO; len];
            target.download_into(&mut got).unwrap();
            let mut got: Vec<u8> = bytemuck::cast_slice(&got).to_vec();
            check_bytes(&conversion, &plan, &memory, &got);
            let size = output.size_bytes();
            for_each_voxel(&plan, |_, out| {
                let at = out as usize * size;
                for pair in got[at..at + size].chunks_mut(2) {
                    pair.copy_from_slice(&0xabcd_u16.to_le_bytes());
                }
            });
            assert!(
                got.chunks(2).all(|pair| pair == 0xabcd_u16.to_le_bytes()),
                "{plan:?} as {output} changed what it should not"
            );
        }
    }
}

#[test]
fn refusals_are_typed() {
    let Some((device, queue)) = plain_device("refusals_are_typed", |limits| {
        limits.max_buffer_size = 1 << 20;
        limits.max_storage_buffer_binding_size = 1 << 20;
    }) else {
        return;
    };
    let gpu = Gpu::from_device(&device, &queue);
    let complex =
        Conversion::new(DType::C64, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    assert!(matches!(
        gpu.can_convert(&complex).unwrap_err().kind(),
        ErrorKind::DType { .. }
    ));
    let conversion =
        Conversion::new(DType::U8, ByteOrder::Little, &Scaling::none(), DType::F32).unwrap();
    let memory = random_volume(DType::U8, 300_000, &mut Random(8));
    let too_large = load::<f32>(
        &gpu,
        &conversion,
        &line(300_000),
        &memory,
        &[300_000],
        &StagingOptions::default(),
    );
    assert_eq!(
        too_large.unwrap_err().kind(),
        &ErrorKind::LimitExceeded {
            limit: "max_buffer_size",
            needed: 1_200_000,
            allowed: 1 << 20
        }
    );
    // The device is as good as before.
    check(&gpu, &conversion, &line(200_000), &memory);
    let short = Memory {
        bytes: memory.bytes[..10].to_vec(),
        ..memory
    };
    struct Short(Memory);
    impl TileReader for Short {
        fn read_tile(&self, _: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
            sink(&self.0.bytes);
            Ok(())
        }
    }
    let options = StagingOptions::default();
    let truncated = load::<f32>(&gpu, &conversion, &line(20), &Short(short), &[20], &options);
    assert!(matches!(
        truncated.unwrap_err().kind(),
        ErrorKind::Truncated {
            have: 10,
            need: 20,
            ..
        }
    ));
}

/// A reader that destroys the device when it has read so many tiles.
struct Destroyer {
    memory: Memory,
    device: wgpu::Device,
    left: std::sync::atomic::AtomicI64,
}

impl TileReader for Destroyer {
    fn read_tile(&self, tile: &Plan, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        if self.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            self.device.destroy();
        }
        self.memory.read_tile(tile, sink)
    }
}

#[test]
fn a_destroyed_device_is_never_ok() {
    let scaling = Scaling::linear(0.5, 1.0);
    let conversion = Conversion::new(DType::I16, ByteOrder::Little, &scaling, DType::F32).unwrap();
    let options = StagingOptions {
        slot_bytes: 8192,
        ..StagingOptions::default()
    };
    let count = 100_000;
    let plan = line(count);
    // The load is 25 tiles.
    for after in [-1, 0, 1, 2, 5, 11, 17, 23, 24] {
        let Some((device, queue)) = plain_device("a_destroyed_device_is_never_ok", |_| {}) else {
            return;
        };
        let gpu = Gpu::from_device(&device, &queue);
        let reader = Destroyer {
            memory: random_volume(DType::I16, count, &mut Random(9)),
            device: device.clone(),
            left: after.into(),
        };
        if after == -1 {
            device.destroy();
        }
        let result = load::<f32>(
            &gpu,
            &conversion,
            &plan,
            &reader,
            &[count as usize],
            &options,
        );
        let error = result.expect_err("the device was destroyed");
        assert_eq!(error.kind(), &ErrorKind::DeviceLost, "after {after}");
    }
}

#[test]
fn a_device_destroyed_later_gives_no_download() {
    let test = "a_device_destroyed_later_gives_no_download";
    let Some((device, queue)) = plain_device(test, |_| {}) else {
        return;
    };
    let gpu = Gpu::from_device(&device, &queue);
    let array = DeviceArray::from_slice(&gpu, &[3], &[1.0f32, 2.0, 3.0]).unwrap();
    let mut out = [0.0; 3];
    array.download_into(&mut out).unwrap();
    assert_eq!(out, [1.0, 2.0, 3.0]);
    device.destroy();
    let error = array.download_into(&mut out).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::DeviceLost);
    let error = DeviceArray::from_slice(&gpu, &[3], &out).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::DeviceLost);
}

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
