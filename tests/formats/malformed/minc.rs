//! Damaged MINC1 files.

use super::{LARGE, Table};
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("MINC1", 40), seeds::minc());
    table.replaced(
        &seed,
        &[
            ("CDF\x01", "CDF\x02", "NotAVolume"),
            ("CDF\x01", "HDF\x01", "UnknownFormat"),
            ("regular__", "irregular", "Header(spacing)"),
            ("spacing", "spacink", "Ok"),
            ("signtype", "signtipe", "Header(signtype)"),
            ("unsigned", "whatever", "Header(signtype)"),
            ("image-max", "image-mox", "Header(image-max)"),
            ("image-min", "image-mix", "Header(image-min)"),
            (
                "\0\0\0\x05image\0\0\0",
                "\0\0\0\x05imago\0\0\0",
                "Header(image)",
            ),
            (
                "\0\0\0\x06yspace\0\0",
                "\0\0\0\x06yspoce\0\0",
                "Header(image)",
            ),
        ],
    );
    let hdf5 = match cfg!(feature = "minc2") {
        true => "Integrity(HDF5)",
        false => "Unsupported",
    };
    table.overwritten(&seed, &[(0, b"\x89HDF", hdf5)]);
    // All that follows is found by its place: the file is made by `seeds::minc`.
    let position = |text: &str| {
        let bytes = &seed.files[0].1;
        bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap()
    };
    let range = position("valid_range") + 12 + 8;
    let of_image = range + 16;
    let image = position("image\0\0\0") + 8;
    let max = position("image-max") + 12;
    let step = position("step") + 4;
    for (offset, value, expected) in [
        (8, 9, "Header(netCDF)"),
        (12, -1, "Header(netCDF)"),
        (12, 1 << 30, "Limit(header)"),
        (16, -1, "Header(netCDF)"),
        (16, LARGE, "Limit(header)"),
        (28, -1, "Header(netCDF)"),
        (28, 0, "Ok"),
        (28, 3, "Truncated(voxel data)"),
        (image, 2, "Header(netCDF)"),
        (image, -1, "Header(netCDF)"),
        (image, LARGE, "Header(dimid)"),
        (image + 4, 3, "Header(dimid)"),
        (image + 4, -1, "Header(netCDF)"),
        (max, 2, "Header(nc_type)"),
        (max + 4, 1, "Header(image-min)"),
        (max + 4, 7, "Header(dimid)"),
        (max + 16, 7, "Header(nc_type)"),
        (max + 16, 2, "Ok"),
        (max + 24, -1, "Header(netCDF)"),
        (max + 24, 1 << 20, "Truncated(image-max and image-min)"),
        (step, 2, "Limit(header)"),
        (step, 9, "Header(nc_type)"),
        (step + 4, 0, "Limit(header)"),
        (of_image, 2, "Header(image)"),
        (of_image, 3, "Truncated(voxel data)"),
        (of_image, 0, "Header(nc_type)"),
        (of_image + 8, -1, "Header(netCDF)"),
        (of_image + 8, 1 << 20, "Truncated(voxel data)"),
    ] {
        table.overwritten(&seed, &[(offset, &i32::to_be_bytes(value), expected)]);
    }
    // The slowest axis is that of the records.
    let mut records = seed.clone();
    records.header()[28..32].fill(0);
    for (count, expected) in [
        (-1, "Header(netCDF)"),
        (0, "Ok"),
        (1, "Ok"),
        (2, "Truncated(voxel data)"),
        (200, "Truncated(image-max and image-min)"),
        (LARGE, "Limit(scaling table)"),
    ] {
        table.overwritten(&records, &[(4, &i32::to_be_bytes(count), expected)]);
    }
    for (low, high) in [(-1.0f64, 200.0f64), (0.0, 256.0), (-5.0, 1e9)] {
        let bytes = [low, high].map(f64::to_be_bytes).concat();
        table.overwritten(&seed, &[(range, &bytes, "Header(valid_range)")]);
    }
    table.cut(
        &seed,
        &[
            (0, "Empty"),
            (3, "UnknownFormat"),
            (4, "Truncated(header)"),
            (100, "Truncated(header)"),
        ],
    );
    table.cut(
        &seed,
        &[
            (500, "Truncated(header)"),
            (1024, "Truncated(image-max and image-min)"),
        ],
    );
    table.cut(
        &seed,
        &[
            (1055, "Truncated(image-max and image-min)"),
            (1056, "Truncated(voxel data)"),
            (1079, "Truncated(voxel data)"),
        ],
    );
    table.done();
}
