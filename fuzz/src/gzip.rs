//! Whole reads of gzip files, against flate2.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder};
use voxload::{DataobjImage, Index};

use crate::nifti::{gz, header_of_bytes};
use crate::{checked, same, small, take, take_part};

/// Inflated bytes that are looked at.
const MOST_BYTES: u64 = 1 << 20;

/// Files of three kinds: the bytes as they are; deflate data with a right frame; members of a sound volume, then
/// damaged.
pub fn gzip(mut data: &[u8]) {
    match take(&mut data) % 3 {
        0 => as_it_is(data),
        1 => framed(data),
        _ => members(data),
    }
}

fn read(file: &[u8]) -> Option<(DataobjImage, Option<voxload::HostArray<f64>>)> {
    let image = checked(DataobjImage::from_bytes(file.to_vec()))?;
    small(&image)?;
    let values = checked(image.dataobj().read::<f64>());
    Some((image, values))
}

fn as_it_is(file: &[u8]) {
    if !file.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    let Some((image, Some(values))) = read(file) else {
        return;
    };
    let mut plain = Vec::new();
    let honest = MultiGzDecoder::new(file)
        .take(MOST_BYTES)
        .read_to_end(&mut plain);
    let noted = image.notes().iter().any(|note| note.field == "gzip");
    let padded = file.ends_with(&[0]);
    assert!(honest.is_ok() || noted || padded, "{honest:?} got through");
    let right = DataobjImage::from_bytes(plain).expect("the plain file loads");
    let right = right.dataobj().read::<f64>().expect("the plain file reads");
    assert!(same(&values, right.as_slice().iter().copied()));
}

fn framed(data: &[u8]) {
    let mut decoder = DeflateDecoder::new(data);
    let mut plain = Vec::new();
    let fits = (&mut decoder).take(MOST_BYTES).read_to_end(&mut plain);
    if fits.is_err() || plain.len() as u64 == MOST_BYTES {
        return;
    }
    let mut file = gz(&header_of_bytes(plain.len() as u64), 1);
    file.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    file.extend(&data[..decoder.total_in() as usize]);
    let mut crc = flate2::Crc::new();
    crc.update(&plain);
    file.extend(crc.sum().to_le_bytes());
    file.extend(crc.amount().to_le_bytes());
    let (image, values) = read(&file).expect("it is small");
    let values = values.expect("it is sound");
    assert!(same(&values, plain.iter().map(|&byte| f64::from(byte))));
    slices(&image, &plain);
}

fn members(mut data: &[u8]) {
    let flips = take(&mut data) % 3;
    let damage = take_part(&mut data, 1);
    let cuts = take_part(&mut data, 1);
    let plain = [&header_of_bytes(data.len() as u64), data].concat();
    let (mut file, mut from) = (Vec::new(), 0);
    for (number, &cut) in cuts.iter().enumerate() {
        let to = (from + usize::from(cut)).min(plain.len());
        file.extend(gz(&plain[from..to], number as u32 % 10));
        from = to;
    }
    file.extend(gz(&plain[from..], 6));
    for change in damage.chunks_exact(3).take(flips.into()) {
        let at = usize::from(change[0]) << 8 | usize::from(change[1]);
        let length = file.len();
        file[at % length] ^= change[2];
    }
    let Some((image, values)) = read(&file) else {
        return assert!(flips > 0, "a sound file loads");
    };
    let Some(values) = values else {
        return assert!(flips > 0, "a sound file reads");
    };
    if image.header().data_end().ok() == Some(plain.len() as u64) {
        assert!(same(&values, data.iter().map(|&byte| f64::from(byte))));
        slices(&image, data);
    }
}

/// Parts by the seek index.
fn slices(image: &DataobjImage, voxels: &[u8]) {
    let end = voxels.len() as i64;
    for (start, stop) in [(0, 1), (end / 3, end / 2), (end - 1, end), (0, end)] {
        let (start, stop): (i64, i64) = (start.max(0), stop.min(end));
        let range = start..stop;
        let index = Index::new().slice(Some(range.start), Some(range.end), None);
        let part = image.dataobj().slice::<f64>(&index).expect("it was read");
        let right = &voxels[range.start as usize..range.end as usize];
        assert!(same(&part, right.iter().map(|&byte| f64::from(byte))));
    }
}
