//! A caller's texture as the target of a stream: frames are converted to a slab with padded rows and copied from there.

use crate::convert::Conversion;
use crate::convert::texel::Texels;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Float;
use crate::device::context::Context;
use crate::device::cut::check_reports_losses;
use crate::device::load::Target;
use crate::device::texture::{Slab, check_texture, texture_shape};
use crate::plan::Plan;
use crate::stream::frame_reader::FrameReader;

/// A texture of the caller, and the slab through which frames pass.
#[derive(Clone)]
pub(super) struct TextureTarget {
    pub texture: wgpu::Texture,
    slab: Slab,
    texels: Texels,
    /// The buffer from which the host reads whether values were lost. It is mapped between two frames.
    pub probe: wgpu::Buffer,
}

impl TextureTarget {
    /// Checks the texture, and makes the slab.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] and [`ErrorKind::Usage`] for a texture that does not serve, or texels that are not made of
    /// `T`; [`ErrorKind::GpuUnsupported`] for a device that cannot run the kernel; [`ErrorKind::GpuLimit`] for a
    /// frame whose padded rows are above the largest buffer; as [`Slab::new`].
    pub(super) async fn new<T: Float>(
        context: &Context,
        reader: &FrameReader,
        texture: &wgpu::Texture,
        texels: Texels,
    ) -> Result<Self> {
        if texels.values() != T::DTYPE {
            return Err(Error::usage(format_args!(
                "a stream of {:?} texels is one of {}, not of {}",
                texels.format(),
                texels.values(),
                T::DTYPE
            )));
        }
        let mut shape = reader.proxy().shape();
        if let Some((_, frame)) = shape.split_last().filter(|_| reader.order().is_series()) {
            if reader.order().are_blocked() {
                return Err(Error::usage("a stream in blocks does not go to a texture"));
            }
            shape = frame;
        }
        let shape = texture_shape(shape)?;
        check_texture(texture, shape, texels)?;
        let conversion = texels.conversion(reader.proxy().conversion(T::DTYPE)?);
        check_reports_losses(context, &conversion)?;
        let slab = Slab::new(context, shape, texels, u64::MAX).await?;
        if slab.ranges().count() > 1 {
            return Err(ErrorKind::GpuLimit {
                limit: "max_buffer_size",
                needed: slab.frame_bytes(),
                allowed: context.limits().max_buffer_size,
            }
            .into());
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let probe = context.buffer("voxload probe of losses", 4, usage, true);
        Ok(Self {
            texture: texture.clone(),
            slab,
            texels,
            probe: probe.await?,
        })
    }

    /// The target of the packets.
    pub(super) fn target(&self) -> &Target {
        self.slab.target()
    }

    /// Size of a frame with padded rows, in bytes.
    pub(super) fn slab_bytes(&self) -> u64 {
        self.slab.frame_bytes()
    }

    /// The conversion to texels, made from the conversion to values.
    pub(super) fn conversion(&self, values: Conversion) -> Conversion {
        self.texels.conversion(values)
    }

    /// How a block is read, and where in the slab it is written.
    ///
    /// # Errors
    /// As [`FrameReader::selection`].
    pub(super) fn plan(&self, reader: &FrameReader, block: usize) -> Result<Plan> {
        let depth = self.texture.size().depth_or_array_layers as usize;
        let selection = reader.selection(block)?;
        Ok(reader
            .proxy()
            .slab_plan(&selection, &self.slab, &(0..depth)))
    }

    /// Records what is needed before the first packet of a frame.
    pub(super) fn record_begin(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.clear_buffer(self.slab.losses(), 0, None);
    }

    /// Records what is needed after the last packet of a frame: afterwards the frame is in the texture, and the word
    /// that reports lost values is in the probe.
    pub(super) fn record_end(&self, encoder: &mut wgpu::CommandEncoder) {
        let depth = self.texture.size().depth_or_array_layers as usize;
        self.probe.unmap();
        self.slab.record_copy(&(0..depth), &self.texture, encoder);
        encoder.copy_buffer_to_buffer(self.slab.losses(), 0, &self.probe, 0, 4);
    }
}
