//! Stored voxels to device memory.

use std::ops::Range;
use std::sync::Arc;

use crate::convert::Conversion;
use crate::device as gpu;
use crate::device::{BufferTarget, DeviceArray, Gpu, StagingOptions, Trace};
use crate::error::{ErrorKind, Result};
use crate::float::Float;
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::plan::selection::Selection;
use crate::read::proxy::ArrayProxy;
use crate::read::tiles::TileReader;
use crate::read::trace::Tracer;
use crate::source::Access;

/// A staging slot for a stream that is inflated as it comes, at most: measured against 0.5 to 16 MiB on the
/// software adapter (`benches/RESULTS.md`).
const STREAM_SLOT_BYTES: u64 = 1 << 20;

/// Such slots, unless the options ask for more.
const MOST_STREAM_SLOTS: u64 = 8;

impl ArrayProxy {
    /// The values that an index takes, in device memory, reading only their bytes: the bits of [`Self::slice`].
    ///
    /// # Errors
    /// As [`crate::DataobjImage::get_fdata_gpu`], and [`ErrorKind::Index`] when the index does not fit the shape.
    pub fn slice_gpu<T: Float>(&self, gpu: &Gpu, index: &Index) -> Result<DeviceArray<T>> {
        self.slice_gpu_with(gpu, index, &StagingOptions::default(), None)
    }

    /// [`Self::slice_gpu`] with staging memory as wanted, and what the stages of the load took. A load that the
    /// device cannot do itself has no stages.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`].
    pub fn slice_gpu_traced<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        staging: &StagingOptions,
    ) -> Result<(DeviceArray<T>, Trace)> {
        let tracer = Arc::new(Tracer::default());
        let array = self.slice_gpu_with(gpu, index, staging, Some(&tracer))?;
        Ok((array, tracer.trace()))
    }

    fn slice_gpu_with<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        staging: &StagingOptions,
        tracer: Option<&Arc<Tracer>>,
    ) -> Result<DeviceArray<T>> {
        let conversion = self.conversion(T::DTYPE)?;
        if !able(gpu.can_convert(&conversion))? {
            let values = self.slice::<T>(index)?;
            return DeviceArray::from_slice(gpu, values.shape(), values.as_slice());
        }
        let selection = self.select(index)?;
        let plan = self.plan(&selection);
        self.check_output(&plan, size_of::<T>())?;
        self.reading_with(&plan, staging, tracer, |reader, staging| {
            gpu::load(gpu, &conversion, &plan, reader, &selection.shape(), staging)
        })
    }

    /// The values that an index takes, in a place of a buffer of the caller's, reading only their bytes: the bits of
    /// [`Self::slice`]. Nothing else in the buffer is changed; after an error the place holds an unspecified part of
    /// the values. Blocks as [`crate::DataobjImage::get_fdata_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`], and [`ErrorKind::GpuUnsupported`] for a device that cannot run the kernel;
    /// [`ErrorKind::Shape`] when the buffer is too small, [`ErrorKind::Usage`] when it lacks usage `STORAGE` or voxels
    /// would share elements.
    ///
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::{BufferTarget, Gpu};
    /// let gpu = Gpu::new()?;
    /// let image = voxload::load("bold.nii.gz")?;
    /// # let buffer: wgpu::Buffer = unimplemented!();
    /// // The 30th slice, from the buffer's element 1024 on, in rows of 512 elements.
    /// let target = BufferTarget::new(&buffer).offset(1024).strides(&[1, 512]);
    /// image.dataobj().slice_into_buffer::<f32>(&gpu, &"[:, :, 30, 0]".parse()?, &target)?;
    /// # Ok(()) }
    /// ```
    pub fn slice_into_buffer<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        let conversion = self.conversion(T::DTYPE)?;
        gpu.can_convert(&conversion)?;
        let plan = self.plan_into::<T>(&self.select(index)?, target)?;
        self.reading(&plan, |reader, staging| {
            gpu::load_into(gpu, &conversion, &plan, reader, target.buffer, staging)
        })
    }

    /// How a selection's voxels are read and where in a buffer they go.
    pub(crate) fn plan_into<T: Float>(
        &self,
        selection: &Selection,
        target: &BufferTarget<'_>,
    ) -> Result<Plan> {
        let strides = target.checked_strides(&selection.shape(), size_of::<T>() as u64)?;
        Ok(self.plan_strided(selection, target.offset, &strides))
    }

    /// The same for strides that have been checked.
    pub(super) fn plan_strided(&self, selection: &Selection, first: u64, strides: &[i64]) -> Plan {
        if selection.shape().contains(&0) {
            // Strides of empty arrays have no bounds.
            return self.plan(selection);
        }
        selection.plan_into(&self.spec().shape, self.spec().layout, first, strides)
    }

    /// Does something with a reader of what a plan takes, and the staging options that suit the source.
    pub(crate) fn reading<R>(
        &self,
        plan: &Plan,
        load: impl FnOnce(&dyn TileReader, &StagingOptions) -> Result<R>,
    ) -> Result<R> {
        self.reading_with(plan, &StagingOptions::default(), None, load)
    }

    fn reading_with<R>(
        &self,
        plan: &Plan,
        staging: &StagingOptions,
        tracer: Option<&Arc<Tracer>>,
        load: impl FnOnce(&dyn TileReader, &StagingOptions) -> Result<R>,
    ) -> Result<R> {
        self.check_length(plan)?;
        let session = self.source().begin()?;
        let mut staging = staging.clone();
        if self.source().access() == Access::Sequential {
            // Several workers would read a stream out of order, and each step back starts it again.
            staging.workers = 1;
            // In the same memory, so that the device begins early and is not left with much at the end.
            let room = staging.slot_bytes.saturating_mul(staging.slots as u64);
            staging.slot_bytes = staging.slot_bytes.min(STREAM_SLOT_BYTES);
            let slots = (room / staging.slot_bytes.max(1)).min(MOST_STREAM_SLOTS);
            staging.slots = staging.slots.max(slots as usize);
        }
        let reader = self.tile_reader(&session, tracer);
        let result = load(&reader, &staging)?;
        if self.is_whole(plan) {
            session.finish(self.byte_range(plan).end)?;
        } else {
            session.end()?;
        }
        Ok(result)
    }
}

/// Whether the device can run the kernel; `false` when it is too weak, an error when there is no kernel.
pub(crate) fn able(answer: Result<()>) -> Result<bool> {
    match answer {
        Err(error) if matches!(error.kind(), ErrorKind::GpuUnsupported(_)) => Ok(false),
        other => other.map(|()| true),
    }
}

impl ArrayProxy {
    /// Converts plans over the stored voxels part by part, as [`gpu::for_each_part`] does.
    ///
    /// # Errors
    /// Those of [`Self::slice_gpu`].
    pub(crate) fn for_each_part(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        plans: &[Plan],
        most: u64,
        scratch: &wgpu::Buffer,
        then: impl FnMut(usize, Range<u64>, &mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let session = self.source().begin()?;
        let reader = self.tile_reader(&session, None);
        gpu::for_each_part(gpu, conversion, plans, most, &reader, scratch, then)?;
        session.end()
    }
}
