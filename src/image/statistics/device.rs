//! Statistics on a device: one kernel converts a part of the voxels into scratch memory, a second one reduces it there.
//! Only the reduced state (of blocks, bins and series) is downloaded.

use std::borrow::Cow;
use std::ops::Range;

use super::moments::{BLOCK, LANES, Lane, Moments};
use super::temporal::{self, Series, TemporalStatistics};
use super::{Histogram, RUN, Statistics, StatisticsOptions, frame_shape, window_of};
use crate::convert::wgsl;
use crate::core::dtype::DType;
use crate::core::error::{ErrorKind, Result};
use crate::core::float::Float;
use crate::core::parallel::*;
use crate::core::threads;
use crate::device::context::Context;
use crate::device::cut::check_convertible;
use crate::device::pipelines::{Pipeline, Program, STORAGE, STORAGE_READ};
use crate::device::proxy::Parts;
use crate::device::{DeviceArray, Gpu};
use crate::image::DataobjImage;
use crate::image::fdata::ValuesIn;
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::read::proxy::ArrayProxy;
use crate::read::wait::RunOn;

/// Values that are converted and reduced at a time.
const PART: u64 = 1 << 22;
/// Series (voxels of a frame) whose state is on the device at a time.
const BAND: u64 = 1 << 22;
/// Words of a lane's state.
const LANE_WORDS: usize = 12;
const BLOCK_BYTES: u64 = (4 * LANE_WORDS * LANES) as u64;
/// Words of a series' state.
const SERIES_WORDS: usize = 7;
/// The approximate number of counters of a histogram, with all its copies.
const COUNTERS: usize = 4096;

/// The shader, with the sizes that it shares with the CPU code.
fn shader() -> Cow<'static, str> {
    let sizes = format!(
        "const LANES = {LANES}u;
const BLOCK = {BLOCK}u;
const LANE_WORDS = {LANE_WORDS}u;
const SERIES_WORDS = {SERIES_WORDS}u;
"
    );
    wgsl::statistics(&sizes).into()
}

impl DataobjImage {
    /// The statistics of [`Self::statistics`], bit for bit, computed on a device. The file is uploaded in parts of at
    /// most 4 Mi values, and only the reduced state is downloaded. Values that are already in host memory, and values
    /// that the device cannot convert, are reduced on the CPU.
    ///
    /// # Errors
    /// As [`Self::statistics`]; [`ErrorKind::DType`] for complex numbers and colours, which have no kernel;
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    #[cfg(not(target_family = "wasm"))]
    pub fn statistics_gpu<T: Float>(
        &self,
        gpu: &Gpu,
        options: &StatisticsOptions,
    ) -> Result<Statistics> {
        let statistics = self.statistics_on::<T>(gpu, options, RunOn::Caller);
        gpu.context().block_on(statistics)
    }

    /// The asynchronous form of [`Self::statistics_gpu`].
    ///
    /// # Errors
    /// As [`Self::statistics_gpu`].
    pub async fn statistics_gpu_async<T: Float>(
        &self,
        gpu: &Gpu,
        options: &StatisticsOptions,
    ) -> Result<Statistics> {
        let run_on = gpu.context().background();
        let statistics = self.statistics_on::<T>(gpu, options, run_on);
        gpu.context().drive(statistics).await
    }

    async fn statistics_on<T: Float>(
        &self,
        gpu: &Gpu,
        options: &StatisticsOptions,
        run_on: RunOn,
    ) -> Result<Statistics> {
        let values = self.find_values_for_device::<T>(run_on).await?;
        if let ValuesIn::File(proxy) = &values {
            let statistics = passes::<T>(gpu, proxy, options, run_on).await;
            if !is_unsupported(&statistics) {
                return statistics;
            }
        }
        let (options, threads) = (*options, self.threads().clone());
        run_on
            .run(move || threads.run(|| values.statistics(&options)))
            .await?
    }

