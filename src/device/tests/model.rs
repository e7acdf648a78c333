//! Stored volumes in memory, and their expected values from a scalar model in native f64 arithmetic.

use half::f16;

use super::*;
use crate::core::float::to_f16;

pub(super) const REAL: [DType; 11] = [
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
pub(super) const OUTPUTS: [DType; 3] = [DType::F16, DType::F32, DType::F64];
pub(super) const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];

/// Stored bytes in memory, read as the proxy reads them.
pub(super) struct Memory {
    pub bytes: Vec<u8>,
    pub item: usize,
    pub piece: usize,
}

impl TileReader for Memory {
    fn is_random(&self) -> bool {
        true
    }

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

/// A stored number in f64.
pub(super) fn model_decode(dtype: DType, order: ByteOrder, bytes: &[u8]) -> f64 {
    let mut le = [0; 8];
    le[..bytes.len()].copy_from_slice(bytes);
    if order == ByteOrder::Big {
        le[..bytes.len()].reverse();
    }
    let bits = u64::from_le_bytes(le);
    match dtype {
        DType::U8 | DType::U16 | DType::U32 => f64::from(bits as u32),
        DType::I8 => f64::from(bits as i8),
        DType::I16 => f64::from(bits as i16),
        DType::I32 => f64::from(bits as i32),
        DType::U64 => bits as f64,
        DType::I64 => bits as i64 as f64,
        DType::F16 => f16::from_bits(bits as u16).to_f64(),
        DType::F32 => f32::from_bits(bits as u32).into(),
        _ => f64::from_bits(bits),
    }
}

pub(super) fn model_steps(conversion: &Conversion, stored_index: u64, mut value: f64) -> f64 {
    let entry = stored_index.checked_div(conversion.block).unwrap_or(0) as usize;
    for step in &conversion.steps {
        value = match step {
            Step::Multiply(factor) => value * factor.at(entry),
            Step::Add(factor) => value + factor.at(entry),
            Step::RoundToF32 => f64::from(value as f32),
            Step::Clip { .. } if value.is_nan() => value,
            Step::Clip { lo, hi } => {
                let value = if value > *lo { value } else { *lo };
                let keep = value < *hi || value.is_nan();
                if keep { value } else { *hi }
            }
        };
    }
    value
}

/// The bits of the result in the low bytes, and whether it is NaN.
pub(super) fn model(conversion: &Conversion, stored_index: u64, bytes: &[u8]) -> (u64, bool) {
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

pub(super) fn is_nan(output: DType, bits: u64) -> bool {
    match output {
        DType::F16 => f16::from_bits(bits as u16).is_nan(),
        DType::F32 => f32::from_bits(bits as u32).is_nan(),
        _ => f64::from_bits(bits).is_nan(),
    }
}

/// Loads into the start of a buffer.
pub(super) fn load_into(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    reader: &impl TileReader,
    target: &wgpu::Buffer,
    options: &StagingOptions,
) -> Result<()> {
    let load = Load {
        gpu,
        conversion,
        plans: std::slice::from_ref(plan),
        target: target.into(),
        options,
        max_part: None,
    };
    wait(gpu, load.run(Feeder::in_caller(reader), |_, _| {}))
}

/// Loads the whole of an array of this shape.
pub(super) fn load<T: Float>(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    reader: &impl TileReader,
    shape: &[usize],
    options: &StagingOptions,
) -> Result<DeviceArray<T>> {
    assert_eq!(conversion.output, T::DTYPE);
    let array = wait(gpu, DeviceArray::<T>::new(gpu, shape))?;
    load_into(gpu, conversion, plan, reader, array.buffer(), options)?;
    Ok(array)
}

/// The kernel that a load of this many voxels uses.
pub(super) fn kernel(gpu: &Gpu, conversion: &Conversion, dense: bool, voxels: u64) -> Kernel {
    wait(gpu, gpu.kernels().get(conversion, dense, voxels)).unwrap()
}

pub(super) fn upload<T: Float>(gpu: &Gpu, shape: &[usize], values: &[T]) -> Result<DeviceArray<T>> {
    wait(gpu, DeviceArray::uploaded(gpu, shape, values))
}

pub(super) fn download_into<T: Float>(array: &DeviceArray<T>, out: &mut [T]) -> Result<()> {
    match array.gpu().context().is_browser_like() {
        true => pollster::block_on(array.download_into_async(out)),
        false => array.download_into(out),
    }
}

/// All bytes of a buffer.
pub(super) fn download(
    gpu: &Gpu,
    conversion: &Conversion,
    plan: &Plan,
    memory: &Memory,
) -> Vec<u8> {
    let len = plan.len() as usize;
    let options = StagingOptions::default();
    fn get<T: Float>(array: &DeviceArray<T>) -> Vec<u8> {
        let mut out = vec![T::from_f64(0.0); array.len()];
        download_into(array, &mut out).unwrap();
        bytemuck::cast_slice(&out).to_vec()
    }
    match conversion.output {
        DType::F16 => get::<f16>(&load(gpu, conversion, plan, memory, &[len], &options).unwrap()),
        DType::F32 => get::<f32>(&load(gpu, conversion, plan, memory, &[len], &options).unwrap()),
        _ => get::<f64>(&load(gpu, conversion, plan, memory, &[len], &options).unwrap()),
    }
}

/// Compares a dense output with the model, voxel by voxel.
pub(super) fn check(gpu: &Gpu, conversion: &Conversion, plan: &Plan, memory: &Memory) {
    let got = download(gpu, conversion, plan, memory);
    check_bytes(conversion, plan, memory, &got);
}

pub(super) fn check_bytes(conversion: &Conversion, plan: &Plan, memory: &Memory, got: &[u8]) {
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

pub(super) fn for_each_voxel(plan: &Plan, mut each: impl FnMut(u64, u64)) {
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

pub(super) fn line(count: u64) -> Plan {
    let axis = Axis {
        count,
        stored: 1,
        out: 1,
    };
    Plan::new(vec![axis], 0, 0)
}

pub(super) fn random_volume(dtype: DType, voxels: u64, random: &mut Rng) -> Memory {
    let item = dtype.size_bytes();
    let bytes = (0..voxels as usize * item)
        .map(|_| random.bits() as u8)
        .collect();
    Memory {
        bytes,
        item,
        piece: 1 + random.below(300),
    }
}

/// Runs a test with each of these methods, on a separate device. Methods that the device lacks or that fail the
/// self-test are skipped with a message.
pub(super) fn with_each_method(test: &str, methods: &[KernelMethod], body: impl Fn(&Gpu)) {
    for &method in methods {
        let Some(gpu) = gpu_or_skip(test) else {
            return;
        };
        gpu.set_kernel_choice(KernelChoice::Only(method));
        body(&gpu);
        if method == KernelMethod::Integers {
            continue;
        }
        let (passed, failed) = gpu.kernels().self_tests(method);
        println!("{test}: {method} for {passed} classes of conversions, not for {failed}");
    }
}
