//! What the axes of each format mean, their units, and where the affine puts voxels. doc/AXES.md has the rules.

mod conversions;
mod oracle;
mod truth;
mod views;

use std::path::Path;

use voxload::AxisKind::{Component, Other, Space, Time};
use voxload::format::nifti::{NiftiHeader, Version};
use voxload::{AxisKind, DataobjImage, SpaceUnit, TimeUnit};

use crate::formats::seeds;
use crate::support::folder;

/// What is expected of an image's axes.
struct Expected<'a> {
    axes: &'a [AxisKind],
    space: SpaceUnit,
    time: TimeUnit,
}

/// The rows of a table, each compared with what its file gives.
struct Rows {
    folder: tempfile::TempDir,
    count: usize,
    failures: Vec<String>,
}

impl Rows {
    fn new() -> Self {
        Self {
            folder: folder(),
            count: 0,
            failures: Vec::new(),
        }
    }

    fn path(&mut self, ending: &str) -> std::path::PathBuf {
        self.count += 1;
        self.folder.path().join(format!("{}{ending}", self.count))
    }

    fn bytes(&mut self, what: &str, ending: &str, bytes: &[u8], expected: &Expected) {
        let path = self.path(ending);
        std::fs::write(&path, bytes).unwrap();
        self.file(what, &path, expected);
    }

    fn file(&mut self, what: &str, path: &Path, expected: &Expected) {
        let image = match voxload::load(path) {
            Ok(image) => image,
            Err(error) => {
                self.failures.push(format!("{what}: {error}"));
                return;
            }
        };
        let header = image.header();
        assert_eq!(header.axes.len(), header.shape.len(), "{what}");
        let found = format!(
            "{:?} {} {}",
            header.axes, header.space_unit, header.time_unit
        );
        let wanted = format!("{:?} {} {}", expected.axes, expected.space, expected.time);
        if found != wanted {
            self.failures
                .push(format!("{what}: {found} instead of {wanted}"));
        }
    }

    fn done(self, at_least: usize) {
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        assert!(self.count >= at_least, "{} rows", self.count);
    }
}

const MM: SpaceUnit = SpaceUnit::Millimetre;
const NO_SPACE: SpaceUnit = SpaceUnit::Unknown;
const NO_TIME: TimeUnit = TimeUnit::Unknown;

const fn expected(axes: &[AxisKind], space: SpaceUnit, time: TimeUnit) -> Expected<'_> {
    Expected { axes, space, time }
}

/// A NIfTI file of this shape, with its voxels all 0.
fn nifti(version: Version, shape: &[usize], intent: i64, units: i64) -> Vec<u8> {
    let (size, offset, magic) = match version {
        Version::One => (348, 352, "n+1"),
        Version::Two => (540, 544, "n+2"),
    };
    let mut header = NiftiHeader {
        version,
        sizeof_hdr: size,
        datatype: 2,
        bitpix: 8,
        vox_offset: offset as f64,
        magic: magic.to_owned(),
        pixdim: [1.0; 8],
        intent_code: intent,
        xyzt_units: units,
        ..NiftiHeader::default()
    };
    if version == Version::Two {
        header.eol_check = [13, 10, 26, 10];
    }
    header.dim[0] = shape.len() as i64;
    for (dim, &length) in header.dim[1..].iter_mut().zip(shape) {
        *dim = length as i64;
    }
    let mut bytes = header.to_bytes();
    bytes.resize(offset + shape.iter().product::<usize>(), 0);
    bytes
}

