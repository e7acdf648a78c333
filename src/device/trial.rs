//! Trials of a kernel on artificial bytes: whether the bits are right, and how fast it is.

use half::f16;
use web_time::Instant;

use super::context::Context;
use super::kernel::{Kernel, KernelMethod, workgroup};
use super::pipelines::{Pipelines, grid};
use super::{download, table};
use crate::convert::Conversion;
use crate::convert::packet;
use crate::core::dtype::DType;
use crate::core::error::{ErrorKind, Result};
use crate::core::scaling::{Factor, Step};

/// Voxels of a trial; fewer if bindings are smaller.
const VOXELS: u64 = 1 << 18;

/// Shortest duration of a measured run, in seconds, so that the interval of polls does not matter.
const MIN_RUN_SECONDS: f64 = 0.004;

/// Number of runs in a measurement.
const RUNS: usize = 4;

/// Pairs of slope and intercept, each of which shows something that devices may compute wrongly.
const EDGE_CASES: [(f64, f64); 7] = [
    // A fused multiply-add rounds once instead of twice: the sum cancels all but the rounding error of the product.
    (0.1, -0.1 * 1000.0),
    (-1.0 / 3.0, 333.333),
    // Ties, and numbers just beside them.
    (1.0 + f64::EPSILON, f64::EPSILON / 2.0),
    // Subnormal operands, products and sums, which devices may flush to zero.
    (5e-324, 1e-310),
    (1.0 / 8.988_465_674_311_58e307, 5e-324),
    // Infinities, and their differences.
    (1.7e308, -1.7e308),
    // Zeros and their signs.
    (0.0, -0.0),
];

