//! Damaged MGH files.

use super::{LARGEST, MINUS_1, Table};
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("MGH", 50), seeds::mgh());
    for length in [1, 4, 20, 28, 40, 60, 88, 89] {
        table.cut(&seed, &[(length, "Truncated(header)")]);
    }
    for length in [90, 200, 283, 284, 285, 300, 331] {
        table.cut(&seed, &[(length, "Truncated(voxel data)")]);
    }
    table.cut(&seed, &[(0, "Empty"), (332, "Ok"), (333, "Ok")]);
    for version in [0i32, 2, -1, 1 << 24] {
        table.overwritten(&seed, &[(0, &version.to_be_bytes(), "Header(version)")]);
    }
    for axis in 0..4 {
        let at = 4 + 4 * axis;
        table.overwritten(
            &seed,
            &[(at, &[0; 4], "Header(dims)"), (at, MINUS_1, "Header(dims)")],
        );
        table.overwritten(&seed, &[(at, LARGEST, "Truncated(voxel data)")]);
    }
    for code in [
        2i32,
        5,
        6,
        7,
        8,
        9,
        11,
        12,
        255,
        -1,
        1 << 24,
        i32::MAX,
        i32::MIN,
    ] {
        table.overwritten(&seed, &[(20, &code.to_be_bytes(), "Header(type)")]);
    }
    table.overwritten(&seed, &[(20, &1i32.to_be_bytes(), "Truncated(voxel data)")]);
    let all = [LARGEST; 4].concat();
    table.overwritten(
        &seed,
        &[(4, &all, "Header(dim)"), (4, &[0; 16], "Header(dims)")],
    );
    table.done();
}
