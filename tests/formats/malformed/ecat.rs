//! Damaged ECAT 7 files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("ECAT 7", 40), seeds::ecat());
    let [first, second] = seeds::FRAMES;
    table.cut(&seed, &[(0, "Empty"), (6, "UnknownFormat"), (3072, "Ok")]);
    for length in [7, 100, 354, 511] {
        table.cut(&seed, &[(length, "Truncated(header)")]);
    }
    for length in [512, 513, 800, 1023] {
        table.cut(&seed, &[(length, "Truncated(matrix list)")]);
    }
    for length in [1024, 1100, 1535, 1536, 2048, 2559] {
        table.cut(&seed, &[(length, "Truncated(subheader)")]);
    }
    for length in [2560, 2561, 2607] {
        table.cut(&seed, &[(length, "Truncated(voxel data)")]);
    }
    table.cut(&seed, &[(2608, "Ok")]);
    let int = |value: i32| value.to_be_bytes();
    let short = |value: u16| value.to_be_bytes();
    // Free and used entries, the next block of the list.
    for (at, value) in [
        (512, 30),
        (512, -1),
        (524, 1),
        (524, 32),
        (524, -2),
        (524, i32::MAX),
    ] {
        table.overwritten(&seed, &[(at, &int(value), "Header(matrix list)")]);
    }
    for (next, expected) in [
        (0, "Ok"),
        (-5, "Ok"),
        (2, "Ok"),
        (3, "Header(matrix list)"),
        (7, "Truncated(matrix list)"),
        (i32::MAX, "Truncated(matrix list)"),
    ] {
        table.overwritten(&seed, &[(516, &int(next), expected)]);
    }
    // Frames announced.
    for (frames, expected) in [
        (0, "Header(matrix list)"),
        (1, "Header(matrix list)"),
        (3, "Ok"),
    ] {
        table.overwritten(&seed, &[(354, &short(frames), expected)]);
    }
    // Where the subheaders are.
    for at in [532, 548] {
        for (block, expected) in [
            (-1, "Header(matrix list)"),
            (0, "Header(matrix list)"),
            (7, "Truncated(subheader)"),
            (i32::MAX, "Truncated(subheader)"),
            (i32::MIN, "Header(matrix list)"),
        ] {
            table.overwritten(&seed, &[(at, &int(block), expected)]);
        }
    }
    for at in [first, second] {
        for code in [0, 8, 0xffff] {
            table.overwritten(&seed, &[(at, &short(code), "Header(data_type)")]);
        }
        for axis in 0..3 {
            let field = at + 4 + 2 * axis;
            table.overwritten(&seed, &[(field, &short(9), "Header(x_dimension)")]);
        }
        table.overwritten(&seed, &[(at, &short(5), "Unsupported")]);
    }
    let largest = [0xff; 6];
    let mut both = seed.clone();
    for at in [first, second] {
        both.header()[at + 4..][..6].copy_from_slice(&largest);
    }
    table.check("the largest frames", &both, "Truncated(voxel data)");
    table.done();
}
