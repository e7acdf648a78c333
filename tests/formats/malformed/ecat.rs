//! Damaged ECAT 7 files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("ECAT 7", 40), seeds::ecat());
    let [first, second] = seeds::FRAMES;
    table.cut(&seed, &[(0, "empty"), (6, "unknown format"), (3072, "ok")]);
    for length in [7, 100, 354, 511] {
        table.cut(&seed, &[(length, "truncated header")]);
    }
    for length in [512, 513, 800, 1023] {
        table.cut(&seed, &[(length, "truncated matrix list")]);
    }
    for length in [1024, 1100, 1535, 1536, 2048, 2559] {
        table.cut(&seed, &[(length, "truncated subheader")]);
    }
    for length in [2560, 2561, 2607] {
        table.cut(&seed, &[(length, "truncated voxel data")]);
    }
    table.cut(&seed, &[(2608, "ok")]);
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
        table.overwritten(&seed, &[(at, &int(value), "header matrix list")]);
    }
    for (next, expected) in [
        (0, "ok"),
        (-5, "ok"),
        (2, "ok"),
        (3, "header matrix list"),
        (7, "truncated matrix list"),
        (i32::MAX, "truncated matrix list"),
    ] {
        table.overwritten(&seed, &[(516, &int(next), expected)]);
    }
    // Frames announced.
    for (frames, expected) in [
        (0, "header matrix list"),
        (1, "header matrix list"),
        (3, "ok"),
    ] {
        table.overwritten(&seed, &[(354, &short(frames), expected)]);
    }
    // Where the subheaders are.
    for at in [532, 548] {
        for (block, expected) in [
            (-1, "header matrix list"),
            (0, "header matrix list"),
            (7, "truncated subheader"),
            (i32::MAX, "truncated subheader"),
            (i32::MIN, "header matrix list"),
        ] {
            table.overwritten(&seed, &[(at, &int(block), expected)]);
        }
    }
    for at in [first, second] {
        for code in [0, 8, 0xffff] {
            table.overwritten(&seed, &[(at, &short(code), "header data_type")]);
        }
        for axis in 0..3 {
            let field = at + 4 + 2 * axis;
            table.overwritten(&seed, &[(field, &short(9), "header x_dimension")]);
        }
        table.overwritten(&seed, &[(at, &short(5), "unsupported")]);
    }
    let largest = [0xff; 6];
    let mut both = seed.clone();
    for at in [first, second] {
        both.header()[at + 4..][..6].copy_from_slice(&largest);
    }
    table.check("the largest frames", &both, "truncated voxel data");
    table.done();
}
