//! Malformed headers give the error in the table, and no bytes make the parser panic.

use crate::core::dtype::ByteOrder;
use crate::core::error::{ErrorKind, Result};
use crate::core::options::{Limits, LoadOptions};
use crate::format::nifti::{NiftiHeader, Version};
use crate::format::{Fields, Format, Parsed, detect};
use crate::testing::Rng;

#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../../../tests/malformed/nifti.rs"]
mod table;

use table::{Expected, cases, valid};

/// Number of leading bytes from which nibabel detects the format.
const SNIFF_BYTES: usize = 1024;

/// Does what the image layer does with a header file.
fn load(bytes: &[u8], ending: Option<&str>) -> Result<Parsed> {
    let prefix = &bytes[..bytes.len().min(SNIFF_BYTES)];
    let entry = detect(prefix, ending, &[])?.entry;
    let wanted = (entry.need)(prefix)?.bytes(&Limits::default())?;
    let wanted = &bytes[..bytes.len().min(wanted as usize)];
    (entry.parse)(wanted, &LoadOptions::new())
}

fn expected_kind(kind: &ErrorKind) -> Option<Expected> {
    Some(match kind {
        ErrorKind::Header { field, .. } => Expected::Header(field),
        ErrorKind::Truncated { what: "header", .. } => Expected::Truncated,
        ErrorKind::UnknownFormat(_) => Expected::UnknownFormat,
        ErrorKind::Limit { .. } => Expected::Limit,
        _ => return None,
    })
}

#[test]
fn every_malformed_header_gives_its_error() {
    for version in [Version::One, Version::Two] {
        let cases = cases(version);
        let faults = |order: &str| {
            let named = cases.iter().filter(|case| case.name.contains(order));
            named
                .filter(|case| case.ending == ".nii" && case.expected != Expected::Truncated)
                .count()
        };
        assert!(
            faults("little") >= 70 && faults("big") >= 70,
            "{} faults",
            faults("little")
        );
        let cut = cases
            .iter()
            .filter(|case| case.expected == Expected::Truncated)
            .count();
        assert_eq!(cut, 4 * (version.header_bytes() - 1));
        let mut failures = Vec::new();
        for case in &cases {
            match load(&case.bytes, Some(case.ending)) {
                Ok(_) => failures.push(format!("{}: loads", case.name)),
                Err(error) if expected_kind(error.kind()) == Some(case.expected) => {}
                Err(error) => failures.push(format!("{}: {error}", case.name)),
            }
        }
        assert!(
            failures.is_empty(),
            "{} wrong:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for version in [Version::One, Version::Two] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for ending in [".nii", ".hdr"] {
                let mut header = valid(version, order, ending);
                header.qform_code = 1;
                header.quatern_b = 0.5;
                header.vox_offset += 32.0;
                let mut bytes = header.to_bytes();
                bytes.extend([1, 0, 0, 0]);
                let size = match order {
                    ByteOrder::Little => 32i32.to_le_bytes(),
                    ByteOrder::Big => 32i32.to_be_bytes(),
                };
                bytes.extend(size);
                bytes.extend([6; 28]);
                seeds.push(bytes);
            }
        }
    }
    seeds
}

#[test]
fn mutated_headers_never_panic_and_never_lie() {
    let seeds = seeds();
    for seed in &seeds {
        assert!(load(seed, None).is_ok(), "a seed loads");
    }
    let mut random = Rng::new(0x5eed);
    let (mut loaded, mut refused) = (0u32, 0u32);
    for round in 0..40_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(4) {
                0 => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                1 => bytes[at] ^ 1 << random.below(8),
                _ => random.below(256) as u8,
            };
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        let ending = [None, Some(".nii"), Some(".hdr"), Some(".img")][random.below(4)];
        match load(&bytes, ending) {
            Ok(Parsed { header, .. }) => {
                loaded += 1;
                assert!(header.data_end().is_ok());
                assert!(!header.shape.is_empty() && header.shape.len() == header.zooms.len());
                let Fields::Nifti(fields) = header.fields else {
                    assert_eq!(
                        header.format,
                        Format::Spm2Analyze,
                        "a pair without its magic"
                    );
                    continue;
                };
                assert_eq!(
                    fields.fields().count(),
                    if fields.version == Version::One {
                        43
                    } else {
                        38
                    }
                );
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
    }
    assert!(
        loaded > 1000 && refused > 1000,
        "{loaded} loaded, {refused} refused"
    );
}

/// Reading and writing a header does not change it.
#[test]
fn headers_round_trip() {
    for seed in seeds() {
        let Fields::Nifti(fields) = load(&seed, None).unwrap().header.fields else {
            panic!("a NIfTI header has NIfTI's fields");
        };
        let mut again = fields.to_bytes();
        again.extend(&seed[again.len()..]);
        assert_eq!(again, seed);
        let reread = NiftiHeader::from_bytes(&seed, fields.version, fields.byte_order);
        let bare = NiftiHeader {
            extensions: Vec::new(),
            ..*fields
        };
        assert_eq!(reread, bare);
    }
}