    /// The statistics of [`Self::temporal_statistics`], bit for bit, computed on a device. Frames are processed in
    /// bands of at most 4 Mi voxels, with one pass over the file per band. The CPU is used in the same cases as in
    /// [`Self::statistics_gpu`].
    ///
    /// # Errors
    /// As [`Self::temporal_statistics`] and [`Self::statistics_gpu`].
    #[cfg(not(target_family = "wasm"))]
    pub fn temporal_statistics_gpu<T: Float>(&self, gpu: &Gpu) -> Result<TemporalStatistics<T>> {
        let statistics = self.temporal_statistics_on(gpu, RunOn::Caller);
        gpu.context().block_on(statistics)
    }

    /// The asynchronous form of [`Self::temporal_statistics_gpu`].
    ///
    /// # Errors
    /// As [`Self::temporal_statistics_gpu`].
    pub async fn temporal_statistics_gpu_async<T: Float>(
        &self,
        gpu: &Gpu,
    ) -> Result<TemporalStatistics<T>> {
        let statistics = self.temporal_statistics_on(gpu, gpu.context().background());
        gpu.context().drive(statistics).await
    }

    async fn temporal_statistics_on<T: Float>(
        &self,
        gpu: &Gpu,
        run_on: RunOn,
    ) -> Result<TemporalStatistics<T>> {
        let values = self.with_frames_last(self.find_values_for_device::<T>(run_on).await?)?;
        if let ValuesIn::File(proxy) = &values {
            let statistics = over_time(gpu, proxy, run_on).await;
            if !is_unsupported(&statistics) {
                return statistics;
            }
        }
        let threads = self.threads().clone();
        run_on
            .run(move || threads.run(|| values.over_time()))
            .await?
    }
}

/// Whether the device cannot compute this, so that the CPU must.
fn is_unsupported<R>(outcome: &Result<R>) -> bool {
    let error = outcome.as_ref().err();
    error.is_some_and(|error| matches!(error.kind(), ErrorKind::GpuUnsupported(_)))
}

/// Goes over all values twice if the range of the histogram must be found first, otherwise once.
async fn passes<T: Float>(
    gpu: &Gpu,
    proxy: &ArrayProxy,
    options: &StatisticsOptions,
    run_on: RunOn,
) -> Result<Statistics> {
    let Some(bins) = options.bins else {
        let moments = pass::<T>(gpu, proxy, None, run_on).await?;
        return Ok(Statistics::new(moments, None));
    };
    let window = match options.window {
        Some(window) => window,
        None => {
            // Reject invalid options before the first pass.
            Histogram::new::<T>(bins, (0.0, 1.0))?;
            window_of(&pass::<T>(gpu, proxy, None, run_on).await?)
        }
    };
    let mut histogram = Histogram::new::<T>(bins, window)?;
    let moments = pass::<T>(gpu, proxy, Some(&mut histogram), run_on).await?;
    Ok(Statistics::new(moments, Some(histogram)))
}

/// The largest part that this device can process, in values.
fn part_size(context: &Context, item: u64) -> Result<u64> {
    let (limits, binding) = (context.limits(), context.max_binding());
    let side = u64::from(limits.max_compute_workgroups_per_dimension);
    // A part can begin and end within blocks, so it can touch one block more than would fill it.
    let blocks = (binding / BLOCK_BYTES).min(side.saturating_pow(3));
    let by_blocks = blocks.saturating_sub(1) * BLOCK as u64;
    let series = side.saturating_pow(3).saturating_mul(LANES as u64);
    let part = PART.min(by_blocks).min(series).min(binding / item / 2);
    if part == 0 {
        let found = format!("a storage binding of {binding} bytes for statistics");
        return Err(ErrorKind::GpuUnsupported(found).into());
    }
    Ok(part)
}

