//! Damaged AFNI files.

use super::Table;
use crate::formats::seeds;
use crate::support::by_width;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("AFNI", 40), seeds::afni());
    table.replaced(&seed, &[("BYTEORDER_STRING", "RENAMED", "Ok")]);
    for name in [
        "BRICK_TYPES",
        "DATASET_RANK",
        "DATASET_DIMENSIONS",
        "DELTA",
        "IJK_TO_DICOM_REAL",
    ] {
        table.replaced(&seed, &[(name, "RENAMED", &format!("Header({name})"))]);
    }
    table.replaced(
        &seed,
        &[
            ("type = string", "type = text", "Header(type)"),
            ("type = string", "kind = string", "Header(type)"),
            ("integer-attribute", "integer", "Header(type)"),
            ("name = DELTA", "nome = DELTA", "Header(name)"),
            ("name = DELTA", "name =", "Header(name)"),
            ("\n 1 1\n", "\n 1 x\n", "Header(integer-attribute)"),
            ("\n 1 1\n", "\n 1 1.5\n", "Header(integer-attribute)"),
            ("\n 1 1\n", "\n\n", "Header(BRICK_TYPES)"),
            ("\n 1 1\n", "\n 1 3\n", "Header(BRICK_TYPES)"),
            ("\n 1 1\n", "\n 2 2\n", "Header(BRICK_TYPES)"),
            ("\n 1 1\n", "\n 4 4\n", "Header(BRICK_TYPES)"),
            ("\n 1 1\n", "\n -1 -1\n", "Header(BRICK_TYPES)"),
            ("\n 1 1\n", "\n 3\n", "Truncated(voxel data)"),
            ("\n 1 1\n", "\n 5\n", "Truncated(voxel data)"),
            ("\n 3 2\n", "\n 3\n", "Header(DATASET_RANK)"),
            ("\n 3 2\n", "\n 2 2\n", "Header(DATASET_RANK)"),
            ("\n 3 2\n", "\n 4 2\n", "Header(DATASET_RANK)"),
            ("\n 3 2\n", "\n 3 -2\n", "Header(DATASET_DIMENSIONS)"),
            ("\n 3 2\n", "\n 3 3\n", "Truncated(voxel data)"),
            (
                "\n 3 2\n",
                "\n 3 99999999999\n",
                by_width("Limit(scaling table)", "Header(DATASET_DIMENSIONS)"),
            ),
            (
                "\n 3 2\n",
                "\n 3 99999999999999999999\n",
                "Header(integer-attribute)",
            ),
            ("\n 2 3 4\n", "\n 2 3\n", "Header(DATASET_DIMENSIONS)"),
            ("\n 2 3 4\n", "\n 2 -3 4\n", "Header(DATASET_DIMENSIONS)"),
            ("\n 2 3 4\n", "\n 2 3 4000\n", "Truncated(voxel data)"),
            (
                "\n 2 3 4\n",
                "\n 4000000000 4000000000 4000000000\n",
                "Header(dim)",
            ),
            ("\n -1.5 2 3\n", "\n -1.5 2\n", "Header(DELTA)"),
            ("\n -1.5 2 3\n", "\n -1.5 2 3 4\n", "Header(DELTA)"),
            ("\n -1.5 2 3\n", "\n -1.5 2 z\n", "Header(float-attribute)"),
            ("\n 0 2.5\n", "\n 0\n", "Header(TAXIS_FLOATS)"),
            ("\n 0 2.5\n", "\n 0 -2.5\n", "Header(TAXIS_FLOATS)"),
            ("\n 0 2.5\n", "\n\n", "Header(TAXIS_FLOATS)"),
            (" 1 0 0 -5\n", " 1 0 0\n", "Header(IJK_TO_DICOM_REAL)"),
            (" 1 0 0 -5\n", " 1 0 0 -5 6\n", "Header(IJK_TO_DICOM_REAL)"),
            ("\n 0.5 0\n", "\n 0.5 0 1\n", "Header(BRICK_FLOAT_FACS)"),
            ("\n 0.5 0\n", "\n 0 0 0 0 2\n", "Header(BRICK_FLOAT_FACS)"),
            ("\n 0.5 0\n", "\n 0.5 0 0\n", "Ok"),
            ("\n 0.5 0\n", "\n 0.5 0,5\n", "Header(float-attribute)"),
        ],
    );
    table.cut(
        &seed,
        &[
            (0, "Empty"),
            (1, "Header(type)"),
            (30, "Header(name)"),
            (120, "Header(DATASET_RANK)"),
        ],
    );
    let mut without = seed.clone();
    without.files[1].1.truncate(95);
    table.check("voxels cut", &without, "Truncated(voxel data)");
    without.files.remove(1);
    table.check("no voxels", &without, "NotFound");
    without = seed.clone();
    without.files[0].0 = "other+orig.HEAD".to_owned();
    without.files.swap(0, 1);
    table.check("no header", &without, "NotFound");
    table.done();
}
