//! What an [`ArrayProxy`] can load to a device: values, stored voxels, textures, and parts that are reduced at once.

use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::array::DeviceArray;
use super::cut::{check_convertible, check_reports_losses, is_supported};
use super::gpu::Gpu;
use super::load::{Converted, Feeder, Load, Target};
use super::raw::{Code, RawVolume, check_stored};
use super::staging::StagingOptions;
use super::target::BufferTarget;
use super::texture::{HostTexels, Slab, texture_shape, write_texels};
use crate::convert::Conversion;
use crate::convert::texel::{Fidelity, Texels};
use crate::core::array::HostArray;
use crate::core::dtype::{ByteOrder, DType};
#[cfg(doc)]
use crate::core::error::ErrorKind;
use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::scaling::Scaling;
use crate::core::scope;
use crate::header::Layout;
use crate::plan::Plan;
use crate::plan::selection::{OutAxis, Selection};
use crate::read::proxy::ArrayProxy;
use crate::read::tiles::{ArrayReader, ProxyReader};
use crate::read::trace::{Trace, Tracer};
use crate::read::wait::RunOn;
use crate::source::Access;

/// A staging slot for a stream that is inflated as it comes, at most: measured against 0.5 to 16 MiB on the
/// software adapter (`doc/MEASUREMENTS.md`).
const STREAM_SLOT_BYTES: u64 = 1 << 20;

/// Such slots, unless the options ask for more.
const MAX_STREAM_SLOTS: u64 = 8;

/// Bytes of a stream from which a blocking load starts a thread that inflates while the caller submits.
const MIN_THREAD_BYTES: u64 = 1 << 20;

/// Device memory for texels on their way, where slabs can be read one after the other.
const SLAB_BYTES: u64 = 64 << 20;

/// Values that are compared between two checks for cancellation.
const PIECE: usize = 1 << 20;

/// Values.
impl ArrayProxy {
    /// The values in device memory, the first axis fastest: the bits of [`Self::read`], computed on the device from the
    /// stored bytes. Values of an array in memory are computed on the CPU and uploaded, and so are those for a device that
    /// cannot run the kernel.
    ///
    /// Blocks until the values have arrived; callbacks of other users of the device may run on this thread meanwhile.
    ///
    /// # Errors
    /// As [`Self::read`]; [`ErrorKind::DType`] for complex numbers and colours of a file, which have no kernel;
    /// [`ErrorKind::GpuLimit`], [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    #[cfg(not(target_family = "wasm"))]
    pub fn read_gpu<T: Float>(&self, gpu: &Gpu) -> Result<DeviceArray<T>> {
        gpu.context().block_on(self.read_on(gpu, RunOn::Caller))
    }

    /// [`Self::read_gpu`], awaited: nothing blocks the executor, and the file is read and inflated on a thread where there
    /// are threads.
    ///
    /// # Errors
    /// As [`Self::read_gpu`].
    pub async fn read_gpu_async<T: Float>(&self, gpu: &Gpu) -> Result<DeviceArray<T>> {
        let read = self.read_on(gpu, gpu.context().background());
        gpu.context().drive(read).await
    }

    /// The same for a future that is driven.
    pub(crate) async fn read_on<T: Float>(
        &self,
        gpu: &Gpu,
        run_on: RunOn,
    ) -> Result<DeviceArray<T>> {
        self.read_with(gpu, &StagingOptions::default(), None, run_on)
            .await
    }

    async fn read_with<T: Float>(
        &self,
        gpu: &Gpu,
        staging: &StagingOptions,
        tracer: Option<&Arc<Tracer>>,
        run_on: RunOn,
    ) -> Result<DeviceArray<T>> {
        let Some(conversion) = self.device_conversion::<T>(gpu)? else {
            let proxy = self.clone();
            let values = run_on.run(move || proxy.read::<T>()).await??;
            let upload = DeviceArray::uploaded(gpu, values.shape(), values.as_slice());
            return self.threads().run_async(upload).await;
        };
        let plan = self.plan(&self.whole());
        self.check_output(&plan, size_of::<T>())?;
        let array = DeviceArray::<T>::new(gpu, self.shape()).await?;
        let covered = plan.len();
        if covered != array.len() as u64 {
            return Err(Error::shape(
                array.shape(),
                format_args!("{covered} voxels"),
            ));
        }
        let reader = self.tile_reader(tracer.cloned()).with_end_check(&plan);
        let load = Load {
            gpu,
            conversion: &conversion,
            plans: &[plan],
            target: array.buffer().into(),
            options: &self.staging(staging),
            max_part: None,
        };
        let feeder = self.feeder(gpu, run_on, reader, load.plans);
        load.run(feeder, |_, _| {}).await?;
        Ok(array)
    }

