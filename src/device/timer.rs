//! Timestamps around the device's work on a slot. Timestamps can be written only in passes, so there is an empty pass
//! before and after the work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::Context;
use crate::core::error::Result;
use crate::read::trace::Tracer;

/// Bytes of two timestamps.
const PAIR_BYTES: u64 = 16;

/// Two timestamps for each slot of a ring, and the buffers to read them back.
pub(crate) struct Timer {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    slots: Vec<Reading>,
    nanos_per_tick: f64,
    tracer: Arc<Tracer>,
}

struct Reading {
    buffer: wgpu::Buffer,
    /// Whether it is being read back. Until then nothing else may be written to it.
    under_way: Arc<AtomicBool>,
}

impl Timer {
    /// A timer for `slots` slots, if the device has timestamps.
    ///
    /// # Errors
    /// As [`Context::buffer`].
    pub(super) async fn new(
        context: &Context,
        slots: usize,
        tracer: &Arc<Tracer>,
    ) -> Result<Option<Self>> {
        if !context.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let device = context.device();
        let set = context.guarded(0, || {
            device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("voxload timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * slots as u32,
            })
        });
        let set = set.await?;
        let resolve = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let read = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let size = slots as u64 * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
        let buffer = |size, usage| context.buffer("voxload timestamps", size, usage, false);
        let mut readings = Vec::new();
        for _ in 0..slots {
            readings.push(Reading {
                buffer: buffer(PAIR_BYTES, read).await?,
                under_way: Arc::default(),
            });
        }
        tracer.device_is_timed();
        Ok(Some(Self {
            set,
            resolved: buffer(size, resolve).await?,
            slots: readings,
            nanos_per_tick: context.queue().get_timestamp_period().into(),
            tracer: Arc::clone(tracer),
        }))
    }

    /// Records `work` on a slot between two timestamps, unless earlier ones are still being read back. Returns whether
    /// it did.
    pub(super) fn around(
        &self,
        slot: usize,
        encoder: &mut wgpu::CommandEncoder,
        work: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> bool {
        let reading = self.slots.get(slot);
        let Some(reading) = reading.filter(|slot| !slot.under_way.load(Ordering::Acquire)) else {
            work(encoder);
            return false;
        };
        let first = 2 * slot as u32;
        self.stamp(encoder, first);
        work(encoder);
        self.stamp(encoder, first + 1);
        let place = slot as u64 * wgpu::QUERY_RESOLVE_BUFFER_ALIGNMENT;
        encoder.resolve_query_set(&self.set, first..first + 2, &self.resolved, place);
        encoder.copy_buffer_to_buffer(&self.resolved, place, &reading.buffer, 0, PAIR_BYTES);
        reading.under_way.store(true, Ordering::Release);
        true
    }

    fn stamp(&self, encoder: &mut wgpu::CommandEncoder, query: u32) {
        drop(encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some("voxload timestamp"),
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.set,
                beginning_of_pass_write_index: None,
                end_of_pass_write_index: Some(query),
            }),
        }));
    }

    /// Requests a slot's timestamps, after the submission with [`Self::around`]. Their difference is added when they
    /// arrive.
    pub(super) fn read(&self, slot: usize) {
        let Some(reading) = self.slots.get(slot) else {
            return;
        };
        let (buffer, under_way) = (reading.buffer.clone(), Arc::clone(&reading.under_way));
        let (tracer, nanos_per_tick) = (Arc::clone(&self.tracer), self.nanos_per_tick);
        reading
            .buffer
            .map_async(wgpu::MapMode::Read, .., move |result| {
                if result.is_err() {
                    return;
                }
                let ticks = buffer.get_mapped_range(..).ok().and_then(|view| {
                    let stamps: [u8; PAIR_BYTES as usize] = (*view).try_into().ok()?;
                    let [begin, end]: [u64; 2] = bytemuck::cast(stamps);
                    end.checked_sub(begin)
                });
                buffer.unmap();
                let nanos = ticks.unwrap_or_default() as f64 * nanos_per_tick;
                tracer.device(nanos as u64);
                under_way.store(false, Ordering::Release);
            });
    }
}
