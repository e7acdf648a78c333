//! Each of [`voxload::Limits`] stops what is above it before it is made, and nothing else; the defaults stop no sound
//! volume.

use voxload::{Caching, DType, DataobjImage, FrameOptions, Index, Limits, LoadOptions};

use crate::gzip::files::{bgzf, members};
use crate::support::backend::Backend;
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz};
use crate::support::{folder, write};

fn load(name: &str, bytes: &[u8], limits: Limits) -> voxload::Result<DataobjImage> {
    let folder = folder();
    let path = write(&folder, name, bytes);
    let image = DataobjImage::from_filename(&path, &LoadOptions::new().limits(limits));
    // The folder stays as long as the image may be read.
    std::mem::forget(folder);
    image
}

#[test]
fn output() {
    let bytes = Nifti::counting(&[10, 10, 10]).single();
    for (name, bytes) in [("it.nii", bytes.clone()), ("it.nii.gz", gz(&bytes, 6))] {
        let image = load(name, &bytes, Limits::new().output(4000)).expect("it loads");
        image
            .get_fdata::<f32>(Caching::Unchanged)
            .expect("4000 bytes");
        image.dataobj().unscaled().expect("2000 bytes");
        let above = image.get_fdata::<f64>(Caching::Fill);
        assert_eq!(outcome(&above), "Limit(output bytes)");
        assert!(!image.in_memory());
        let half: Index = "[..., :5]".parse().expect("an index");
        image.dataobj().slice::<f64>(&half).expect("4000 bytes");
        let more: Index = "[..., :6]".parse().expect("an index");
        let above = image.dataobj().slice::<f64>(&more);
        assert_eq!(outcome(&above), "Limit(output bytes)");
        // The caller's own memory is the caller's own.
        let mut mine = vec![0f64; 1000];
        image.dataobj().read_into(&mut mine).expect("it is there");
        for backend in Backend::available("faults::limits::output") {
            backend.read::<f32>(&image).expect("4000 bytes");
            let above = backend.slice::<f64>(&image, &more);
            assert_eq!(outcome(&above), "Limit(output bytes)", "{backend:?}");
        }
    }
    let series = Nifti::counting(&[10, 10, 5, 4]).single();
    let image = load("it.nii", &series, Limits::new().output(2000)).expect("it loads");
    let frames = image
        .frames::<f32>(FrameOptions::default())
        .expect("2000 bytes each");
    assert_eq!(frames.filter(Result::is_ok).count(), 4);
    let above = image.frames::<f64>(FrameOptions::default());
    assert_eq!(outcome(&above), "Limit(output bytes)");
}

#[test]
fn headers_and_extensions() {
    let extended = Nifti::counting(&[4, 3, 2]).extension(6, &[b'x'; 10_000]);
    let needed = extended.data_offset() as u64 - 348;
    let (single, pair) = (extended.single(), extended.pair().0);
    let limit = |bytes| Limits::new().extensions(bytes);
    assert_eq!(outcome(&load("it.nii", &single, limit(needed))), "Ok");
    let above = load("it.nii", &single, limit(needed - 1));
    assert_eq!(outcome(&above), "Limit(extension bytes)");
    let length = pair.len() as u64;
    let limit = |bytes| Limits::new().header(bytes);
    assert_eq!(outcome(&load("it.hdr", &pair, limit(length))), "Ok");
    let above = load("it.hdr", &pair, limit(length - 1));
    assert_eq!(outcome(&above), "Limit(header bytes)");
    let nrrd = crate::formats::seeds::nrrd().files.swap_remove(0).1;
    assert_eq!(outcome(&load("it.nrrd", &nrrd, limit(1000))), "Ok");
    let long = [b"NRRD0004\n# ", &[b'x'; 2000][..], &nrrd[8..]].concat();
    let above = load("it.nrrd", &long, limit(1000));
    assert_eq!(outcome(&above), "Limit(header bytes)");
}

#[test]
fn members_and_ratio() {
    let bytes = Nifti::counting(&[20, 20, 20]).single();
    let zipped = members(&bytes, 100);
    let count = bytes.len().div_ceil(100) as u64;
    let read =
        |limits| load("it.nii.gz", &zipped, limits).and_then(|image| image.dataobj().read::<f32>());
    assert_eq!(outcome(&read(Limits::new().members(count))), "Ok");
    let above = read(Limits::new().members(count - 1));
    assert_eq!(outcome(&above), "Limit(gzip members)");
    let zeros = Nifti::new(DType::U8, &[1000, 1000], vec![0; 1_000_000]).single();
    let zipped = gz(&zeros, 9);
    let ratio = zeros.len() as u64 / zipped.len() as u64;
    let read =
        |limits| load("it.nii.gz", &zipped, limits).and_then(|image| image.dataobj().read::<f32>());
    assert_eq!(outcome(&read(Limits::new().inflate_ratio(ratio + 1))), "Ok");
    let above = read(Limits::new().inflate_ratio(ratio / 2));
    assert_eq!(outcome(&above), "Limit(inflated bytes)");
}

/// Many small members, long tails, and a check of a large stream that nothing was read from.
#[test]
fn defaults_stop_no_sound_volume() {
    let bytes = Nifti::counting(&[100, 100, 20]).single();
    let tiny = members(&bytes, 3);
    let image = load("it.nii.gz", &tiny, Limits::default()).expect("it loads");
    let read = image.dataobj().read::<f32>().expect("133 000 members");
    let slice = image.dataobj().slice::<f32>("[7, 8, 9:12]");
    let at = |z: usize| f32::from((7 + 100 * 8 + 10_000 * z) as u16 as i16);
    assert_eq!(slice.expect("a slice").as_slice(), [at(9), at(10), at(11)]);
    assert_eq!(read.len(), 200_000);
    let large = 300 << 20;
    let zeros = Nifti::new(DType::U8, &[1 << 20, 300], vec![0; large])
        .version(2)
        .single();
    for zipped in [gz(&zeros, 1), bgzf(&zeros)] {
        let image = load("it.nii.gz", &zipped, Limits::default()).expect("it loads");
        let proxy = image.dataobj();
        assert_eq!(outcome(&proxy.check_to_end()), "Ok");
        assert_eq!(image.notes(), []);
    }
    let tail = gz(&[&bytes[..], &vec![5; 200 << 20]].concat(), 1);
    let image = load("it.nii.gz", &tail, Limits::default()).expect("it loads");
    assert_eq!(outcome(&image.dataobj().read::<f32>()), "Ok");
}
