//! A kernel tried on bytes made up for it: are the bits right, and how fast do they come?

use std::time::Instant;

use half::f16;

use super::choice::KernelMethod;
use super::kernel::workgroup;
use super::{grid, table};
use crate::convert::Conversion;
use crate::convert::packet;
use crate::device::{DeviceArray, Gpu};
use crate::dtype::DType;
use crate::error::{ErrorKind, Result};
use crate::scaling::{Factor, Step};

/// Voxels of a trial; fewer where bindings are smaller.
const VOXELS: u64 = 1 << 18;

/// How long a turn of a race is at least, in seconds: long against the ticks of waiting.
const LONG_ENOUGH: f64 = 0.004;

/// Turns of a race.
const TURNS: usize = 4;

/// Pairs of slope and inter, each of which shows what a device can get wrong.
const DANGERS: [(f64, f64); 7] = [
    // Rounded once instead of twice: the sum cancels what the product was rounded by.
    (0.1, -0.1 * 1000.0),
    (-1.0 / 3.0, 333.333),
    // Ties, and what lies just beside them.
    (1.0 + f64::EPSILON, f64::EPSILON / 2.0),
    // Subnormal operands, products and sums, which are flushed.
    (5e-324, 1e-310),
    (1.0 / 8.988_465_674_311_58e307, 5e-324),
    // Infinities, and their differences.
    (1.7e308, -1.7e308),
    // Zeros and their signs.
    (0.0, -0.0),
];