    /// The conversion to `T` on this device; `None` where the CPU has to do it.
    fn device_conversion<T: Float>(&self, gpu: &Gpu) -> Result<Option<Conversion>> {
        if self.as_array().is_some() {
            return Ok(None);
        }
        let conversion = self.conversion(T::DTYPE)?;
        let supported = is_supported(check_convertible(gpu.context(), &conversion))?;
        Ok(supported.then_some(conversion))
    }

    /// The values in a place of a buffer of the caller's: the bits of [`Self::read`]. Nothing else in the buffer is changed;
    /// after an error the place holds an unspecified part of the values. Blocks as [`Self::read_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::read_gpu`], and [`ErrorKind::GpuUnsupported`] for a device that cannot run the kernel;
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
    /// let slice = image.dataobj().sliced("[:, :, 30, 0]")?;
    /// slice.read_into_buffer::<f32>(&gpu, &target)?;
    /// # Ok(()) }
    /// ```
    #[cfg(not(target_family = "wasm"))]
    pub fn read_into_buffer<T: Float>(&self, gpu: &Gpu, target: &BufferTarget<'_>) -> Result<()> {
        let read = self.read_into_target::<T>(gpu, target, RunOn::Caller);
        gpu.context().block_on(read)
    }

    /// [`Self::read_into_buffer`], awaited.
    ///
    /// # Errors
    /// As [`Self::read_into_buffer`].
    pub async fn read_into_buffer_async<T: Float>(
        &self,
        gpu: &Gpu,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        let read = self.read_into_target::<T>(gpu, target, gpu.context().background());
        gpu.context().drive(read).await
    }

    async fn read_into_target<T: Float>(
        &self,
        gpu: &Gpu,
        target: &BufferTarget<'_>,
        run_on: RunOn,
    ) -> Result<()> {
        if self.as_array().is_some() {
            let proxy = self.clone();
            let values = run_on.run(move || proxy.read::<T>()).await??;
            let copy = array_into_buffer(gpu, values, target, run_on);
            return self.threads().run_async(copy).await;
        }
        let conversion = self.conversion(T::DTYPE)?;
        check_convertible(gpu.context(), &conversion)?;
        let selection = self.whole();
        let strides = target.checked_strides(self.shape(), size_of::<T>() as u64)?;
        let plan = self.plan_strided(&selection, target.offset, &strides);
        self.load_plan(gpu, &conversion, plan, target.buffer, run_on)
            .await
    }

    async fn load_plan(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        plan: Plan,
        buffer: &wgpu::Buffer,
        run_on: RunOn,
    ) -> Result<()> {
        self.check_length(&plan)?;
        let reader = self.tile_reader(None).with_end_check(&plan);
        let load = Load {
            gpu,
            conversion,
            plans: &[plan],
            target: buffer.into(),
            options: &self.staging(&StagingOptions::default()),
            max_part: None,
        };
        let feeder = self.feeder(gpu, run_on, reader, load.plans);
        load.run(feeder, |_, _| {}).await
    }

    /// How a selection is read and where it goes, for strides that have been checked.
    fn plan_strided(&self, selection: &Selection, first: u64, strides: &[i64]) -> Plan {
        if selection.shape().contains(&0) {
            // Strides of empty arrays have no bounds.
            return self.plan(selection);
        }
        selection.plan_into(&self.spec().shape, self.spec().layout, first, strides)
    }

    /// A feeder for some plans. A stream is inflated by one thread alone, which must not wait for the device.
    fn feeder(
        &self,
        gpu: &Gpu,
        run_on: RunOn,
        reader: ProxyReader,
        plans: &[Plan],
    ) -> Feeder<ProxyReader> {
        let voxels: u64 = plans.iter().map(Plan::stored_span).sum();
        let bytes = voxels.saturating_mul(self.dtype().size_bytes() as u64);
        let run_on = match self.source().access() {
            Access::Sequential if bytes >= MIN_THREAD_BYTES => gpu.context().background(),
            _ => run_on,
        };
        Feeder::at(run_on, reader)
    }

