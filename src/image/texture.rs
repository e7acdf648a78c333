//! Volumes as textures.

use super::DataobjImage;
use crate::convert::texel::Fidelity;
use crate::core::error::Result;
use crate::device::texture::{check_texture, texture_shape};
use crate::device::{Gpu, HostTexels, Texture3d, TextureOptions};
use crate::read::wait::Site;

impl DataobjImage {
    /// A frame of the image as a new 3-D texture: the scaled values of the file, narrowed on the device. An edited
    /// copy in the cache is ignored. Blocks as [`Self::get_fdata_gpu`] does; if the device cannot run the kernel, the CPU makes
    /// the same texels.
    ///
    /// # Errors
    /// - [`crate::ErrorKind::Shape`] for more than three axes after the index, or an empty one
    /// - [`crate::ErrorKind::GpuLimit`] for a side above `max_texture_dimension_3d`
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
    /// println!("{:?}, lossless: {}", volume.shape, volume.fidelity.is_exact());
    /// # Ok(()) }
    /// ```
    #[cfg(not(target_family = "wasm"))]
    pub fn texture(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        let texture = self.new_texture(gpu, options, Site::Caller);
        gpu.context().block_on(texture)
    }

    /// [`Self::texture`], awaited.
    ///
    /// # Errors
    /// As [`Self::texture`].
    pub async fn texture_async(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        let texture = self.new_texture(gpu, options, gpu.context().background());
        gpu.context().drive(texture).await
    }

    /// The same into a texture of the caller's.
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
    ) -> Result<Fidelity> {
        let load = self.load_texture(gpu, texture, options, Site::Caller);
        gpu.context().block_on(load)
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
    ) -> Result<Fidelity> {
        let load = self.load_texture(gpu, texture, options, gpu.context().background());
        gpu.context().drive(load).await
    }

    /// The texels that [`Self::texture`] would make, in host memory, made by the CPU. For graphics interfaces other than
    /// wgpu.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Shape`] for more than three axes after the index, or an empty one; as
    /// [`crate::ArrayProxy::slice`].
    pub fn texels(&self, options: &TextureOptions) -> Result<HostTexels> {
        let selection = self.dataobj.select(&options.index_of(self.ndim()))?;
        texture_shape(&selection.shape())?;
        self.dataobj.texels(&selection, options.texels)
    }

    async fn new_texture(
        &self,
        gpu: &Gpu,
        options: &TextureOptions,
        site: Site,
    ) -> Result<Texture3d> {
        let selection = self.dataobj.select(&options.index_of(self.ndim()))?;
        self.dataobj.texel_conversion(gpu, options.texels)?;
        let made = Texture3d::new(gpu.context(), texture_shape(&selection.shape())?, options);
        let mut made = made.await?;
        let load = self.load_texture(gpu, &made.texture, options, site);
        made.fidelity = load.await?;
        Ok(made)
    }

    async fn load_texture(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
        site: Site,
    ) -> Result<Fidelity> {
        let selection = self.dataobj.select(&options.index_of(self.ndim()))?;
        let texels = options.texels;
        check_texture(texture, texture_shape(&selection.shape())?, texels)?;
        let load = self
            .dataobj
            .load_texture(gpu, &selection, texels, texture, site);
        load.await
    }
}
