//! Damaged headers and the exact kind of error that each gives: at the latest when all voxels are read.

use voxload::{DataobjImage, ErrorKind, LoadOptions};

use super::seeds::{self, Seed};

/// An error in a few words.
fn told(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::Header { field, .. } => format!("header {field}"),
        ErrorKind::Truncated { what, .. } => format!("truncated {what}"),
        ErrorKind::Integrity { codec, .. } => format!("damaged {codec}"),
        ErrorKind::Limit { what, .. } => format!("limit {what}"),
        ErrorKind::Unsupported(_) => "unsupported".to_owned(),
        ErrorKind::NotFound => "not found".to_owned(),
        ErrorKind::Empty => "empty".to_owned(),
        ErrorKind::UnknownFormat(_) => "unknown format".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Gathers what damaged files give, and compares.
pub struct Table {
    folder: tempfile::TempDir,
    cases: usize,
    failures: Vec<String>,
}

impl Table {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            cases: 0,
            failures: Vec::new(),
        }
    }

    pub fn check(&mut self, what: &str, seed: &Seed, expected: &str) {
        self.check_with(what, seed, &LoadOptions::new(), expected);
    }

    pub fn check_with(&mut self, what: &str, seed: &Seed, options: &LoadOptions, expected: &str) {
        self.cases += 1;
        let folder = self.folder.path().join(self.cases.to_string());
        std::fs::create_dir(&folder).unwrap();
        let read = DataobjImage::from_filename(seed.write(&folder), options)
            .and_then(|image| image.dataobj().read::<f32>());
        let found = match read {
            Ok(_) => "ok".to_owned(),
            Err(error) => told(error.kind()),
        };
        if found != expected {
            self.failures
                .push(format!("{what}: {found:?} instead of {expected:?}"));
        }
    }

    /// A text of the first file replaced by another.
    pub fn replaced(&mut self, seed: &Seed, rows: &[(&str, &str, &str)]) {
        for (from, to, expected) in rows {
            let mut damaged = seed.clone();
            let bytes = damaged.header();
            let at = bytes
                .windows(from.len())
                .position(|window| window == from.as_bytes())
                .unwrap_or_else(|| panic!("no {from:?} to replace"));
            bytes.splice(at..at + from.len(), to.bytes());
            self.check(&format!("{from:?} -> {to:?}"), &damaged, expected);
        }
    }

    /// Bytes of the first file overwritten.
    pub fn overwritten(&mut self, seed: &Seed, rows: &[(usize, &[u8], &str)]) {
        for (offset, bytes, expected) in rows {
            let mut damaged = seed.clone();
            damaged.header()[*offset..][..bytes.len()].copy_from_slice(bytes);
            self.check(&format!("{bytes:?} at {offset}"), &damaged, expected);
        }
    }

    /// The first file cut.
    pub fn cut(&mut self, seed: &Seed, rows: &[(usize, &str)]) {
        for (length, expected) in rows {
            let mut damaged = seed.clone();
            damaged.header().truncate(*length);
            self.check(&format!("cut at {length}"), &damaged, expected);
        }
    }

    pub fn done(self, format: &str) {
        println!("{format}: {} malformed files", self.cases);
        assert!(self.cases >= 40, "{format}: only {} cases", self.cases);
        assert!(
            self.failures.is_empty(),
            "{format}: {} of {}:\n{}",
            self.failures.len(),
            self.cases,
            self.failures.join("\n")
        );
    }
}

const MINUS_1: &[u8] = &[0xff; 4];
const LARGEST: &[u8] = &[0x7f, 0xff, 0xff, 0xff];

