//! Damaged NRRD files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("NRRD", 40), seeds::nrrd());
    table.replaced(
        &seed,
        &[
            ("NRRD0004", "NRRD0009", "Header(magic)"),
            ("NRRD0004", "NRRD000", "Header(magic)"),
            ("NRRD0004", "NURD0004", "UnknownFormat"),
            ("type: short\n", "", "Header(type)"),
            ("type: short", "type: shirt", "Header(type)"),
            ("type: short", "type: block", "Unsupported"),
            ("type: short", "type short", "Header(field)"),
            ("type: short", "type: double", "Truncated(voxel data)"),
            ("dimension: 3\n", "", "Header(dimension)"),
            ("dimension: 3", "dimension: 0", "Header(dimension)"),
            ("dimension: 3", "dimension: 17", "Header(dimension)"),
            ("dimension: 3", "dimension: three", "Header(dimension)"),
            ("dimension: 3", "dimension: 4", "Header(sizes)"),
            ("sizes: 2 3 4\n", "", "Header(sizes)"),
            ("sizes: 2 3 4", "sizes: 2 3", "Header(sizes)"),
            ("sizes: 2 3 4", "sizes: 2 0 4", "Header(sizes)"),
            ("sizes: 2 3 4", "sizes: 2 -3 4", "Header(sizes)"),
            ("sizes: 2 3 4", "sizes: 2 x 4", "Header(sizes)"),
            ("sizes: 2 3 4", "sizes: 2 3 5", "Truncated(voxel data)"),
            (
                "sizes: 2 3 4",
                "sizes: 4000000000 4000000000 4",
                "Header(dim)",
            ),
            (
                "space: left-posterior-superior",
                "space: up-and-down",
                "Header(space)",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0)",
                "Header(spacedirections)",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0) (0,0,x)",
                "Header(spacedirections)",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0) (0,0,3",
                "Header(spacedirections)",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0) 3",
                "Header(spacedirections)",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0) (0,2) (0,0)",
                "Header(spacedirections)",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "none none none none",
                "Header(spacedirections)",
            ),
            (
                "space origin: (1,2,3)",
                "space origin: 1,2,3",
                "Header(spaceorigin)",
            ),
            (
                "space origin: (1,2,3)",
                "space origin: (1,2",
                "Header(spaceorigin)",
            ),
            ("endian: little\n", "", "Header(endian)"),
            ("endian: little", "endian: middle", "Header(endian)"),
            ("encoding: raw\n", "", "Header(encoding)"),
            ("encoding: raw", "encoding: zip", "Header(encoding)"),
            (
                "encoding: raw",
                "encoding: bzip2",
                if cfg!(feature = "bz2") {
                    "Integrity(bzip2)"
                } else {
                    "Unsupported"
                },
            ),
            ("encoding: raw", "encoding: ascii", "Integrity(text)"),
            (
                "encoding: raw",
                "encoding: hex",
                "Truncated(voxels as text)",
            ),
            ("encoding: raw", "encoding: gzip", "Integrity(gzip)"),
            ("key:=value", "byte skip: -2", "Truncated(voxel data)"),
            ("key:=value", "byte skip: many", "Header(byteskip)"),
            ("key:=value", "byte skip: 1", "Truncated(voxel data)"),
            ("key:=value", "byteskip: 9223372036854775807", "Header(dim)"),
            ("key:=value", "line skip: -1", "Header(lineskip)"),
            ("key:=value", "line skip: 1", "Truncated(skipped lines)"),
            ("key:=value", "spacings: 1 x 1", "Header(spacings)"),
            ("key:=value", "data file: seed.none", "NotFound"),
            ("key:=value", "data file:", "Header(datafile)"),
            ("key:=value", "data file: s%03d.raw 1 4", "Header(datafile)"),
            ("key:=value", "data file: s%03d.raw 1 4 1", "NotFound"),
            (
                "key:=value",
                "data file: s%03d.raw 1 4 0",
                "Header(datafile)",
            ),
            (
                "key:=value",
                "data file: s%03d.raw 4 1 1",
                "Header(datafile)",
            ),
            ("key:=value", "data file: s%s.raw 1 4 1", "NotFound"),
            (
                "key:=value",
                "data file: s%d%d.raw 1 4 1",
                "Header(datafile)",
            ),
            (
                "key:=value",
                "data file: s%099d.raw 1 4 1",
                "Header(datafile)",
            ),
            (
                "key:=value",
                "data file: s%d.raw 0 99999999 1",
                "Header(datafile)",
            ),
        ],
    );
    let header = seeds::NRRD.len();
    table.cut(
        &seed,
        &[
            (0, "Empty"),
            (5, "UnknownFormat"),
            (60, "Header(sizes)"),
            (header, "Truncated(header)"),
        ],
    );
    table.cut(
        &seed,
        &[
            (header + 1, "Truncated(voxel data)"),
            (header + 48, "Truncated(voxel data)"),
        ],
    );
    let mut detached = seeds::nhdr();
    table.replaced(
        &detached,
        &[
            ("encoding: raw", "encoding: gz", "Integrity(gzip)"),
            ("key:=value", "byte skip: -1", "Ok"),
        ],
    );
    detached.files[1].1.truncate(47);
    table.check("voxels cut", &detached, "Truncated(voxel data)");
    table.replaced(
        &detached,
        &[("key:=value", "byte skip: -1", "Truncated(voxel data)")],
    );
    detached.files.remove(1);
    table.check("no data file", &detached, "NotFound");
    table.done();
}
