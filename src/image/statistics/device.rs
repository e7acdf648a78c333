//! Statistics on a device: the kernel converts a part into scratch memory, a second one reduces it there. Only what is
//! kept of blocks, bins and series comes back.

mod reducer;

use std::ops::Range;

use rayon::prelude::*;

pub(crate) use reducer::Reducers;
use reducer::{Job, Reducer};

use super::moments::{BLOCK, LANES, Lane, Moments};
use super::temporal::{self, Series, TemporalStatistics};
use super::{
    AtHand, Histogram, RUN, Statistics, StatisticsOptions, frame_shape, passes, statistics_of,
};
use crate::device::{DeviceArray, Gpu};
use crate::error::{ErrorKind, Result};
use crate::float::Float;
use crate::image::DataobjImage;
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::read::proxy::ArrayProxy;

/// Values that are converted and reduced at a time.
const PART: u64 = 1 << 22;
/// Series that a device keeps at a time.
const BAND: u64 = 1 << 22;
/// Words of a lane's state.
const LANE_WORDS: usize = 12;
const BLOCK_BYTES: u64 = (4 * LANE_WORDS * LANES) as u64;
/// Words of a series' state.
const SERIES_WORDS: usize = 7;
/// Counters of a histogram with all its copies, about.
const COUNTERS: usize = 4096;

impl DataobjImage {
    /// The same as [`Self::statistics`], to the bit, computed on a device while the file streams through it: in parts
    /// of at most 4 Mi values, of which the host sees only sums. Values that are in memory already, and those that the
    /// device has no kernel for, are reduced on the CPU.
    ///
    /// # Errors
    /// As [`Self::statistics`]; [`ErrorKind::DType`] for complex numbers and colours, which have no kernel;
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub fn statistics_gpu<T: Float>(
        &self,
        gpu: &Gpu,
        options: &StatisticsOptions,
    ) -> Result<Statistics> {
        let proxy = match self.values_at_hand::<T>()? {
            AtHand::Values(values) => return statistics_of(options, values.as_slice()),
            AtHand::File(proxy) => proxy,
        };
        let outcome = passes::<T>(options, |histogram| pass::<T>(gpu, proxy, histogram));
        or_on_cpu(outcome, || self.statistics::<T>(options))
    }

    /// The same as [`Self::temporal_statistics`], to the bit, computed on a device: frame by frame, in bands of at most
    /// 4 Mi voxels (a band is a pass over the file). Values in memory and devices without a kernel as in
    /// [`Self::statistics_gpu`].
    ///
    /// # Errors
    /// As [`Self::temporal_statistics`] and [`Self::statistics_gpu`].
    pub fn temporal_statistics_gpu<T: Float>(&self, gpu: &Gpu) -> Result<TemporalStatistics<T>> {
        match self.values_at_hand::<T>()? {
            AtHand::Values(_) => self.temporal_statistics(),
            AtHand::File(proxy) => or_on_cpu(over_time(gpu, proxy), || self.temporal_statistics()),
        }
    }
}

/// What a device cannot do at all is done on the CPU.
fn or_on_cpu<R>(outcome: Result<R>, on_cpu: impl FnOnce() -> Result<R>) -> Result<R> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::GpuUnsupported(_)) => on_cpu(),
        outcome => outcome,
    }
}