#[test]
fn of_nifti_by_position_intent_and_unit() {
    let mut rows = Rows::new();
    let five = |fifth| [Space, Space, Space, Time, fifth];
    for version in [Version::One, Version::Two] {
        for (intent, fifth) in [
            (0, Other),
            (2, Component),
            (3, Component),
            (24, Component),
            (1001, Other),
            (1003, Other),
            (1004, Component),
            (1005, Component),
            (1006, Component),
            (1007, Component),
            (1008, Component),
            (1009, Component),
            (1010, Component),
            (1011, Other),
            (2001, Other),
            (2003, Component),
            (2004, Component),
            (2005, Other),
        ] {
            let bytes = nifti(version, &[2, 3, 4, 1, 3], intent, 10);
            let axes = five(fifth);
            let right = expected(&axes, MM, TimeUnit::Second);
            rows.bytes(&format!("intent {intent}"), ".nii", &bytes, &right);
        }
        for (units, space) in [
            (0, NO_SPACE),
            (1, SpaceUnit::Metre),
            (2, MM),
            (3, SpaceUnit::Micrometre),
            (7, NO_SPACE),
        ] {
            for (time, unit, fourth) in [
                (0, NO_TIME, Time),
                (8, TimeUnit::Second, Time),
                (16, TimeUnit::Millisecond, Time),
                (24, TimeUnit::Microsecond, Time),
                (32, NO_TIME, Other),
                (40, NO_TIME, Other),
                (48, NO_TIME, Other),
                (56, NO_TIME, Time),
            ] {
                let bytes = nifti(version, &[2, 3, 4, 5], 0, units + time);
                let axes = [Space, Space, Space, fourth];
                let right = expected(&axes, space, unit);
                rows.bytes(&format!("xyzt {units} + {time}"), ".nii", &bytes, &right);
            }
        }
        for (shape, axes) in [
            (&[7][..], &[Space][..]),
            (&[7, 5], &[Space, Space]),
            (&[7, 5, 3], &[Space, Space, Space]),
            (
                &[2, 2, 2, 2, 2, 2, 2],
                &[Space, Space, Space, Time, Other, Other, Other],
            ),
        ] {
            let bytes = nifti(version, shape, 0, 0);
            let right = expected(axes, NO_SPACE, NO_TIME);
            rows.bytes(&format!("{shape:?}"), ".nii", &bytes, &right);
        }
    }
    rows.done(2 * (18 + 40 + 4));
}

#[test]
fn of_mgh_analyze_ecat_parrec_and_afni() {
    let mut rows = Rows::new();
    let four = [Space, Space, Space, Time];
    let series = |time| expected(&four, MM, time);
    let mut seed = |what: &str, seed: seeds::Seed, right: Expected| {
        let folder = rows.path("");
        std::fs::create_dir(&folder).unwrap();
        let path = seed.write(&folder);
        rows.file(what, &path, &right);
    };
    seed("MGH", seeds::mgh(), series(TimeUnit::Millisecond));
    seed(
        "Analyze",
        seeds::analyze(),
        expected(&four[..3], MM, TimeUnit::Millisecond),
    );
    seed("ECAT", seeds::ecat(), series(NO_TIME));
    seed("PAR/REC", seeds::parrec(), series(TimeUnit::Second));

    // Two echoes of one dynamic scan, two gradients: volumes, but not times.
    let other = [Space, Space, Space, Other];
    let echoes = seeds::PAR
        .replace("echoes              :   1", "echoes              :   2")
        .replace("dynamics            :   2", "dynamics            :   1")
        .replace(" 1 1 2 1 0 2 2 ", " 1 2 1 1 0 2 2 ")
        .replace(" 2 1 2 1 0 2 3 ", " 2 2 1 1 0 2 3 ");
    let mut two_echoes = seeds::parrec();
    *two_echoes.header() = echoes.into_bytes();
    seed("echoes", two_echoes, expected(&other, MM, TimeUnit::Second));
    let gradients = seeds::PAR
        .replace("orients    :   1", "orients    :   2")
        .replace("dynamics            :   2", "dynamics            :   1")
        .replace(
            "Dynamic scan      <0=no 1=yes> ?   :   1",
            "Dynamic scan      <0=no 1=yes> ?   :   0",
        )
        .replace(" 1 1 2 1 0 2 2 ", " 1 1 1 1 0 2 2 ")
        .replace(" 2 1 2 1 0 2 3 ", " 2 1 1 1 0 2 3 ")
        .replace("1.4 0.01 1070", "1.4 0.01 1071")
        .replace("1.5 0.01 1070", "1.5 0.01 1071");
    let gradients: Vec<String> = gradients
        .lines()
        .map(|line| match line.contains(" 1071 ") {
            true => line.replace(" 39 0.0 1 1 MS", " 39 0.0 1 2 MS"),
            false => line.to_owned(),
        })
        .collect();
    let mut two_gradients = seeds::parrec();
    *two_gradients.header() = gradients.join("\n").into_bytes();
    seed("gradients", two_gradients, expected(&other, MM, NO_TIME));

    seed("AFNI", seeds::afni(), series(NO_TIME));
    for (code, fourth, time) in [
        (77001, Time, TimeUnit::Millisecond),
        (77002, Time, TimeUnit::Second),
        (77003, Other, NO_TIME),
    ] {
        let mut afni = seeds::afni();
        let nums =
            format!("\ntype = integer-attribute\nname = TAXIS_NUMS\ncount = 3\n 2 0 {code}\n");
        afni.header().extend(nums.bytes());
        let axes = [Space, Space, Space, fourth];
        seed("AFNI's unit", afni, expected(&axes, MM, time));
    }
    let mut bucket = seeds::afni();
    *bucket.header() = seeds::HEAD.replace("TAXIS_FLOATS", "NO_TAXIS").into_bytes();
    seed("AFNI bucket", bucket, expected(&other, MM, NO_TIME));
    rows.done(10);
}

