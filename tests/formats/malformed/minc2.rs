//! Damaged MINC2 files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("MINC2", 40), seeds::minc2());
    let whole = seed.files[0].1.len();
    table.cut(&seed, &[(0, "Empty"), (3, "UnknownFormat"), (whole, "Ok")]);
    table.cut(&seed, &[(4, "Integrity(HDF5)")]);
    for length in [8, 40, 95] {
        table.cut(&seed, &[(length, "Truncated(HDF5 file)")]);
    }
    for k in 1..16 {
        table.cut(&seed, &[(whole * k / 16, "Truncated(HDF5 file)")]);
    }
    let group = "Header(minc-2.0/image/0)";
    let dimensions = "Header(minc-2.0/dimensions)";
    table.replaced(
        &seed,
        &[
            ("minc-2.0", "minc-2.1", group),
            ("dimensions\0", "dimensionz\0", dimensions),
            ("image-max", "image-mux", group),
            ("image-min", "image-mun", group),
            ("dimorder", "dimordur", "Header(dimorder)"),
            ("regular__", "irregular", "Header(spacing)"),
            ("regular__", "regular_1", "Ok"),
            ("spacing", "spocing", "Ok"),
            ("direction_cosines", "direction_cosinez", "Ok"),
            ("zspace,yspace,xspace", "zspace,yspace,yspace", "Ok"),
            (
                "zspace,yspace,xspace",
                "zspace,yspace\0xspace",
                "Header(dimorder)",
            ),
            ("zspace,yspace,xspace", "zspace,yspace,xspacf", dimensions),
            (
                "zspace,yspace,xspace",
                "yspace,zspace,xspace",
                "Header(image-max)",
            ),
            ("\0zspace\0", "\0zspacf\0", dimensions),
            ("SNOD", "SNUD", "Integrity(HDF5)"),
            ("TREE", "TREF", "Integrity(HDF5)"),
            ("HEAP", "HEAQ", "Integrity(HDF5)"),
        ],
    );
    let double = |value: f64| value.to_le_bytes();
    let at = |bytes: &[u8]| {
        let file = &seed.files[0].1;
        let found = file.windows(bytes.len()).position(|window| window == bytes);
        found.unwrap()
    };
    let high = at(&[double(0.0), double(200.0)].concat()) + 8;
    for value in [255.5, 256.0, 1e300, f64::INFINITY] {
        table.overwritten(&seed, &[(high, &double(value), "Header(valid_range)")]);
    }
    for value in [-1.0, f64::NEG_INFINITY] {
        table.overwritten(&seed, &[(high - 8, &double(value), "Header(valid_range)")]);
    }
    for value in [255.0, 0.0, f64::NAN] {
        table.overwritten(&seed, &[(high, &double(value), "Ok")]);
    }
    table.done();
}