#[test]
fn mgh() {
    let (mut table, seed) = (Table::new(), seeds::mgh());
    for length in [1, 4, 20, 28, 40, 60, 88, 89] {
        table.cut(&seed, &[(length, "truncated header")]);
    }
    for length in [90, 200, 283, 284, 285, 300, 331] {
        table.cut(&seed, &[(length, "truncated voxel data")]);
    }
    table.cut(&seed, &[(0, "empty"), (332, "ok"), (333, "ok")]);
    for version in [0i32, 2, -1, 1 << 24] {
        table.overwritten(&seed, &[(0, &version.to_be_bytes(), "header version")]);
    }
    for axis in 0..4 {
        let at = 4 + 4 * axis;
        table.overwritten(
            &seed,
            &[(at, &[0; 4], "header dims"), (at, MINUS_1, "header dims")],
        );
        table.overwritten(&seed, &[(at, LARGEST, "truncated voxel data")]);
    }
    for code in [2i32, 5, 6, 7, 8, 9, 11, -1, 1 << 24] {
        table.overwritten(&seed, &[(20, &code.to_be_bytes(), "header type")]);
    }
    table.overwritten(&seed, &[(20, &1i32.to_be_bytes(), "truncated voxel data")]);
    let all = [LARGEST; 4].concat();
    table.overwritten(
        &seed,
        &[(4, &all, "header dim"), (4, &[0; 16], "header dims")],
    );
    table.done("MGH");
}

#[test]
fn analyze() {
    let (mut table, seed) = (Table::new(), seeds::analyze());
    for length in [4, 40, 70, 108, 253, 344, 347] {
        table.cut(&seed, &[(length, "truncated header")]);
    }
    table.cut(&seed, &[(0, "empty")]);
    table.overwritten(
        &seed,
        &[
            (0, &[0; 4], "unknown format"),
            (0, &[0, 0, 1, 0x5d], "unknown format"),
        ],
    );
    for axes in [[0, 8], [0xff, 0xff], [1, 1], [0x7f, 0xff]] {
        table.overwritten(&seed, &[(40, &axes, "header dim")]);
    }
    for axis in 1..=3 {
        table.overwritten(&seed, &[(40 + 2 * axis, &[0xff, 0xff], "header dim")]);
        table.overwritten(
            &seed,
            &[(40 + 2 * axis, &[0x7f, 0xff], "truncated voxel data")],
        );
    }
    for code in [0i16, 1, 3, 255, 256, 512, 768, 1024, -1] {
        table.overwritten(&seed, &[(70, &code.to_be_bytes(), "header datatype")]);
    }
    table.overwritten(&seed, &[(70, &64i16.to_be_bytes(), "truncated voxel data")]);
    for offset in [-1f32, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        table.overwritten(&seed, &[(108, &offset.to_be_bytes(), "header vox_offset")]);
    }
    table.overwritten(&seed, &[(108, &1f32.to_be_bytes(), "truncated voxel data")]);
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
        ("level 4", four.clone(), "ok"),
        ("no .mat bytes", Vec::new(), "ok"),
        (
            "not MATLAB's",
            b"What is this?".to_vec(),
            "truncated MATLAB file",
        ),
        ("binary", vec![0; 64], "truncated MATLAB file"),
        ("another name", seeds::mat5("other"), "header mat"),
        ("level 4, another name", seeds::mat4("N"), "header mat"),
        ("level 4 cut", four[..100].to_vec(), "truncated MATLAB file"),
        (
            "level 4, 3 rows",
            with(&four, 4, 3),
            "truncated MATLAB file",
        ),
        ("level 4, -1 rows", with(&four, 7, 0xff), "header mat"),
        ("level 4, VAX", with(&four, 0, 60), "header mat"),
        ("level 5 cut", five[..200].to_vec(), "truncated MATLAB file"),
        ("level 5, order", with(&five, 126, b'X'), "header mat"),
        ("level 5, version 2", with(&five, 125, 2), "unsupported"),
        ("level 5, of characters", with(&five, 144, 4), "header mat"),
        ("level 5, 5 rows", with(&five, 160, 5), "header mat"),
        ("level 5, -1 rows", with(&five, 163, 0xff), "header mat"),
    ] {
        table.check(what, &beside(&bytes), expected);
    }
    let mut headless = seed.clone();
    headless.files[1].1.truncate(40);
    table.check("image cut", &headless, "truncated voxel data");
    headless.files.remove(1);
    table.check("no image", &headless, "not found");
    table.done("Analyze");
}