/// A MINC1 file with these axes, slowest first, each with a unit; voxels of f32, all 0.
fn minc(axes: &[(&str, i32, &str)]) -> Vec<u8> {
    let mut file = seeds::NetCdf(b"CDF\x01".to_vec());
    file.int(0).int(10).int(axes.len() as i32);
    for (name, length, _) in axes {
        file.text(name).int(*length);
    }
    file.int(0).int(0);
    // Components have no variable.
    let described: Vec<_> = axes
        .iter()
        .filter(|axis| axis.0 != "vector_dimension")
        .collect();
    file.int(11).int(described.len() as i32 + 3);
    for (name, _, unit) in described {
        file.text(name).int(0).int(12);
        file.int(if unit.is_empty() { 2 } else { 3 });
        file.text_attribute("spacing", "regular__");
        if !unit.is_empty() {
            file.text_attribute("units", unit);
        }
        file.doubles("step", &[2.0]);
        file.int(4).int(4).int(0);
    }
    for name in ["image-max", "image-min"] {
        file.text(name).int(0).int(0).int(0).int(6).int(8).int(0);
    }
    file.text("image").int(axes.len() as i32);
    for axis in 0..axes.len() {
        file.int(axis as i32);
    }
    let count: i32 = axes.iter().map(|axis| axis.1).product();
    file.int(0).int(0).int(5).int(4 * count).int(4096);
    let mut bytes = file.0;
    assert!(bytes.len() <= 4096);
    bytes.resize(4096 + 4 * count as usize, 0);
    bytes
}

#[test]
fn of_minc_by_name() {
    let mut rows = Rows::new();
    let (x, y, z) = (
        ("xspace", 2, "mm"),
        ("yspace", 3, "mm"),
        ("zspace", 4, "mm"),
    );
    let components = ("vector_dimension", 3, "");
    for (axes, kinds, space, time) in [
        (&[z, y, x][..], &[Space, Space, Space][..], MM, NO_TIME),
        (
            &[("time", 5, "s"), z, y, x],
            &[Time, Space, Space, Space],
            MM,
            TimeUnit::Second,
        ),
        (
            &[z, y, x, ("time", 5, "ms")],
            &[Space, Space, Space, Time],
            MM,
            TimeUnit::Millisecond,
        ),
        (
            &[z, y, x, components],
            &[Space, Space, Space, Component],
            MM,
            NO_TIME,
        ),
        (
            &[("time", 2, ""), x, y, z, components],
            &[Time, Space, Space, Space, Component],
            MM,
            NO_TIME,
        ),
        (
            &[("xfrequency", 2, "Hz"), z, y, x],
            &[Other, Space, Space, Space],
            MM,
            NO_TIME,
        ),
        (
            &[
                ("zspace", 4, "um"),
                ("yspace", 3, "um"),
                ("xspace", 2, "um"),
            ],
            &[Space, Space, Space],
            SpaceUnit::Micrometre,
            NO_TIME,
        ),
        (
            &[("zspace", 4, "um"), y, x],
            &[Space, Space, Space],
            NO_SPACE,
            NO_TIME,
        ),
        (
            &[("zspace", 4, ""), ("yspace", 3, ""), ("xspace", 2, "")],
            &[Space, Space, Space],
            MM,
            NO_TIME,
        ),
    ] {
        let what = format!("{axes:?}");
        rows.bytes(&what, ".mnc", &minc(axes), &expected(kinds, space, time));
    }
    rows.done(9);
}

