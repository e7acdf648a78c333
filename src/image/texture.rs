//! Volumes as textures.

use super::DataobjImage;
use crate::convert::texel::Fidelity;
use crate::core::error::Result;
use crate::device::texture::{check_texture, texture_shape};
use crate::device::{Gpu, HostTexels, Texture3d, TextureOptions};
use crate::plan::selection::Selection;
use crate::read::wait::RunOn;

impl DataobjImage {
    /// Loads a volume of the image, by default the first one, into a new 3-D texture. The texels are made from the
    /// scaled values of the file; edits of the cached array are ignored. Blocks as [`Self::get_fdata_gpu`] does. If the
    /// device cannot run the kernel, the CPU computes the same texels.
    ///
    /// # Errors
    /// - [`crate::ErrorKind::Shape`] if the index leaves more than three axes, or an empty axis
    /// - [`crate::ErrorKind::GpuLimit`] for an axis longer than `max_texture_dimension_3d`
    /// - [`crate::ErrorKind::GpuUnsupported`] for 16-bit unorm texels without `TEXTURE_FORMAT_16BIT_NORM`
    /// - [`crate::ErrorKind::Index`] for an index that does not fit the shape
    /// - as [`Self::get_fdata_gpu`]
    ///
    /// The first four are checked before anything is allocated.
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
        let texture = self.new_texture(gpu, options, RunOn::Caller);
        gpu.context().block_on(texture)
    }

    /// The asynchronous form of [`Self::texture`].
    ///
    /// # Errors
    /// As [`Self::texture`].
    pub async fn texture_async(&self, gpu: &Gpu, options: &TextureOptions) -> Result<Texture3d> {
        let texture = self.new_texture(gpu, options, gpu.context().background());
        gpu.context().drive(texture).await
    }

    /// As [`Self::texture`], but loads into an existing texture.
    ///
    /// # Errors
    /// As [`Self::texture`]; [`crate::ErrorKind::Shape`] if the texture is not 3-D or its size is not the volume's;
    /// [`crate::ErrorKind::Usage`] if it has another format or lacks `COPY_DST`. If loading fails midway, the texture
    /// may hold part of the volume.
    #[cfg(not(target_family = "wasm"))]
    pub fn texture_into(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
    ) -> Result<Fidelity> {
        let load = self.load_texture(gpu, texture, options, RunOn::Caller);
        gpu.context().block_on(load)
    }

    /// The asynchronous form of [`Self::texture_into`].
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

    /// The same texels as those of [`Self::texture`], computed by the CPU, in host memory. For graphics APIs other
    /// than wgpu.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Shape`] if the index leaves more than three axes, or an empty axis; otherwise as
    /// [`crate::ArrayProxy::slice`].
    pub fn texels(&self, options: &TextureOptions) -> Result<HostTexels> {
        let selection = self.texture_selection(options)?;
        texture_shape(&selection.shape())?;
        self.dataobj.texels(&selection, options.texels)
    }

    fn texture_selection(&self, options: &TextureOptions) -> Result<Selection> {
        match options.given_index() {
            Some(index) => self.dataobj.select(index),
            None => self.dataobj.select(&self.first_volume()),
        }
    }

    async fn new_texture(
        &self,
        gpu: &Gpu,
        options: &TextureOptions,
        run_on: RunOn,
    ) -> Result<Texture3d> {
        let selection = self.texture_selection(options)?;
        self.dataobj.texel_conversion(gpu, options.texels)?;
        let made = Texture3d::new(gpu.context(), texture_shape(&selection.shape())?, options);
        let mut made = made.await?;
        let load = self.load_texture(gpu, &made.texture, options, run_on);
        made.fidelity = load.await?;
        Ok(made)
    }

    async fn load_texture(
        &self,
        gpu: &Gpu,
        texture: &wgpu::Texture,
        options: &TextureOptions,
        run_on: RunOn,
    ) -> Result<Fidelity> {
        let selection = self.texture_selection(options)?;
        let texels = options.texels;
        check_texture(texture, texture_shape(&selection.shape())?, texels)?;
        let load = self
            .dataobj
            .load_texture(gpu, &selection, texels, texture, run_on);
        load.await
    }
}