#[test]
fn afni() {
    let (mut table, seed) = (Table::new(), seeds::afni());
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
            ("\n 3 2\n", "\n 3 99999999999\n", "limit scaling table"),
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
    table.done("AFNI");
}

#[test]
fn parrec() {
    let (mut table, seed) = (Table::new(), seeds::parrec());
    let general = "header general information";
    let image = "header image information";
    table.replaced(
        &seed,
        &[
            ("V4.2", "V4.3", "header version"),
            ("V4.2", "V3", "header version"),
            ("image export tool", "image tool", "header version"),
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
                "header echo number",
            ),
            (
                "echoes              :   1",
                "echoes              :",
                general,
            ),
            (
                "locations    :   2",
                "locations    :   3",
                "header slice number",
            ),
            (
                "locations    :   2",
                "locations    :   1",
                "header slice number",
            ),
            ("locations    :   2", "locations    :   x", general),
            (
                ".    Max. number of slices/locations    :   2\n",
                "",
                "header Max. number of slices/locations",
            ),
            (
                "dynamics            :   2",
                "dynamics            :   3",
                "header dynamic scan number",
            ),
            (
                "values    :   1",
                "values    :   2",
                "header diffusion b value number",
            ),
            (
                "orients    :   1",
                "orients    :   4",
                "header gradient orientation number",
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
                "header Repetition time [ms]",
            ),
            (
                "ms]               :   2000.000",
                "ms]               :   -5",
                "header pixel spacing",
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
                "header Angulation midslice(ap,fh,rl)[degr]",
            ),
            (
                ".    Off Centre midslice(ap,fh,rl) [mm] :   2.508  30.339  -16.032\n",
                "",
                "header Off Centre midslice(ap,fh,rl) [mm]",
            ),
            (
                ".    Dynamic scan      <0=no 1=yes> ?   :   1\n",
                "",
                "header Dynamic scan",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 2 1 1 1 0 2 0 32",
                "header image pixel size",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 2 1 1 1 0 2 0 8",
                "header image pixel size",
            ),
            (" 2 1 1 1 0 2 0 16", " 2.0 1 1 1 0 2 0 16", image),
            (" 2 1 1 1 0 2 0 16", " x 1 1 1 0 2 0 16", image),
            (" 2 1 1 1 0 2 0 16", " 1 1 1 0 2 0 16", image),
            (
                " 2 1 1 1 0 2 0 16",
                " 3 1 1 1 0 2 0 16",
                "header slice number",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 0 1 1 1 0 2 0 16",
                "header slice number",
            ),
            (
                " 2 1 1 1 0 2 0 16",
                " 1 1 1 1 0 2 0 16",
                "header slice number",
            ),
            (
                " 2 1 1 1 0 2 0 16 61 3 2",
                " 2 1 1 1 0 2 0 16 61 4 2",
                "header recon resolution",
            ),
            (" 0.5 1.2 0.01", " 0.5 1.2 0,01", image),
            (
                "6.000 2.000 0 1",
                "6.500 2.000 0 1",
                "header slice thickness",
            ),
            ("6.000 2.000 0 1", "6.000 2.500 0 1", "header slice gap"),
            (
                "6.000 2.000 0 1",
                "6.000 2.000 0 2",
                "header slice orientation",
            ),
            ("3.750 3.5 28.0", "3.750 3.6 28.0", "header pixel spacing"),
        ],
    );
    let all = |from: &str, to: &str| {
        let mut damaged = seed.clone();
        damaged.files[0].1 = seeds::PAR.replace(from, to).into_bytes();
        damaged
    };
    for (from, to, expected) in [
        (" 16 61 ", " 32 61 ", "header image pixel size"),
        (" 16 61 ", " 0 61 ", "header image pixel size"),
        (" 61 3 2 ", " 61 -3 2 ", "header recon resolution"),
        (" 61 3 2 ", " 61 3000000000 3000000000 ", "header dim"),
        (" 61 3 2 ", " 61 3 3 ", "truncated voxel data"),
        (" 2.000 0 1 ", " 2.000 0 4 ", "header slice orientation"),
        (" 2.000 0 1 ", " 2.000 0 0 ", "header slice orientation"),
        (" 6.000 2.000 ", " -6.000 2.000 ", "header pixel spacing"),
        (" 6.000 2.000 ", " nan 2.000 ", "header slice thickness"),
        (" MS Q ", " MS ", "header image information"),
    ] {
        table.check(&format!("all {from:?} -> {to:?}"), &all(from, to), expected);
    }
    let start = seeds::PAR.find("\n 2 1 1").unwrap();
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (5, "header version"),
            (300, general),
            (start, "header slice number"),
        ],
    );
    let mut strict = all(".    Diffusion         <0=no 1=yes> ?   :   0\n", "");
    table.check_with(
        "strict",
        &strict,
        &LoadOptions::new().strict_sort(true),
        "header Diffusion",
    );
    strict = all("", "");
    strict.files[1].1.truncate(47);
    table.check("voxels cut", &strict, "truncated voxel data");
    strict.files.remove(1);
    table.check("no voxels", &strict, "not found");
    table.done("PAR/REC");
}

