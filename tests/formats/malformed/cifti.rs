//! Damaged CIFTI-2 files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("CIFTI-2", 40), seeds::cifti());
    for length in [4, 100, 345, 400, 507, 539] {
        table.cut(&seed, &[(length, "Truncated(header)")]);
    }
    table.cut(
        &seed,
        &[
            (0, "Empty"),
            (688, "Truncated(voxel data)"),
            (711, "Truncated(voxel data)"),
        ],
    );
    for length in [540, 544, 560, 687] {
        table.cut(&seed, &[(length, "Header(extension)")]);
    }
    for code in [0i32, 4, 6, 31, 33] {
        table.overwritten(&seed, &[(548, &code.to_be_bytes(), "Header(extension)")]);
    }
    for size in [0i32, 7, 160, -1] {
        table.overwritten(&seed, &[(544, &size.to_be_bytes(), "Header(extension)")]);
    }
    table.overwritten(&seed, &[(540, &[0], "Header(extension)")]);
    for code in [0i16, 1, 3, 255, 1536] {
        table.overwritten(&seed, &[(12, &code.to_be_bytes(), "Header(datatype)")]);
    }
    for axes in [0i64, 1, 4] {
        table.overwritten(&seed, &[(16, &axes.to_be_bytes(), "Header(dim)")]);
    }
    table.overwritten(&seed, &[(16, &8i64.to_be_bytes(), "Header(dim)")]);
    for axis in 1..=4 {
        table.overwritten(
            &seed,
            &[(16 + 8 * axis, &2i64.to_be_bytes(), "Header(dim)")],
        );
    }
    for axis in 5..=6 {
        table.overwritten(
            &seed,
            &[(16 + 8 * axis, &(-2i64).to_be_bytes(), "Header(dim)")],
        );
        table.overwritten(
            &seed,
            &[(16 + 8 * axis, &99i64.to_be_bytes(), "Truncated(voxel data)")],
        );
    }
    table.overwritten(
        &seed,
        &[(4, b"n+1", "Header(magic)"), (9, &[0], "Header(eol_check)")],
    );
    table.overwritten(&seed, &[(168, &100i64.to_be_bytes(), "Header(vox_offset)")]);
    table.overwritten(
        &seed,
        &[(168, &i64::MAX.to_be_bytes(), "Limit(extension bytes)")],
    );
    table.done();
}