    /// Staging options that suit the source.
    fn staging(&self, staging: &StagingOptions) -> StagingOptions {
        let mut staging = staging.clone();
        if self.source().access() == Access::Sequential {
            // In the same memory, so that the device begins early and is not left with much at the end.
            let room = staging.slot_bytes.saturating_mul(staging.slots as u64);
            staging.slot_bytes = staging.slot_bytes.min(STREAM_SLOT_BYTES);
            let slots = (room / staging.slot_bytes.max(1)).min(MAX_STREAM_SLOTS);
            staging.slots = staging.slots.max(slots as usize);
        }
        staging
    }
}

/// Copies an array to a place of a buffer of the caller's, by the kernel that also places voxels of files there.
async fn array_into_buffer<T: Float>(
    gpu: &Gpu,
    values: HostArray<T>,
    target: &BufferTarget<'_>,
    run_on: RunOn,
) -> Result<()> {
    let shape = values.shape();
    let copy = Conversion::new(T::DTYPE, ByteOrder::NATIVE, &Scaling::none(), T::DTYPE)?;
    let strides = target.checked_strides(shape, size_of::<T>() as u64)?;
    if values.is_empty() {
        return gpu.context().check_lost();
    }
    let layout = Layout::FirstFastest;
    let plan = Selection::whole(shape).plan_into(shape, layout, target.offset, &strides);
    let load = Load {
        gpu,
        conversion: &copy,
        plans: &[plan],
        target: target.buffer.into(),
        options: &StagingOptions::default(),
        max_part: None,
    };
    let feeder = Feeder::at(run_on, ArrayReader(values));
    load.run(feeder, |_, _| {}).await
}

/// What [`Gpu::traced_load`] loaded, and what it took.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TracedLoad<T: Float> {
    /// The values.
    pub array: DeviceArray<T>,
    /// The time of each stage. A load that the device cannot do itself has no stages.
    pub trace: Trace,
}

impl Gpu {
    /// [`ArrayProxy::read_gpu`] measured: with staging memory as wanted, and the time of each stage.
    ///
    /// # Errors
    /// As [`ArrayProxy::read_gpu`].
    #[cfg(not(target_family = "wasm"))]
    pub fn traced_load<T: Float>(
        &self,
        voxels: &ArrayProxy,
        staging: &StagingOptions,
    ) -> Result<TracedLoad<T>> {
        let load = voxels.read_traced(self, staging, RunOn::Caller);
        self.context().block_on(load)
    }

    /// [`Self::traced_load`], awaited.
    ///
    /// # Errors
    /// As [`ArrayProxy::read_gpu`].
    pub async fn traced_load_async<T: Float>(
        &self,
        voxels: &ArrayProxy,
        staging: &StagingOptions,
    ) -> Result<TracedLoad<T>> {
        let load = voxels.read_traced(self, staging, self.context().background());
        self.context().drive(load).await
    }
}

impl ArrayProxy {
    async fn read_traced<T: Float>(
        &self,
        gpu: &Gpu,
        staging: &StagingOptions,
        run_on: RunOn,
    ) -> Result<TracedLoad<T>> {
        let tracer = Arc::new(Tracer::default());
        let read = self.read_with(gpu, staging, Some(&tracer), run_on);
        let array = read.await?;
        let trace = tracer.trace();
        Ok(TracedLoad { array, trace })
    }
}

/// Stored voxels.
impl ArrayProxy {
    /// The stored voxels in device memory, a half or a quarter of the size of their values, with WGSL that makes values of
    /// them. Blocks as [`Self::read_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::read_gpu`]; [`ErrorKind::GpuLimit`] for more than a shader can bind at once, [`ErrorKind::Usage`] for an
    /// array in memory, which has no stored voxels.
    #[cfg(not(target_family = "wasm"))]
    pub fn raw_on_gpu(&self, gpu: &Gpu) -> Result<RawVolume> {
        gpu.context().block_on(self.raw_on(gpu, RunOn::Caller))
    }

