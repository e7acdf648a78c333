//! What is promised of every image holds for each format: slices read their bytes, caches read none, streams, textures
//! and raw volumes have the bits of the whole.

use std::path::Path;
use std::sync::Arc;

use voxload::{
    Caching, DataobjImage, FileHolder, FileMap, FileRole, FrameOptions, HostArray, Index, Layout,
    LoadOptions,
};

use super::seeds::{self, Seed};
use crate::streams::{check, items};
use crate::support::backend::Backend;
use crate::support::folder;
use crate::support::source::CountingSource;

/// The image of a seed, and what counts the reads of its voxels; the files that a header names are not counted.
fn open(seed: &Seed, folder: &Path) -> (DataobjImage, Option<Arc<CountingSource>>) {
    let apart = matches!(seed.files[0].0.as_str(), "seed.nhdr" | "seed.mhd");
    if apart {
        let image = voxload::load(seed.write(folder)).unwrap();
        return (image, None);
    }
    let roles: &[FileRole] = match seed.files.len() {
        1 => &[FileRole::Image],
        _ => &[FileRole::Header, FileRole::Image, FileRole::Mat],
    };
    let mut map = FileMap::new();
    let mut voxels = None;
    for (&role, (name, bytes)) in roles.iter().zip(&seed.files) {
        let source = CountingSource::new(bytes.clone());
        if role == FileRole::Image {
            voxels = Some(Arc::clone(&source));
        }
        map.insert(role, FileHolder::from_source(source).named(name));
    }
    let image = DataobjImage::from_file_map(map, &LoadOptions::new()).unwrap();
    (image, voxels)
}

/// Runs a test on an image of each format.
fn for_each_format(test: impl Fn(&str, DataobjImage, Option<Arc<CountingSource>>)) {
    let mut formats = Vec::new();
    for seed in seeds::all() {
        let folder = folder();
        let (image, counted) = open(&seed, folder.path());
        let name = format!("{} ({})", seed.format, seed.files[0].0);
        test(&name, image, counted);
        formats.push(seed.format);
    }
    formats.dedup();
    let known = if cfg!(feature = "minc2") { 10 } else { 9 };
    assert_eq!(formats.len(), known, "{formats:?}");
}

fn bits(array: &HostArray<f32>) -> Vec<u32> {
    array
        .as_slice()
        .iter()
        .map(|value| value.to_bits())
        .collect()
}

#[test]
fn seeds_are_sound() {
    let folder = folder();
    for seed in seeds::all() {
        let image = voxload::load(seed.write(folder.path())).unwrap();
        assert_eq!(image.header().format.name(), seed.format);
        image.dataobj().read::<f64>().unwrap();
        assert!(!image.header().fields.list().is_empty());
        assert_eq!(image.notes(), [], "{}", seed.format);
    }
}

#[test]
fn slices_of_every_format_read_their_bytes() {
    let backends = Backend::available("slices of every format");
    for_each_format(|name, image, counted| {
        let (first, ndim) = (image.header().layout == Layout::LastFastest, image.ndim());
        let axis = if first { 0 } else { ndim - 1 };
        let stored = image.dataobj().dtype().size_bytes() as u64;
        let whole = image.dataobj().read::<f32>().unwrap();
        for k in 0..image.shape()[axis] {
            let index = if first {
                format!("[{k}]")
            } else {
                format!("[..., {k}]")
            };
            let index: Index = index.parse().unwrap();
            let expected: Vec<u32> = {
                let view = whole.view();
                let part = view.index_axis(ndarray::Axis(axis), k);
                part.t().iter().map(|value| value.to_bits()).collect()
            };
            for &backend in &backends {
                if let Some(counted) = &counted {
                    counted.reset();
                }
                let slice = backend.slice::<f32>(&image, &index).unwrap();
                assert_eq!(bits(&slice), expected, "{name}: {index:?} on {backend:?}");
                let bytes = slice.len() as u64 * stored;
                let read = counted
                    .as_ref()
                    .map_or(bytes, |counted| counted.bytes_read());
                // The chunk of an HDF5 file is found by its index, and kept for the next reads of it.
                let most = if name.starts_with("MINC2") {
                    4096 + bytes
                } else {
                    bytes
                };
                assert!(
                    read == bytes || (read < bytes || most > bytes) && read <= most,
                    "{name}: {read} of {bytes}"
                );
            }
        }
    });
}

