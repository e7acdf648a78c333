//! Damaged PAR/REC files.

use voxload::LoadOptions;

use super::Table;
use crate::formats::seeds::{self, Seed};

#[test]
fn malformed_files() {
    let (mut table, seed) = (Table::new("PAR/REC", 80), seeds::parrec());
    let general = "Header(general information)";
    let image = "Header(image information)";
    table.replaced(
        &seed,
        &[
            ("V4.2", "V4.3", "Header(version)"),
            ("V4.2", "V3", "Header(version)"),
            ("image export tool", "image tool", "Header(version)"),
            (".    Patient name", ".    Patient nome", general),
            (
                ".    Max. number of echoes              :   1",
                ".    Max. number of echoes",
                general,
            ),
            (
                "echoes              :   1",
                "echoes              :   1.5",
                general,
            ),
            (
                "echoes              :   1",
                "echoes              :   2",
                "Header(echo number)",
            ),
            (
                "echoes              :   1",
                "echoes              :",
                general,
            ),
            (
                "locations    :   2",
                "locations    :   3",
                "Header(slice number)",
            ),
            (
                "locations    :   2",
                "locations    :   1",
                "Header(slice number)",
            ),
            ("locations    :   2", "locations    :   x", general),
            (
                ".    Max. number of slices/locations    :   2\n",
                "",
                "Header(Max. number of slices/locations)",
            ),
            (
                "dynamics            :   2",
                "dynamics            :   3",
                "Header(dynamic scan number)",
            ),
            (
                "values    :   1",
                "values    :   2",
                "Header(diffusion b value number)",
            ),
            (
                "orients    :   1",
                "orients    :   4",
                "Header(gradient orientation number)",
            ),
            (":   3  2", ":   3", general),
            (
                "ms]               :   2000.000",
                "ms]               :   fast",
                general,
            ),
            (
                ".    Repetition time [ms]               :   2000.000\n",
                "",
                "Header(Repetition time [ms])",
            ),
            (
                "ms]               :   2000.000",
                "ms]               :   -5",
                "Header(pixel spacing)",
            ),
            (
                ":   240.000  70.000  240.000",
                ":   240.000  70.000",
                general,
            ),
            (":   11.050", ":   eleven", general),
            (":   -13.265  0.000  5.000", ":   -13.265  0.000", general),
            (
                ".    Angulation midslice(ap,fh,rl)[degr]:   -13.265  0.000  5.000\n",
                "",
                "Header(Angulation midslice(ap,fh,rl)[degr])",
            ),
            (
                ".    Off Centre midslice(ap,fh,rl) [mm] :   2.508  30.339  -16.032\n",
                "",
                "Header(Off Centre midslice(ap,fh,rl) [mm])",
            ),
            (
                ".    Dynamic scan      <0=no 1=yes> ?   :   1\n",
                "",
                "Header(Dynamic scan)",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 2 1 1 1 0 2 0 32",
                "Header(image pixel size)",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 2 1 1 1 0 2 0 8",
                "Header(image pixel size)",
            ),
            (" 2 1 1 1 0 2 0 16", " 2.0 1 1 1 0 2 0 16", image),
            (" 2 1 1 1 0 2 0 16", " x 1 1 1 0 2 0 16", image),
            (" 2 1 1 1 0 2 0 16", " 1 1 1 0 2 0 16", image),
            (
                " 2 1 1 1 0 2 0 16",
                " 3 1 1 1 0 2 0 16",
                "Header(slice number)",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 0 1 1 1 0 2 0 16",
                "Header(slice number)",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 1 1 1 1 0 2 0 16",
                "Header(slice number)",
            ),
            (
                " 2 1 1 1 0 2 0 16 61 3 2",
                " 2 1 1 1 0 2 0 16 61 4 2",
                "Header(recon resolution)",
            ),
            (" 0.5 1.2 0.01", " 0.5 1.2 0,01", image),
            (
                "6.000 2.000 0 1",
                "6.500 2.000 0 1",
                "Header(slice thickness)",
            ),
            ("6.000 2.000 0 1", "6.000 2.500 0 1", "Header(slice gap)"),
            (
                "6.000 2.000 0 1",
                "6.000 2.000 0 2",
                "Header(slice orientation)",
            ),
            ("3.750 3.5 28.0", "3.750 3.6 28.0", "Header(pixel spacing)"),
        ],
    );
    every_column(&mut table, &seed, image);
    let all = |from: &str, to: &str| {
        let mut damaged = seed.clone();
        damaged.files[0].1 = seeds::PAR.replace(from, to).into_bytes();
        damaged
    };
    for (from, to, expected) in [
        (" 16 61 ", " 32 61 ", "Header(image pixel size)"),
        (" 16 61 ", " 0 61 ", "Header(image pixel size)"),
        (" 61 3 2 ", " 61 -3 2 ", "Header(recon resolution)"),
        (" 61 3 2 ", " 61 3000000000 3000000000 ", "Header(dim)"),
        (" 61 3 2 ", " 61 3 3 ", "Truncated(voxel data)"),
        (" 2.000 0 1 ", " 2.000 0 4 ", "Header(slice orientation)"),
        (" 2.000 0 1 ", " 2.000 0 0 ", "Header(slice orientation)"),
        (" 6.000 2.000 ", " -6.000 2.000 ", "Header(pixel spacing)"),
        (" 6.000 2.000 ", " nan 2.000 ", "Header(slice thickness)"),
        (" MS Q ", " MS ", "Header(image information)"),
    ] {
        table.check(&format!("all {from:?} -> {to:?}"), &all(from, to), expected);
    }
    let start = seeds::PAR.find("\n 2 1 1").unwrap();
    table.cut(
        &seed,
        &[
            (0, "Empty"),
            (5, "Header(version)"),
            (300, general),
            (start, "Header(slice number)"),
        ],
    );
    let mut strict = all(".    Diffusion         <0=no 1=yes> ?   :   0\n", "");
    table.check_with(
        "strict",
        &strict,
        &LoadOptions::new().strict_sort(true),
        "Header(Diffusion)",
    );
    strict = all("", "");
    strict.files[1].1.truncate(47);
    table.check("voxels cut", &strict, "Truncated(voxel data)");
    strict.files.remove(1);
    table.check("no voxels", &strict, "NotFound");
    table.done();
}

/// A word that is no number in each column of a slice's line: only two of them hold texts.
fn every_column(table: &mut Table, seed: &Seed, image: &str) {
    let start = seeds::PAR.find("\n 2 1 1").unwrap() + 1;
    let (before, rest) = seeds::PAR.split_at(start);
    let (line, after) = rest.split_once('\n').unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words.len(), 49, "{line}");
    for column in 0..words.len() {
        let mut changed = words.clone();
        changed[column] = "word";
        let mut damaged = seed.clone();
        damaged.files[0].1 = format!("{before}{}\n{after}", changed.join(" ")).into_bytes();
        let expected = match column {
            43 | 44 => "Ok",
            _ => image,
        };
        table.check(&format!("column {column}"), &damaged, expected);
    }
}
