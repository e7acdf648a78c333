//! The way out to a texture of the caller's: frames are converted to a slab of padded rows, and copied from there.

use super::StreamTarget;
use crate::convert::Conversion;
use crate::convert::texel::Texels;
use crate::device::Gpu;
use crate::device::Target;
use crate::device::texture::{Slab, check_texture, texture_shape};
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::plan::Plan;
use crate::stream::feed::Feed;

/// A texture of the caller's, and what frames pass through on their way to it.
#[derive(Clone)]
pub(super) struct Outlet {
    pub texture: wgpu::Texture,
    slab: Slab,
    texels: Texels,
    /// Where the host reads whether values were lost: mapped between two frames.
    probe: wgpu::Buffer,
}

impl Outlet {
    /// The outlet that a target asks for; `None` for buffers.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] and [`ErrorKind::Usage`] for a texture that does not serve, or texels that are not made of
    /// `T`; [`ErrorKind::GpuUnsupported`] for a device that cannot run the kernel; [`ErrorKind::LimitExceeded`] for a
    /// frame whose padded rows are above the largest buffer; as [`Slab::new`].
    pub fn new<T: Float>(gpu: &Gpu, feed: &Feed, target: &StreamTarget) -> Result<Option<Self>> {
        let StreamTarget::Texture { texture, texels } = target else {
            return Ok(None);
        };
        if texels.values() != T::DTYPE {
            return Err(Error::usage(format_args!(
                "a stream of {:?} texels is one of {}, not of {}",
                texels.format(),
                texels.values(),
                T::DTYPE
            )));
        }
        let mut shape = feed.proxy().shape();
        if let Some((_, frame)) = shape.split_last().filter(|_| shape.len() > 3) {
            if feed.turns().are_blocked() {
                return Err(Error::usage("a stream in blocks does not go to a texture"));
            }
            shape = frame;
        }
        let shape = texture_shape(shape)?;
        check_texture(texture, shape, *texels)?;
        gpu.can_convert_watched(&texels.conversion(feed.proxy().conversion(T::DTYPE)?))?;
        let slab = Slab::new(gpu, shape, *texels, u64::MAX)?;
        if slab.ranges().count() > 1 {
            return Err(ErrorKind::LimitExceeded {
                limit: "max_buffer_size",
                needed: slab.frame_bytes(),
                allowed: gpu.limits().max_buffer_size,
            }
            .into());
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        Ok(Some(Self {
            texture: texture.clone(),
            slab,
            texels: *texels,
            probe: gpu.buffer("voxload probe of losses", 4, usage, true)?,
        }))
    }

    /// What packets write to.
    pub fn target(&self) -> &Target {
        self.slab.target()
    }

    /// Bytes of a frame in padded rows.
    pub fn slab_bytes(&self) -> u64 {
        self.slab.frame_bytes()
    }

    /// The conversion that makes texels, of the one that makes values.
    pub fn conversion(&self, values: Conversion) -> Conversion {
        self.texels.conversion(values)
    }

    /// How a block is read, and where in the slab it goes.
    ///
    /// # Errors
    /// As [`Feed::selection`].
    pub fn plan(&self, feed: &Feed, block: usize) -> Result<Plan> {
        let depth = self.texture.size().depth_or_array_layers as usize;
        let selection = feed.selection(block)?;
        Ok(feed.proxy().slab_plan(&selection, &self.slab, &(0..depth)))
    }

    /// Records what comes before the first packet of a frame.
    pub fn record_begin(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.clear_buffer(self.slab.losses(), 0, None);
    }

    /// Records what comes behind the last packet of a frame: the frame is then in the texture.
    pub fn record_end(&self, encoder: &mut wgpu::CommandEncoder) {
        let depth = self.texture.size().depth_or_array_layers as usize;
        self.probe.unmap();
        self.slab.record_copy(&(0..depth), &self.texture, encoder);
        encoder.copy_buffer_to_buffer(self.slab.losses(), 0, &self.probe, 0, 4);
    }

    /// Asks, behind the submission with [`Self::record_end`], whether nothing was lost. `None` is told when the device
    /// was.
    pub fn ask(&self, tell: impl FnOnce(Option<bool>) + Send + 'static) {
        let probe = self.probe.clone();
        (self.probe).map_async(wgpu::MapMode::Read, .., move |result| {
            let exact = result.ok().and_then(|()| {
                let losses = probe.get_mapped_range(..).ok()?;
                Some(losses.iter().all(|&byte| byte == 0))
            });
            tell(exact);
        });
    }
}
