//! [`Texture3d`]: a volume in a 3-D texture, for rendering.
//!
//! Kernels cannot write these texture formats. They write texels to a buffer, in rows of multiples of 256 bytes, which
//! is then copied to the texture; a large volume is copied in slabs of whole slices.

use super::context::Context;
use super::download;
use super::load::Target;
use crate::convert::texel::{Fidelity, Texels};
use crate::core::error::{Error, ErrorKind, Result};
use crate::plan::index::Index;

/// Rows of a copy to a texture must be multiples of this many bytes.
const ROW_ALIGN: u64 = wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as u64;

/// Which voxels go to a texture, and as what.
///
/// ```
/// # fn main() -> voxload::Result<()> {
/// use voxload::{Texels, TextureOptions, Window};
/// let soft_tissue = Texels::R8Unorm(Window::new(-160.0, 240.0)?);
/// let options = TextureOptions::new(soft_tissue).index("[..., ::-1]")?;
/// # let _ = options;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TextureOptions {
    pub(crate) texels: Texels,
    index: Option<Index>,
    usage: Option<wgpu::TextureUsages>,
}

impl TextureOptions {
    /// The first volume (position 0 of every axis that is not of space) as these texels; f16 by default.
    pub fn new(texels: Texels) -> Self {
        Self {
            texels,
            ..Self::default()
        }
    }

    /// What to take of the image in place of the first volume: at most three axes.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] for text that cannot be parsed.
    pub fn index(mut self, index: impl TryInto<Index, Error: Into<Error>>) -> Result<Self> {
        self.index = Some(index.try_into().map_err(Into::into)?);
        Ok(self)
    }

    /// Usages of a new texture besides `TEXTURE_BINDING`, `COPY_SRC` and `COPY_DST`.
    pub fn usage(mut self, usage: wgpu::TextureUsages) -> Self {
        self.usage = Some(usage);
        self
    }

    /// The index that was given.
    pub(crate) fn given_index(&self) -> Option<&Index> {
        self.index.as_ref()
    }
}

/// The texels of a volume in host memory, as a texture would hold them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HostTexels {
    /// Texels along each axis; 1 for axes that the image has not.
    pub shape: [usize; 3],
    /// What the texels are.
    pub texels: Texels,
    /// The texels in native byte order, the first axis fastest, without gaps.
    pub bytes: Vec<u8>,
    /// Whether the texels give back the values that they were made of.
    pub fidelity: Fidelity,
}

impl HostTexels {
    /// # Errors
    /// As [`texture_shape`].
    pub(crate) fn new(
        shape: &[usize],
        texels: Texels,
        bytes: Vec<u8>,
        fidelity: Fidelity,
    ) -> Result<Self> {
        Ok(Self {
            shape: texture_shape(shape)?,
            texels,
            bytes,
            fidelity,
        })
    }
}

/// A volume in a 3-D texture: voxel `(i, j, k)` is texel `(i, j, k)`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Texture3d {
    /// The texture, with one mip level.
    pub texture: wgpu::Texture,
    /// A 3-D view of the whole texture.
    pub view: wgpu::TextureView,
    /// Texels along each axis; 1 for axes that the image does not have.
    pub shape: [usize; 3],
    /// The texel format.
    pub texels: Texels,
    /// The texture format in wgpu.
    pub format: wgpu::TextureFormat,
    /// Whether the texels give back the values that they were made of.
    pub fidelity: Fidelity,
}

/// The shape of a texture for an array of this shape.
///
/// # Errors
/// [`ErrorKind::Shape`] if there are more than three axes or an axis is empty.
pub(crate) fn texture_shape(shape: &[usize]) -> Result<[usize; 3]> {
    if shape.len() > 3 || shape.contains(&0) {
        return Err(Error::shape(
            shape,
            "at most three axes, none empty, for a texture: take one frame by an index",
        ));
    }
    let mut texels = [1; 3];
    for (side, &count) in texels.iter_mut().zip(shape) {
        *side = count;
    }
    Ok(texels)
}

