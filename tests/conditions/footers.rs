//! The footer of an MGH file: read or absent, and never by inflating a file twice.

use std::path::PathBuf;
use std::sync::Arc;

use half::f16;
use voxload::format::Fields;
use voxload::format::mgh::MghFooter;
use voxload::{Caching, DataobjImage, ErrorKind, FileHolder, FileMap, FileRole, LoadOptions};

use super::{gzipped, loaded, written};
use crate::support::backend::Backend;
use crate::support::folder;
use crate::support::source::CountingSource;

/// An MGH file of i16 voxels with these axes, and these bytes after them.
fn mgh(dims: [i32; 4], voxels: &[u8], footer: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [1, dims[0], dims[1], dims[2], dims[3], 4, 0] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(1i16.to_be_bytes());
    let geometry = [
        1.0f32, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0,
    ];
    bytes.extend(geometry.iter().flat_map(|value| value.to_be_bytes()));
    bytes.resize(284, 0);
    bytes.extend(voxels);
    bytes.extend(footer);
    bytes
}

fn footer_bytes() -> Vec<u8> {
    let fields = [2300.0f32, 0.15, 2.98, 900.0, 256.0];
    let mut bytes: Vec<u8> = fields
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect();
    for (code, text) in [(3i32, "mri_convert a b\0"), (31, "talairach.xfm\0")] {
        bytes.extend(code.to_be_bytes());
        bytes.extend((text.len() as i64).to_be_bytes());
        bytes.extend(text.bytes());
    }
    bytes
}

fn small() -> Vec<u8> {
    let voxels: Vec<u8> = (0..120).collect();
    mgh([3, 4, 5, 1], &voxels, &footer_bytes())
}

pub fn footer(image: &DataobjImage) -> Option<&MghFooter> {
    match &image.header().fields {
        Fields::Mgh(mgh) => mgh.footer(),
        other => panic!("{other:?}"),
    }
}

fn listed(image: &DataobjImage, name: &str) -> Vec<String> {
    let fields = image.header().fields.list();
    let matching = fields.into_iter().filter(|(known, _)| known == name);
    matching.map(|(_, value)| value).collect()
}

/// The numbers of a footer, in the order of the file.
pub fn numbers(footer: &MghFooter) -> [Option<f32>; 5] {
    [
        footer.tr,
        footer.flip_angle,
        footer.te,
        footer.ti,
        footer.fov,
    ]
}

#[track_caller]
fn is_right(image: &DataobjImage) {
    let footer = footer(image).expect("it has been read");
    assert_eq!(
        numbers(footer),
        [2300.0, 0.15, 2.98, 900.0, 256.0].map(Some)
    );
    let tags: Vec<(i32, &[u8])> = footer
        .tags
        .iter()
        .map(|tag| (tag.code, tag.content.as_slice()))
        .collect();
    assert_eq!(
        tags,
        [(3, &b"mri_convert a b"[..]), (31, &b"talairach.xfm"[..])]
    );
    assert_eq!(listed(image, "tr"), ["2300"]);
    assert_eq!(listed(image, "flip_angle"), ["0.15"]);
    assert_eq!(
        listed(image, "tag"),
        ["3: mri_convert a b", "31: talairach.xfm"]
    );
}

#[track_caller]
fn is_absent(image: &DataobjImage) {
    assert_eq!(footer(image), None);
    for name in ["tr", "flip_angle", "te", "ti", "fov", "tag"] {
        assert!(listed(image, name).is_empty(), "{name} is listed");
    }
}

#[test]
fn a_plain_file_has_it_when_loaded() {
    let folder = folder();
    is_right(&loaded(folder.path(), "footer.mgh", small()).unwrap());
}

#[test]
fn a_gzipped_file_has_it_after_a_whole_read() {
    let folder = folder();
    for backend in Backend::every_way("the footer after a whole read") {
        let image = loaded(folder.path(), "footer.mgz", gzipped(&small())).unwrap();
        is_absent(&image);
        backend.read::<f32>(&image).unwrap();
        is_right(&image);
        // Images of the same file share it.
        let taken = image.slicer("[1:, :, :]").unwrap();
        is_right(&taken);
    }
}

#[test]
fn a_gzipped_file_has_it_on_demand() {
    let folder = folder();
    let image = loaded(folder.path(), "footer.mgz", gzipped(&small())).unwrap();
    is_absent(&image);
    voxload::read_footer(&image).unwrap();
    is_right(&image);
    assert!(!image.in_memory());
}