/// The most values of a part on this device.
fn part_size(gpu: &Gpu, item: u64) -> Result<u64> {
    let limits = gpu.limits();
    let binding = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    let side = u64::from(limits.max_compute_workgroups_per_dimension);
    // A part can begin and end within blocks: it has two more ends than blocks.
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
fn pass<T: Float>(
    gpu: &Gpu,
    proxy: &ArrayProxy,
    mut histogram: Option<&mut Histogram>,
) -> Result<Moments> {
    let conversion = proxy.conversion(T::DTYPE)?;
    gpu.can_convert(&conversion)?;
    let part = part_size(gpu, size_of::<T>() as u64)?;
    let reducer = gpu.reducers().get(gpu, Job::Reduce, T::DTYPE)?;
    let all = proxy.len() as u64;
    let blocks = all.min(RUN).div_ceil(BLOCK as u64);
    let edges = match &histogram {
        Some(histogram) => ordered(&histogram.edges),
        None => Vec::new(),
    };
    let bins = histogram.as_ref().map_or(0, |found| found.counts.len());
    let copies = (COUNTERS / bins.max(1)).clamp(1, 64);
    let scratch = DeviceArray::<T>::zeroed(gpu, &[all.min(part) as usize])?;
    let work = Work {
        gpu,
        reducer: &reducer,
        values: scratch.buffer(),
        state: words(gpu, blocks as usize * LANE_WORDS * LANES)?,
        edges: words_of(gpu, &edges)?,
        counts: words(gpu, bins * copies)?,
        params: params(gpu)?,
        counted: [bins as u32, copies as u32],
    };
    let mut moments = Moments::default();
    for run in proxy.in_stored_order(RUN)? {
        work.clear()?;
        let blocks = run.len().div_ceil(BLOCK as u64) as usize;
        let plans = [Plan {
            out_first: 0,
            ..run
        }];
        let reduce = |_, range, encoder: &mut _| work.reduce(range, encoder);
        proxy.for_each_part(gpu, &conversion, &plans, part, scratch.buffer(), reduce)?;
        moments = of_blocks(&download(&work.state)?, blocks)
            .into_iter()
            .fold(moments, Moments::merged);
        if let Some(histogram) = &mut histogram {
            add_counts(histogram, &download(&work.counts)?);
        }
    }
    proxy.check_end_if_whole()?;
    Ok(moments)
}

fn of_blocks(state: &[u32], blocks: usize) -> Vec<Moments> {
    state
        .par_chunks_exact(LANE_WORDS * LANES)
        .take(blocks)
        .map(|state| Moments::of_lanes(&lanes(state)))
        .collect()
}

/// Adds what is in all copies of the bins.
fn add_counts(histogram: &mut Histogram, counts: &[u32]) {
    for copy in counts.chunks_exact(histogram.counts.len()) {
        let counts: Vec<u64> = copy.iter().map(|&count| count.into()).collect();
        histogram.add(&counts);
    }
}

/// What the second kernel works with.
struct Work<'a> {
    gpu: &'a Gpu,
    reducer: &'a Reducer,
    values: &'a wgpu::Buffer,
    state: DeviceArray<f32>,
    edges: DeviceArray<f32>,
    counts: DeviceArray<f32>,
    params: wgpu::Buffer,
    /// Bins and copies of the histogram.
    counted: [u32; 2],
}

impl Work<'_> {
    fn clear(&self) -> Result<()> {
        self.gpu.guarded(0, || {
            let mut encoder = self
                .gpu
                .device()
                .create_command_encoder(&Default::default());
            encoder.clear_buffer(self.state.buffer(), 0, None);
            encoder.clear_buffer(self.counts.buffer(), 0, None);
            self.gpu.queue().submit([encoder.finish()]);
        })
    }

    /// Records the reduction of a range of a run.
    fn reduce(&self, range: Range<u64>, encoder: &mut wgpu::CommandEncoder) {
        let block = BLOCK as u64;
        let blocks = range.start / block..range.end.div_ceil(block);
        let window = blocks.start * BLOCK_BYTES..blocks.end * BLOCK_BYTES;
        let first = range.start - blocks.start * block;
        self.dispatch(first, &range, window, blocks.end - blocks.start, encoder);
    }

    /// Records what a range of a frame adds to its series.
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
        // Parts are far below 2^32 values. What is written here is there before the next submission, which this is in.
        let params = [first as u32, (range.end - range.start) as u32];
        let params = [params, self.counted].concat();
        self.gpu
            .queue()
            .write_buffer(&self.params, 0, bytemuck::cast_slice(&params));
        let state = wgpu::BufferBinding {
            buffer: self.state.buffer(),
            offset: window.start,
            size: wgpu::BufferSize::new(window.end - window.start),
        };
        self.reducer.record(
            self.gpu,
            [
                self.values.as_entire_binding(),
                wgpu::BindingResource::Buffer(state),
                self.edges.buffer().as_entire_binding(),
                self.counts.buffer().as_entire_binding(),
                self.params.as_entire_binding(),
            ],
            groups as u32,
            encoder,
        );
    }
}