impl Texture3d {
    /// Makes an empty texture for a volume.
    ///
    /// # Errors
    /// [`ErrorKind::GpuLimit`] for a side above `max_texture_dimension_3d`, [`ErrorKind::GpuUnsupported`] for
    /// 16-bit unorm texels without their feature, [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`],
    /// [`ErrorKind::Gpu`].
    pub(crate) async fn new(
        context: &Context,
        shape: [usize; 3],
        options: &TextureOptions,
    ) -> Result<Self> {
        check_size(context, shape, options.texels)?;
        context.check_lost()?;
        let format = options.texels.format();
        let [width, height, depth] = shape.map(|side| side as u32);
        let usage = wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::COPY_DST;
        let bytes = texel_bytes(shape, options.texels);
        let make = context.guarded(bytes, || {
            let texture = context.device().create_texture(&wgpu::TextureDescriptor {
                label: Some("voxload volume"),
                size: wgpu::Extent3d {
                    width,
                    height,
                    depth_or_array_layers: depth,
                },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D3,
                format,
                usage: usage | options.usage.unwrap_or(wgpu::TextureUsages::empty()),
                view_formats: &[],
            });
            Self {
                view: texture.create_view(&wgpu::TextureViewDescriptor::default()),
                texture,
                shape,
                texels: options.texels,
                format,
                fidelity: Fidelity::Exact,
            }
        });
        make.await
    }
}

fn texel_bytes(shape: [usize; 3], texels: Texels) -> u64 {
    let sides = shape.iter().map(|&side| side as u64);
    // Sides are limited by the texture's, so nothing overflows.
    sides.product::<u64>() * texels.size_bytes() as u64
}

fn check_size(context: &Context, shape: [usize; 3], texels: Texels) -> Result<()> {
    let allowed = context.limits().max_texture_dimension_3d;
    for side in shape {
        if side > allowed as usize {
            return Err(ErrorKind::GpuLimit {
                limit: "max_texture_dimension_3d",
                needed: side as u64,
                allowed: allowed.into(),
            }
            .into());
        }
    }
    let norm16 = wgpu::Features::TEXTURE_FORMAT_16BIT_NORM;
    if matches!(texels, Texels::R16Unorm(_)) && !context.features().contains(norm16) {
        let missing = "16-bit unorm texels (TEXTURE_FORMAT_16BIT_NORM)".to_owned();
        return Err(ErrorKind::GpuUnsupported(missing).into());
    }
    Ok(())
}

/// Writes all texels of a texture, first axis fastest and contiguous.
///
/// # Errors
/// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
pub(crate) async fn write_texels(
    context: &Context,
    texture: &wgpu::Texture,
    bytes: &[u8],
    texels: Texels,
) -> Result<()> {
    context.check_lost()?;
    let (queue, size) = (context.queue(), texture.size());
    let write = context.guarded(bytes.len() as u64, || {
        let layout = wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(size.width * texels.size_bytes() as u32),
            rows_per_image: Some(size.height),
        };
        queue.write_texture(texture.as_image_copy(), bytes, layout, size);
        queue.submit([]);
    });
    write.await?;
    context.answer().await
}

/// Checks that a texture of the caller is suitable for a volume of this shape.
///
/// # Errors
/// [`ErrorKind::Shape`] for another size, [`ErrorKind::Usage`] for another format or dimension, or if `COPY_DST` is
/// missing.
pub(crate) fn check_texture(
    texture: &wgpu::Texture,
    shape: [usize; 3],
    texels: Texels,
) -> Result<()> {
    let size = texture.size();
    let found = [size.width, size.height, size.depth_or_array_layers].map(|side| side as usize);
    if found != shape || texture.dimension() != wgpu::TextureDimension::D3 {
        return Err(Error::shape(
            format_args!("a texture of {found:?} ({:?})", texture.dimension()),
            format_args!("a 3-D texture of {shape:?}"),
        ));
    }
    if texture.format() != texels.format() {
        return Err(Error::usage(format_args!(
            "the texture's format is {:?}, not {:?}",
            texture.format(),
            texels.format()
        )));
    }
    if !texture.usage().contains(wgpu::TextureUsages::COPY_DST) {
        return Err(Error::usage(
            "the texture to load into lacks usage COPY_DST",
        ));
    }
    Ok(())
}