/// 18 MB of noise, in the ways in which gzip files are read whole.
#[test]
fn every_way_of_reading_gzip_keeps_it() {
    let mut state = 1u64;
    let voxels: Vec<u8> = (0..2 * 210 * 210 * 210)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 59) as u8
        })
        .collect();
    let bytes = mgh([210, 210, 210, 1], &voxels, &footer_bytes());
    let whole = gzipped(&bytes);
    // In members, the last of which begins inside the footer.
    let cut = bytes.len() - 30;
    let members = [&bytes[..9_000_000], &bytes[9_000_000..cut], &bytes[cut..]];
    let members = members.map(gzipped).concat();
    let folder = folder();
    let path = written(folder.path(), "whole.mgz", &whole);
    let members = written(folder.path(), "members.mgz", members);
    let index = folder.path().join("whole.index");
    voxload::write_gzip_index(&path, &index).unwrap();
    type Read = fn(&DataobjImage);
    let reads: [(&str, Read); 3] = [
        ("f32", |image| {
            image.get_fdata::<f32>(Caching::Unchanged).unwrap();
        }),
        ("f16", |image| {
            image.get_fdata::<f16>(Caching::Unchanged).unwrap();
        }),
        ("native", |image| {
            image.dataobj().native().unwrap();
        }),
    ];
    let files: [(&PathBuf, LoadOptions); 3] = [
        (&path, LoadOptions::new()),
        (&members, LoadOptions::new()),
        (&path, LoadOptions::new().gzip_index(&index)),
    ];
    for (path, options) in files {
        for (name, read) in reads {
            let image = DataobjImage::from_filename(path, &options).unwrap();
            read(&image);
            println!("{} as {name}", path.display());
            is_right(&image);
        }
        let image = DataobjImage::from_filename(path, &options).unwrap();
        voxload::read_footer(&image).unwrap();
        is_right(&image);
    }
}

#[test]
fn nothing_is_read_twice_for_it() {
    let bytes = gzipped(&small());
    let counted = CountingSource::new(bytes.clone());
    let mut map = FileMap::new();
    map.insert(
        FileRole::Image,
        FileHolder::from_source(Arc::clone(&counted) as Arc<dyn voxload::ByteSource>)
            .named("footer.mgz"),
    );
    let image = DataobjImage::from_file_map(map, &LoadOptions::new()).unwrap();
    image.get_fdata::<f32>(Caching::Unchanged).unwrap();
    counted.reset();
    is_right(&image);
    voxload::read_footer(&image).unwrap();
    assert_eq!(counted.bytes_read(), 0);
}

#[test]
fn what_the_file_does_not_have_stays_absent() {
    let folder = folder();
    let voxels = [0; 120];
    let none = gzipped(&mgh([3, 4, 5, 1], &voxels, &[]));
    let image = loaded(folder.path(), "none.mgz", none).unwrap();
    voxload::read_footer(&image).unwrap();
    assert_eq!(footer(&image), Some(&MghFooter::default()));
    assert!(listed(&image, "tr").is_empty());
    // The file ends inside the echo time.
    let part = mgh([3, 4, 5, 1], &voxels, &footer_bytes()[..10]);
    let image = loaded(folder.path(), "part.mgh", part).unwrap();
    let found = footer(&image).unwrap();
    assert_eq!((found.tr, found.flip_angle), (Some(2300.0), Some(0.15)));
    assert_eq!((found.te, found.fov), (None, None));
    assert!(listed(&image, "te").is_empty());
    // A tag that is longer than the file.
    let mut long = footer_bytes();
    long.extend(40i32.to_be_bytes());
    long.extend(i64::MAX.to_be_bytes());
    let image = loaded(folder.path(), "long.mgh", mgh([3, 4, 5, 1], &voxels, &long)).unwrap();
    is_right(&image);
}

#[test]
fn a_series_has_its_repetition_time_when_loaded() {
    let folder = folder();
    let bytes = gzipped(&mgh([3, 4, 5, 2], &[0; 240], &footer_bytes()));
    let image = loaded(folder.path(), "series.mgz", bytes).unwrap();
    assert_eq!(image.header().zooms[3], 2300.0);
    assert_eq!(image.header().time_unit, voxload::TimeUnit::Millisecond);
    is_right(&image);
}

#[test]
fn damage_before_it_is_an_error() {
    let folder = folder();
    let bytes = gzipped(&small());
    let cut = &bytes[..bytes.len() - 20];
    let image = loaded(folder.path(), "cut.mgz", cut).unwrap();
    let error = voxload::read_footer(&image).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Truncated { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("cut.mgz"), "{error}");
    is_absent(&image);
}
