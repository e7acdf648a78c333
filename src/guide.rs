//! How to use voxload in a wgpu renderer, for a series larger than memory, in a program with its own threads, and when
//! coming from nibabel. Two programs in `examples/` are built in these ways: `viewer` and `preprocess`.
//!
//! # In a wgpu renderer
//!
//! voxload uses your device, with any features and limits, and installs no callbacks on it. wgpu reports device loss
//! only to the device's owner: forward the callback to [`Gpu::mark_lost`](crate::Gpu::mark_lost).
//!
//! ```no_run
//! # #[cfg(feature = "gpu")]
//! # fn main() -> voxload::Result<()> {
//! # let (device, queue): (wgpu::Device, wgpu::Queue) = unimplemented!();
//! use voxload::{Gpu, TextureOptions};
//!
//! let gpu = Gpu::from_device(&device, &queue);
//! let lost = gpu.clone();
//! device.set_device_lost_callback(move |_, _| lost.mark_lost());
//!
//! // Voxels to the right, anterior, superior, whatever the file has; nothing is read yet.
//! let volume = voxload::load("t1.nii.gz")?.as_closest_canonical()?;
//! let loaded = volume.texture(&gpu, &TextureOptions::default())?;
//! let view: &wgpu::TextureView = &loaded.view; // f16, can be filtered everywhere
//! println!("{:?}, every value exact: {}", loaded.shape, loaded.fidelity.is_exact());
//! # let _ = view;
//! # Ok(()) }
//! # #[cfg(not(feature = "gpu"))]
//! # fn main() {}
//! ```
//!
//! To play a series, stream it into one of your textures. [`FrameStream::pump`](crate::FrameStream::pump) submits at
//! most the given number of bytes, copies none of them on your thread, and never waits. The texture always contains a
//! whole frame. Hold the [`Frame`](crate::Frame) while it is shown, and drop it when the next one is due, which the
//! stream prepares meanwhile. To pause, call nothing; to scrub, call [`seek`](crate::FrameStream::seek).
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
//! There is no GPU kernel for complex numbers, and some devices cannot run the kernels. The error is then of kind
//! [`DType`](crate::ErrorKind::DType) or [`GpuUnsupported`](crate::ErrorKind::GpuUnsupported). Upload the result of
//! [`frames`](crate::DataobjImage::frames) instead: it has the same values, in the same order. Colours are not
//! converted to floats; [`unscaled`](crate::ArrayProxy::unscaled) returns them.
//!
//! Other ways to load voxels to a device are [`read_gpu`](crate::ArrayProxy::read_gpu) into a new buffer,
//! [`read_into_buffer`](crate::ArrayProxy::read_into_buffer) into a range of your buffer, and
//! [`raw_on_gpu`](crate::ArrayProxy::raw_on_gpu) for the stored bytes, with WGSL that decodes them. Each loads a part
//! after [`sliced`](crate::ArrayProxy::sliced): `series.dataobj().sliced("[..., 30]")?.read_gpu::<f32>(&gpu)?`.
//!
//! # A series larger than memory
//!
//! Process it frame by frame. [`frames`](crate::DataobjImage::frames) reads ahead on a thread, in a fixed amount of
//! memory. [`TemporalAccumulator`](crate::TemporalAccumulator) computes statistics over time.
//! [`NiftiWriter`](crate::NiftiWriter) writes frame by frame; the file gets its name when it is complete. A gzip file
//! is inflated once for each pass, and checked to its end.
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
//! // Not mapped, because mapped pages count towards memory limits.
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
//! If a single frame is too large, [`slicer`](crate::DataobjImage::slicer) returns an image of some slices, which is
//! streamed like any other: `series.slicer("[:, :, 10:20]")?.frames::<f64>(..)`. On a device,
//! [`stream`](crate::DataobjImage::stream) takes the place of `frames`, and
//! [`temporal_statistics_gpu`](crate::DataobjImage::temporal_statistics_gpu) computes the same bits as the CPU.
//!
//! # In a program with threads and a cancel button
//!
//! If your program has a thread pool, pass it to the images; their reads then use no other one. A
//! [`Cancel`](crate::Cancel) ends the reads inside it within 50 milliseconds. It can be cancelled from any thread, and
//! leaves the image and its caches as they were before the read.
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
//! // A cancelled token stays cancelled, so the next read gets a new one.
//! let values = Cancel::new().run(|| series.get_fdata::<f32>(Caching::Fill))?;
//! # assert_eq!(values.len(), 120);
//! # Ok(()) }
//! ```
//!
//! Await futures inside [`run_async`](crate::Cancel::run_async). A program that forks calls
//! [`Threads::set_default`](crate::Threads::set_default) in each child. To read voxels over a network, implement a
//! [`ByteSource`](crate::ByteSource) whose [`hint`](crate::ByteSource::hint) asks for few large requests.
//!
//! # Coming from nibabel
//!
//! Arrays are column-major, as in nibabel. What nibabel computes in f64 is computed in f64 here, with the same
//! rounding. `get_fdata` returns a shared, immutable array; `fdata_mut` returns the cached array for editing.
//!
//! | nibabel | voxload |
//! |---|---|
//! | `nib.load(path)` | [`voxload::load(path)?`](crate::load) |
//! | `nib.load(path, mmap=False, keep_file_open=True)` | [`LoadOptions::new().mmap(Mmap::Off).keep_file_open(KeepFileOpen::Yes)`](crate::LoadOptions) |
//! | `nib.save(img, path)` | [`voxload::save(&img, path, &SaveOptions::new())?`](crate::save()) |
//! | `nib.Nifti1Image(array, affine)` | [`DataobjImage::from_array(array, Some(affine))?`](crate::DataobjImage::from_array) |
//! | `nib.Nifti1Image(img.dataobj, affine, header)` | [`DataobjImage::new(dataobj, header, extra, file_map)?`](crate::DataobjImage::new) |
//! | `ArrayProxy(path, (shape, dtype, offset, slope, inter))` | [`ArrayProxy::open(path, spec, &options)?`](crate::ArrayProxy::open) |
//! | `ArrayProxy(file_like, (shape, dtype, offset, slope, inter))` | [`ArrayProxy::new(source, spec)?`](crate::ArrayProxy::new) |
//! | `img.get_fdata()` | [`get_fdata::<f64>(Caching::Fill)?`](crate::DataobjImage::get_fdata) |
//! | `img.get_fdata(dtype=np.float32, caching="unchanged")` | [`get_fdata::<f32>(Caching::Unchanged)?`](crate::DataobjImage::get_fdata) |
//! | `img.get_fdata(dtype=np.complex64)` | [`get_fdata::<c64>(Caching::Fill)?`](crate::DataobjImage::get_fdata) |
//! | `img.get_fdata()[0, 0, 0] = 99` | [`fdata_mut::<f64>()?[[0, 0, 0]] = 99.0`](crate::DataobjImage::fdata_mut) |
//! | `np.asarray(img.dataobj)` | [`dataobj().native()?`](crate::ArrayProxy::native) |
//! | `img.dataobj[..., 30]` | [`dataobj().slice::<f64>("[..., 30]")?`](crate::ArrayProxy::slice); typed as numpy's: [`sliced("[..., 30]")?.native()?`](crate::ArrayProxy::sliced) |
//! | `img.slicer[:, :, 10:20]` | [`slicer("[:, :, 10:20]")?`](crate::DataobjImage::slicer), which stays lazy |
//! | `for t in range(n): img.dataobj[..., t]` | [`frames::<f64>(FrameOptions::new())?`](crate::DataobjImage::frames) |
//! | `nib.as_closest_canonical(img)` | [`as_closest_canonical()?`](crate::DataobjImage::as_closest_canonical), which stays lazy |
//! | `nib.aff2axcodes(affine)` | [`Orientation::of(&affine)?.codes()`](crate::Orientation::codes) |
//! | `img.header.get_zooms()`, `img.header["descrip"]` | [`header().zooms`, `header().fields`](crate::Header) |
//! | `img.set_sform(affine, code)`, `img.set_qform(affine, code)` | [`header_mut().set_sform(&affine, code)`](crate::Header::set_sform), [`set_qform`](crate::Header::set_qform) |
//! | `data.mean(axis=-1)`, `data.std(axis=-1)` | [`temporal_statistics::<f64>()?`](crate::DataobjImage::temporal_statistics) |
//! | `nib-ls`, `nib-stats`, `nib-convert` | `voxload info`, `stats`, `convert` |
//!
//! All public names of nibabel 5.4.2's image classes (`DataobjImage`, `SpatialImage`, `FileBasedImage`, `SerializableImage`), of
//! `ArrayProxy` and of `SpatialFirstSlicer` (`img.slicer`); a test compares this table with nibabel:
//!
//! | public name | here |
//! |---|---|
//! | `img.dataobj` | [`dataobj()`](crate::DataobjImage::dataobj) |
//! | `img.affine`, `img.shape`, `img.ndim` | [`affine()`](crate::DataobjImage::affine), [`shape()`](crate::DataobjImage::shape), [`ndim()`](crate::DataobjImage::ndim) |
//! | `img.header`, `img.extra`, `img.file_map` | [`header()`](crate::DataobjImage::header), [`extra()`](crate::DataobjImage::extra), [`file_map()`](crate::DataobjImage::file_map) |
//! | `img.get_fdata` | [`get_fdata`](crate::DataobjImage::get_fdata) |
//! | `img.get_data` | deprecated in nibabel; [`dataobj().native()`](crate::ArrayProxy::native) |
//! | `img.in_memory`, `img.uncache` | [`in_memory()`](crate::DataobjImage::in_memory), [`uncache()`](crate::DataobjImage::uncache), which also drop the copy on a device |
//! | `img.get_data_dtype`, `img.set_data_dtype` | [`header().dtype`](crate::Header), [`header_mut().set_data_dtype(DType::I16)`](crate::Header::set_data_dtype) |
//! | `img.slicer`, `img.ImageSlicer` | [`slicer`](crate::DataobjImage::slicer): a method, so there is no class for it |
//! | `img.as_reoriented` | [`as_reoriented`](crate::DataobjImage::as_reoriented) |
//! | `img.orthoview` | `voxload render`, or `examples/viewer` |
//! | `img.load`, `img.from_filename` | [`from_filename`](crate::DataobjImage::from_filename) |
//! | `img.from_file_map` | [`from_file_map`](crate::DataobjImage::from_file_map) |
//! | `img.from_bytes`, `img.from_stream` | [`from_bytes`](crate::DataobjImage::from_bytes), [`from_stream`](crate::DataobjImage::from_stream), which also read gzipped data |
//! | `img.from_url` | not here: voxload does not use the network. Read the response with `from_stream`, or implement [`ByteSource`](crate::ByteSource) |
//! | `img.from_image` | not here: there is one image type. [`new`](crate::DataobjImage::new) makes another image of `dataobj().clone()` and `header().clone()` |
//! | `img.to_filename`, `img.instance_to_filename` | [`to_filename`](crate::DataobjImage::to_filename); with options [`save`](crate::save()) |
//! | `img.to_bytes`, `img.to_stream` | [`to_bytes`](crate::DataobjImage::to_bytes), [`to_stream`](crate::DataobjImage::to_stream) |
//! | `img.to_file_map` | not here: `to_filename`; the name of one file of a pair determines the other |
//! | `img.make_file_map`, `img.filespec_to_file_map` | not here: [`FileMap`](crate::FileMap) is a map that you fill; the files that belong to a name are found by `from_filename` |
//! | `img.get_filename` | [`file_map().get(&FileRole::Image)`](crate::FileRole) |
//! | `img.set_filename` | not here: only `to_filename` changes the names in the file map |
//! | `img.path_maybe_image` | not here: [`load`](crate::load) reads only the header, and its error is [`UnknownFormat`](crate::ErrorKind::UnknownFormat) for other files |
//! | `img.files_types`, `img.valid_exts`, `img.makeable`, `img.rw` | [`format::formats()`](crate::format::formats) lists the formats that are read, with their endings; NIfTI is written |
//! | `img.header_class` | [`header().fields`](crate::Header): one [`Header`](crate::Header) with the format's own fields inside |
//! | `img.update_header` | not here: `new` fits the header's shape to the data, saving fits the rest |
//! | `proxy.shape`, `proxy.ndim` | [`shape()`](crate::ArrayProxy::shape), `shape().len()` |
//! | `proxy.dtype` | [`dtype()`](crate::ArrayProxy::dtype): the stored type, as in nibabel; [`native_dtype()`](crate::ArrayProxy::native_dtype) is the type of `np.asarray(proxy)` |
//! | `proxy.offset`, `proxy.slope`, `proxy.inter`, `proxy.order` | [`spec()`](crate::ArrayProxy::spec)`.offset`, `.scaling.slope()`, `.scaling.inter()`, `.layout` |
//! | `proxy.get_unscaled` | [`unscaled()`](crate::ArrayProxy::unscaled) |
//! | `proxy.reshape` | [`reshape`](crate::ArrayProxy::reshape) |
//! | `proxy.copy` | `clone()`: clones share the file |
//! | `proxy.is_proxy` | [`as_array()`](crate::ArrayProxy::as_array)`.is_none()`; so is `nib.is_proxy(img.dataobj)` |
//! | `proxy.file_like` | not here: a proxy keeps its source private; `file_map()` has the names |
//! | `slicer.img`, `slicer.check_slicing`, `slicer.slice_affine` | not here: [`slicer`](crate::DataobjImage::slicer) checks the index, and the result has the affine |
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
//! assert_eq!(image.dataobj().slice::<f64>("[1, :, 0]")?.as_slice(), [1.0, 5.0, 9.0]);
//!
//! let canonical = image.as_closest_canonical()?;
//! let values = canonical.get_fdata::<f64>(Caching::Fill)?;
//! assert_eq!(values.view()[[3, 0, 0]], 0.0);
//! assert!(canonical.in_memory() && !image.in_memory());
//! # Ok(()) }
//! ```