/// Statistics over time of what a proxy shows.
fn over_time<T: Float>(gpu: &Gpu, proxy: &ArrayProxy) -> Result<TemporalStatistics<T>> {
    let (frame, frames) = frame_shape(proxy.shape())?;
    let conversion = proxy.conversion(T::DTYPE)?;
    gpu.can_convert(&conversion)?;
    let part = part_size(gpu, size_of::<T>() as u64)?;
    let reducer = gpu.reducers().get(gpu, Job::OverTime, T::DTYPE)?;
    let limits = gpu.limits();
    let binding = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    let most = BAND.min(binding / (4 * SERIES_WORDS as u64)).max(1);
    let plans = frame_plans(proxy, frames)?;
    let mut series = super::room_for(&frame)?;
    let Some(first) = plans.first().filter(|plan| !plan.empty) else {
        return temporal::summarised(&series, &frame, frames as u64);
    };
    let item = conversion.stored.size_bytes() as u64;
    let scratch = DeviceArray::<T>::zeroed(gpu, &[first.len().min(part) as usize])?;
    for band in first.in_stored_order().tiles(item, most, most) {
        let work = Work {
            gpu,
            reducer: &reducer,
            values: scratch.buffer(),
            state: words(gpu, band.len() as usize * SERIES_WORDS)?,
            edges: words(gpu, 0)?,
            counts: words(gpu, 0)?,
            params: params(gpu)?,
            counted: [0, 1],
        };
        let of_frame = |plan: &Plan| Plan {
            stored_first: band.stored_first + plan.stored_first - first.stored_first,
            out_first: 0,
            ..band.clone()
        };
        let bands: Vec<Plan> = plans.iter().map(of_frame).collect();
        proxy.for_each_part(
            gpu,
            &conversion,
            &bands,
            part,
            scratch.buffer(),
            |_, range, encoder| {
                work.over_time(range, encoder);
            },
        )?;
        let state = download(&work.state)?;
        let places = series.iter_mut().skip(band.out_first as usize);
        for (place, words) in places.zip(state.chunks_exact(SERIES_WORDS)) {
            *place = one_series(words);
        }
    }
    proxy.check_end_if_whole()?;
    temporal::summarised(&in_place(first, series), &frame, frames as u64)
}

/// How each frame is read; the first frame stands for the places of all.
fn frame_plans(proxy: &ArrayProxy, frames: usize) -> Result<Vec<Plan>> {
    (0..frames)
        .map(|t| {
            let plan = proxy.plan(&proxy.select(&Index::new().ellipsis().at(t as i64))?);
            proxy.check_length(&plan)?;
            Ok(plan)
        })
        .collect()
}

/// Series in stored order, put in their places of the output.
fn in_place(plan: &Plan, series: Vec<Series>) -> Vec<Series> {
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

/// Edges as `ordered` of `double.wgsl` gives them.
fn ordered(edges: &[f64]) -> Vec<u32> {
    let words = |&edge: &f64| {
        // +0 and -0 are one.
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

/// Room for words on the device, all zero; at least one.
fn words(gpu: &Gpu, count: usize) -> Result<DeviceArray<f32>> {
    DeviceArray::zeroed(gpu, &[count.max(2)])
}

fn words_of(gpu: &Gpu, values: &[u32]) -> Result<DeviceArray<f32>> {
    let array = words(gpu, values.len())?;
    gpu.guarded(0, || {
        gpu.queue()
            .write_buffer(array.buffer(), 0, bytemuck::cast_slice(values));
    })?;
    Ok(array)
}

fn params(gpu: &Gpu) -> Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    gpu.buffer("voxload statistics", 16, usage, false)
}

fn download(array: &DeviceArray<f32>) -> Result<Vec<u32>> {
    Ok(bytemuck::cast_slice(array.download()?.as_slice()).to_vec())
}
