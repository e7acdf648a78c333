//! Damaged AFNI files.

use super::Table;
use crate::formats::seeds;
use crate::support::by_width;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("AFNI", 40), seeds::afni());
    for name in [
        "BYTEORDER_STRING",
        "BRICK_TYPES",
        "DATASET_RANK",
        "DATASET_DIMENSIONS",
        "DELTA",
        "IJK_TO_DICOM_REAL",
    ] {
        table.replaced(&seed, &[(name, "RENAMED", &format!("header {name}"))]);
    }
    table.replaced(
        &seed,
        &[
            ("type = string", "type = text", "header type"),
            ("type = string", "kind = string", "header type"),
            ("integer-attribute", "integer", "header type"),
            ("name = DELTA", "nome = DELTA", "header name"),
            ("name = DELTA", "name =", "header name"),
            ("\n 1 1\n", "\n 1 x\n", "header integer-attribute"),
            ("\n 1 1\n", "\n 1 1.5\n", "header integer-attribute"),
            ("\n 1 1\n", "\n\n", "header BRICK_TYPES"),
            ("\n 1 1\n", "\n 1 3\n", "header BRICK_TYPES"),
            ("\n 1 1\n", "\n 2 2\n", "header BRICK_TYPES"),
            ("\n 1 1\n", "\n 4 4\n", "header BRICK_TYPES"),
            ("\n 1 1\n", "\n -1 -1\n", "header BRICK_TYPES"),
            ("\n 1 1\n", "\n 3\n", "truncated voxel data"),
            ("\n 1 1\n", "\n 5\n", "truncated voxel data"),
            ("\n 3 2\n", "\n 3\n", "header DATASET_RANK"),
            ("\n 3 2\n", "\n 2 2\n", "header DATASET_RANK"),
            ("\n 3 2\n", "\n 4 2\n", "header DATASET_RANK"),
            ("\n 3 2\n", "\n 3 -2\n", "header DATASET_DIMENSIONS"),
            ("\n 3 2\n", "\n 3 3\n", "truncated voxel data"),
            (
                "\n 3 2\n",
                "\n 3 99999999999\n",
                by_width("limit scaling table", "header DATASET_DIMENSIONS"),
            ),
            (
                "\n 3 2\n",
                "\n 3 99999999999999999999\n",
                "header integer-attribute",
            ),
            ("\n 2 3 4\n", "\n 2 3\n", "header DATASET_DIMENSIONS"),
            ("\n 2 3 4\n", "\n 2 -3 4\n", "header DATASET_DIMENSIONS"),
            ("\n 2 3 4\n", "\n 2 3 4000\n", "truncated voxel data"),
            (
                "\n 2 3 4\n",
                "\n 4000000000 4000000000 4000000000\n",
                "header dim",
            ),
            ("\n -1.5 2 3\n", "\n -1.5 2\n", "header DELTA"),
            ("\n -1.5 2 3\n", "\n -1.5 2 3 4\n", "header DELTA"),
            ("\n -1.5 2 3\n", "\n -1.5 2 z\n", "header float-attribute"),
            ("\n 0 2.5\n", "\n 0\n", "header TAXIS_FLOATS"),
            ("\n 0 2.5\n", "\n 0 -2.5\n", "header TAXIS_FLOATS"),
            ("\n 0 2.5\n", "\n\n", "header TAXIS_FLOATS"),
            (" 1 0 0 -5\n", " 1 0 0\n", "header IJK_TO_DICOM_REAL"),
            (" 1 0 0 -5\n", " 1 0 0 -5 6\n", "header IJK_TO_DICOM_REAL"),
            ("\n 0.5 0\n", "\n 0.5 0 1\n", "header BRICK_FLOAT_FACS"),
            ("\n 0.5 0\n", "\n 0 0 0 0 2\n", "header BRICK_FLOAT_FACS"),
            ("\n 0.5 0\n", "\n 0.5 0 0\n", "ok"),
            ("\n 0.5 0\n", "\n 0.5 0,5\n", "header float-attribute"),
        ],
    );
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (1, "header type"),
            (30, "header name"),
            (120, "header DATASET_RANK"),
        ],
    );
    let mut without = seed.clone();
    without.files[1].1.truncate(95);
    table.check("voxels cut", &without, "truncated voxel data");
    without.files.remove(1);
    table.check("no voxels", &without, "not found");
    without = seed.clone();
    without.files[0].0 = "other+orig.HEAD".to_owned();
    without.files.swap(0, 1);
    table.check("no header", &without, "not found");
    table.done();
}
