//! Header parsers, driven through the files of an image.

use voxload::format::Format;
use voxload::{DataobjImage, FileMap, FileRole, Index, LoadOptions, ParScaling};

use crate::{checked, holder, look_at, small, take, take_part};

/// Headers of fixed fields.
pub fn headers_binary(data: &[u8]) {
    header(data, &BINARY);
}

/// Headers that are text.
pub fn headers_text(data: &[u8]) {
    header(data, &TEXT);
}

/// Files that are containers of their own.
pub fn headers_container(data: &[u8]) {
    header(data, &CONTAINER);
}

/// Formats that a target's first byte chooses among; `None`: told by the content.
pub const BINARY: [Option<Format>; 9] = [
    None,
    Some(Format::Nifti1Single),
    Some(Format::Nifti1Pair),
    Some(Format::Nifti2Single),
    Some(Format::Nifti2Pair),
    Some(Format::Cifti2),
    Some(Format::Spm2Analyze),
    Some(Format::Spm99Analyze),
    Some(Format::Mgh),
];

/// As [`BINARY`].
pub const TEXT: [Option<Format>; 5] = [
    None,
    Some(Format::Afni),
    Some(Format::ParRec),
    Some(Format::Nrrd),
    Some(Format::MetaImage),
];

/// As [`BINARY`].
pub const CONTAINER: [Option<Format>; 4] = [
    None,
    Some(Format::Minc1),
    Some(Format::Minc2),
    Some(Format::Ecat),
];

/// Options, format, the bytes of `.img` and `.mat` (each with its length in two bytes), the header file.
fn header(mut data: &[u8], formats: &[Option<Format>]) {
    let flags = take(&mut data);
    let mut options = LoadOptions::new()
        .permit_truncated(flags & 1 != 0)
        .strict_sort(flags & 2 != 0);
    if flags & 4 != 0 {
        options = options.par_scaling(ParScaling::Fp);
    }
    let number = usize::from(take(&mut data)) % formats.len();
    if let Some(format) = formats[number] {
        options = options.format(format);
    }
    let image = take_part(&mut data, 2);
    let mat = take_part(&mut data, 2);
    let map = if image.is_empty() {
        FileMap::from([(FileRole::Image, holder(data))])
    } else {
        FileMap::from([
            (FileRole::Header, holder(data)),
            (FileRole::Image, holder(image)),
            (FileRole::Mat, holder(mat)),
        ])
    };
    let Some(image) = checked(DataobjImage::from_file_map(map, &options)) else {
        return;
    };
    look_at(&image);
    if small(&image).is_some() {
        let whole = checked(image.dataobj().read::<f32>());
        checked(image.dataobj().unscaled());
        let first = Index::new().ellipsis().slice(Some(0), Some(1), None);
        let part = checked(image.dataobj().slice::<f32>(&first));
        assert!(whole.is_none() || image.ndim() == 0 || part.is_some());
    }
    if let Some(oriented) = checked(image.as_closest_canonical()) {
        look_at(&oriented);
    }
}
