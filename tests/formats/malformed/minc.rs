//! Damaged MINC1 files.

use super::{LARGE, Table};
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("MINC1", 40), seeds::minc());
    table.replaced(
        &seed,
        &[
            ("CDF\x01", "CDF\x02", "unknown format"),
            ("CDF\x01", "HDF\x01", "unknown format"),
            ("regular__", "irregular", "header spacing"),
            ("spacing", "spacink", "header spacing"),
            ("signtype", "signtipe", "header signtype"),
            ("unsigned", "whatever", "header signtype"),
            ("image-max", "image-mox", "header image-max"),
            ("image-min", "image-mix", "header image-min"),
            (
                "\0\0\0\x05image\0\0\0",
                "\0\0\0\x05imago\0\0\0",
                "header image",
            ),
            (
                "\0\0\0\x06yspace\0\0",
                "\0\0\0\x06yspoce\0\0",
                "header image",
            ),
        ],
    );
    let hdf5 = match cfg!(feature = "minc2") {
        true => "damaged HDF5",
        false => "unsupported",
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
        (8, 9, "header netCDF"),
        (12, -1, "header netCDF"),
        (12, 1 << 30, "limit header"),
        (16, -1, "header netCDF"),
        (16, LARGE, "limit header"),
        (28, -1, "header netCDF"),
        (28, 0, "ok"),
        (28, 3, "truncated voxel data"),
        (image, 2, "header netCDF"),
        (image, -1, "header netCDF"),
        (image, LARGE, "header dimid"),
        (image + 4, 3, "header dimid"),
        (image + 4, -1, "header netCDF"),
        (max, 2, "header nc_type"),
        (max + 4, 1, "header image-min"),
        (max + 4, 7, "header dimid"),
        (max + 16, 7, "header nc_type"),
        (max + 16, 2, "ok"),
        (max + 24, -1, "header netCDF"),
        (max + 24, 1 << 20, "truncated image-max and image-min"),
        (step, 2, "limit header"),
        (step, 9, "header nc_type"),
        (step + 4, 0, "limit header"),
        (of_image, 2, "header image"),
        (of_image, 3, "truncated voxel data"),
        (of_image, 0, "header nc_type"),
        (of_image + 8, -1, "header netCDF"),
        (of_image + 8, 1 << 20, "truncated voxel data"),
    ] {
        table.overwritten(&seed, &[(offset, &i32::to_be_bytes(value), expected)]);
    }
    // The slowest axis is that of the records.
    let mut records = seed.clone();
    records.header()[28..32].fill(0);
    for (count, expected) in [
        (-1, "header netCDF"),
        (0, "ok"),
        (1, "ok"),
        (2, "truncated voxel data"),
        (200, "truncated image-max and image-min"),
        (LARGE, "limit scaling table"),
    ] {
        table.overwritten(&records, &[(4, &i32::to_be_bytes(count), expected)]);
    }
    for (low, high) in [(-1.0f64, 200.0f64), (0.0, 256.0), (-5.0, 1e9)] {
        let bytes = [low, high].map(f64::to_be_bytes).concat();
        table.overwritten(&seed, &[(range, &bytes, "header valid_range")]);
    }
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (3, "unknown format"),
            (4, "truncated header"),
            (100, "truncated header"),
        ],
    );
    table.cut(
        &seed,
        &[
            (500, "truncated header"),
            (1024, "truncated image-max and image-min"),
        ],
    );
    table.cut(
        &seed,
        &[
            (1055, "truncated image-max and image-min"),
            (1056, "truncated voxel data"),
            (1079, "truncated voxel data"),
        ],
    );
    table.done();
}