#[test]
fn caches_of_every_format() {
    for_each_format(|name, mut image, counted| {
        let file = bits(&image.dataobj().read::<f32>().unwrap());
        let unread = |what: &str| {
            let read = counted.as_ref().map_or(0, |counted| counted.bytes_read());
            assert_eq!(read, 0, "{name}: {what}");
        };
        assert_eq!(
            bits(&image.get_fdata(Caching::Unchanged).unwrap()),
            file,
            "{name}"
        );
        assert!(!image.in_memory(), "{name}");
        assert_eq!(
            bits(&image.get_fdata(Caching::Fill).unwrap()),
            file,
            "{name}"
        );
        assert!(image.in_memory(), "{name}");
        if let Some(counted) = &counted {
            counted.reset();
        }
        assert_eq!(
            bits(&image.get_fdata(Caching::Unchanged).unwrap()),
            file,
            "{name}"
        );
        unread("a cached image reads nothing");
        let mut edited = file.clone();
        edited[0] = 99f32.to_bits();
        *image.fdata_mut::<f32>().unwrap().iter_mut().next().unwrap() = 99.0;
        assert_eq!(
            bits(&image.get_fdata(Caching::Fill).unwrap()),
            edited,
            "{name}"
        );
        unread("an edited image reads nothing");
        assert_eq!(
            bits(&image.dataobj().read().unwrap()),
            file,
            "{name}: the file"
        );
        image.uncache();
        assert!(!image.in_memory(), "{name}");
        assert_eq!(
            bits(&image.get_fdata(Caching::Unchanged).unwrap()),
            file,
            "{name}"
        );
    });
}

#[test]
fn streams_of_every_format() {
    let backends = Backend::available("streams of every format");
    for_each_format(|name, image, _| {
        let whole = image.dataobj().read::<f32>().unwrap();
        let axes = image.ndim() - usize::from(image.ndim() > 3);
        let frame_len: usize = image.shape()[..axes].iter().product();
        for &backend in &backends {
            let stream = items::<f32>(backend, &image, FrameOptions::new()).unwrap();
            let mut frames = 0;
            for item in stream {
                check(name, &item.unwrap(), whole.as_slice(), frame_len);
                frames += 1;
            }
            assert_eq!(frames, whole.len() / frame_len, "{name} on {backend:?}");
        }
    });
}

#[cfg(feature = "gpu")]
mod on_a_device {
    use voxload::{Caching, Index, Texels, Window};

    use super::{bits, for_each_format};
    use crate::device_outputs::devices::devices;
    use crate::device_outputs::{raw, textures};

    #[test]
    fn device_caches_of_every_format() {
        for device in devices("device caches of every format") {
            for_each_format(|name, image, counted| {
                let file = bits(&image.dataobj().read::<f32>().unwrap());
                let read = |caching| {
                    let array = image.get_fdata_gpu::<f32>(&device.gpu, caching).unwrap();
                    bits(&array.download().unwrap())
                };
                assert_eq!(read(Caching::Unchanged), file, "{name} on {}", device.name);
                assert!(!image.on_device(), "{name}");
                assert_eq!(read(Caching::Fill), file, "{name}");
                assert!(image.on_device(), "{name}");
                if let Some(counted) = &counted {
                    counted.reset();
                }
                assert_eq!(read(Caching::Unchanged), file, "{name}");
                let taken = counted.as_ref().map_or(0, |counted| counted.bytes_read());
                assert_eq!(taken, 0, "{name}: an image on the device reads nothing");
                image.uncache();
                assert!(!image.on_device(), "{name}");
                assert_eq!(read(Caching::Unchanged), file, "{name}");
            });
        }
    }

    #[test]
    fn textures_and_raw_volumes_of_every_format() {
        let window = Window::new(-20.0, 300.0).unwrap();
        for device in devices("textures and raw volumes of every format") {
            for_each_format(|name, image, _| {
                let index: Index = match image.ndim() {
                    4 => "[..., 1]".parse().unwrap(),
                    _ => Index::new(),
                };
                for texels in [Texels::R16Float, Texels::R32Float, Texels::R8Unorm(window)] {
                    textures::check(&device, &image, texels, Some(&index));
                }
                let volume = image.dataobj().raw_on_gpu(&device.gpu);
                let volume = volume.unwrap_or_else(|error| panic!("{name}: {error}"));
                raw::check(&image, &volume, &raw::Names::default());
            });
        }
    }
}
