//! Damaged NRRD files.

use super::Table;
use crate::formats::seeds;

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("NRRD", 40), seeds::nrrd());
    table.replaced(
        &seed,
        &[
            ("NRRD0004", "NRRD0009", "header magic"),
            ("NRRD0004", "NRRD000", "header magic"),
            ("NRRD0004", "NURD0004", "unknown format"),
            ("type: short\n", "", "header type"),
            ("type: short", "type: shirt", "header type"),
            ("type: short", "type: block", "unsupported"),
            ("type: short", "type short", "header field"),
            ("type: short", "type: double", "truncated voxel data"),
            ("dimension: 3\n", "", "header dimension"),
            ("dimension: 3", "dimension: 0", "header dimension"),
            ("dimension: 3", "dimension: 17", "header dimension"),
            ("dimension: 3", "dimension: three", "header dimension"),
            ("dimension: 3", "dimension: 4", "header sizes"),
            ("sizes: 2 3 4\n", "", "header sizes"),
            ("sizes: 2 3 4", "sizes: 2 3", "header sizes"),
            ("sizes: 2 3 4", "sizes: 2 0 4", "header sizes"),
            ("sizes: 2 3 4", "sizes: 2 -3 4", "header sizes"),
            ("sizes: 2 3 4", "sizes: 2 x 4", "header sizes"),
            ("sizes: 2 3 4", "sizes: 2 3 5", "truncated voxel data"),
            (
                "sizes: 2 3 4",
                "sizes: 4000000000 4000000000 4",
                "header dim",
            ),
            (
                "space: left-posterior-superior",
                "space: up-and-down",
                "header space",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0)",
                "header spacedirections",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0) (0,0,x)",
                "header spacedirections",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0) (0,0,3",
                "header spacedirections",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0,0) (0,2,0) 3",
                "header spacedirections",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "(1,0) (0,2) (0,0)",
                "header spacedirections",
            ),
            (
                "(1,0,0) (0,2,0) (0,0,3)",
                "none none none none",
                "header spacedirections",
            ),
            (
                "space origin: (1,2,3)",
                "space origin: 1,2,3",
                "header spaceorigin",
            ),
            (
                "space origin: (1,2,3)",
                "space origin: (1,2",
                "header spaceorigin",
            ),
            ("endian: little\n", "", "header endian"),
            ("endian: little", "endian: middle", "header endian"),
            ("encoding: raw\n", "", "header encoding"),
            ("encoding: raw", "encoding: zip", "header encoding"),
            (
                "encoding: raw",
                "encoding: bzip2",
                if cfg!(feature = "bz2") {
                    "damaged bzip2"
                } else {
                    "unsupported"
                },
            ),
            ("encoding: raw", "encoding: ascii", "damaged text"),
            ("encoding: raw", "encoding: hex", "truncated voxels as text"),
            ("encoding: raw", "encoding: gzip", "damaged gzip"),
            ("key:=value", "byte skip: -2", "header byteskip"),
            ("key:=value", "byte skip: many", "header byteskip"),
            ("key:=value", "byte skip: 1", "truncated voxel data"),
            ("key:=value", "byteskip: 9223372036854775807", "header dim"),
            ("key:=value", "line skip: -1", "header lineskip"),
            ("key:=value", "line skip: 1", "truncated skipped lines"),
            ("key:=value", "spacings: 1 x 1", "header spacings"),
            ("key:=value", "data file: seed.none", "not found"),
            ("key:=value", "data file:", "header datafile"),
            ("key:=value", "data file: s%03d.raw 1 4", "not found"),
            (
                "key:=value",
                "data file: s%03d.raw 1 4 0",
                "header datafile",
            ),
            (
                "key:=value",
                "data file: s%03d.raw 4 1 1",
                "header datafile",
            ),
            ("key:=value", "data file: s%s.raw 1 4 1", "header datafile"),
            (
                "key:=value",
                "data file: s%d%d.raw 1 4 1",
                "header datafile",
            ),
            (
                "key:=value",
                "data file: s%099d.raw 1 4 1",
                "header datafile",
            ),
            ("key:=value", "data file: s%d.raw 1 7 1", "header data file"),
            (
                "key:=value",
                "data file: s%d.raw 0 99999999 1",
                "header datafile",
            ),
        ],
    );
    let header = seeds::NRRD.len();
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (5, "unknown format"),
            (60, "header sizes"),
            (header, "truncated header"),
        ],
    );
    table.cut(
        &seed,
        &[
            (header + 1, "truncated voxel data"),
            (header + 48, "truncated voxel data"),
        ],
    );
    let mut apart = seeds::nhdr();
    table.replaced(
        &apart,
        &[
            ("encoding: raw", "encoding: gz", "damaged gzip"),
            ("key:=value", "byte skip: -1", "ok"),
        ],
    );
    apart.files[1].1.truncate(47);
    table.check("voxels cut", &apart, "truncated voxel data");
    table.replaced(
        &apart,
        &[("key:=value", "byte skip: -1", "truncated voxel data")],
    );
    apart.files.remove(1);
    table.check("no voxels", &apart, "not found");
    table.done();
}
