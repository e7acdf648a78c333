//! For those who come with a renderer, with a series that does not fit in memory, with a program that has threads of its
//! own, or from nibabel. Two programs in
//! `examples/` are built in these ways: `viewer` and `preprocess`.
//!
//! # In a wgpu renderer
//!
//! voxload works on your device, whatever its features and limits are, and installs nothing on it. Tell it of a lost
//! device if you are told: wgpu does not tell bystanders.
//!
//! ```no_run
//! # #[cfg(feature = "gpu")]
//! # fn main() -> voxload::Result<()> {
//! # let (device, queue): (wgpu::Device, wgpu::Queue) = unimplemented!();
//! use voxload::{Gpu, TextureOptions};
//!
//! let gpu = Gpu::from_device(&device, &queue);
//! let told = gpu.clone();
//! device.set_device_lost_callback(move |_, _| told.mark_lost());
//!
//! // Voxels to the right, anterior, superior, whatever the file has; nothing is read yet.
//! let volume = voxload::load("t1.nii.gz")?.as_closest_canonical()?;
//! let loaded = volume.texture(&gpu, &TextureOptions::default())?;
//! let view: &wgpu::TextureView = &loaded.view; // f16, can be filtered everywhere
//! println!("{:?}, every value exact: {}", loaded.shape, loaded.exact);
//! # let _ = view;
//! # Ok(()) }
//! # #[cfg(not(feature = "gpu"))]
//! # fn main() {}
//! ```
//!
//! A series plays from a stream into one texture of yours. [`FrameStream::pump`](crate::FrameStream::pump) submits at
//! most so many bytes, copies none of them on your thread and never waits; what is in the texture is always a whole
//! frame. Hold the [`Frame`](crate::Frame) while it is to be shown, and drop it when the next one is due: the stream
//! makes that ready meanwhile. Paused, call nothing; to scrub, [`seek`](crate::FrameStream::seek).
//!
//! ```no_run
//! # #[cfg(feature = "gpu")]
//! # fn main() -> voxload::Result<()> {
//! # let (gpu, texture): (voxload::Gpu, wgpu::Texture) = unimplemented!();
//! # fn draw() {}
//! # fn is_due() -> bool { true }
//! use std::task::Poll;
//! use half::f16;
//! use voxload::{FrameOptions, StreamOptions, StreamTarget, Texels};
//!
//! let series = voxload::load("bold.nii.gz")?.as_closest_canonical()?;
//! let options = StreamOptions::new()
//!     .frames(FrameOptions::new().looping())
//!     .target(StreamTarget::Texture { texture, texels: Texels::R16Float });
//! let mut stream = series.stream::<f16>(&gpu, options)?;
//! let mut shown = None;
//! loop {
//!     if is_due() {
//!         drop(shown.take());
//!     }
//!     stream.pump(4 << 20);
//!     if shown.is_none()
//!         && let Poll::Ready(Some(frame)) = stream.try_next()
//!     {
//!         shown = Some(frame?);
//!     }
//!     draw();
//! }
//! # }
//! # #[cfg(not(feature = "gpu"))]
//! # fn main() {}
//! ```
//!
//! Complex numbers have no kernel, and there are devices that cannot run one: the error's kind is
//! [`DType`](crate::ErrorKind::DType) or [`GpuUnsupported`](crate::ErrorKind::GpuUnsupported). Upload what
//! [`frames`](crate::DataobjImage::frames) gives then: the same values, in the same order, with the same calls. Colours
//! are never floats: [`unscaled`](crate::Dataobj::unscaled) has them.
//!
//! # A series larger than memory
//!
//! Take it frame by frame. [`frames`](crate::DataobjImage::frames) reads ahead on a thread in a fixed number of bytes;
//! [`TemporalAccumulator`](crate::TemporalAccumulator) sums up, [`NiftiWriter`](crate::NiftiWriter) writes as it goes,
//! and the file appears when all of it is there. A gzip file is inflated once a pass, and checked to its end.
//!
//! ```
//! # fn main() -> voxload::Result<()> {
//! # let dir = tempfile::tempdir().map_err(|_| voxload::Error::from(voxload::ErrorKind::NotFound))?;
//! # let input = dir.path().join("bold.nii.gz");
//! # let output = dir.path().join("z.nii.gz");
//! # let counted = voxload::HostArray::from_vec(&[4, 3, 2, 5], (0..120i16).map(|n| n * n % 97).collect())?;
//! # voxload::DataobjImage::from_array(counted, None)?.to_filename(&input)?;
//! use voxload::{
//!     DType, DataobjImage, FrameOptions, LoadOptions, Mmap, NiftiWriter, SaveOptions, TemporalAccumulator,
//! };
//!
//! // Read by position: mapped pages would count as memory where that is limited.
//! let options = LoadOptions::new().mmap(Mmap::Off);
//! let series = DataobjImage::from_filename(&input, &options)?;
//! let frame_shape = &series.shape()[..3];
//!
//! let mut over_time = TemporalAccumulator::new(frame_shape)?;
//! for frame in series.frames::<f64>(FrameOptions::new())? {
//!     over_time.take(frame?.as_slice())?;
//! }
//! let maps = over_time.statistics::<f64>()?;
//!
//! let options = SaveOptions::new().dtype(DType::F32);
//! let mut writer = NiftiWriter::create(&output, series.header(), &options)?;
//! for frame in series.frames::<f64>(FrameOptions::new())? {
//!     let frame = frame?;
//!     let moments = maps.mean.as_slice().iter().zip(maps.std.as_slice());
//!     let scores = frame.as_slice().iter().zip(moments).map(|(value, (mean, std))| {
//!         if *std == 0.0 { 0.0 } else { ((value - mean) / std) as f32 }
//!     });
//!     writer.write_values(&scores.collect::<Vec<_>>())?;
//! }
//! writer.finish()?;
//! assert_eq!(voxload::load(&output)?.shape(), [4, 3, 2, 5]);
//! # Ok(()) }
//! ```
//!
//! Frames too large as well? [`slicer`](crate::DataobjImage::slicer) gives an image of some layers, which streams like
//! any other: `series.slicer(&"[:, :, 10:20]".parse()?)?.frames::<f64>(..)`. On a device
//! [`stream`](crate::DataobjImage::stream) is what `frames` is on the host, and
//! [`temporal_statistics_gpu`](crate::DataobjImage::temporal_statistics_gpu) gives the bits of the CPU.
//!
//! # In a program with threads and a cancel button
//!
//! A program that has a thread pool gives it to its images; reads then touch no other one. A
//! [`Cancel`](crate::Cancel) ends whatever reads inside it within 50 milliseconds, from any thread, and leaves image and
//! caches as if it had not begun.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("bold.nii.gz");
//! # let counted = voxload::HostArray::from_vec(&[4, 3, 2, 5], (0..120i16).collect())?;
//! # voxload::DataobjImage::from_array(counted, None)?.to_filename(&path)?;
//! # fn show(_: &[f32]) {}
//! use std::sync::Arc;
//! use voxload::{Caching, Cancel, DataobjImage, ErrorKind, LoadOptions, Threads};
//!
//! let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(2).build()?);
//! let options = LoadOptions::new().threads(Threads::from_pool(pool));
//! let series = Arc::new(DataobjImage::from_filename(&path, &options)?);
//!
//! let cancel = Cancel::new();
//! let (image, token) = (Arc::clone(&series), cancel.clone());
//! let reading = std::thread::spawn(move || token.run(|| image.get_fdata::<f32>(Caching::Fill)));
//!
//! // The button, from any thread, at any time:
//! cancel.cancel();
//!
//! match reading.join().expect("no panic") {
//!     Ok(values) => show(values.as_slice()), // It had finished.
//!     Err(error) if *error.kind() == ErrorKind::Cancelled => assert!(!series.in_memory()),
//!     Err(error) => return Err(error.into()),
//! }
//! // The next read is another one; a token is cancelled for good, so it gets a new one.
//! let values = Cancel::new().run(|| series.get_fdata::<f32>(Caching::Fill))?;
//! # assert_eq!(values.len(), 120);
//! # Ok(()) }
//! ```
//!
//! A future is awaited inside [`run_async`](crate::Cancel::run_async). A program that forks calls
//! [`Threads::set_default`](crate::Threads::set_default) in each child. Voxels that come over a network are a
//! [`ByteSource`](crate::ByteSource) whose [`hint`](crate::ByteSource::hint) asks for few large requests.
//!
//! # Coming from nibabel
//!
//! Arrays are column-major, as nibabel's are. What nibabel computes in f64 is computed in f64 here, and rounded as
//! nibabel rounds it. An image is not edited behind your back: `get_fdata` gives a shared array that cannot be changed,
//! `fdata_mut` the one that the image keeps.
//!
//! | nibabel | voxload |
//! |---|---|
//! | `nib.load(path)` | [`voxload::load(path)?`](crate::load) |
//! | `nib.load(path, mmap=False, keep_file_open=True)` | [`LoadOptions::new().mmap(Mmap::Off).keep_file_open(KeepFileOpen::Yes)`](crate::LoadOptions) |
//! | `img.shape`, `img.ndim`, `img.affine` | [`shape`](crate::DataobjImage::shape), [`ndim`](crate::DataobjImage::ndim), [`affine`](crate::DataobjImage::affine) |
//! | `img.header`, `img.extra`, `img.file_map` | [`header`](crate::DataobjImage::header), [`extra`](crate::DataobjImage::extra), [`file_map`](crate::DataobjImage::file_map) |
//! | `img.header.get_zooms()`, `img.get_data_dtype()` | [`header().zooms`, `header().dtype`](crate::Header) |
//! | `img.get_fdata()` | [`get_fdata::<f64>(Caching::Fill)?`](crate::DataobjImage::get_fdata) |
//! | `img.get_fdata(dtype=np.float32, caching="unchanged")` | [`get_fdata::<f32>(Caching::Unchanged)?`](crate::DataobjImage::get_fdata) |
//! | `img.get_fdata()[0, 0, 0] = 99` | [`fdata_mut::<f64>()?[[0, 0, 0]] = 99.0`](crate::DataobjImage::fdata_mut) |
//! | `img.in_memory`, `img.uncache()` | [`in_memory()`](crate::DataobjImage::in_memory), [`uncache()`](crate::DataobjImage::uncache) |
//! | `np.asarray(img.dataobj)` | [`dataobj().native()?`](crate::Dataobj::native) |
//! | `img.dataobj[..., 30]` | [`dataobj().slice::<f64>(&"[..., 30]".parse()?)?`](crate::Dataobj::slice) |
//! | `img.dataobj.get_unscaled()` | [`dataobj().unscaled()?`](crate::Dataobj::unscaled) |
//! | `img.dataobj.slope`, `.inter` | [`header().scaling`](crate::Scaling)`.slope()`, `.inter()` |
//! | `ArrayProxy(path, (shape, dtype, offset, slope, inter))` | [`ArrayProxy::open(path, spec, &options)?`](crate::ArrayProxy::open) |
//! | `nib.is_proxy(img.dataobj)` | [`dataobj().is_proxy()`](crate::Dataobj::is_proxy) |
//! | `img.slicer[:, :, 10:20]` | [`slicer(&"[:, :, 10:20]".parse()?)?`](crate::DataobjImage::slicer), which stays lazy |
//! | `for t in range(n): img.dataobj[..., t]` | [`frames::<f64>(FrameOptions::new())?`](crate::DataobjImage::frames) |
//! | `nib.as_closest_canonical(img)` | [`as_closest_canonical()?`](crate::DataobjImage::as_closest_canonical), which stays lazy |
//! | `nib.aff2axcodes(affine)` | [`Orientation::of(&affine)?.codes()`](crate::Orientation::codes) |
//! | `nib.Nifti1Image(array, affine)` | [`DataobjImage::from_array(array, Some(affine))?`](crate::DataobjImage::from_array) |
//! | `img.set_data_dtype(np.int16)` | [`set_data_dtype(DType::I16)`](crate::DataobjImage::set_data_dtype) |
//! | `img.set_sform(affine, code)` | [`set_sform(&affine, code)`](crate::DataobjImage::set_sform) |
//! | `nib.save(img, path)`, `img.to_filename(path)` | [`to_filename(path)?`](crate::DataobjImage::to_filename) |
//! | `img.to_bytes()`, `Nifti1Image.from_bytes(data)` | [`to_bytes()?`](crate::DataobjImage::to_bytes), [`DataobjImage::from_bytes(data)?`](crate::DataobjImage::from_bytes) |
//! | `data.mean(axis=-1)`, `data.std(axis=-1)` | [`temporal_statistics::<f64>()?`](crate::DataobjImage::temporal_statistics) |
//! | `img.orthoview()`, `nib-ls`, `nib-stats`, `nib-convert` | `voxload render`, `info`, `stats`, `convert` |
//!
//! ```
//! # fn main() -> voxload::Result<()> {
//! use voxload::{Caching, DType, DataobjImage, HostArray, Orientation};
//!
//! // nib.Nifti1Image(np.arange(24, dtype="i2").reshape((4, 3, 2), order="F"), affine)
//! let affine = [[-2.0, 0.0, 0.0, 6.0], [0.0, 2.0, 0.0, -2.0], [0.0, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
//! let array = HostArray::from_vec(&[4, 3, 2], (0..24i16).collect())?;
//! let image = DataobjImage::from_array(array, Some(affine))?;
//! let image = DataobjImage::from_bytes(image.to_bytes()?)?;
//!
//! assert_eq!(image.header().dtype, DType::I16);
//! assert_eq!(Orientation::of(&affine)?.codes(), ['L', 'A', 'S'].map(Some));
//! assert_eq!(image.dataobj().slice::<f64>(&"[1, :, 0]".parse()?)?.as_slice(), [1.0, 5.0, 9.0]);
//!
//! let canonical = image.as_closest_canonical()?;
//! let values = canonical.get_fdata::<f64>(Caching::Fill)?;
//! assert_eq!(values.view()[[3, 0, 0]], 0.0);
//! assert!(canonical.in_memory() && !image.in_memory());
//! # Ok(()) }
//! ```
