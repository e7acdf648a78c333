//! Truncation: at every byte of header and trailer, and at 1000 bytes of the body, plain and zipped, the error says
//! what there is and what is needed.

use voxload::{ByteOrder, DataobjImage, ErrorKind};

use super::Row;
use crate::malformed::seed;
use crate::support::for_each_parallel;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;

/// The error of a file cut to this length.
fn error(bytes: &[u8]) -> ErrorKind {
    let read =
        DataobjImage::from_bytes(bytes.to_vec()).and_then(|image| image.dataobj().read::<f32>());
    read.expect_err("a cut file").kind().clone()
}

#[test]
fn bodies_cut_anywhere() {
    let row = Row::new("cut at 1000 body bytes, plain and gz, versions and orders");
    let mut cases = 0;
    for version in [1, 2] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let mut nifti = Nifti::counting(&[50, 40, 20]).version(version).order(order);
            nifti.data = Rng::new(9).bytes(nifti.data.len());
            let (plain, start) = (nifti.single(), nifti.data_offset());
            let zipped = gz(&plain, 6);
            let mut rng = Rng::new(10);
            let mut lengths = |from: usize, to: usize| {
                Vec::from_iter((0..1000).map(|_| from + rng.below(to - from)))
            };
            let in_plain = lengths(start, plain.len());
            let in_zipped = lengths(1000, zipped.len() - 8);
            cases += in_plain.len() + in_zipped.len();
            for_each_parallel(in_plain, |length| {
                let (have, need) = (length as u64, plain.len() as u64);
                let what = "voxel data";
                let expected = ErrorKind::Truncated { what, have, need };
                assert_eq!(error(&plain[..length]), expected);
            });
            for_each_parallel(in_zipped, |length| {
                let (have, need) = (length as u64, length as u64 + 1);
                let what = "gzip data";
                let expected = ErrorKind::Truncated { what, have, need };
                assert_eq!(error(&zipped[..length]), expected);
            });
        }
    }
    row.done(cases, 8000);
}

#[test]
fn headers_and_trailers_cut_at_every_byte() {
    let row = Row::new("cut at every header and trailer byte, plain and gz");
    let mut cases = 0;
    for version in [1, 2] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let (nifti, mut check) = (seed(version, order), |bytes: &[u8]| {
                let found = error(bytes);
                let right = matches!(found, ErrorKind::Truncated { have, need, .. } if have < need);
                assert!(
                    right || bytes.is_empty(),
                    "{} bytes: {found:?}",
                    bytes.len()
                );
                cases += 1;
            });
            let plain = nifti.single();
            (0..nifti.data_offset()).for_each(|length| check(&plain[..length]));
            // The gzipped header in a member of its own, so that it too is cut at every byte.
            let header = gz(&plain[..nifti.data_offset()], 0);
            let zipped = [header.clone(), gz(&plain[nifti.data_offset()..], 6)].concat();
            (2..header.len()).for_each(|length| check(&zipped[..length]));
            (zipped.len() - 8..zipped.len()).for_each(|length| check(&zipped[..length]));
        }
    }
    // Offsets of the voxels; frames of a stored member are 23 bytes.
    let plain = 2 * (352 + 544);
    row.done(cases, plain + plain + 4 * (23 - 2) + 4 * 8);
}
