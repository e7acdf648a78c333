//! A header read touches no voxel, and a slice only its own bytes, whatever the format does with their order.

use std::sync::Arc;

use voxload::{ByteSource, DataobjImage, FileHolder, FileMap, HEADER, IMAGE, Index, LoadOptions};

use super::seeds::{self, Seed};
use crate::support::source::CountingSource;

/// A pair of files: the header as it is, the voxels counted.
fn pair(seed: &Seed) -> (DataobjImage, Arc<CountingSource>) {
    let counted = CountingSource::new(seed.files[1].1.clone());
    let header = CountingSource::new(seed.files[0].1.clone());
    let mut map = FileMap::new();
    let holder = |source: Arc<dyn ByteSource>, name: &str| FileHolder {
        filename: Some(name.into()),
        ..FileHolder::from_source(source)
    };
    map.insert(HEADER, holder(header, &seed.files[0].0));
    map.insert(IMAGE, holder(counted.clone(), &seed.files[1].0));
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
        let told = format!("{} {index}", seed.format);
        let (image, counted) = pair(&seed);
        // Two bytes tell whether a file is gzip.
        assert!(
            counted.bytes_read() <= 2,
            "{told}: the header alone was wanted"
        );
        counted.reset();
        let index: Index = index.parse().unwrap();
        let slice = image.dataobj().slice::<f32>(&index).unwrap();
        assert_eq!(counted.ranges(), [(at, bytes)], "{told}");
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