/// A NRRD file of bytes with these sizes and further lines.
fn nrrd(sizes: &[usize], lines: &str) -> Vec<u8> {
    let texts: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let mut bytes = format!(
        "NRRD0005\ntype: uchar\ndimension: {}\nsizes: {}\nencoding: raw\n{lines}\n\n",
        sizes.len(),
        texts.join(" ")
    )
    .into_bytes();
    bytes.resize(bytes.len() + sizes.iter().product::<usize>(), 0);
    bytes
}

#[test]
fn of_nrrd_by_kind_and_direction() {
    let mut rows = Rows::new();
    let three = "(2,0,0) (0,3,0) (0,0,4)";
    let lps = |directions: &str, kinds: &str| {
        format!("space: left-posterior-superior\nspace directions: {directions}\n{kinds}")
    };
    // Every kind of components, in every place.
    for (kind, length) in [
        ("point", 5),
        ("vector", 5),
        ("contravariant-vector", 3),
        ("covariant-vector", 3),
        ("normal", 3),
        ("scalar", 1),
        ("complex", 2),
        ("2-vector", 2),
        ("3-color", 3),
        ("RGB-color", 3),
        ("RGB", 3),
        ("HSV-color", 3),
        ("XYZ-color", 3),
        ("4-color", 4),
        ("RGBA-color", 4),
        ("3-vector", 3),
        ("3-gradient", 3),
        ("3-normal", 3),
        ("4-vector", 4),
        ("quaternion", 4),
        ("2D-symmetric-matrix", 3),
        ("2D-masked-symmetric-matrix", 4),
        ("2D-matrix", 4),
        ("2D-masked-matrix", 5),
        ("3D-symmetric-matrix", 6),
        ("3D-sym-tensor", 6),
        ("3D-masked-symmetric-matrix", 7),
        ("3D-matrix", 9),
        ("3D-masked-matrix", 10),
    ] {
        for place in 0..4 {
            let insert = |item: &str, rest: [&str; 3]| {
                let mut items = rest.to_vec();
                items.insert(place, item);
                items.join(" ")
            };
            let directions = insert("none", ["(2,0,0)", "(0,3,0)", "(0,0,4)"]);
            let kinds = insert(kind, ["domain", "space", "domain"]);
            let mut sizes = vec![4, 5, 6];
            sizes.insert(place, length);
            let mut axes = vec![Space; 3];
            axes.insert(place, Component);
            let bytes = nrrd(&sizes, &lps(&directions, &format!("kinds: {kinds}")));
            rows.bytes(kind, ".nrrd", &bytes, &expected(&axes, MM, NO_TIME));
            // Without a space, ITK's place.
            let bytes = nrrd(&sizes, &format!("kinds: {kinds}"));
            rows.bytes(kind, ".nrrd", &bytes, &expected(&axes, NO_SPACE, NO_TIME));
        }
    }
    let (sss, none) = ([Space, Space, Space], "none");
    let mut row = |sizes: &[usize], lines: &str, right: Expected| {
        rows.bytes(lines, ".nrrd", &nrrd(sizes, lines), &right);
    };
    let s3t = [Space, Space, Space, Time];
    let s3o = [Space, Space, Space, Other];
    for (kind, axes) in [
        ("list", s3o),
        ("stub", s3o),
        ("time", s3t),
        ("domain", s3t),
        ("space", s3o),
        ("???", s3o),
    ] {
        let kinds = format!("kinds: domain domain domain {kind}");
        let lines = lps(&format!("{three} {none}"), &kinds);
        row(&[2, 2, 2, 1], &lines, expected(&axes, MM, NO_TIME));
    }
    // Directions without kinds.
    let lines = lps(&format!("none {three}"), "");
    row(
        &[2, 2, 2, 2],
        &lines,
        expected(&[Other, Space, Space, Space], MM, NO_TIME),
    );
    // A vector of NaN is no direction.
    let lines = lps(
        &format!("(nan,nan,nan) {three}"),
        "kinds: list domain domain domain",
    );
    row(
        &[2, 2, 2, 2],
        &lines,
        expected(&[Other, Space, Space, Space], MM, NO_TIME),
    );
    // Spaces with time.
    for space in ["LPST", "right-anterior-superior-time"] {
        let lines = format!(
            "space: {space}\nspace directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,5)\n\
             space units: \"mm\" \"mm\" \"mm\" \"s\""
        );
        row(&[2, 2, 2, 2], &lines, expected(&s3t, MM, TimeUnit::Second));
    }
    // As ITK writes four dimensions.
    let lines = "space dimension: 4\nspace directions: (2,0,0,0) (0,3,0,0) (0,0,4,0) (0,0,0,5)\n\
                 kinds: domain domain domain domain\nspace origin: (1,2,3,4)";
    row(&[2, 2, 2, 2], lines, expected(&s3t, NO_SPACE, NO_TIME));
    // Two dimensions.
    let lines = "space dimension: 2\nspace directions: (2,1) (0,3)\nspace origin: (1,2)";
    row(&[2, 2], lines, expected(&sss[..2], NO_SPACE, NO_TIME));
    // Nothing stated.
    row(&[2, 2, 2], "", expected(&sss, NO_SPACE, NO_TIME));
    row(&[2, 2, 2, 2], "", expected(&s3t, NO_SPACE, NO_TIME));
    row(
        &[2, 2, 2, 2, 2],
        "",
        expected(&[Space, Space, Space, Time, Other], NO_SPACE, NO_TIME),
    );
    // Units.
    let lines = "spacings: 1 2 3 4\nunits: \"um\" \"um\" \"um\" \"ms\"";
    row(
        &[2, 2, 2, 2],
        lines,
        expected(&s3t, SpaceUnit::Micrometre, TimeUnit::Millisecond),
    );
    let lines = "spacings: 5 1 2 3\nunits: \"s\" \"m\" \"m\" \"m\"";
    row(
        &[2, 2, 2, 2],
        lines,
        expected(
            &[Time, Space, Space, Space],
            SpaceUnit::Metre,
            TimeUnit::Second,
        ),
    );
    let lines = lps(three, "space units: \"um\" \"um\" \"um\"");
    row(
        &[2, 2, 2],
        &lines,
        expected(&sss, SpaceUnit::Micrometre, NO_TIME),
    );
    let lines = lps(three, "space units: \"um\" \"mm\" \"um\"");
    row(&[2, 2, 2], &lines, expected(&sss, NO_SPACE, NO_TIME));
    rows.done(29 * 8 + 19);
}

