//! What an [`ArrayProxy`] can load to a device: values, stored voxels, textures, and parts that are reduced at once.

use std::ops::Range;
use std::sync::Arc;

use half::f16;

use super::array::DeviceArray;
use super::cut::{check_convertible, check_watchable, is_supported};
use super::gpu::Gpu;
use super::load::{Converted, Feeder, Load, Target};
use super::raw::{Code, RawVolume, check_stored};
use super::staging::StagingOptions;
use super::target::BufferTarget;
use super::texture::{Slab, texture_shape, write_texels};
use crate::convert::Conversion;
use crate::convert::texel::Texels;
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use crate::core::float::Float;
use crate::core::scope;
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::plan::selection::{OutAxis, Selection};
use crate::read::proxy::ArrayProxy;
use crate::read::trace::{Trace, Tracer};
use crate::read::wait::Site;
use crate::source::Access;

/// A staging slot for a stream that is inflated as it comes, at most: measured against 0.5 to 16 MiB on the
/// software adapter (`benches/RESULTS.md`).
const STREAM_SLOT_BYTES: u64 = 1 << 20;

/// Such slots, unless the options ask for more.
const MAX_STREAM_SLOTS: u64 = 8;

/// Device memory for texels on their way, where slabs can be read one after the other.
const SLAB_BYTES: u64 = 64 << 20;

/// Values.
impl ArrayProxy {
    /// The values that an index takes, in device memory, reading only their bytes: the bits of [`Self::slice`].
    ///
    /// # Errors
    /// As [`crate::DataobjImage::get_fdata_gpu`], and [`crate::ErrorKind::Index`] when the index does not fit the shape.
    #[cfg(not(target_family = "wasm"))]
    pub fn slice_gpu<T: Float>(&self, gpu: &Gpu, index: &Index) -> Result<DeviceArray<T>> {
        let slice = self.slice_on(gpu, index, Site::Caller);
        gpu.context().block_on(slice)
    }