    /// [`Self::raw_on_gpu`], awaited.
    ///
    /// # Errors
    /// As [`Self::raw_on_gpu`].
    pub async fn raw_on_gpu_async(&self, gpu: &Gpu) -> Result<RawVolume> {
        let raw = self.raw_on(gpu, gpu.context().background());
        gpu.context().drive(raw).await
    }

    async fn raw_on(&self, gpu: &Gpu, run_on: RunOn) -> Result<RawVolume> {
        if self.as_array().is_some() {
            return Err(Error::usage("an array in memory has no stored voxels"));
        }
        let context = gpu.context();
        let narrow = self.conversion(DType::F32)?;
        check_stored(&narrow)?;
        let copy = Conversion::raw(narrow.stored);
        check_convertible(context, &copy)?;
        let (shape, plan) = (self.shape().to_vec(), self.plan(&self.whole()));
        self.check_output(&plan, self.dtype().size_bytes())?;
        let (buffer, tables) = RawVolume::allocate(context, &shape, &narrow, &plan).await?;
        RawVolume::write_tables(context, &buffer, tables, &narrow).await?;
        self.load_plan(gpu, &copy, plan.clone(), &buffer, run_on)
            .await?;
        Ok(RawVolume {
            gpu: gpu.clone(),
            buffer,
            shape,
            code: Code {
                narrow,
                wide: self.conversion(DType::F64)?,
                plan,
                tables,
            },
        })
    }
}