/// A buffer for a slab of whole slices on their way to a texture, and the word that reports lost values. It can be used
/// again for further slabs and frames.
#[derive(Debug, Clone)]
pub(crate) struct Slab {
    shape: [usize; 3],
    bytes_per_row: u64,
    strides: [i64; 3],
    slices: usize,
    target: Target,
    losses: wgpu::Buffer,
}

impl Slab {
    /// Allocates a slab of as many slices as fit in `max_bytes`, at least one and at most all.
    ///
    /// # Errors
    /// [`ErrorKind::GpuLimit`] when a single slice is above the largest buffer, [`ErrorKind::GpuOutOfMemory`],
    /// [`ErrorKind::DeviceLost`].
    pub(crate) async fn new(
        context: &Context,
        shape: [usize; 3],
        texels: Texels,
        max_bytes: u64,
    ) -> Result<Self> {
        let item = texels.size_bytes() as u64;
        let bytes_per_row = (shape[0] as u64 * item).next_multiple_of(ROW_ALIGN);
        // Sides are limited by the texture's, so nothing overflows.
        let slice = bytes_per_row * shape[1] as u64;
        let max_bytes = max_bytes.min(context.limits().max_buffer_size);
        let slices = (max_bytes / slice).clamp(1, shape[2] as u64);
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let losses = context.buffer("voxload losses", 4, usage, false).await?;
        let buffer = context.buffer("voxload texels", slice * slices, usage, false);
        Ok(Self {
            shape,
            bytes_per_row,
            strides: [1, bytes_per_row / item, slice / item].map(|stride| stride as i64),
            slices: slices as usize,
            target: Target {
                buffer: buffer.await?,
                losses: Some(losses.clone()),
            },
            losses,
        })
    }

    /// The ranges of slices that fit in the slab, in order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (depth, slices) = (self.shape[2], self.slices);
        (0..depth)
            .step_by(slices)
            .map(move |start| start..depth.min(start + slices))
    }

    /// The strides along the axes of the texture, in texels.
    pub(crate) fn strides(&self) -> &[i64; 3] {
        &self.strides
    }

    /// Bytes of all slices of the texture, with padded rows.
    pub(crate) fn frame_bytes(&self) -> u64 {
        self.bytes_per_row * self.shape[1] as u64 * self.shape[2] as u64
    }

    /// The word that becomes 1 if a value was lost.
    pub(crate) fn losses(&self) -> &wgpu::Buffer {
        &self.losses
    }

    /// The target of loads into the slab.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Records a copy of the slab to these slices of a texture.
    pub(crate) fn record_copy(
        &self,
        slices: &std::ops::Range<usize>,
        texture: &wgpu::Texture,
        encoder: &mut wgpu::CommandEncoder,
    ) {
        encoder.copy_buffer_to_texture(
            wgpu::TexelCopyBufferInfo {
                buffer: &self.target.buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(self.bytes_per_row as u32),
                    rows_per_image: Some(self.shape[1] as u32),
                },
            },
            self.destination(slices, texture),
            self.extent(slices),
        );
    }

    /// Waits for all that was submitted: whether anything was lost since the last reset.
    ///
    /// # Errors
    /// [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub(crate) async fn fidelity(&self, context: &Context) -> Result<Fidelity> {
        let mut losses = [0; 4];
        download::copy_bytes(context, &self.losses, 0, &mut losses).await?;
        Ok(Fidelity::of(losses == [0; 4]))
    }

    fn destination<'a>(
        &self,
        slices: &std::ops::Range<usize>,
        texture: &'a wgpu::Texture,
    ) -> wgpu::TexelCopyTextureInfo<'a> {
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level: 0,
            origin: wgpu::Origin3d {
                x: 0,
                y: 0,
                z: slices.start as u32,
            },
            aspect: wgpu::TextureAspect::All,
        }
    }

    fn extent(&self, slices: &std::ops::Range<usize>) -> wgpu::Extent3d {
        wgpu::Extent3d {
            width: self.shape[0] as u32,
            height: self.shape[1] as u32,
            depth_or_array_layers: slices.len() as u32,
        }
    }
}
