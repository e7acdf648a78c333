//! Streams over an image's frames.

use super::DataobjImage;
#[cfg(feature = "gpu")]
use crate::core::error::ErrorKind;
use crate::core::error::Result;
use crate::core::float::Float;
#[cfg(feature = "gpu")]
use crate::device::Gpu;
use crate::read::proxy::ArrayProxy;
use crate::stream::frame_reader::FrameReader;
use crate::stream::order::FrameOrder;
use crate::stream::{FrameOptions, Frames};
#[cfg(feature = "gpu")]
use crate::stream::{FrameStream, StreamOptions};

impl DataobjImage {
    /// The frames of a series in host memory, one after the other. A thread computes them ahead, in a fixed amount of
    /// memory. The values are bit for bit those of [`Self::get_fdata`].
    ///
    /// Frames are copied from a cached host array of this type if it was not edited; otherwise the file is read. A gzip
    /// file is inflated once for each pass in ascending order. When such a pass reaches the end of the file, the end of
    /// the stream is checked too; an error there is the last item. In descending order, the file may have to be
    /// inflated again for each block.
    ///
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::FrameOptions;
    /// let img = voxload::load("bold.nii.gz")?;
    /// for frame in img.frames::<f32>(FrameOptions::new())? {
    ///     let frame = frame?;
    ///     println!("{}: {:?}", frame.index(), frame.as_slice().first());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for options that are 0, [`crate::ErrorKind::DType`] for colours,
    /// [`crate::ErrorKind::Truncated`] for a file too short for its frames, [`crate::ErrorKind::OutOfMemory`]. Errors
    /// of later reads are items.
    pub fn frames<T: Float>(&self, options: FrameOptions) -> Result<Frames<T>> {
        Frames::new(self.frame_reader::<T>(&options)?)
    }

    /// The frames of a series in device memory, one after the other. They are read and uploaded ahead, in a fixed
    /// amount of memory. The values are bit for bit those of [`Self::get_fdata`], computed on the device, or on the CPU
    /// if the device cannot run the kernel.
    ///
    /// Frames are copied from a cached array of this type, on this device or on the host, if it was not edited;
    /// otherwise the file is read, as in [`Self::frames`].
    ///
    /// A batch job waits for each frame:
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::{Gpu, StreamOptions};
    /// let gpu = Gpu::new()?;
    /// let img = voxload::load("bold.nii.gz")?;
    /// for frame in img.stream::<f32>(&gpu, StreamOptions::new())? {
    ///     let frame = frame?;
    ///     println!("frame {} is in {:?}", frame.index(), frame.buffer());
    /// }
    /// # Ok(()) }
    /// ```
    /// A render loop never waits:
    /// ```no_run
    /// # fn main() -> voxload::Result<()> {
    /// use std::task::Poll;
    /// use voxload::{FrameOptions, Gpu, StreamOptions};
    /// let gpu = Gpu::new()?;
    /// let img = voxload::load("bold.nii")?;
    /// let options = StreamOptions::new().frames(FrameOptions::new().looping());
    /// let mut stream = img.stream::<f32>(&gpu, options)?;
    /// let mut shown = None;
    /// # fn draw(_: &wgpu::Buffer) {}
    /// loop {
    ///     stream.pump(4 << 20);
    ///     if let Poll::Ready(Some(frame)) = stream.try_next() {
    ///         shown = Some(frame?);
    ///     }
    ///     if let Some(frame) = &shown {
    ///         draw(frame.buffer());
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::frames`]; [`crate::ErrorKind::DType`] for complex numbers, which have no kernel,
    /// [`crate::ErrorKind::GpuUnsupported`] if the device cannot run the kernel and the CPU's values cannot be copied
    /// to the target either (a texture, or a buffer range without usage `COPY_DST` or with frames that are not whole
    /// 4-byte words), [`crate::ErrorKind::GpuLimit`] for a frame (or its rows padded for a texture) above the device's
    /// largest buffer, [`crate::ErrorKind::GpuOutOfMemory`], [`crate::ErrorKind::DeviceLost`],
    /// [`crate::ErrorKind::Gpu`]; [`crate::ErrorKind::Usage`] and [`crate::ErrorKind::Shape`] for an unsuitable target.
    #[cfg(all(feature = "gpu", not(target_family = "wasm")))]
    pub fn stream<T: Float>(&self, gpu: &Gpu, options: StreamOptions) -> Result<FrameStream<T>> {
        let stream = self.new_stream(gpu, &options);
        gpu.context().block_on(self.threads().run_async(stream))
    }

    /// The asynchronous form of [`Self::stream`]. Await the items with [`FrameStream::next_async`].
    ///
    /// # Errors
    /// As [`Self::stream`].
    #[cfg(feature = "gpu")]
    pub async fn stream_async<T: Float>(
        &self,
        gpu: &Gpu,
        options: StreamOptions,
    ) -> Result<FrameStream<T>> {
        let stream = self.new_stream(gpu, &options);
        let stream = self.threads().run_async(stream);
        gpu.context().drive(stream).await
    }

    #[cfg(feature = "gpu")]
    async fn new_stream<T: Float>(
        &self,
        gpu: &Gpu,
        options: &StreamOptions,
    ) -> Result<FrameStream<T>> {
        if self.dataobj.as_array().is_none() && options.makes_texels() {
            let reader =
                self.frame_reader_of(&self.dataobj, options.frame_options(), size_of::<T>())?;
            return FrameStream::new(gpu, reader, None, options).await;
        }
        if options.makes_texels() && self.dataobj.rounds_once(T::DTYPE) {
            // The kernel converts these through f64 and so rounds twice, unlike numpy.
            let what = "f32 texels of an array of 64-bit integers in a stream".to_owned();
            return Err(ErrorKind::GpuUnsupported(what).into());
        }
        let reader = self.frame_reader::<T>(options.frame_options())?;
        let cached = self.cache().clean_device::<T>(gpu);
        // Each frame is copied as one range, so the frame axis must be the last.
        let cached = cached.filter(|_| self.has_frames_last());
        FrameStream::new(gpu, reader, cached, options).await
    }

    /// The voxels and the order of frames for a stream of `T`.
    fn frame_reader<T: Float>(&self, options: &FrameOptions) -> Result<FrameReader> {
        self.frame_reader_of(&self.unedited::<T>()?, options, size_of::<T>())
    }

    fn frame_reader_of(
        &self,
        voxels: &ArrayProxy,
        options: &FrameOptions,
        item: usize,
    ) -> Result<FrameReader> {
        let voxels = self.frames_last(voxels)?;
        let series = self.header.frame_axis().is_some();
        let order = FrameOrder::new(voxels.shape(), series, options)?;
        FrameReader::new(&voxels, order, item)
    }

    /// Unedited voxels: a cached array of `T`, or the file.
    fn unedited<T: Float>(&self) -> Result<ArrayProxy> {
        let kept = self.cache().clean_host::<T>();
        let values = match kept.filter(|_| self.dataobj.as_array().is_none()) {
            Some(kept) => kept,
            None if self.dataobj.rounds_once(T::DTYPE) => self.dataobj.read::<T>()?,
            None => return Ok(self.dataobj.clone()),
        };
        Ok(ArrayProxy::from(values).with_threads(self.threads().clone()))
    }
}
