//! A header read touches no voxel, and a slice only its own bytes, whatever the format does with their order.

use std::sync::Arc;

use voxload::{ByteSource, DataobjImage, FileHolder, FileMap, FileRole, Index, LoadOptions};

use super::seeds::{self, Seed};
use crate::support::source::CountingSource;

/// A pair of files: the header as it is, the voxels counted.
fn pair(seed: &Seed) -> (DataobjImage, Arc<CountingSource>) {
    let counted = CountingSource::new(seed.files[1].1.clone());
    let header = CountingSource::new(seed.files[0].1.clone());
    let mut map = FileMap::new();
    let holder =
        |source: Arc<dyn ByteSource>, name: &str| FileHolder::from_source(source).named(name);
    map.insert(FileRole::Header, holder(header, &seed.files[0].0));
    map.insert(FileRole::Image, holder(counted.clone(), &seed.files[1].0));
    let image = DataobjImage::from_file_map(map, &LoadOptions::new()).unwrap();
    (image, counted)
}

#[test]
fn slices_of_pairs_read_their_bytes() {
    // Format, an index, the bytes it takes, and where in the file the first of them is.
    for (seed, index, bytes, at) in [
        (seeds::parrec(), "[..., 0, 0]", 12, 12),
        (seeds::parrec(), "[..., 1, 0]", 12, 0),
        (seeds::parrec(), "[..., 1, 1]", 12, 36),
        (seeds::afni(), "[..., 1]", 48, 48),
        (seeds::analyze(), "[..., 2]", 12, 24),
    ] {
        let name = format!("{} {index}", seed.format);
        let (image, counted) = pair(&seed);
        // Two bytes say whether a file is gzip.
        assert!(
            counted.bytes_read() <= 2,
            "{name}: the header alone was wanted"
        );
        counted.reset();
        let index: Index = index.parse().unwrap();
        let slice = image.dataobj().slice::<f32>(&index).unwrap();
        assert_eq!(counted.ranges(), [(at, bytes)], "{name}");
        let whole = image.dataobj().read::<f32>().unwrap();
        let last = whole.shape().len();
        assert!(slice.len() * 2 == bytes as usize && slice.len() < whole.len() && last >= 3);
    }
}

#[test]
fn single_files_load_from_bytes() {
    for mut seed in seeds::all()
        .into_iter()
        .filter(|seed| seed.files.len() == 1)
    {
        let format = seed.format;
        let image = DataobjImage::from_bytes(seed.header().clone()).unwrap();
        assert_eq!(image.header().format.name(), format);
        image.dataobj().read::<f32>().unwrap();
    }
    // A header that names its voxels' file has no folder to look for it in.
    let mut apart = seeds::nhdr();
    let refused = DataobjImage::from_bytes(apart.header().clone()).unwrap_err();
    assert!(
        matches!(refused.kind(), voxload::ErrorKind::Usage(_)),
        "{refused}"
    );
}

#[test]
fn an_image_without_voxels_has_an_empty_file() {
    let mut seed = seeds::analyze();
    seed.header()[40..50].copy_from_slice(&[0, 3, 0, 2, 0, 0, 0, 4, 0, 1]);
    seed.files[1].1.clear();
    let folder = crate::support::folder();
    let path = seed.write(folder.path());
    let image = voxload::load(path).unwrap();
    assert_eq!(image.shape(), [2, 0, 4]);
    assert!(image.dataobj().read::<f32>().unwrap().is_empty());
}

#[test]
fn numbers_as_text_are_limited_to_their_type() {
    let header = "NRRD0001\ntype: TYPE\ndimension: 1\nsizes: 6\nencoding: text\n\n";
    let values = |name: &str, text: &str| {
        let bytes = [header.replace("TYPE", name), text.to_owned()].concat();
        let image = DataobjImage::from_bytes(bytes.into_bytes()).unwrap();
        image
            .dataobj()
            .read::<f64>()
            .map(|values| values.as_slice().to_vec())
    };
    let text = "1 -2.9,300\n-1e3\t+7, 1.5";
    assert_eq!(
        values("uchar", text).unwrap(),
        [1.0, 0.0, 255.0, 0.0, 7.0, 1.0]
    );
    assert_eq!(
        values("short", text).unwrap(),
        [1.0, -2.0, 300.0, -1000.0, 7.0, 1.0]
    );
    assert_eq!(
        values("double", text).unwrap(),
        [1.0, -2.9, 300.0, -1e3, 7.0, 1.5]
    );
    let specials = values("float", "nan inf -inf 1e39 0x1 2").unwrap_err();
    assert!(specials.to_string().contains("0x1"), "{specials}");
    let specials = values("float", "nan inf -inf 1e39 -0 2 7 8 9").unwrap();
    assert!(
        specials[0].is_nan() && specials[4].is_sign_negative(),
        "{specials:?}"
    );
    assert_eq!(
        specials[1..4],
        [f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY]
    );
    let short = values("int", "1 2 3 4 5             ").unwrap_err();
    let truncated = matches!(short.kind(), voxload::ErrorKind::Truncated { .. });
    assert!(truncated, "{short}");
    assert!(values("int", "1 2 3 four 5 6").is_err());
}