/// Textures.
impl ArrayProxy {
    /// Loads a selection to a texture of its shape and format, for a future that is driven.
    ///
    /// # Errors
    /// As [`crate::DataobjImage::texture_into`].
    pub(crate) async fn load_texture(
        &self,
        gpu: &Gpu,
        selection: &Selection,
        texels: Texels,
        texture: &wgpu::Texture,
        run_on: RunOn,
    ) -> Result<Fidelity> {
        let context = gpu.context();
        let Some(conversion) = self.texel_conversion(gpu, texels)? else {
            let (proxy, selection) = (self.clone(), selection.clone());
            let made = run_on.run(move || proxy.texels(&selection, texels));
            let made = made.await??;
            write_texels(context, texture, &made.bytes, texels).await?;
            return Ok(made.fidelity);
        };
        // A stream is not read twice: all of it at once if possible.
        let max_bytes = match self.source().access() {
            Access::Sequential => u64::MAX,
            Access::Random => SLAB_BYTES,
        };
        let shape = texture_shape(&selection.shape())?;
        let slab = Slab::new(context, shape, texels, max_bytes).await?;
        let whole = self.plan(selection);
        self.check_length(&whole)?;
        let slices: Vec<Range<usize>> = slab.ranges().collect();
        let plan = |slices: &Range<usize>| self.slab_plan(selection, &slab, slices);
        let plans: Vec<Plan> = slices.iter().map(plan).collect();
        let load = Load {
            gpu,
            conversion: &conversion,
            plans: &plans,
            target: slab.target().clone(),
            options: &self.staging(&StagingOptions::default()),
            max_part: None,
        };
        let reader = self.tile_reader(None).with_end_check(&whole);
        let copy = |part: &Converted<'_>, encoder: &mut wgpu::CommandEncoder| {
            if let Some(slices) = slices.get(part.block).filter(|_| part.is_last) {
                slab.record_copy(slices, texture, encoder);
            }
        };
        let feeder = self.feeder(gpu, run_on, reader, load.plans);
        load.run(feeder, copy).await?;
        slab.fidelity(context).await
    }

    /// The conversion that makes texels; `None` where the CPU has to make them: for an array in memory, and for a device
    /// that cannot run it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DType`] for stored types without a kernel.
    pub(crate) fn texel_conversion(&self, gpu: &Gpu, texels: Texels) -> Result<Option<Conversion>> {
        if self.as_array().is_some() {
            return Ok(None);
        }
        let conversion = texels.conversion(self.conversion(texels.values())?);
        let supported = is_supported(check_reports_losses(gpu.context(), &conversion))?;
        Ok(supported.then_some(conversion))
    }

    /// How some slices of a selection are read and where in a slab they go.
    pub(crate) fn slab_plan(
        &self,
        selection: &Selection,
        slab: &Slab,
        slices: &Range<usize>,
    ) -> Plan {
        let shape = selection.shape();
        let mut inner = Selection::whole(&shape);
        if let (Some(&OutAxis::Axis(axis)), Some(_)) = (inner.out.get(2), shape.get(2))
            && let Some(taken) = inner.axes.get_mut(axis)
        {
            taken.start = slices.start as u64;
            taken.count = slices.len() as u64;
        }
        let ndim = shape.len().min(3);
        let (strides, _) = slab.strides().split_at(ndim);
        self.plan_strided(&selection.compose(&inner), 0, strides)
    }

    /// The texels of a selection, made by the CPU.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`].
    pub(crate) fn texels(&self, selection: &Selection, texels: Texels) -> Result<HostTexels> {
        let values = self.conversion(texels.values())?;
        if self.rounds_once(values.output) {
            return self.texels_rounded_once(selection);
        }
        if values.is_copy() {
            match values.output {
                DType::F16 => return self.copied::<f16>(&values, selection),
                DType::F32 => return self.copied::<f32>(&values, selection),
                _ => {}
            }
        }
        // The steps are those of the type asked for, the narrowing is the texels' own.
        let wide = Conversion {
            output: DType::F64,
            ..values
        };
        let wide = self.fetch::<f64>(&wide, selection)?;
        let (bytes, fidelity) = self.threads().run(|| texels.narrow(wide.as_slice()));
        scope::check()?;
        HostTexels::new(&selection.shape(), texels, bytes, fidelity)
    }

    fn copied<T: Float>(&self, copy: &Conversion, selection: &Selection) -> Result<HostTexels> {
        let values = self.fetch::<T>(copy, selection)?;
        let bytes = bytemuck::cast_slice(values.as_slice()).to_vec();
        let texels = match T::DTYPE {
            DType::F16 => Texels::R16Float,
            _ => Texels::R32Float,
        };
        HostTexels::new(&selection.shape(), texels, bytes, Fidelity::Exact)
    }

    /// f32 texels of an array of 64-bit integers: its values, which are rounded once.
    fn texels_rounded_once(&self, selection: &Selection) -> Result<HostTexels> {
        let part = self.with_view(selection.clone())?;
        let (wide, narrow) = (part.read::<f64>()?, part.read::<f32>()?);
        let mut exact = true;
        let wide = wide.as_slice().chunks(PIECE);
        for (wide, narrow) in wide.zip(narrow.as_slice().chunks(PIECE)) {
            scope::check()?;
            let mut pairs = wide.iter().zip(narrow);
            exact &= pairs.all(|(&wide, &narrow)| wide == f64::from(narrow));
        }
        let bytes = bytemuck::cast_slice(narrow.as_slice()).to_vec();
        HostTexels::new(part.shape(), Texels::R32Float, bytes, Fidelity::of(exact))
    }
}

/// Plans over stored voxels that are converted one after the other, part by part, into scratch memory.
pub(crate) struct Parts<'a> {
    pub conversion: &'a Conversion,
    /// In stored order, the first the largest.
    pub plans: &'a [Plan],
    /// Voxels of a part at most.
    pub max_voxels: u64,
    /// Where each part goes; it has room for one.
    pub scratch: &'a wgpu::Buffer,
}

/// Parts that are reduced at once.
impl ArrayProxy {
    /// Converts parts; each one's places in its plan's output go on from those of the part before. `then` records what
    /// is to be done with a part: its range of that output. For a future that is driven.
    ///
    /// # Errors
    /// Those of [`Self::read_gpu`].
    pub(crate) async fn convert_parts(
        &self,
        gpu: &Gpu,
        parts: Parts<'_>,
        run_on: RunOn,
        mut then: impl FnMut(Range<u64>, &mut wgpu::CommandEncoder),
    ) -> Result<()> {
        let load = Load {
            gpu,
            conversion: parts.conversion,
            plans: parts.plans,
            target: Target::from(parts.scratch),
            options: &StagingOptions::default(),
            max_part: Some(parts.max_voxels),
        };
        let feeder = self.feeder(gpu, run_on, self.tile_reader(None), load.plans);
        load.run(feeder, |part, encoder| {
            then(part.task.range.clone(), encoder);
        })
        .await
    }
}