/// A MetaImage of bytes.
fn meta(sizes: &[usize], channels: usize, lines: &str) -> Vec<u8> {
    let texts: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let mut bytes = format!(
        "ObjectType = Image\nNDims = {}\nDimSize = {}\nElementNumberOfChannels = {channels}\n{lines}\n\
         ElementType = MET_UCHAR\nElementDataFile = LOCAL\n",
        sizes.len(),
        texts.join(" ")
    )
    .into_bytes();
    bytes.resize(bytes.len() + channels * sizes.iter().product::<usize>(), 0);
    bytes
}

#[test]
fn of_metaimage_with_channels_first() {
    let mut rows = Rows::new();
    for (sizes, axes) in [
        (&[4, 5][..], &[Space, Space][..]),
        (&[4, 5, 6], &[Space, Space, Space]),
        (&[4, 5, 6, 2], &[Space, Space, Space, Time]),
        (&[2, 2, 2, 2, 2], &[Space, Space, Space, Time, Other]),
    ] {
        rows.bytes(
            "scalar",
            ".mha",
            &meta(sizes, 1, ""),
            &expected(axes, MM, NO_TIME),
        );
        for channels in 2..10 {
            let with = [&[Component], axes].concat();
            let right = expected(&with, MM, NO_TIME);
            rows.bytes("vector", ".mha", &meta(sizes, channels, ""), &right);
        }
    }
    for (unit, space) in [
        ("mm", MM),
        ("um", SpaceUnit::Micrometre),
        ("?", MM),
        ("cm", NO_SPACE),
    ] {
        let bytes = meta(&[2, 2, 2], 1, &format!("DistanceUnits = {unit}"));
        let right = expected(&[Space, Space, Space], space, NO_TIME);
        rows.bytes(unit, ".mha", &bytes, &right);
    }
    rows.done(4 * 9 + 4);
}