#[test]
fn nrrd() {
    let (mut table, seed) = (Table::new(), seeds::nrrd());
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
            ("encoding: raw", "encoding: bzip2", "unsupported"),
            ("encoding: raw", "encoding: ascii", "unsupported"),
            ("encoding: raw", "encoding: hex", "unsupported"),
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
    table.done("NRRD");
}

#[test]
fn metaimage() {
    let (mut table, seed) = (Table::new(), seeds::mha());
    table.replaced(
        &seed,
        &[
            ("ObjectType = Image", "Object = Image", "unknown format"),
            ("NDims = 3\n", "", "header NDims"),
            ("NDims = 3", "NDims 3", "header header"),
            ("NDims = 3", "NDims = 0", "header NDims"),
            ("NDims = 3", "NDims = 11", "header NDims"),
            ("NDims = 3", "NDims = -3", "header NDims"),
            ("NDims = 3", "NDims = many", "header NDims"),
            ("NDims = 3", "NDims = 4", "header DimSize"),
            ("DimSize = 2 3 4\n", "", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 0", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 -4", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 4.5", "header DimSize"),
            ("DimSize = 2 3 4", "DimSize = 2 3 5", "truncated voxel data"),
            (
                "DimSize = 2 3 4",
                "DimSize = 4000000000 4000000000 4",
                "header dim",
            ),
            ("ElementType = MET_SHORT\n", "", "header ElementType"),
            (
                "ElementType = MET_SHORT",
                "ElementType = SHORT",
                "header ElementType",
            ),
            (
                "ElementType = MET_SHORT",
                "ElementType = MET_OTHER",
                "header ElementType",
            ),
            (
                "ElementType = MET_SHORT",
                "ElementType = MET_DOUBLE",
                "truncated voxel data",
            ),
            ("BinaryData = True", "BinaryData = False", "unsupported"),
            (
                "BinaryData = True",
                "BinaryData = Perhaps",
                "header BinaryData",
            ),
            (
                "OrderMSB = False",
                "OrderMSB = Little",
                "header BinaryDataByteOrderMSB",
            ),
            (
                "CompressedData = False",
                "CompressedData = Zip",
                "header CompressedData",
            ),
            (
                "CompressedData = False",
                "CompressedData = True",
                "damaged zlib",
            ),
            (
                "CompressedData = False",
                "CompressedData = ",
                "header CompressedData",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0",
                "header TransformMatrix",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0 1 1",
                "header TransformMatrix",
            ),
            (
                "1 0 0 0 1 0 0 0 1",
                "1 0 0 0 1 0 0 0 x",
                "header TransformMatrix",
            ),
            ("Offset = 1 2 3", "Offset = 1 2", "header Offset"),
            ("Offset = 1 2 3", "Position = 1 2 c", "header Position"),
            ("Offset = 1 2 3", "Origin =", "header Origin"),
            ("Spacing = 1 2 3", "Spacing = 1 2", "header ElementSpacing"),
            (
                "Spacing = 1 2 3",
                "Spacing = 1 2 3,5",
                "header ElementSpacing",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = 0",
                "header ElementNumberOfChannels",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = -1",
                "header ElementNumberOfChannels",
            ),
            (
                "Offset = 1 2 3",
                "ElementNumberOfChannels = 2",
                "truncated voxel data",
            ),
            ("Offset = 1 2 3", "HeaderSize = -2", "header HeaderSize"),
            ("Offset = 1 2 3", "HeaderSize = 1", "truncated voxel data"),
            ("Offset = 1 2 3", "HeaderSize = large", "header HeaderSize"),
            ("= LOCAL", "= LIST", "not found"),
            ("= LOCAL", "=", "header ElementDataFile"),
            ("= LOCAL", "= seed.none", "not found"),
            ("= LOCAL", "= s%d.raw 1 7 1", "header data file"),
            ("= LOCAL", "= s%d.raw 1 4 1", "not found"),
            ("= LOCAL", "= s%d.raw", "not found"),
            ("= LOCAL", "= s%x.raw 1 4 1", "header ElementDataFile"),
            ("= LOCAL", "= s%d.raw 4 1 1", "header ElementDataFile"),
        ],
    );
    let header = seeds::META.len() + "ElementDataFile = LOCAL\n".len();
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (9, "unknown format"),
            (30, "header header"),
            (header - 24, "header ElementDataFile"),
        ],
    );
    table.cut(
        &seed,
        &[
            (header, "truncated voxel data"),
            (header + 47, "truncated voxel data"),
        ],
    );
    let mut apart = seeds::mhd();
    apart.files[1].1.truncate(47);
    table.check("voxels cut", &apart, "truncated voxel data");
    table.replaced(
        &apart,
        &[("Offset = 1 2 3", "HeaderSize = -1", "truncated voxel data")],
    );
    apart.files.remove(1);
    table.check("no voxels", &apart, "not found");
    table.done("MetaImage");
}

