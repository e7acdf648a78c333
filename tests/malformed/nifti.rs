//! Malformed NIfTI headers, and the error that each must give. The crate's own tests and the integration tests both
//! include this file; they bring `NiftiHeader`, `Version` and `ByteOrder` into scope of its parent.

#[path = "nifti/versions.rs"]
mod versions;

use super::{ByteOrder, NiftiHeader, Version};
use versions::{ONE, ONE_SINGLE, SINGLE, TWO};

/// A header file that must not load.
pub struct Case {
    /// What is wrong, in which version and byte order.
    pub name: String,
    /// The header file.
    pub bytes: Vec<u8>,
    /// `.nii` or `.hdr`.
    pub ending: &'static str,
    /// The error.
    pub expected: Expected,
}

/// The error of a malformed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// `ErrorKind::Header` of this field.
    Header(&'static str),
    /// `ErrorKind::Truncated` of the `header`.
    Truncated,
    /// `ErrorKind::UnknownFormat`.
    UnknownFormat,
    /// `ErrorKind::Limit`.
    Limit,
}

use Expected::{Header, Limit, Truncated, UnknownFormat};

type Edit = fn(&mut NiftiHeader);
/// What is wrong, how to make it, the error.
type Row = (&'static str, Edit, Expected);

/// Faults of single files and of pairs, in both versions.
const ANY: &[Row] = &[
    ("datatype none", |h| h.datatype = 0, Header("datatype")),
    ("datatype binary", |h| h.datatype = 1, Header("datatype")),
    ("datatype unknown", |h| h.datatype = 3, Header("datatype")),
    (
        "datatype of several bits",
        |h| h.datatype = 6,
        Header("datatype"),
    ),
    ("datatype all", |h| h.datatype = 255, Header("datatype")),
    (
        "datatype float128",
        |h| h.datatype = 1536,
        Header("datatype"),
    ),
    (
        "datatype complex256",
        |h| h.datatype = 2048,
        Header("datatype"),
    ),
    ("datatype negative", |h| h.datatype = -4, Header("datatype")),
    (
        "datatype after the last",
        |h| h.datatype = 2305,
        Header("datatype"),
    ),
    (
        "datatype largest",
        |h| h.datatype = 32767,
        Header("datatype"),
    ),
    (
        "datatype smallest",
        |h| h.datatype = -32768,
        Header("datatype"),
    ),
    ("dim[0] 8", |h| h.dim[0] = 8, Header("dim")),
    ("dim[0] 9", |h| h.dim[0] = 9, Header("dim")),
    ("dim[0] -1", |h| h.dim[0] = -1, Header("dim")),
    ("dim[0] -7", |h| h.dim[0] = -7, Header("dim")),
    ("dim[0] 32767", |h| h.dim[0] = 32767, Header("dim")),
    ("dim[0] -32768", |h| h.dim[0] = -32768, Header("dim")),
    (
        "dim[0] the same in both orders",
        |h| h.dim[0] = 0x0808,
        Header("dim"),
    ),
    ("dim[1] -1", |h| h.dim[1] = -1, Header("dim")),
    ("dim[2] -1", |h| h.dim[2] = -1, Header("dim")),
    ("dim[3] -1", |h| h.dim[3] = -1, Header("dim")),
    ("dim[1] smallest", |h| h.dim[1] = -32768, Header("dim")),
    (
        "dim[4] -1",
        |h| (h.dim[0], h.dim[4]) = (4, -1),
        Header("dim"),
    ),
    (
        "dim[5] -1",
        |h| (h.dim[0], h.dim[5]) = (5, -1),
        Header("dim"),
    ),
    (
        "dim[6] -1",
        |h| (h.dim[0], h.dim[6]) = (6, -1),
        Header("dim"),
    ),
    (
        "dim[7] -1",
        |h| (h.dim[0], h.dim[7]) = (7, -1),
        Header("dim"),
    ),
    (
        "dim negative twice",
        |h| (h.dim[1], h.dim[2]) = (-2, -3),
        Header("dim"),
    ),
    (
        "dim negative beside zero",
        |h| (h.dim[1], h.dim[2]) = (0, -3),
        Header("dim"),
    ),
    (
        "2^105 voxels",
        |h| h.dim = [7, 32767, 32767, 32767, 32767, 32767, 32767, 32767],
        Header("dim"),
    ),
    (
        "2^75 voxels",
        |h| h.dim = [5, 32767, 32767, 32767, 32767, 32767, 1, 1],
        Header("dim"),
    ),
    (
        "2^63 bytes of few voxels",
        |h| {
            h.dim = [5, 32767, 32767, 32767, 32767, 4, 1, 1];
            h.datatype = 1792;
        },
        Header("dim"),
    ),
    (
        "vox_offset -1",
        |h| h.vox_offset = -1.0,
        Header("vox_offset"),
    ),
    (
        "vox_offset -16",
        |h| h.vox_offset = -16.0,
        Header("vox_offset"),
    ),
    (
        "vox_offset far below",
        |h| h.vox_offset = -1e15,
        Header("vox_offset"),
    ),
    (
        "scl_inter NaN",
        |h| (h.scl_slope, h.scl_inter) = (2.0, f64::NAN),
        Header("scl_inter"),
    ),
    (
        "scl_inter inf",
        |h| (h.scl_slope, h.scl_inter) = (2.0, f64::INFINITY),
        Header("scl_inter"),
    ),
    (
        "scl_inter -inf",
        |h| (h.scl_slope, h.scl_inter) = (-1.0, f64::NEG_INFINITY),
        Header("scl_inter"),
    ),
    (
        "scl_inter NaN of slope 1",
        |h| (h.scl_slope, h.scl_inter) = (1.0, f64::NAN),
        Header("scl_inter"),
    ),
    (
        "quatern_b 2",
        |h| (h.qform_code, h.quatern_b) = (1, 2.0),
        Header("quatern_b"),
    ),
    (
        "quatern_c -2",
        |h| (h.qform_code, h.quatern_c) = (1, -2.0),
        Header("quatern_b"),
    ),
    (
        "quatern_d 1.001",
        |h| (h.qform_code, h.quatern_d) = (5, 1.001),
        Header("quatern_b"),
    ),
    (
        "quatern_d inf",
        |h| (h.qform_code, h.quatern_d) = (1, f64::INFINITY),
        Header("quatern_b"),
    ),
    (
        "quatern_b -inf",
        |h| (h.qform_code, h.quatern_b) = (1, f64::NEG_INFINITY),
        Header("quatern_b"),
    ),
    (
        "quatern_c huge",
        |h| (h.qform_code, h.quatern_c) = (1, 3e38),
        Header("quatern_b"),
    ),
    (
        "quaternion a little too long",
        |h| {
            h.qform_code = 2;
            (h.quatern_b, h.quatern_c, h.quatern_d) = (0.6, 0.6, 0.6);
        },
        Header("quatern_b"),
    ),
    (
        "two faults: the first is reported",
        |h| (h.datatype, h.vox_offset) = (3, -1.0),
        Header("datatype"),
    ),
    (
        "dim[0] before all else",
        |h| (h.dim[0], h.datatype) = (9, 3),
        Header("dim"),
    ),
];

/// A header without fault of 2 x 3 x 4 voxels of i16.
pub fn valid(version: Version, byte_order: ByteOrder, ending: &str) -> NiftiHeader {
    let (size, digit) = match version {
        Version::One => (348, '1'),
        Version::Two => (540, '2'),
    };
    let single = ending == ".nii";
    NiftiHeader {
        version,
        byte_order,
        sizeof_hdr: size,
        dim: [3, 2, 3, 4, 1, 1, 1, 1],
        datatype: 4,
        bitpix: 16,
        pixdim: [1.0; 8],
        vox_offset: if single { size as f64 + 4.0 } else { 0.0 },
        scl_slope: 1.0,
        magic: format!("{}{digit}", if single { "n+" } else { "ni" }),
        eol_check: [13, 10, 26, 10],
        ..NiftiHeader::default()
    }
}

/// All malformed headers of a version: each fault in both byte orders, and every length that is too short.
pub fn cases(version: Version) -> Vec<Case> {
    let (own, own_single) = match version {
        Version::One => (ONE, ONE_SINGLE),
        Version::Two => (TWO, &[][..]),
    };
    let mut cases = Vec::new();
    for byte_order in [ByteOrder::Little, ByteOrder::Big] {
        for (ending, rows) in [
            (".nii", &[ANY, own, SINGLE, own_single][..]),
            (".hdr", &[ANY, own]),
        ] {
            for (name, edit, expected) in rows.iter().copied().flatten() {
                let mut header = valid(version, byte_order, ending);
                edit(&mut header);
                if ending == ".hdr" && *expected == UnknownFormat && header.sizeof_hdr == 348 {
                    // A pair without NIfTI's magic is Analyze's, sound or not, as in nibabel.
                    continue;
                }
                cases.push(Case {
                    name: format!("{version:?} {byte_order} {ending}: {name}"),
                    bytes: header.to_bytes(),
                    ending,
                    expected: *expected,
                });
            }
            let whole = valid(version, byte_order, ending).to_bytes();
            for length in 1..whole.len() {
                cases.push(Case {
                    name: format!("{version:?} {byte_order} {ending}: cut at {length}"),
                    bytes: whole[..length].to_vec(),
                    ending,
                    expected: Truncated,
                });
            }
        }
        let mut announced = valid(version, byte_order, ".nii");
        announced.vox_offset = (1u64 << 40) as f64;
        let mut bytes = announced.to_bytes();
        bytes.extend([1, 0, 0, 0]);
        cases.push(Case {
            name: format!("{version:?} {byte_order}: extensions of 2^40 bytes"),
            bytes,
            ending: ".nii",
            expected: Limit,
        });
    }
    cases
}
