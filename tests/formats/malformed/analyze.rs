//! Damaged Analyze and SPM files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("Analyze", 40), seeds::analyze());
    for length in [4, 40, 70, 108, 253, 344, 347] {
        table.cut(&seed, &[(length, "Truncated(header)")]);
    }
    table.cut(&seed, &[(0, "Empty")]);
    table.overwritten(
        &seed,
        &[
            (0, &[0; 4], "UnknownFormat"),
            (0, &[0, 0, 1, 0x5d], "UnknownFormat"),
        ],
    );
    for axes in [[0, 8], [0xff, 0xff], [1, 1], [0x7f, 0xff]] {
        table.overwritten(&seed, &[(40, &axes, "Header(dim)")]);
    }
    for axis in 1..=3 {
        table.overwritten(&seed, &[(40 + 2 * axis, &[0xff, 0xff], "Header(dim)")]);
        table.overwritten(
            &seed,
            &[(40 + 2 * axis, &[0x7f, 0xff], "Truncated(voxel data)")],
        );
    }
    for code in [0i16, 1, 3, 255, 256, 512, 768, 1024, -1] {
        table.overwritten(&seed, &[(70, &code.to_be_bytes(), "Header(datatype)")]);
    }
    table.overwritten(
        &seed,
        &[(70, &64i16.to_be_bytes(), "Truncated(voxel data)")],
    );
    for offset in [-1f32, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        table.overwritten(&seed, &[(108, &offset.to_be_bytes(), "Header(vox_offset)")]);
    }
    table.overwritten(
        &seed,
        &[(108, &1f32.to_be_bytes(), "Truncated(voxel data)")],
    );
    let beside = |bytes: &[u8]| {
        let mut damaged = seed.clone();
        damaged.files[2].1 = bytes.to_vec();
        damaged
    };
    let (four, five) = (seeds::mat4("M"), seeds::mat5("mat"));
    let with = |bytes: &[u8], at: usize, byte: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = byte;
        bytes
    };
    for (what, bytes, expected) in [
        ("level 4", four.clone(), "Ok"),
        ("no .mat bytes", Vec::new(), "Ok"),
        (
            "not MATLAB's",
            b"What is this?".to_vec(),
            "Truncated(MATLAB file)",
        ),
        ("binary", vec![0; 64], "Truncated(MATLAB file)"),
        ("another name", seeds::mat5("other"), "Header(mat)"),
        ("level 4, another name", seeds::mat4("N"), "Header(mat)"),
        (
            "level 4 cut",
            four[..100].to_vec(),
            "Truncated(MATLAB file)",
        ),
        (
            "level 4, 3 rows",
            with(&four, 4, 3),
            "Truncated(MATLAB file)",
        ),
        ("level 4, -1 rows", with(&four, 7, 0xff), "Header(mat)"),
        ("level 4, VAX", with(&four, 0, 60), "Header(mat)"),
        (
            "level 5 cut",
            five[..200].to_vec(),
            "Truncated(MATLAB file)",
        ),
        ("level 5, order", with(&five, 126, b'X'), "Header(mat)"),
        ("level 5, version 2", with(&five, 125, 2), "Unsupported"),
        ("level 5, of characters", with(&five, 144, 4), "Header(mat)"),
        ("level 5, 5 rows", with(&five, 160, 5), "Header(mat)"),
        ("level 5, -1 rows", with(&five, 163, 0xff), "Header(mat)"),
    ] {
        table.check(what, &beside(&bytes), expected);
    }
    let mut headless = seed.clone();
    headless.files[1].1.truncate(40);
    table.check("image cut", &headless, "Truncated(voxel data)");
    headless.files.remove(1);
    table.check("no image", &headless, "NotFound");
    table.done();
}
