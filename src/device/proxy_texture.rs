//! Stored voxels to textures.

use std::ops::Range;

use half::f16;

use super::proxy::able;
use crate::convert::Conversion;
use crate::convert::texel::Texels;
use crate::device as gpu;
use crate::device::Gpu;
use crate::device::texture::{Slab, texture_shape};
use crate::dtype::DType;
use crate::error::Result;
use crate::float::Float;
use crate::plan::Plan;
use crate::plan::selection::{OutAxis, Selection};
use crate::read::proxy::ArrayProxy;
use crate::source::Access;

/// Device memory for texels on their way, where slabs can be read one after the other.
const SLAB_BYTES: u64 = 64 << 20;

impl ArrayProxy {
    /// Loads a selection to a texture of its shape and format; tells whether nothing was lost.
    ///
    /// # Errors
    /// As [`crate::DataobjImage::texture_into`].
    pub(crate) fn load_texture(
        &self,
        gpu: &Gpu,
        selection: &Selection,
        texels: Texels,
        texture: &wgpu::Texture,
    ) -> Result<bool> {
        let Some(conversion) = self.texel_conversion(gpu, texels)? else {
            let (bytes, exact) = self.texels(selection, texels)?;
            gpu.write_texels(texture, &bytes, texels)?;
            return Ok(exact);
        };
        // A stream is not read twice: all of it at once if possible.
        let most_bytes = match self.source().access() {
            Access::Sequential => u64::MAX,
            Access::Random => SLAB_BYTES,
        };
        let shape = texture_shape(&selection.shape())?;
        let slab = Slab::new(gpu, shape, texels, most_bytes)?;
        self.reading(&self.plan(selection), |reader, staging| {
            for slices in slab.ranges() {
                let plan = self.slab_plan(selection, &slab, &slices);
                let target = slab.target().clone();
                gpu::load_into(gpu, &conversion, &plan, reader, target, staging)?;
                slab.copy(gpu, &slices, texture)?;
            }
            slab.wait(gpu)
        })
    }

    /// The conversion that makes texels; `None` for a device that cannot run it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DType`] for stored types without a kernel.
    pub(crate) fn texel_conversion(&self, gpu: &Gpu, texels: Texels) -> Result<Option<Conversion>> {
        let conversion = texels.conversion(self.conversion(texels.values())?);
        let able = able(gpu.can_convert_watched(&conversion))?;
        Ok(able.then_some(conversion))
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
        Ok(texels.narrow(self.fetch::<f64>(&wide, selection)?.as_slice()))
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
