//! [`RawVolume`]: stored voxels in device memory, and WGSL that converts them to values.

use std::fmt;

use super::context::Context;
use super::gpu::Gpu;
use crate::convert::Conversion;
pub(crate) use crate::convert::wgsl::Code;
pub use crate::convert::wgsl::ShaderNames;
use crate::convert::wgsl::{table_word_count, table_words};
use crate::core::dtype::DType;
use crate::core::error::{Error, ErrorKind, Result};
use crate::plan::Plan;

/// A volume in device memory in its stored type, which needs half or a quarter of the memory of floats, and WGSL
/// functions that return its values with the same bits as [`crate::DataobjImage::get_fdata`].
///
/// Voxel `(i, j, ..)` of the image has the number `i + shape[0] * (j + shape[1] * (..))`. The buffer has the voxels in
/// this order, as stored in the file and in its byte order, padded to whole words. The numbers of the scaling tables
/// follow, if there are any, as 8 bytes each.
#[derive(Clone)]
pub struct RawVolume {
    pub(crate) gpu: Gpu,
    pub(crate) buffer: wgpu::Buffer,
    pub(crate) shape: Vec<usize>,
    pub(crate) code: Code,
}

impl RawVolume {
    /// The buffer, with usages `STORAGE | COPY_SRC | COPY_DST`. The whole buffer must be bound.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// The number of voxels along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of voxels.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no voxels.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The stored type of the voxels.
    pub fn dtype(&self) -> DType {
        self.code.narrow.stored
    }

    /// The size of the buffer in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.buffer.size()
    }

    /// The device on which the volume is.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// WGSL to be put before a shader. It declares the buffer's binding and these functions, with the prefix of `names`
    /// before each name:
    ///
    /// - `fn load_voxel(i: u32) -> f32`: the value of voxel `i`; devices may flush subnormal numbers to 0 and need not
    ///   support NaN,
    /// - `fn load_voxel_bits(i: u32) -> u32`: the bits of the value as f32, exact on every device,
    /// - `fn load_voxel_bits64(i: u32) -> vec2<u32>`: the bits of the value as f64, low word first, exact on every
    ///   device.
    ///
    /// `i` must be less than [`Self::len`]. All other declared names begin with the prefix and `voxload_`.
    ///
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::{Gpu, ShaderNames};
    /// let (gpu, image) = (Gpu::new()?, voxload::load("t1.nii.gz")?);
    /// let raw = image.dataobj().raw_on_gpu(&gpu)?;
    /// let shader = raw.wgsl(&ShaderNames::new()) + "
    ///     @group(0) @binding(1) var<storage, read_write> out: array<f32>;
    ///     @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    ///         out[id.x] = max(load_voxel(id.x), 0.0);
    ///     }";
    /// # Ok(()) }
    /// ```
    pub fn wgsl(&self, names: &ShaderNames) -> String {
        self.code.wgsl(names)
    }
}

impl fmt::Debug for RawVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dtype = self.dtype();
        write!(f, "RawVolume<{dtype}>{:?} on {:?}", self.shape, self.gpu)
    }
}

impl RawVolume {
    /// Allocates a buffer for stored voxels and tables; also returns the word at which the tables begin.
    ///
    /// # Errors
    /// [`ErrorKind::GpuLimit`] when it is above what a shader can bind or count, [`ErrorKind::GpuOutOfMemory`],
    /// [`ErrorKind::DeviceLost`].
    pub(crate) async fn allocate(
        context: &Context,
        shape: &[usize],
        conversion: &Conversion,
        plan: &Plan,
    ) -> Result<(wgpu::Buffer, u64)> {
        let voxels = crate::core::shape::voxels(shape)?;
        let item = conversion.stored.size_bytes() as u64;
        let tables = voxels.saturating_mul(item).div_ceil(4).max(1);
        let table_bytes = 4 * table_word_count(conversion);
        let needed = tables.saturating_mul(4).saturating_add(table_bytes);
        let allowed = context.limits().max_storage_buffer_binding_size;
        // Shaders index voxels, and with tables also stored positions, by u32.
        let counted = match conversion.block {
            0 => voxels,
            _ => plan.stored_first + plan.stored_span(),
        };
        for (limit, needed, allowed) in [
            ("max_storage_buffer_binding_size", needed, allowed),
            ("u32 voxel number", counted, u32::MAX.into()),
        ] {
            if needed > allowed {
                return Err(ErrorKind::GpuLimit {
                    limit,
                    needed,
                    allowed,
                }
                .into());
            }
        }
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let buffer = context.buffer("voxload raw", needed, usage, false);
        Ok((buffer.await?, tables))
    }

    /// Writes a conversion's tables to the buffer. Later submissions see them.
    ///
    /// # Errors
    /// [`ErrorKind::GpuOutOfMemory`], [`ErrorKind::DeviceLost`], [`ErrorKind::Gpu`].
    pub(crate) async fn write_tables(
        context: &Context,
        buffer: &wgpu::Buffer,
        tables: u64,
        conversion: &Conversion,
    ) -> Result<()> {
        let words: Vec<u32> = table_words(conversion).collect();
        if words.is_empty() {
            return Ok(());
        }
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        let write = context.guarded(bytes.len() as u64, || {
            context.queue().write_buffer(buffer, 4 * tables, bytes);
        });
        write.await
    }
}

/// Checks that a shader can compute values from the stored type.
///
/// # Errors
/// [`ErrorKind::DType`] for complex numbers and colours.
pub(crate) fn check_stored(conversion: &Conversion) -> Result<()> {
    let stored = conversion.stored;
    if stored.is_complex() || stored.is_colour() {
        return Err(Error::from(ErrorKind::DType {
            stored: stored.to_string(),
            wanted: "raw voxels on the GPU".to_owned(),
        }));
    }
    Ok(())
}