/// One pass over all values.
async fn pass<T: Float>(
    gpu: &Gpu,
    proxy: &ArrayProxy,
    mut histogram: Option<&mut Histogram>,
    run_on: RunOn,
) -> Result<Moments> {
    let context = gpu.context();
    let conversion = proxy.conversion(T::DTYPE)?;
    check_convertible(context, &conversion)?;
    let part = part_size(context, size_of::<T>() as u64)?;
    let reducer = reducer(gpu, "reduce", T::DTYPE).await?;
    let all = proxy.voxels();
    let blocks = all.min(RUN).div_ceil(BLOCK as u64);
    let edges = match &histogram {
        Some(histogram) => ordered(&histogram.edges),
        None => Vec::new(),
    };
    let bins = histogram.as_ref().map_or(0, |found| found.counts.len());
    let copies = (COUNTERS / bins.max(1)).clamp(1, 64);
    let scratch = DeviceArray::<T>::new(gpu, &[all.min(part) as usize]).await?;
    let work = Work {
        context,
        reducer: &reducer,
        values: scratch.buffer(),
        state: words(gpu, blocks as usize * LANE_WORDS * LANES).await?,
        edges: words_of(gpu, &edges).await?,
        counts: words(gpu, bins * copies).await?,
        params: params(context).await?,
        counted: [bins as u32, copies as u32],
    };
    let mut moments = Moments::default();
    for run in proxy.in_stored_order(RUN)? {
        work.clear().await?;
        let blocks = run.len().div_ceil(BLOCK as u64) as usize;
        let plans = [Plan {
            out_first: 0,
            ..run
        }];
        let parts = Parts {
            conversion: &conversion,
            plans: &plans,
            max_voxels: part,
            scratch: scratch.buffer(),
        };
        let reduce = |range, encoder: &mut _| work.reduce(range, encoder);
        proxy.convert_parts(gpu, parts, run_on, reduce).await?;
        let state = download(&work.state).await?;
        moments = proxy
            .threads()
            .run(|| of_blocks(&state, blocks))
            .into_iter()
            .fold(moments, Moments::merged);
        if let Some(histogram) = &mut histogram {
            add_counts(histogram, &download(&work.counts).await?);
        }
    }
    check_end(proxy, run_on).await?;
    Ok(moments)
}

fn of_blocks(state: &[u32], blocks: usize) -> Vec<Moments> {
    threads::parallel(|_| {
        state
            .par_chunks_exact(LANE_WORDS * LANES)
            .take(blocks)
            .map(|state| Moments::of_lanes(&lanes(state)))
            .collect()
    })
}

/// Adds the counts of all copies of the bins.
fn add_counts(histogram: &mut Histogram, counts: &[u32]) {
    for copy in counts.chunks_exact(histogram.counts.len()) {
        let counts: Vec<u64> = copy.iter().map(|&count| count.into()).collect();
        histogram.add(&counts);
    }
}

/// The pipeline and the buffers of the second kernel.
struct Work<'a> {
    context: &'a Context,
    reducer: &'a Pipeline,
    values: &'a wgpu::Buffer,
    state: DeviceArray<f32>,
    edges: DeviceArray<f32>,
    counts: DeviceArray<f32>,
    params: wgpu::Buffer,
    /// Bins and copies of the histogram.
    counted: [u32; 2],
}

impl Work<'_> {
    async fn clear(&self) -> Result<()> {
        let clear = self.context.guarded(0, || {
            let device = self.context.device();
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.clear_buffer(self.state.buffer(), 0, None);
            encoder.clear_buffer(self.counts.buffer(), 0, None);
            self.context.queue().submit([encoder.finish()]);
        });
        clear.await
    }

    /// Records the reduction of a range of a run.
    fn reduce(&self, range: Range<u64>, encoder: &mut wgpu::CommandEncoder) {
        let block = BLOCK as u64;
        let blocks = range.start / block..range.end.div_ceil(block);
        let window = blocks.start * BLOCK_BYTES..blocks.end * BLOCK_BYTES;
        let first = range.start - blocks.start * block;
        self.dispatch(first, &range, window, blocks.end - blocks.start, encoder);
    }

    /// Records the update of the series by a range of a frame.
    fn over_time(&self, range: Range<u64>, encoder: &mut wgpu::CommandEncoder) {
        let groups = (range.end - range.start).div_ceil(LANES as u64);
        let all = 0..self.state.size_bytes();
        self.dispatch(range.start, &range, all, groups, encoder);
    }

    fn dispatch(
        &self,
        first: u64,
        range: &Range<u64>,
        window: Range<u64>,
        groups: u64,
        encoder: &mut wgpu::CommandEncoder,
    ) {
        // Parts are far below 2^32 values. The write is executed before the next submission, which contains this
        // dispatch.
        let params = [first as u32, (range.end - range.start) as u32];
        let params = [params, self.counted].concat();
        let queue = self.context.queue();
        queue.write_buffer(&self.params, 0, bytemuck::cast_slice(&params));
        let state = wgpu::BufferBinding {
            buffer: self.state.buffer(),
            offset: window.start,
            size: wgpu::BufferSize::new(window.end - window.start),
        };
        let resources = [
            self.values.as_entire_binding(),
            wgpu::BindingResource::Buffer(state),
            self.edges.buffer().as_entire_binding(),
            self.counts.buffer().as_entire_binding(),
            self.params.as_entire_binding(),
        ];
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let bound = (self.reducer).bind(self.context, "voxload statistics", &entries);
        (self.reducer).record(self.context, &bound, groups as u32, encoder);
    }
}