/// Whether a method gives the CPU's bits for all conversions of this class.
///
/// # Errors
/// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`].
pub(super) async fn passes(
    context: &Context,
    pipelines: &Pipelines,
    conversion: &Conversion,
    method: KernelMethod,
) -> Result<bool> {
    for (slope, inter) in EDGE_CASES {
        match is_exact(
            context,
            pipelines,
            with_numbers(conversion, slope, inter),
            method,
        )
        .await
        {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            // A shader that the driver refuses has not passed.
            Err(error) if matches!(error.kind(), ErrorKind::Gpu(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        if method == KernelMethod::Table {
            // There is no arithmetic to test.
            return Ok(true);
        }
    }
    Ok(true)
}

/// Voxels per second for each of these methods. They run alternately and the best run of each counts, so that other
/// load on the machine affects all of them equally.
///
/// # Errors
/// [`ErrorKind::DeviceLost`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::Gpu`].
pub(super) async fn rates(
    context: &Context,
    pipelines: &Pipelines,
    conversion: &Conversion,
    methods: &[KernelMethod],
) -> Result<Vec<f64>> {
    let conversion = with_numbers(conversion, 0.1, -7.3);
    let mut runners = Vec::new();
    for &method in methods {
        let trial = Trial::new(context, pipelines, conversion.clone(), method).await?;
        let mut repeats = 1;
        // This also warms everything up.
        while trial.run(repeats).await? < MIN_RUN_SECONDS && repeats < 1 << 12 {
            repeats *= 4;
        }
        runners.push((trial, repeats, f64::INFINITY));
    }
    for _ in 0..RUNS {
        for (trial, repeats, best) in &mut runners {
            *best = best.min(trial.run(*repeats).await?);
        }
    }
    let rate = |(trial, repeats, best): &(Trial<'_>, u32, f64)| {
        f64::from(*repeats) * trial.voxels as f64 / best
    };
    Ok(runners.iter().map(rate).collect())
}

/// The same steps with these numbers. Tables get one entry.
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

async fn is_exact(
    context: &Context,
    pipelines: &Pipelines,
    conversion: Conversion,
    method: KernelMethod,
) -> Result<bool> {
    let trial = Trial::new(context, pipelines, conversion, method).await?;
    trial.is_exact().await
}

struct Trial<'a> {
    context: &'a Context,
    conversion: Conversion,
    voxels: u64,
    stored: Vec<u8>,
    kernel: Kernel,
    bindings: wgpu::BindGroup,
    groups: [u32; 3],
    output: wgpu::Buffer,
}

impl<'a> Trial<'a> {
    async fn new(
        context: &'a Context,
        pipelines: &Pipelines,
        conversion: Conversion,
        method: KernelMethod,
    ) -> Result<Self> {
        let side = context.limits().max_compute_workgroups_per_dimension;
        let grid_voxels = u64::from(side).saturating_pow(3) * u64::from(workgroup(context));
        let fitting = (context.max_binding() - 1024) / 8;
        let voxels = VOXELS.min(fitting).min(grid_voxels) & !63;
        let item = conversion.stored.size_bytes();
        let stored = made_up(conversion.stored, voxels as usize * item);
        let packet = packet::packet(&conversion, table::line(voxels), 8);
        let mut bytes: Vec<u8> = bytemuck::cast_slice(&packet.head).to_vec();
        bytes.extend(&stored);
        let storage = wgpu::BufferUsages::STORAGE;
        let usage = storage | wgpu::BufferUsages::COPY_DST;
        let raw = context.buffer("voxload trial", bytes.len() as u64, usage, false);
        let raw = raw.await?;
        let write = context.guarded(0, || context.queue().write_buffer(&raw, 0, &bytes));
        write.await?;
        let size = voxels * conversion.output.size_bytes() as u64;
        let usage = storage | wgpu::BufferUsages::COPY_SRC;
        let output = context.buffer("voxload trial", size, usage, false).await?;
        let table = match method {
            KernelMethod::Table => Some(table::upload(context, &conversion).await?),
            _ => None,
        };
        let kernel = Kernel::new(context, pipelines, &conversion, true, method, table).await?;
        let bind = context.guarded(0, || {
            kernel.bind(context, &raw, output.as_entire_buffer_binding(), None)
        });
        let bindings = bind.await?;
        Ok(Self {
            context,
            conversion,
            voxels,
            stored,
            kernel,
            bindings,
            groups: grid(packet.invocations.div_ceil(workgroup(context)), side),
            output,
        })
    }

    /// Runs the kernel `repeats` times. Returns the seconds until a word of the result was read back.
    async fn run(&self, repeats: u32) -> Result<f64> {
        let start = Instant::now();
        let context = self.context;
        let work = context.guarded(0, || {
            let device = context.device();
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.kernel.pipeline.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            let [x, y, z] = self.groups;
            (0..repeats).for_each(|_| pass.dispatch_workgroups(x, y, z));
            drop(pass);
            context.queue().submit([encoder.finish()]);
        });
        work.await?;
        download::copy_bytes(context, &self.output, 0, &mut [0; 4]).await?;
        Ok(start.elapsed().as_secs_f64())
    }

    async fn is_exact(&self) -> Result<bool> {
        self.run(1).await?;
        let size = self.conversion.output.size_bytes();
        let mut got = vec![0; self.voxels as usize * size];
        download::copy_bytes(self.context, &self.output, 0, &mut got).await?;
        let want = table::converted(&self.conversion, &self.stored, self.voxels)?;
        Ok(got.len() == want.len()
            && got
                .chunks_exact(size)
                .zip(want.chunks_exact(size))
                .all(|(got, want)| got == want || (is_nan(got) && is_nan(want))))
    }
}

/// Whether these bytes are a NaN of the float type of that size.
fn is_nan(bytes: &[u8]) -> bool {
    match *bytes {
        [a, b] => f16::from_ne_bytes([a, b]).is_nan(),
        [a, b, c, d] => f32::from_ne_bytes([a, b, c, d]).is_nan(),
        [a, b, c, d, e, f, g, h] => f64::from_ne_bytes([a, b, c, d, e, f, g, h]).is_nan(),
        _ => false,
    }
}

/// Stored bytes: all patterns of small types; otherwise random ones, half of which have exponents (integers: lengths)
/// near those at which the arithmetic changes.
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
