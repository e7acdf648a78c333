//! Volumes as textures.

use half::f16;

use super::DataobjImage;
use crate::convert::texel::Texels;
use crate::core::array::HostArray;
use crate::core::error::Result;
use crate::core::float::Float;
use crate::device::texture::{check_texture, texture_shape, write_texels};
use crate::device::{Gpu, Texture3d, TextureOptions};
use crate::image::dataobj::Dataobj;
use crate::plan::index::Index;
use crate::read::wait::Site;

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
    #[cfg(not(target_family = "wasm"))]
    pub fn texture(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        self.dataobj.texture(gpu, options)
    }

    /// [`Self::texture`], awaited.
    ///
    /// # Errors
    /// As [`Self::texture`].
    pub async fn texture_async(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        self.dataobj.texture_async(gpu, options).await
    }

    /// The same into a texture of the caller's; tells whether nothing was lost ([`Texture3d::exact`]).
    ///
    /// # Errors
    /// As [`Self::texture`]; [`crate::ErrorKind::Shape`] for a texture of another size, [`crate::ErrorKind::Usage`] for
    /// one of another format or without `COPY_DST`. After an error the texture holds an unspecified part of the volume.
    #[cfg(not(target_family = "wasm"))]
    pub fn texture_into(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<bool> {
        self.dataobj.texture_into(gpu, texture, options)
    }

    /// [`Self::texture_into`], awaited.
    ///
    /// # Errors
    /// As [`Self::texture_into`].
    pub async fn texture_into_async(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<bool> {
        let dataobj = &self.dataobj;
        dataobj.texture_into_async(gpu, texture, options).await
    }
}

impl Dataobj {
    /// A frame of the voxels as a new 3-D texture: [`DataobjImage::texture`].
    ///
    /// # Errors
    /// As [`DataobjImage::texture`].
    #[cfg(not(target_family = "wasm"))]
    pub fn texture(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        let texture = self.new_texture(gpu, options, Site::Caller);
        gpu.context().block_on(texture)
    }

    /// [`Self::texture`], awaited.
    ///
    /// # Errors
    /// As [`DataobjImage::texture`].
    pub async fn texture_async(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        let texture = self.new_texture(gpu, options, gpu.context().background());
        gpu.context().drive(texture).await
    }

    async fn new_texture(
        &self,
        gpu: &Gpu,
        options: &TextureOptions,
        site: Site,
    ) -> Result<Texture3d> {
        let shape = self.select(&options.index_of(self.ndim()))?.shape();
        if let Self::Proxy(proxy) = self {
            proxy.texel_conversion(gpu, options.texels)?;
        }
        let made = Texture3d::new(gpu.context(), texture_shape(&shape)?, options);
        let mut made = made.await?;
        let load = self.load_texture(gpu, &made.texture, options, site);
        made.exact = load.await?;
        Ok(made)
    }

    /// The same into a texture of the caller's: [`DataobjImage::texture_into`].
    ///
    /// # Errors
    /// As [`DataobjImage::texture_into`].
    #[cfg(not(target_family = "wasm"))]
    pub fn texture_into(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<bool> {
        let load = self.load_texture(gpu, texture, options, Site::Caller);
        gpu.context().block_on(load)
    }

    /// [`Self::texture_into`], awaited.
    ///
    /// # Errors
    /// As [`DataobjImage::texture_into`].
    pub async fn texture_into_async(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<bool> {
        let load = self.load_texture(gpu, texture, options, gpu.context().background());
        gpu.context().drive(load).await
    }

    async fn load_texture(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
        site: Site,
    ) -> Result<bool> {
        let selection = self.select(&options.index_of(self.ndim()))?;
        let texels = options.texels;
        check_texture(texture, texture_shape(&selection.shape())?, texels)?;
        match self {
            Self::Proxy(proxy) => {
                let load = proxy.load_texture(gpu, &selection, texels, texture, site);
                load.await
            }
            Self::Array(_) => {
                let (dataobj, options) = (self.clone(), options.clone());
                let (bytes, exact) = site.run(move || dataobj.texels(&options)).await??;
                write_texels(gpu.context(), texture, &bytes, texels).await?;
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