/// The pipeline that reduces values of this type.
///
/// # Errors
/// [`ErrorKind::GpuUnsupported`] for a device with limits too small for it, [`ErrorKind::Gpu`],
/// [`ErrorKind::DeviceLost`].
async fn reducer(gpu: &Gpu, entry_point: &'static str, values: DType) -> Result<Pipeline> {
    let limits = gpu.limits();
    let lanes = LANES as u32;
    let enough = limits.max_storage_buffers_per_shader_stage >= 4
        && limits.max_uniform_buffers_per_shader_stage >= 1
        && limits.max_compute_workgroup_size_x >= lanes
        && limits.max_compute_invocations_per_workgroup >= lanes
        && BLOCK_BYTES.is_multiple_of(limits.min_storage_buffer_offset_alignment.into());
    if !enough {
        return Err(ErrorKind::GpuUnsupported("kernels of statistics".to_owned()).into());
    }
    let program = Program {
        label: "voxload statistics",
        shader: "statistics",
        source: shader,
        entry_point,
        constants: vec![("OUTPUT", wgsl::dtype_code(values).into())],
        bindings: vec![
            (0, STORAGE_READ),
            (1, STORAGE),
            (2, STORAGE_READ),
            (3, STORAGE),
            (4, wgpu::BufferBindingType::Uniform),
        ],
    };
    gpu.pipelines().get(gpu.context(), &program).await
}

/// Checks the end of the stream, as a whole read does.
async fn check_end(proxy: &ArrayProxy, run_on: RunOn) -> Result<()> {
    let proxy = proxy.clone();
    run_on.run(move || proxy.check_end_if_whole()).await?
}

/// Statistics over time of the values of a proxy.
async fn over_time<T: Float>(
    gpu: &Gpu,
    proxy: &ArrayProxy,
    run_on: RunOn,
) -> Result<TemporalStatistics<T>> {
    let context = gpu.context();
    let (frame, frames) = frame_shape(proxy.shape())?;
    let conversion = proxy.conversion(T::DTYPE)?;
    check_convertible(context, &conversion)?;
    let part = part_size(context, size_of::<T>() as u64)?;
    let reducer = reducer(gpu, "over_time", T::DTYPE).await?;
    let fitting = context.max_binding() / (4 * SERIES_WORDS as u64);
    let most = BAND.min(fitting).max(1);
    let plans = frame_plans(proxy, frames)?;
    let mut series = super::room_for(&frame)?;
    let Some(first) = plans.first().filter(|plan| !plan.empty) else {
        return temporal::summarised(&series, &frame, frames as u64);
    };
    let item = conversion.stored.size_bytes() as u64;
    let scratch = DeviceArray::<T>::new(gpu, &[first.len().min(part) as usize]).await?;
    for band in first.in_stored_order().tiles(item, most, most) {
        let work = Work {
            context,
            reducer: &reducer,
            values: scratch.buffer(),
            state: words(gpu, band.len() as usize * SERIES_WORDS).await?,
            edges: words(gpu, 0).await?,
            counts: words(gpu, 0).await?,
            params: params(context).await?,
            counted: [0, 1],
        };
        let of_frame = |plan: &Plan| Plan {
            stored_first: band.stored_first + plan.stored_first - first.stored_first,
            out_first: 0,
            ..band.clone()
        };
        let bands: Vec<Plan> = plans.iter().map(of_frame).collect();
        let parts = Parts {
            conversion: &conversion,
            plans: &bands,
            max_voxels: part,
            scratch: scratch.buffer(),
        };
        let reduce = |range, encoder: &mut _| work.over_time(range, encoder);
        proxy.convert_parts(gpu, parts, run_on, reduce).await?;
        let state = download(&work.state).await?;
        let places = series.iter_mut().skip(band.out_first as usize);
        for (place, words) in places.zip(state.chunks_exact(SERIES_WORDS)) {
            *place = one_series(words);
        }
    }
    check_end(proxy, run_on).await?;
    temporal::summarised(&in_output_order(first, series), &frame, frames as u64)
}

