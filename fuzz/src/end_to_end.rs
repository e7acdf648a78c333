//! A file and a slice of it, against numpy's slice of the whole read.

use voxload::{Caching, DataobjImage, Index};

use crate::nifti::gz;
use crate::{checked, look_at, same, slicing, small, take, take_part};

/// Options, the slice's notation (its length in a byte), the file.
pub fn end_to_end(mut data: &[u8]) {
    let flags = take(&mut data);
    let text = take_part(&mut data, 1);
    let file = match flags & 1 {
        0 => data.to_vec(),
        _ => gz(data, 1),
    };
    let Some(image) = checked(DataobjImage::from_bytes(file.clone())) else {
        return;
    };
    look_at(&image);
    let Some(index) = std::str::from_utf8(text)
        .ok()
        .and_then(|text| checked(text.parse::<Index>()))
    else {
        return;
    };
    let Some(voxels) = small(&image) else {
        // What it takes may be little, and then it is there or it is not.
        return drop(image.dataobj().sliced(&index));
    };
    let slice = checked(image.dataobj().slice::<f64>(&index));
    // Another image: what the slice read must not be what the whole read finds.
    let whole_image = DataobjImage::from_bytes(file).expect("as before");
    let Some(whole) = checked(whole_image.get_fdata::<f64>(Caching::Fill)) else {
        return;
    };
    assert_eq!(whole.len(), voxels);
    let Some(slice) = slice else { return };
    let (shape, from) = slicing::take(image.shape(), index.items());
    assert_eq!(slice.shape(), shape, "{index:?}");
    let right = |at: &usize| whole.as_slice()[*at];
    assert!(same(&slice, from.iter().map(right)), "{index:?}");
    // Narrowed once, from the f64 value.
    if let Some(narrow) = checked(image.dataobj().slice::<f32>(&index)) {
        let exact = |value: f64| value as f32;
        let right = from.iter().map(|at| exact(whole.as_slice()[*at]));
        if image.header().dtype.is_integer() {
            assert!(same(&narrow, right), "{index:?} as f32");
        }
    }
}
