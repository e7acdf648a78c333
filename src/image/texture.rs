//! Volumes as textures.

use half::f16;

use super::DataobjImage;
use crate::array::HostArray;
use crate::convert::texel::Texels;
use crate::device::texture::{check_texture, texture_shape};
use crate::device::{Gpu, Texture3d, TextureOptions};
use crate::error::Result;
use crate::float::Float;
use crate::image::dataobj::Dataobj;
use crate::plan::index::Index;

impl DataobjImage {
    /// A frame of the image as a new 3-D texture: the scaled values of the file, narrowed on the device. An edited copy
    /// that the image keeps is not looked at. Blocks as [`Self::get_fdata_gpu`] does; a device that cannot run the
    /// kernel is given texels made by the CPU, which are the same.
    ///
    /// # Errors
    /// - [`crate::ErrorKind::Shape`] for more than three axes after the index, or an empty one
    /// - [`crate::ErrorKind::LimitExceeded`] for a side above `max_texture_dimension_3d`
    /// - [`crate::ErrorKind::GpuUnsupported`] for 16-bit unorm texels without `TEXTURE_FORMAT_16BIT_NORM`
    /// - [`crate::ErrorKind::Index`] for an index that does not fit the shape
    /// - as [`Self::get_fdata_gpu`]
    ///
    /// Nothing is allocated before these are known, but for faults of the file.
    ///
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::{Gpu, Texels, TextureOptions, Window};
    /// let (gpu, image) = (Gpu::new()?, voxload::load("ct.nii.gz")?);
    /// let soft_tissue = Texels::R8Unorm(Window::new(-160.0, 240.0)?);
    /// let volume = image.texture(&gpu, &TextureOptions::new(soft_tissue))?;
    /// println!("{:?}, lossless: {}", volume.shape, volume.exact);
    /// # Ok(()) }
    /// ```
    pub fn texture(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        self.dataobj.texture(gpu, options)
    }

    /// The same into a texture of the caller's; tells whether nothing was lost ([`Texture3d::exact`]).
    ///
    /// # Errors
    /// As [`Self::texture`]; [`crate::ErrorKind::Shape`] for a texture of another size, [`crate::ErrorKind::Usage`] for
    /// one of another format or without `COPY_DST`. After an error the texture holds an unspecified part of the volume.
    pub fn texture_into(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<bool> {
        self.dataobj.texture_into(gpu, texture, options)
    }
}

impl Dataobj {
    /// A frame of the voxels as a new 3-D texture: [`DataobjImage::texture`].
    ///
    /// # Errors
    /// As [`DataobjImage::texture`].
    pub fn texture(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        let shape = self.select(&options.index_of(self.ndim()))?.shape();
        if let Self::Proxy(proxy) = self {
            proxy.texel_conversion(gpu, options.texels)?;
        }
        let mut made = gpu.new_texture(texture_shape(&shape)?, options)?;
        made.exact = self.texture_into(gpu, &made.texture, options)?;
        Ok(made)
    }

    /// The same into a texture of the caller's: [`DataobjImage::texture_into`].
    ///
    /// # Errors
    /// As [`DataobjImage::texture_into`].
    pub fn texture_into(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<bool> {
        let index = options.index_of(self.ndim());
        let selection = self.select(&index)?;
        check_texture(texture, texture_shape(&selection.shape())?, options.texels)?;
        match self {
            Self::Proxy(proxy) => proxy.load_texture(gpu, &selection, options.texels, texture),
            Self::Array(_) => {
                let (bytes, exact) = self.texels(options)?;
                gpu.write_texels(texture, &bytes, options.texels)?;
                Ok(exact)
            }
        }
    }

    /// The texels that [`Self::texture`] would make, in host memory, made by the CPU: native byte order, the first axis
    /// fastest, without gaps; and whether nothing is lost ([`Texture3d::exact`]). For graphics interfaces other than
    /// wgpu.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn texels(&self, options: &TextureOptions) -> Result<(Vec<u8>, bool)> {
        let index = options.index_of(self.ndim());
        match (self, options.texels) {
            (Self::Proxy(proxy), texels) => proxy.texels(&proxy.select(&index)?, texels),
            (Self::Array(_), Texels::R16Float) => self.cast_texels::<f16>(&index),
            (Self::Array(_), Texels::R32Float) => self.cast_texels::<f32>(&index),
            (Self::Array(_), unorm) => Ok(unorm.narrow(self.slice::<f64>(&index)?.as_slice())),
        }
    }

    /// Texels of an array's values, which are cast and not computed.
    fn cast_texels<T: Float>(&self, index: &Index) -> Result<(Vec<u8>, bool)> {
        let wide: HostArray<f64> = self.slice(index)?;
        let narrow: HostArray<T> = self.slice(index)?;
        let back: HostArray<f64> = Self::Array(narrow.clone().into()).slice(&Index::new())?;
        let mut pairs = wide.as_slice().iter().zip(back.as_slice());
        let exact = pairs.all(|(a, b)| a == b || (a.is_nan() && b.is_nan()));
        Ok((bytemuck::cast_slice(narrow.as_slice()).to_vec(), exact))
    }
}