#[test]
fn minc() {
    let (mut table, seed) = (Table::new(), seeds::minc());
    table.replaced(
        &seed,
        &[
            ("CDF\x01", "CDF\x02", "unknown format"),
            ("CDF\x01", "HDF\x01", "unknown format"),
            ("regular__", "irregular", "header spacing"),
            ("spacing", "spacink", "header spacing"),
            ("signtype", "signtipe", "header signtype"),
            ("unsigned", "whatever", "header signtype"),
            ("image-max", "image-mox", "header image-max"),
            ("image-min", "image-mix", "header image-min"),
            (
                "\0\0\0\x05image\0\0\0",
                "\0\0\0\x05imago\0\0\0",
                "header image",
            ),
            (
                "\0\0\0\x06yspace\0\0",
                "\0\0\0\x06yspoce\0\0",
                "header image",
            ),
        ],
    );
    let hdf5 = match cfg!(feature = "minc2") {
        true => "damaged HDF5",
        false => "unsupported",
    };
    table.overwritten(&seed, &[(0, b"\x89HDF", hdf5)]);
    // All that follows is found by its place: the file is made by `seeds::minc`.
    let position = |text: &str| {
        let bytes = &seed.files[0].1;
        bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap()
    };
    let range = position("valid_range") + 12 + 8;
    let of_image = range + 16;
    let image = position("image\0\0\0") + 8;
    let max = position("image-max") + 12;
    let step = position("step") + 4;
    for (offset, value, expected) in [
        (8, 9, "header netCDF"),
        (12, -1, "header netCDF"),
        (12, 1 << 30, "limit header"),
        (16, -1, "header netCDF"),
        (16, LARGE, "limit header"),
        (28, -1, "header netCDF"),
        (28, 0, "unsupported"),
        (28, 3, "truncated voxel data"),
        (image, 2, "header netCDF"),
        (image, -1, "header netCDF"),
        (image, LARGE, "header dimid"),
        (image + 4, 3, "header dimid"),
        (image + 4, -1, "header netCDF"),
        (max, 2, "header nc_type"),
        (max + 4, 1, "header image-min"),
        (max + 4, 7, "header dimid"),
        (max + 16, 7, "header nc_type"),
        (max + 16, 2, "ok"),
        (max + 24, -1, "header netCDF"),
        (max + 24, 1 << 20, "truncated image-max and image-min"),
        (step, 2, "limit header"),
        (step, 9, "header nc_type"),
        (step + 4, 0, "limit header"),
        (of_image, 2, "header image"),
        (of_image, 3, "truncated voxel data"),
        (of_image, 0, "header nc_type"),
        (of_image + 8, -1, "header netCDF"),
        (of_image + 8, 1 << 20, "truncated voxel data"),
    ] {
        table.overwritten(&seed, &[(offset, &i32::to_be_bytes(value), expected)]);
    }
    for (low, high) in [(-1.0f64, 200.0f64), (0.0, 256.0), (-5.0, 1e9)] {
        let bytes = [low, high].map(f64::to_be_bytes).concat();
        table.overwritten(&seed, &[(range, &bytes, "header valid_range")]);
    }
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (3, "unknown format"),
            (4, "truncated header"),
            (100, "truncated header"),
        ],
    );
    table.cut(
        &seed,
        &[
            (500, "truncated header"),
            (1024, "truncated image-max and image-min"),
        ],
    );
    table.cut(
        &seed,
        &[
            (1055, "truncated image-max and image-min"),
            (1056, "truncated voxel data"),
            (1079, "truncated voxel data"),
        ],
    );
    table.done("MINC1");
}