    /// [`Self::slice_gpu`], awaited.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`].
    pub async fn slice_gpu_async<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
    ) -> Result<DeviceArray<T>> {
        let slice = self.slice_on(gpu, index, gpu.context().background());
        gpu.context().drive(slice).await
    }

    /// [`Self::slice_gpu`] with staging memory as wanted, and what the stages of the load took. A load that the
    /// device cannot do itself has no stages.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`].
    #[cfg(not(target_family = "wasm"))]
    pub fn slice_gpu_traced<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        staging: &StagingOptions,
    ) -> Result<(DeviceArray<T>, Trace)> {
        let tracer = Arc::new(Tracer::default());
        let slice = self.slice_with(gpu, index, staging, Some(&tracer), Site::Caller);
        let array = gpu.context().block_on(slice)?;
        Ok((array, tracer.trace()))
    }

    /// [`Self::slice_gpu_traced`], awaited.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`].
    pub async fn slice_gpu_traced_async<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        staging: &StagingOptions,
    ) -> Result<(DeviceArray<T>, Trace)> {
        let tracer = Arc::new(Tracer::default());
        let slice = self.slice_with(
            gpu,
            index,
            staging,
            Some(&tracer),
            gpu.context().background(),
        );
        let array = gpu.context().drive(slice).await?;
        Ok((array, tracer.trace()))
    }

    /// The same for a future that is driven.
    pub(crate) async fn slice_on<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        site: Site,
    ) -> Result<DeviceArray<T>> {
        self.slice_with(gpu, index, &StagingOptions::default(), None, site)
            .await
    }

    async fn slice_with<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        staging: &StagingOptions,
        tracer: Option<&Arc<Tracer>>,
        site: Site,
    ) -> Result<DeviceArray<T>> {
        let conversion = self.conversion(T::DTYPE)?;
        if !is_supported(check_convertible(gpu.context(), &conversion))? {
            let (proxy, index) = (self.clone(), index.clone());
            let values = site.run(move || proxy.slice::<T>(&index)).await??;
            return DeviceArray::uploaded(gpu, values.shape(), values.as_slice()).await;
        }
        let selection = self.select(index)?;
        let plan = self.plan(&selection);
        self.check_output(&plan, size_of::<T>())?;
        let array = DeviceArray::<T>::new(gpu, &selection.shape()).await?;
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
        load.run(Feeder::at(site, reader), |_, _| {}).await?;
        Ok(array)
    }

    /// The values that an index takes, in a place of a buffer of the caller's, reading only their bytes: the bits of
    /// [`Self::slice`]. Nothing else in the buffer is changed; after an error the place holds an unspecified part of
    /// the values. Blocks as [`crate::DataobjImage::get_fdata_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`], and [`crate::ErrorKind::GpuUnsupported`] for a device that cannot run the kernel;
    /// [`crate::ErrorKind::Shape`] when the buffer is too small, [`crate::ErrorKind::Usage`] when it lacks usage
    /// `STORAGE` or voxels would share elements.
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
    #[cfg(not(target_family = "wasm"))]
    pub fn slice_into_buffer<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        let slice = self.slice_into_target::<T>(gpu, index, target, Site::Caller);
        gpu.context().block_on(slice)
    }

    /// [`Self::slice_into_buffer`], awaited.
    ///
    /// # Errors
    /// As [`Self::slice_into_buffer`].
    pub async fn slice_into_buffer_async<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
    ) -> Result<()> {
        let slice = self.slice_into_target::<T>(gpu, index, target, gpu.context().background());
        gpu.context().drive(slice).await
    }

    /// The same for a future that is driven.
    pub(crate) async fn slice_into_target<T: Float>(
        &self,
        gpu: &Gpu,
        index: &Index,
        target: &BufferTarget<'_>,
        site: Site,
    ) -> Result<()> {
        let conversion = self.conversion(T::DTYPE)?;
        check_convertible(gpu.context(), &conversion)?;
        let selection = self.select(index)?;
        let strides = target.checked_strides(&selection.shape(), size_of::<T>() as u64)?;
        let plan = self.plan_strided(&selection, target.offset, &strides);
        self.load_plan(gpu, &conversion, plan, target.buffer, site)
            .await
    }

    async fn load_plan(
        &self,
        gpu: &Gpu,
        conversion: &Conversion,
        plan: Plan,
        buffer: &wgpu::Buffer,
        site: Site,
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
        load.run(Feeder::at(site, reader), |_, _| {}).await
    }

    /// How a selection is read and where it goes, for strides that have been checked.
    fn plan_strided(&self, selection: &Selection, first: u64, strides: &[i64]) -> Plan {
        if selection.shape().contains(&0) {
            // Strides of empty arrays have no bounds.
            return self.plan(selection);
        }
        selection.plan_into(&self.spec().shape, self.spec().layout, first, strides)
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

/// Stored voxels.
impl ArrayProxy {
    /// The stored voxels that an index takes, in device memory, with WGSL that makes values of them. Blocks as
    /// [`crate::DataobjImage::get_fdata_gpu`] does.
    ///
    /// # Errors
    /// As [`Self::slice_gpu`]; [`crate::ErrorKind::LimitExceeded`] for more than a shader can bind at once.
    #[cfg(not(target_family = "wasm"))]
    pub fn slice_raw_on_gpu(&self, gpu: &Gpu, index: &Index) -> Result<RawVolume> {
        let slice = self.slice_raw_on(gpu, index, Site::Caller);
        gpu.context().block_on(slice)
    }

    /// [`Self::slice_raw_on_gpu`], awaited.
    ///
    /// # Errors
    /// As [`Self::slice_raw_on_gpu`].
    pub async fn slice_raw_on_gpu_async(&self, gpu: &Gpu, index: &Index) -> Result<RawVolume> {
        let slice = self.slice_raw_on(gpu, index, gpu.context().background());
        gpu.context().drive(slice).await
    }

    async fn slice_raw_on(&self, gpu: &Gpu, index: &Index, site: Site) -> Result<RawVolume> {
        let context = gpu.context();
        let narrow = self.conversion(DType::F32)?;
        check_stored(&narrow)?;
        let copy = Conversion::raw(narrow.stored);
        check_convertible(context, &copy)?;
        let selection = self.select(index)?;
        let (shape, plan) = (selection.shape(), self.plan(&selection));
        self.check_output(&plan, self.dtype().size_bytes())?;
        let (buffer, tables) = RawVolume::room(context, &shape, &narrow, &plan).await?;
        RawVolume::write_tables(context, &buffer, tables, &narrow).await?;
        self.load_plan(gpu, &copy, plan.clone(), &buffer, site)
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
    /// Loads a selection to a texture of its shape and format; tells whether nothing was lost. For a future that is
    /// driven.
    ///
    /// # Errors
    /// As [`crate::DataobjImage::texture_into`].
    pub(crate) async fn load_texture(
        &self,
        gpu: &Gpu,
        selection: &Selection,
        texels: Texels,
        texture: &wgpu::Texture,
        site: Site,
    ) -> Result<bool> {
        let context = gpu.context();
        let Some(conversion) = self.texel_conversion(gpu, texels)? else {
            let (proxy, selection) = (self.clone(), selection.clone());
            let made = site.run(move || proxy.texels(&selection, texels));
            let (bytes, exact) = made.await??;
            write_texels(context, texture, &bytes, texels).await?;
            return Ok(exact);
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
        load.run(Feeder::at(site, reader), copy).await?;
        slab.is_exact(context).await
    }

    /// The conversion that makes texels; `None` for a device that cannot run it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DType`] for stored types without a kernel.
    pub(crate) fn texel_conversion(&self, gpu: &Gpu, texels: Texels) -> Result<Option<Conversion>> {
        let conversion = texels.conversion(self.conversion(texels.values())?);
        let supported = is_supported(check_watchable(gpu.context(), &conversion))?;
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

    /// The texels of a selection, made by the CPU, first axis fastest and without gaps; and whether nothing was lost.
    ///
    /// # Errors
    /// As [`ArrayProxy::slice`].
    pub(crate) fn texels(&self, selection: &Selection, texels: Texels) -> Result<(Vec<u8>, bool)> {
        let values = self.conversion(texels.values())?;
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
        let values = self.fetch::<f64>(&wide, selection)?;
        let narrowed = self.threads().run(|| texels.narrow(values.as_slice()));
        scope::check().map(|()| narrowed)
    }

    fn copied<T: Float>(
        &self,
        copy: &Conversion,
        selection: &Selection,
    ) -> Result<(Vec<u8>, bool)> {
        let values = self.fetch::<T>(copy, selection)?;
        Ok((bytemuck::cast_slice(values.as_slice()).to_vec(), true))
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
    /// Those of [`Self::slice_gpu`].
    pub(crate) async fn convert_parts(
        &self,
        gpu: &Gpu,
        parts: Parts<'_>,
        site: Site,
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
        let feeder = Feeder::at(site, self.tile_reader(None));
        load.run(feeder, |part, encoder| {
            then(part.task.range.clone(), encoder);
        })
        .await
    }
}