/// Whether a method gives the CPU's bits for conversions of this class, whatever the numbers.
///
/// # Errors
/// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`].
pub(super) fn passes(gpu: &Gpu, conversion: &Conversion, method: KernelMethod) -> Result<bool> {
    for (slope, inter) in DANGERS {
        match Trial::new(gpu, &with_numbers(conversion, slope, inter), method)
            .and_then(|trial| trial.is_exact())
        {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            // A driver that refuses a shader has not passed.
            Err(error) if matches!(error.kind(), ErrorKind::Gpu(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        if method == KernelMethod::Table {
            // There is no arithmetic to get wrong.
            return Ok(true);
        }
    }
    Ok(true)
}

/// Voxels a second that the device converts in each of these ways. They take turns, and the best turn of each counts:
/// what else goes on at the time then hits all of them alike.
///
/// # Errors
/// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::Gpu`].
pub(super) fn rates(
    gpu: &Gpu,
    conversion: &Conversion,
    methods: &[KernelMethod],
) -> Result<Vec<f64>> {
    let conversion = with_numbers(conversion, 0.1, -7.3);
    let mut runners = Vec::new();
    for &method in methods {
        let trial = Trial::new(gpu, &conversion, method)?;
        let mut repeats = 1;
        // This also makes everything warm.
        while trial.run(repeats)? < LONG_ENOUGH && repeats < 1 << 12 {
            repeats *= 4;
        }
        runners.push((trial, repeats, f64::INFINITY));
    }
    for _ in 0..TURNS {
        for (trial, repeats, best) in &mut runners {
            *best = best.min(trial.run(*repeats)?);
        }
    }
    let rate = |(trial, repeats, best): &(Trial<'_>, u32, f64)| {
        f64::from(*repeats) * trial.voxels as f64 / best
    };
    Ok(runners.iter().map(rate).collect())
}

/// The same steps with these numbers in them; tables have one entry.
fn with_numbers(conversion: &Conversion, slope: f64, inter: f64) -> Conversion {
    let replaced = |factor: &Factor, number: f64| match factor {
        Factor::One(_) => Factor::One(number),
        Factor::Table(_) => Factor::Table([number].into()),
    };
    let steps = conversion.steps.iter().map(|step| match step {
        Step::Multiply(factor) => Step::Multiply(replaced(factor, slope)),
        Step::Add(factor) => Step::Add(replaced(factor, inter)),
        other => other.clone(),
    });
    Conversion {
        steps: steps.collect(),
        block: if conversion.block == 0 { 0 } else { VOXELS },
        ..conversion.clone()
    }
}

struct Trial<'a> {
    gpu: &'a Gpu,
    conversion: Conversion,
    voxels: u64,
    stored: Vec<u8>,
    kernel: super::Kernel,
    bindings: wgpu::BindGroup,
    groups: [u32; 3],
    /// The answers, as words.
    output: DeviceArray<f32>,
}

impl<'a> Trial<'a> {
    fn new(gpu: &'a Gpu, conversion: &Conversion, method: KernelMethod) -> Result<Self> {
        let limits = gpu.limits();
        let binding = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size);
        let side = u64::from(limits.max_compute_workgroups_per_dimension);
        let grid_voxels = side.saturating_pow(3) * u64::from(workgroup(gpu));
        let voxels = VOXELS.min((binding - 1024) / 8).min(grid_voxels) & !63;
        let item = conversion.stored.size_bytes();
        let stored = made_up(conversion.stored, voxels as usize * item);
        let packet = packet::packet(conversion, table::line(voxels), 8);
        let mut bytes: Vec<u8> = bytemuck::cast_slice(&packet.head).to_vec();
        bytes.extend(&stored);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let raw = gpu.buffer("voxload trial", bytes.len() as u64, usage, false)?;
        gpu.guarded(0, || gpu.queue().write_buffer(&raw, 0, &bytes))?;
        let words = voxels as usize * conversion.output.size_bytes() / 4;
        let output = DeviceArray::<f32>::zeroed(gpu, &[words])?;
        let kernel = gpu.kernels().get_by(gpu, conversion, true, method)?;
        let bindings = gpu.guarded(0, || {
            kernel.bind(gpu, &raw, output.buffer().as_entire_buffer_binding(), None)
        })?;
        Ok(Self {
            gpu,
            conversion: conversion.clone(),
            voxels,
            stored,
            kernel,
            bindings,
            groups: grid(
                packet.invocations.div_ceil(workgroup(gpu)),
                limits.max_compute_workgroups_per_dimension,
            ),
            output,
        })
    }

    /// Runs it so often; returns the seconds until a word of the answer has come back.
    fn run(&self, repeats: u32) -> Result<f64> {
        let start = Instant::now();
        self.gpu.guarded(0, || {
            let mut encoder = self
                .gpu
                .device()
                .create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.kernel.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            let [x, y, z] = self.groups;
            (0..repeats).for_each(|_| pass.dispatch_workgroups(x, y, z));
            drop(pass);
            self.gpu.queue().submit([encoder.finish()]);
        })?;
        self.output.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn is_exact(&self) -> Result<bool> {
        self.run(1)?;
        let answers = self.output.download()?;
        let got: &[u8] = bytemuck::cast_slice(answers.as_slice());
        let want = table::converted(&self.conversion, &self.stored, self.voxels)?;
        let size = self.conversion.output.size_bytes();
        Ok(got.len() == want.len()
            && got
                .chunks_exact(size)
                .zip(want.chunks_exact(size))
                .all(|(got, want)| got == want || (is_nan(got) && is_nan(want))))
    }
}

/// Whether these are the bytes of a NaN of the float type of that size.
fn is_nan(bytes: &[u8]) -> bool {
    match *bytes {
        [a, b] => f16::from_ne_bytes([a, b]).is_nan(),
        [a, b, c, d] => f32::from_ne_bytes([a, b, c, d]).is_nan(),
        [a, b, c, d, e, f, g, h] => f64::from_ne_bytes([a, b, c, d, e, f, g, h]).is_nan(),
        _ => false,
    }
}

/// Stored bytes: all patterns of small types; of others random ones, of which half have exponents (integers: lengths)
/// near those at which something happens.
fn made_up(stored: DType, bytes: usize) -> Vec<u8> {
    let item = stored.size_bytes();
    let mut state = 0u64;
    let mut random = move || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let pattern = |i: usize| match (stored, i % 4) {
        _ if item <= 2 => i as u64,
        (_, 0) => random(),
        (DType::F64, kind) => {
            const FIELDS: [u64; 8] = [0, 1, 873, 897, 998, 1009, 1023, 1151];
            let field = FIELDS[random() as usize % FIELDS.len()] + random() % 4;
            // Ties of narrower types, and any fraction.
            let fraction = random() >> 12 & !(u64::from(kind == 1) * 0xfff_ffff);
            random() << 63 | field << 52 | fraction
        }
        (DType::F32, kind) => {
            const FIELDS: [u64; 6] = [0, 1, 102, 112, 127, 250];
            let field = FIELDS[random() as usize % FIELDS.len()] + random() % 5;
            let fraction = random() >> 41 & !(u64::from(kind == 1) * 0xfff);
            (random() & 1) << 31 | field << 23 | fraction
        }
        (_, 1) => !(random() >> (random() % 64)),
        _ => random() >> (random() % 64),
    };
    (0..bytes / item)
        .map(pattern)
        .flat_map(|bits| bits.to_le_bytes().into_iter().take(item))
        .collect()
}
