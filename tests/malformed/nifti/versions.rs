//! Faults of single files alone, and of each version.

use super::Expected::{Header, UnknownFormat};
use super::Row;

/// Faults of single files, in both versions.
pub const SINGLE: &[Row] = &[
    ("vox_offset 1", |h| h.vox_offset = 1.0, Header("vox_offset")),
    (
        "vox_offset 16",
        |h| h.vox_offset = 16.0,
        Header("vox_offset"),
    ),
    (
        "vox_offset 100",
        |h| h.vox_offset = 100.0,
        Header("vox_offset"),
    ),
    (
        "vox_offset at the flag",
        |h| h.vox_offset = h.sizeof_hdr as f64,
        Header("vox_offset"),
    ),
    (
        "vox_offset in the flag",
        |h| h.vox_offset = h.sizeof_hdr as f64 + 3.0,
        Header("vox_offset"),
    ),
    (
        "vox_offset 100 with the magic of a pair",
        |h| {
            h.magic.replace_range(..2, "ni");
            h.vox_offset = 100.0;
        },
        Header("vox_offset"),
    ),
];

/// Faults of fields that are floats in NIfTI-1, or that it alone has.
pub const ONE: &[Row] = &[
    ("magic empty", |h| h.magic.clear(), UnknownFormat),
    (
        "magic in capitals",
        |h| h.magic = "N+1".to_owned(),
        UnknownFormat,
    ),
    (
        "magic of NIfTI-2",
        |h| h.magic = "n+2".to_owned(),
        UnknownFormat,
    ),
    ("magic cut", |h| h.magic = "n+".to_owned(), UnknownFormat),
    (
        "magic not ended",
        |h| h.magic = "n+1x".to_owned(),
        UnknownFormat,
    ),
    (
        "magic of spaces",
        |h| h.magic = "    ".to_owned(),
        UnknownFormat,
    ),
    (
        "vox_offset NaN",
        |h| h.vox_offset = f64::NAN,
        Header("vox_offset"),
    ),
    (
        "vox_offset inf",
        |h| h.vox_offset = f64::INFINITY,
        Header("vox_offset"),
    ),
    (
        "vox_offset -inf",
        |h| h.vox_offset = f64::NEG_INFINITY,
        Header("vox_offset"),
    ),
    (
        "vox_offset 3e38",
        |h| h.vox_offset = 3e38,
        Header("vox_offset"),
    ),
    (
        "vox_offset 2^63",
        |h| h.vox_offset = 9.3e18,
        Header("vox_offset"),
    ),
    (
        "vox_offset and size above 2^63",
        |h| {
            h.vox_offset = 9.2e18;
            h.dim = [4, 32767, 32767, 32767, 1000, 1, 1, 1];
        },
        Header("dim"),
    ),
    (
        "vox_offset -3e38",
        |h| h.vox_offset = -3e38,
        Header("vox_offset"),
    ),
    (
        "glmin 0",
        |h| (h.dim[1], h.dim[2], h.dim[3], h.glmin) = (-1, 1, 1, 0),
        Header("glmin"),
    ),
    (
        "glmin -1",
        |h| (h.dim[1], h.dim[2], h.dim[3], h.glmin) = (-1, 1, 1, -1),
        Header("glmin"),
    ),
    (
        "glmin smallest",
        |h| {
            (h.dim[1], h.dim[2], h.dim[3], h.glmin) = (-1, 1, 1, i64::from(i32::MIN));
        },
        Header("glmin"),
    ),
    (
        "glmin of two axes",
        |h| h.dim = [2, -1, 1, 1, 1, 1, 1, 1],
        Header("dim"),
    ),
    (
        "glmin beside a long axis",
        |h| (h.dim[1], h.dim[2], h.glmin) = (-1, 2, 9),
        Header("dim"),
    ),
];

/// Faults of one NIfTI-1 single file.
pub const ONE_SINGLE: &[Row] = &[
    (
        "vox_offset 351.9",
        |h| h.vox_offset = 351.9,
        Header("vox_offset"),
    ),
    (
        "vox_offset 0.5",
        |h| h.vox_offset = 0.5,
        Header("vox_offset"),
    ),
    (
        "vox_offset subnormal",
        |h| h.vox_offset = 1e-45,
        Header("vox_offset"),
    ),
];

/// Faults of fields that are wider in NIfTI-2, or that it alone has.
pub const TWO: &[Row] = &[
    ("sizeof_hdr 0", |h| h.sizeof_hdr = 0, UnknownFormat),
    ("sizeof_hdr 348", |h| h.sizeof_hdr = 348, UnknownFormat),
    ("magic empty", |h| h.magic.clear(), Header("magic")),
    (
        "magic in capitals",
        |h| h.magic = "N+2".to_owned(),
        Header("magic"),
    ),
    (
        "magic of NIfTI-1",
        |h| h.magic = "n+1".to_owned(),
        Header("magic"),
    ),
    ("magic cut", |h| h.magic = "n+".to_owned(), Header("magic")),
    (
        "magic not ended",
        |h| h.magic = "n+2x".to_owned(),
        Header("magic"),
    ),
    (
        "eol_check of Unix",
        |h| h.eol_check = [10, 26, 10, 0],
        Header("eol_check"),
    ),
    (
        "eol_check without its first",
        |h| h.eol_check = [0, 10, 26, 10],
        Header("eol_check"),
    ),
    (
        "eol_check negative",
        |h| h.eol_check = [13, 10, 26, -10],
        Header("eol_check"),
    ),
    ("dim[0] largest", |h| h.dim[0] = i64::MAX, Header("dim")),
    ("dim[0] smallest", |h| h.dim[0] = i64::MIN, Header("dim")),
    ("dim[1] smallest", |h| h.dim[1] = i64::MIN, Header("dim")),
    ("dim[1] largest", |h| h.dim[1] = i64::MAX, Header("dim")),
    (
        "dim[1] and dim[2] large",
        |h| (h.dim[1], h.dim[2]) = (1 << 40, 1 << 40),
        Header("dim"),
    ),
    (
        "dim[1] 2^61 of i64",
        |h| (h.dim[0], h.dim[1], h.datatype) = (1, 1 << 61, 1024),
        Header("dim"),
    ),
    (
        "FreeSurfer's length",
        |h| (h.dim[1], h.dim[2], h.dim[3]) = (-1, 1, 1),
        Header("dim"),
    ),
    (
        "vox_offset smallest",
        |h| h.vox_offset = i64::MIN as f64,
        Header("vox_offset"),
    ),
    (
        "vox_offset largest",
        |h| h.vox_offset = i64::MAX as f64,
        Header("vox_offset"),
    ),
    (
        "vox_offset and size above 2^63",
        |h| {
            h.vox_offset = (i64::MAX - 4096) as f64;
            h.dim = [2, 1 << 20, 1 << 20, 1, 1, 1, 1, 1];
        },
        Header("dim"),
    ),
    (
        "scl_inter NaN of the smallest slope",
        |h| {
            (h.scl_slope, h.scl_inter) = (5e-324, f64::NAN);
        },
        Header("scl_inter"),
    ),
    (
        "quaternion too long by 1e-12",
        |h| (h.qform_code, h.quatern_b) = (1, 1.0 + 1e-12),
        Header("quatern_b"),
    ),
    (
        "quatern_b 1e300",
        |h| (h.qform_code, h.quatern_b) = (1, 1e300),
        Header("quatern_b"),
    ),
];
