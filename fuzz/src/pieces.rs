//! NRRD and MetaImage headers whose voxels are in other files, and what axes mean.

use voxload::format::Format;
use voxload::{DataobjImage, FileMap, FileRole, Index, LoadOptions};

use crate::{checked, holder, look_at, small, take, take_part};

/// The format, the number of pieces, each with its length in a byte, the header.
pub fn pieces(mut data: &[u8]) {
    let format = [Format::Nrrd, Format::MetaImage][usize::from(take(&mut data)) % 2];
    let count = u32::from(take(&mut data)) % 5;
    let mut map = FileMap::new();
    for number in 0..count {
        map.insert(FileRole::Named(number), holder(take_part(&mut data, 1)));
    }
    map.insert(FileRole::Header, holder(data));
    let options = LoadOptions::new().format(format);
    let Some(image) = checked(DataobjImage::from_file_map(map, &options)) else {
        return;
    };
    look_at(&image);
    if small(&image).is_none() {
        return;
    }
    let Some(whole) = checked(image.dataobj().read::<f64>()) else {
        return;
    };
    let bits = |values: &[f64]| Vec::from_iter(values.iter().map(|value| value.to_bits()));
    // Along the last axis, one after the other: each from its own piece.
    if let Some(&length) = image.shape().last() {
        let mut joined = Vec::new();
        for at in 0..length {
            let part = Index::new().ellipsis().range(at as i64..at as i64 + 1);
            let part = image.dataobj().slice::<f64>(&part).expect("it was read");
            joined.extend(bits(part.as_slice()));
        }
        assert!(joined == bits(whole.as_slice()));
    }
    axes(&image, bits(whole.as_slice()));
}

/// Other orders of axes have the same values.
fn axes(image: &DataobjImage, mut bits: Vec<u64>) {
    if let Some(axis) = image.header().frame_axis() {
        assert!(axis < image.ndim());
    }
    let Some(canonical) = checked(image.as_closest_canonical()) else {
        return;
    };
    look_at(&canonical);
    let values = canonical.dataobj().read::<f64>().expect("it was read");
    let mut found = Vec::from_iter(values.as_slice().iter().map(|value| value.to_bits()));
    found.sort_unstable();
    bits.sort_unstable();
    assert!(found == bits);
}