fn affine_of(name: &str, bytes: &[u8]) -> Option<voxload::Affine> {
    let folder = folder();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    voxload::load(path).unwrap().affine().copied()
}

#[test]
fn affines_of_two_dimensions_and_without_a_space() {
    let two = affine_of(
        "a.mha",
        &meta(
            &[4, 5],
            1,
            "TransformMatrix = 0 1 1 0\nOffset = 7 8\nElementSpacing = 2 3",
        ),
    );
    // The first axis goes along y (to posterior), the second along x (to left).
    let right = [
        [0.0, -3.0, 0.0, -7.0],
        [-2.0, 0.0, 0.0, -8.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    assert_eq!(two, Some(right));
    let two = affine_of(
        "b.nrrd",
        &nrrd(
            &[4, 5],
            "space dimension: 2\nspace directions: (0,2) (3,0)\nspace origin: (7,8)",
        ),
    );
    assert_eq!(two, Some(right));
    let slice = affine_of(
        "c.nrrd",
        &nrrd(
            &[4, 5],
            "space: RAS\nspace directions: (0,2,0) (0,0,3)\nspace origin: (7,8,9)",
        ),
    );
    let across = [
        [0.0, 0.0, 1.0, 7.0],
        [2.0, 0.0, 0.0, 8.0],
        [0.0, 3.0, 0.0, 9.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    assert_eq!(slice, Some(across));
    // Cells begin at the minimum, nodes are on it.
    let plain = affine_of(
        "d.nrrd",
        &nrrd(
            &[4, 5, 6],
            "spacings: 2 3 4\naxis mins: 10 20 30\ncenters: cell node ???",
        ),
    );
    let right = [
        [-2.0, 0.0, 0.0, -11.0],
        [0.0, -3.0, 0.0, -20.0],
        [0.0, 0.0, 4.0, 32.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    assert_eq!(plain, Some(right));
    assert_eq!(affine_of("e.nrrd", &nrrd(&[4], "spacings: 2")), None);
}

#[test]
fn spaces_that_are_assumed_are_noted() {
    let folder = folder();
    for (lines, noted) in [
        ("", true),
        (
            "space dimension: 3\nspace directions: (1,0,0) (0,1,0) (0,0,1)",
            true,
        ),
        (
            "space: scanner-xyz\nspace directions: (1,0,0) (0,1,0) (0,0,1)",
            true,
        ),
        (
            "space: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,1)",
            false,
        ),
    ] {
        let path = folder.path().join("a.nrrd");
        std::fs::write(&path, nrrd(&[2, 2, 2], lines)).unwrap();
        let notes = voxload::load(&path).unwrap().notes();
        let found = notes.iter().any(|note| note.field == "space");
        assert_eq!(found, noted, "{lines}: {notes:?}");
    }
}

#[test]
fn of_views_and_arrays() {
    let folder = folder();
    let path = folder.path().join("a.nrrd");
    let kinds = "kinds: vector domain domain domain";
    std::fs::write(&path, nrrd(&[3, 4, 5, 6], kinds)).unwrap();
    let image = voxload::load(&path).unwrap();
    let header = image.header();
    assert_eq!(header.space_axes(), [1, 2, 3]);
    assert_eq!(header.component_axis(), Some(0));
    assert_eq!(header.time_axis(), None);
    let array = voxload::HostArray::from_vec(&[2, 3, 4, 5], vec![0f32; 120]).unwrap();
    let image = DataobjImage::from_array(array, None).unwrap();
    let header = image.header();
    assert_eq!(header.axes, [Space, Space, Space, Time]);
    assert_eq!(header.time_axis(), Some(3));
    let taken = image.slicer("[..., 2]").unwrap();
    assert_eq!(taken.header().axes, [Space, Space, Space]);
    let new = image.slicer("[..., 2, None]").unwrap();
    assert_eq!(new.header().axes, [Space, Space, Space, Other]);
}