const LARGE: i32 = i32::MAX;

#[test]
fn cifti() {
    let (mut table, seed) = (Table::new(), seeds::cifti());
    for length in [4, 100, 345, 400, 507, 539] {
        table.cut(&seed, &[(length, "truncated header")]);
    }
    table.cut(
        &seed,
        &[
            (0, "empty"),
            (576, "truncated voxel data"),
            (599, "truncated voxel data"),
        ],
    );
    for length in [540, 544, 560, 575] {
        table.cut(&seed, &[(length, "header extension")]);
    }
    for code in [0i32, 4, 6, 31, 33] {
        table.overwritten(&seed, &[(548, &code.to_be_bytes(), "header extension")]);
    }
    for size in [0i32, 7, 48, -1] {
        table.overwritten(&seed, &[(544, &size.to_be_bytes(), "header extension")]);
    }
    table.overwritten(&seed, &[(540, &[0], "header extension")]);
    for code in [0i16, 1, 3, 255, 1536] {
        table.overwritten(&seed, &[(12, &code.to_be_bytes(), "header datatype")]);
    }
    for axes in [0i64, 1, 4] {
        table.overwritten(&seed, &[(16, &axes.to_be_bytes(), "header dim")]);
    }
    table.overwritten(&seed, &[(16, &8i64.to_be_bytes(), "header dim")]);
    for axis in 1..=4 {
        table.overwritten(&seed, &[(16 + 8 * axis, &2i64.to_be_bytes(), "header dim")]);
    }
    for axis in 5..=6 {
        table.overwritten(
            &seed,
            &[(16 + 8 * axis, &(-2i64).to_be_bytes(), "header dim")],
        );
        table.overwritten(
            &seed,
            &[(16 + 8 * axis, &99i64.to_be_bytes(), "truncated voxel data")],
        );
    }
    table.overwritten(
        &seed,
        &[(4, b"n+1", "header magic"), (9, &[0], "header eol_check")],
    );
    table.overwritten(&seed, &[(168, &100i64.to_be_bytes(), "header vox_offset")]);
    table.overwritten(
        &seed,
        &[(168, &i64::MAX.to_be_bytes(), "limit extension bytes")],
    );
    table.done("CIFTI-2");
}