/// The plan of each frame. All have the axes of the first.
fn frame_plans(proxy: &ArrayProxy, frames: usize) -> Result<Vec<Plan>> {
    (0..frames)
        .map(|t| {
            let plan = proxy.plan(&proxy.select(&Index::new().ellipsis().at(t as i64))?);
            proxy.check_length(&plan)?;
            Ok(plan)
        })
        .collect()
}

/// Reorders series from stored order to the order of the output.
fn in_output_order(plan: &Plan, series: Vec<Series>) -> Vec<Series> {
    if plan.axes == plan.in_stored_order().axes && plan.out_first == 0 {
        return series;
    }
    let mut placed = series.clone();
    for (out, series) in plan.places().zip(series) {
        if let Some(place) = placed.get_mut(out as usize) {
            *place = series;
        }
    }
    placed
}

fn lanes(state: &[u32]) -> Vec<Lane> {
    let word = |field: usize, lane: usize| state.get(field * LANES + lane).copied().unwrap_or(0);
    let double = |field, lane| double([word(field, lane), word(field + 1, lane)]);
    let lane = |lane| Lane {
        finite: word(0, lane),
        non_finite: word(1, lane),
        min: double(2, lane),
        max: double(4, lane),
        pivot: double(6, lane),
        sum: double(8, lane),
        squares: double(10, lane),
    };
    (0..LANES).map(lane).collect()
}

fn one_series(words: &[u32]) -> Series {
    match *words {
        [finite, a, b, c, d, e, f] => Series {
            finite,
            pivot: double([a, b]),
            sum: double([c, d]),
            squares: double([e, f]),
        },
        _ => Series::default(),
    }
}

fn double([low, high]: [u32; 2]) -> f64 {
    f64::from_bits(u64::from(high) << 32 | u64::from(low))
}

/// The edges as integers that have the same order, as `ordered` in `double.wgsl` computes them.
fn ordered(edges: &[f64]) -> Vec<u32> {
    let words = |&edge: &f64| {
        // Adding 0 makes -0 equal to +0.
        let bits = (edge + 0.0).to_bits();
        let bits = if bits >> 63 == 1 {
            !bits
        } else {
            bits | 1 << 63
        };
        [bits as u32, (bits >> 32) as u32]
    };
    edges.iter().flat_map(words).collect()
}

/// A buffer of this many words on the device, all zero; at least two.
async fn words(gpu: &Gpu, count: usize) -> Result<DeviceArray<f32>> {
    DeviceArray::new(gpu, &[count.max(2)]).await
}

async fn words_of(gpu: &Gpu, values: &[u32]) -> Result<DeviceArray<f32>> {
    let array = words(gpu, values.len()).await?;
    let context = gpu.context();
    let write = context.guarded(0, || {
        let bytes = bytemuck::cast_slice(values);
        context.queue().write_buffer(array.buffer(), 0, bytes);
    });
    write.await?;
    Ok(array)
}

async fn params(context: &Context) -> Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    context.buffer("voxload statistics", 16, usage, false).await
}

async fn download(array: &DeviceArray<f32>) -> Result<Vec<u32>> {
    let values = array.downloaded().await?;
    Ok(bytemuck::cast_slice(values.as_slice()).to_vec())
}
