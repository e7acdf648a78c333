//! `voxload info`: in words, as JSON by its schema, of many files and of folders.

mod listing;
mod schema;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use voxload::ByteOrder;

use crate::support::environment::oracle_python;
use crate::support::files::{folder, write};
use crate::support::nifti::{Nifti, gz, one, put_int, put_real};
use crate::support::program::script;
use crate::support::seeds::{self, Seed};

pub fn voxload(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxload"));
    command.args(args).output().expect("the command runs")
}

/// The command with a file as its standard input.
fn piped(args: &[&str], input: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxload"));
    let input = std::fs::File::open(input).expect("the input");
    command.args(args).stdin(Stdio::from(input));
    command.output().expect("the command runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

pub fn name(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Standard output of a success.
pub fn printed(output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    out
}

fn objects(output: &Output) -> Vec<Value> {
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    shown.as_array().expect("an array").clone()
}

/// The values of a label, in order; continuation lines belong to the label before them.
fn lines(shown: &str, label: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    for line in shown.lines().filter(|line| {
        line.starts_with("  ") && !line.starts_with("    ") || line.starts_with("               ")
    }) {
        let (start, value) = line.split_at(15.min(line.len()));
        if !start.trim().is_empty() {
            current = start.trim().to_owned();
        }
        if current == label {
            found.push(value.to_owned());
        }
    }
    found
}

/// A series with everything that words can tell of: units, transforms, an intent, extensions, a fault.
fn series() -> Vec<u8> {
    let nifti = Nifti::counting(&[4, 3, 2, 5]).scl(0.5, -1.0);
    let nifti = nifti
        .extension(6, b"made for a test\nin two lines")
        .extension(2, &[1, 2, 3, 255]);
    let mut bytes = nifti.single();
    let order = ByteOrder::Little;
    for (axis, size) in [2.0, 2.5, 3.0, 1.5].into_iter().enumerate() {
        put_real(&mut bytes, one::PIXDIM.nth(axis + 1), size, order);
    }
    put_real(&mut bytes, one::PIXDIM, 7.0, order);
    // Millimetres and seconds; a z score; qform of the scanner, sform of MNI.
    bytes[123] = 2 | 8;
    bytes[68..70].copy_from_slice(&5i16.to_le_bytes());
    put_int(&mut bytes, one::QFORM_CODE, 1, order);
    put_int(&mut bytes, one::SFORM_CODE, 4, order);
    let rows: [[f32; 4]; 3] = [
        [-2.0, 0.0, 0.0, 10.0],
        [0.0, 2.5, 0.0, -20.0],
        [0.0, 0.0, 3.0, 30.0],
    ];
    for (k, value) in rows.as_flattened().iter().enumerate() {
        bytes[280 + 4 * k..][..4].copy_from_slice(&value.to_le_bytes());
    }
    bytes[148..160].copy_from_slice(b"a phantom\0\0\0");
    bytes
}

#[test]
fn a_series_in_words() {
    let dir = folder();
    let path = write(&dir, "series.nii.gz", &gz(&series(), 6));
    let output = voxload(&["info", name(&path)]);
    let shown = printed(&output);
    assert_eq!(text(&output.stderr), "");
    for (label, expected) in [
        ("format", &["NIfTI-1, header and voxels in one file"][..]),
        ("shape", &["4 x 3 x 2 voxels, 5 time points"]),
        ("voxel size", &["2 x 2.5 x 3 mm, the volume 8 x 7.5 x 6 mm"]),
        (
            "orientation",
            &[
                "LAS: first axis to the subject's left, second axis to the front (anterior), third axis to the top (superior)",
            ],
        ),
        ("position", &["the first voxel is at x 10, y -20, z 30 mm"]),
        (
            "space",
            &["sform (MNI 152), which comes first; qform (scanner anatomical)"],
        ),
        ("time step", &["1.5 s (TR), the series 7.5 s"]),
        (
            "stored",
            &["16-bit signed integers, little endian; value = 0.5 x stored number - 1"],
        ),
        ("intent", &["z score"]),
        ("description", &["a phantom"]),
        (
            "extension",
            &[
                "comment (code 6), 28 bytes: made for a test in two lines",
                "DICOM (code 2), 4 bytes, not text",
            ],
        ),
        ("faults", &["pixdim: pixdim[0] (qfac) was 7, set to 1"]),
    ] {
        assert_eq!(lines(&shown, label), expected, "{label} in\n{shown}");
    }
    let files = lines(&shown, "file");
    assert!(files[0].ends_with("bytes, compressed by gzip"), "{files:?}");
    assert!(!shown.contains("srow_x"), "raw fields only on request");
    let raw = printed(&voxload(&["info", "--raw", name(&path)]));
    assert!(raw.starts_with(&shown), "{raw}");
    for field in [
        "srow_x           -2 0 0 10",
        "xyzt_units       10",
        "zooms        [2.0, 2.5, 3.0, 1.5]",
    ] {
        assert!(raw.contains(field), "{field:?} in\n{raw}");
    }
}

#[test]
fn what_the_file_does_not_say_is_not_invented() {
    let dir = folder();
    let path = write(&dir, "a.nii", &Nifti::counting(&[4, 3, 2, 5]).single());
    let shown = printed(&voxload(&["info", name(&path)]));
    assert_eq!(
        lines(&shown, "voxel size"),
        ["1.25 x 1.5 x 1.75 (the file names no unit; most are in mm)"]
    );
    assert_eq!(lines(&shown, "faults"), ["none found in the header"]);
    assert!(
        lines(&shown, "space")[0].starts_with("no sform and no qform"),
        "{shown}"
    );
    assert_eq!(lines(&shown, "intent"), [""; 0]);
    // Half of a pair, and a name that misleads.
    let (header, _) = Nifti::counting(&[4, 3, 2]).pair();
    let shown = printed(&voxload(&["info", name(&write(&dir, "half.hdr", &header))]));
    assert!(
        lines(&shown, "file")[1].contains("half.img: the voxels, missing"),
        "{shown}"
    );
    let plain = write(&dir, "plain.nii.gz", &Nifti::counting(&[4, 3, 2]).single());
    let shown = printed(&voxload(&["info", name(&plain)]));
    assert_eq!(
        lines(&shown, "note"),
        ["plain.nii.gz: the content is not compressed, but the name ends in .gz"]
    );
    // A slice through oblique axes says so.
    let mut oblique = series();
    let (sin, cos) = 0.2f32.sin_cos();
    for (at, value) in [
        (280, -2.0 * cos),
        (284, 2.5 * sin),
        (296, 2.0 * sin),
        (300, 2.5 * cos),
    ] {
        oblique[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let shown = printed(&voxload(&[
        "info",
        name(&write(&dir, "oblique.nii", &oblique)),
    ]));
    assert_eq!(
        lines(&shown, "orientation")[1],
        "oblique: tilted by up to 11.5 degrees"
    );
}

#[test]
fn the_footer_of_an_mgz_and_the_maps_of_a_cifti() {
    let dir = folder();
    let mut mgh = seeds::mgh().files[0].1.clone();
    mgh.truncate(284 + 48);
    for value in [2300.0f32, 0.15, 2.98, 900.0, 256.0] {
        mgh.extend(value.to_be_bytes());
    }
    for (file, bytes) in [("a.mgh", mgh.clone()), ("a.mgz", gz(&mgh, 6))] {
        let path = write(&dir, file, &bytes);
        let shown = printed(&voxload(&["info", name(&path)]));
        assert_eq!(
            lines(&shown, "acquisition"),
            ["TR 2300 ms, flip angle 8.59 degrees, TE 2.98 ms, TI 900 ms, field of view 256 mm"],
            "{shown}"
        );
        let fields = &objects(&voxload(&["info", "--json", name(&path)]))[0]["fields"];
        assert_eq!(
            (&fields["tr"], &fields["te"]),
            (&json!(2300.0), &json!(2.98))
        );
    }
    let path = seeds::cifti().write(dir.path());
    let shown = printed(&voxload(&["info", name(&path)]));
    let maps = lines(&shown, "axis 1").len() + lines(&shown, "axis 2").len();
    let both = lines(&shown, "axes 1 and 2").len();
    assert!(maps == 2 || both == 1, "{shown}");
    assert_eq!(lines(&shown, "extension"), [""; 0]);
    let cifti = &objects(&voxload(&["info", "--json", name(&path)]))[0]["cifti"];
    assert!(
        cifti["maps"]
            .as_array()
            .is_some_and(|maps| !maps.is_empty()),
        "{cifti}"
    );
}

/// Axes are shown by their kind, whatever their order in the file.
#[test]
fn a_vector_field_whose_components_are_stored_first() {
    let dir = folder();
    let header = "NRRD0004\ntype: float\ndimension: 4\nspace: left-posterior-superior\nsizes: 3 4 5 6\n\
        space directions: none (2,0,0) (0,3,0) (0,0,4)\nkinds: vector domain domain domain\nendian: little\n\
        encoding: raw\nspace origin: (10,20,30)\nspace units: \"mm\" \"mm\" \"mm\"\n\n";
    let bytes = [header.as_bytes(), &[0; 4 * 360]].concat();
    let path = write(&dir, "vector.nrrd", &bytes);
    let shown = printed(&voxload(&["info", name(&path)]));
    for (label, expected) in [
        (
            "shape",
            "4 x 5 x 6 voxels, 3 components; stored as 3 x 4 x 5 x 6 (component, space, space, space)",
        ),
        ("voxel size", "2 x 3 x 4 mm, the volume 8 x 15 x 24 mm"),
        ("position", "the first voxel is at x -10, y -20, z 30 mm"),
        ("stored", "32-bit floats, little endian; not scaled"),
    ] {
        assert_eq!(lines(&shown, label), [expected], "{label} in\n{shown}");
    }
    assert!(
        lines(&shown, "orientation")[0].starts_with("LPS: "),
        "{shown}"
    );
}

#[test]
fn every_format_in_words() {
    for seed in seeds::all() {
        let dir = folder();
        let path = seed.write(dir.path());
        let shown = printed(&voxload(&["info", name(&path)]));
        for label in ["format", "file", "shape", "stored", "faults"] {
            assert!(
                !lines(&shown, label).is_empty(),
                "{}: {label} in\n{shown}",
                seed.format
            );
        }
        let of_matrix = seed.format == "CIFTI-2";
        assert_eq!(
            lines(&shown, "orientation").is_empty(),
            of_matrix,
            "{}\n{shown}",
            seed.format
        );
        assert!(
            shown.lines().all(|line| line.trim_end() == line),
            "{shown:?}"
        );
    }
}

/// A file that ends inside its voxels has no footer to show, and what is wrong is said.
#[test]
fn an_mgz_that_was_cut() {
    let dir = folder();
    let mut bytes = seeds::mgh().files[0].1.clone();
    bytes[16..20].copy_from_slice(&1i32.to_be_bytes());
    bytes.truncate(284 + 24);
    for value in [2300.0f32, 0.15, 2.98, 900.0, 256.0] {
        bytes.extend(value.to_be_bytes());
    }
    let stored = gz(&bytes, 6);
    let cut = write(&dir, "cut.mgz", &stored[..stored.len() - 12]);
    let output = voxload(&["info", name(&cut)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(lines(&text(&output.stdout), "acquisition").is_empty());
    assert!(text(&output.stderr).contains("cut.mgz"));
}

/// What the axes of a CIFTI matrix stand for.
#[test]
fn a_cifti_matrix() {
    let dir = folder();
    let mut bytes = seeds::cifti().files[0].1[..544].to_vec();
    let xml = r#"<CIFTI Version="2"><Matrix>
<MatrixIndicesMap AppliesToMatrixDimension="0" IndicesMapToDataType="CIFTI_INDEX_TYPE_SERIES"
  NumberOfSeriesPoints="3" SeriesExponent="0" SeriesStart="0" SeriesStep="0.72" SeriesUnit="SECOND"/>
<MatrixIndicesMap AppliesToMatrixDimension="1" IndicesMapToDataType="CIFTI_INDEX_TYPE_BRAIN_MODELS">
<BrainModel IndexOffset="0" IndexCount="2" ModelType="CIFTI_MODEL_TYPE_SURFACE" BrainStructure="CIFTI_STRUCTURE_CORTEX_LEFT"/>
</MatrixIndicesMap></Matrix></CIFTI>"#;
    let size = (8 + xml.len()).next_multiple_of(16);
    bytes.extend((size as i32).to_be_bytes());
    bytes.extend(32i32.to_be_bytes());
    bytes.extend(xml.bytes());
    bytes.resize(544 + size, 0);
    bytes[168..176].copy_from_slice(&(544 + size as i64).to_be_bytes());
    bytes.resize(544 + size + 24, 0);
    let path = write(&dir, "a.dtseries.nii", &bytes);
    let shown = printed(&voxload(&["info", name(&path)]));
    assert_eq!(
        lines(&shown, "axis 1"),
        ["3 points from 0 in steps of 0.72 (second)"]
    );
    assert_eq!(
        lines(&shown, "axis 2"),
        ["places in the brain: CORTEX_LEFT (2 vertices)"]
    );
    let object = &objects(&voxload(&["info", "--json", name(&path)]))[0];
    assert_eq!(object["time_step"], json!(0.72));
    assert_eq!(object["cifti"]["maps"][0]["kind"], json!("series"));
}

/// A qform that is refused, and the way to read it all the same.
#[test]
fn a_quaternion_that_is_too_long() {
    let dir = folder();
    let mut bytes = Nifti::counting(&[4, 3, 2]).single();
    let order = ByteOrder::Little;
    put_int(&mut bytes, one::SFORM_CODE, 0, order);
    put_int(&mut bytes, one::QFORM_CODE, 1, order);
    for (part, value) in [0.70712, 0.70712, 0.0].into_iter().enumerate() {
        put_real(&mut bytes, one::QUATERN.nth(part), value, order);
    }
    let path = write(&dir, "long.nii", &bytes);
    let refused = voxload(&["info", name(&path)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--quaternion-threshold"));
    printed(&voxload(&[
        "info",
        "--quaternion-threshold",
        "1e-4",
        name(&path),
    ]));
}

/// One that cannot be loaded is reported, and the others are shown; the status says that there was one.
#[test]
fn one_bad_file_among_others() {
    let dir = folder();
    let a = write(&dir, "a.nii", &Nifti::counting(&[4, 3, 2]).single());
    let bad = write(
        &dir,
        "bad.nii",
        b"version https://git-lfs.github.com/spec/v1\n",
    );
    let b = write(&dir, "b.nii", &Nifti::counting(&[7]).single());
    let files = [name(&a), name(&bad), name(&b)];
    let output = voxload(&[&["info"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(lines(&shown, "shape"), ["4 x 3 x 2 voxels", "7 voxels"]);
    assert_eq!(
        errors,
        format!(
            "voxload: {}: a Git LFS pointer, not the file itself: run git lfs pull\n",
            name(&bad)
        )
    );
    let output = voxload(&[&["info", "--json"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let shown = objects(&output);
    assert_eq!(shown.len(), 3);
    assert_eq!(
        (&shown[0]["shape"], &shown[2]["shape"]),
        (&json!([4, 3, 2]), &json!([7]))
    );
    assert_eq!(shown[1]["file"], name(&bad));
    assert_eq!(shown[1]["error"]["kind"], "NotAVolume");
    assert!(
        shown[1]["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("git lfs pull"))
    );
    // All of them bad is valid JSON too.
    let output = voxload(&["info", "--json", name(&bad)]);
    assert_eq!((output.status.code(), objects(&output).len()), (Some(1), 1));
}

#[test]
fn numbers_are_numbers_in_json() {
    let dir = folder();
    let path = write(&dir, "series.nii", &series());
    let shown = &objects(&voxload(&["info", "--json", name(&path)]))[0];
    for (member, expected) in [
        ("shape", json!([4, 3, 2, 5])),
        ("axes", json!(["space", "space", "space", "time"])),
        ("zooms", json!([2.0, 2.5, 3.0, 1.5])),
        ("space_unit", json!("mm")),
        ("time_unit", json!("s")),
        ("time_step", json!(1.5)),
        ("orientation", json!("LAS")),
        ("tilt_degrees", json!(0.0)),
        ("intent", json!("z score")),
        ("sform", json!("MNI 152")),
        ("qform", json!("scanner anatomical")),
        ("gradients", Value::Null),
    ] {
        assert_eq!(shown[member], expected, "{member}");
    }
    let fields = &shown["fields"];
    for (field, expected) in [
        ("dim", json!([4, 4, 3, 2, 5, 1, 1, 1])),
        ("scl_slope", json!(0.5)),
        ("sform_code", json!(4)),
        ("descrip", json!("a phantom")),
    ] {
        assert_eq!(fields[field], expected, "{field}");
    }
    assert_eq!(
        shown["extensions"][0]["text"],
        "made for a test\nin two lines"
    );
    assert_eq!(shown["extensions"][1]["text"], Value::Null);
    let par = seeds::parrec().write(dir.path());
    let fields = objects(&voxload(&["info", "--json", name(&par)]))[0]["fields"].clone();
    assert_eq!(fields["Max. number of dynamics"], 2);
    assert_eq!(
        fields["Off Centre midslice(ap,fh,rl) [mm]"],
        json!([2.508, 30.339, -16.032])
    );
    assert_eq!(fields["Patient name"], "phantom");
    // A key that occurs for every slice.
    assert_eq!(fields["slice"].as_array().map(Vec::len), Some(4));
}

#[test]
#[ignore = "needs the oracle's Python (tests/run.sh)"]
fn gradients_are_nibabels() {
    let dir = folder();
    let python = oracle_python().expect("VOXLOAD_ORACLE_PYTHON is set by tests/run.sh");
    let said = script(&python, "gradients.py", [dir.path()]);
    let numbers = |words: &str| -> Vec<f64> {
        let words = words.split(' ').filter(|word| *word != "none");
        words.map(|word| word.parse().expect("a number")).collect()
    };
    let (mut headers, mut weighted, mut directed) = (0, 0, 0);
    for line in said.lines() {
        let [path, sort, weights, directions] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        let mut args = vec!["info", "--json", "--permit-truncated", path];
        args.extend((sort == "strict").then_some("--strict-sort"));
        let shown = &objects(&voxload(&args))[0]["gradients"];
        headers += 1;
        if weights == "none" {
            assert_eq!(*shown, Value::Null, "{path}");
            continue;
        }
        weighted += 1;
        let shown = shown.as_array().expect("gradients");
        let found: Vec<f64> = shown.iter().filter_map(|g| g["b_value"].as_f64()).collect();
        assert_eq!(found, numbers(weights), "{path} {sort}");
        let found = shown.iter().filter_map(|g| g["direction"].as_array());
        let found: Vec<f64> = found.flatten().filter_map(Value::as_f64).collect();
        assert_eq!(found, numbers(directions), "{path} {sort}");
        directed += usize::from(directions != "none");
    }
    println!("{headers} headers, {weighted} with b values, {directed} with directions");
    assert!(headers >= 60 && weighted >= 14 && directed >= 8, "{said}");
}

#[test]
fn gradients_in_words() {
    let dir = folder();
    let path = seeds::parrec().write(dir.path());
    let text = seeds::PAR.replace(
        "Diffusion         <0=no 1=yes> ?   :   0",
        "Diffusion         <0=no 1=yes> ?   :   1",
    );
    let lines_of_text: Vec<String> = text
        .lines()
        .map(|line| match line.get(..7) {
            Some(" 2 1 2 " | " 1 1 2 ") => {
                let words: Vec<&str> = line.split_whitespace().collect();
                let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
                words[33] = "1000".to_owned();
                words[45..48].clone_from_slice(&[
                    "0.6".to_owned(),
                    "0".to_owned(),
                    "0.8".to_owned(),
                ]);
                words.join(" ")
            }
            _ => line.to_owned(),
        })
        .collect();
    std::fs::write(&path, lines_of_text.join("\n")).expect("a header");
    let shown = printed(&voxload(&["info", name(&path)]));
    // Along anterior, feet and right for a transverse slice: rows are right to left, columns anterior to posterior.
    assert_eq!(
        lines(&shown, "diffusion"),
        [
            "volume 0: b = 0 s/mm2, no direction",
            "volume 1: b = 1000 s/mm2, direction (0.8, 0.6, 0) along the voxel axes"
        ],
        "{shown}"
    );
}

/// Standard input is any format in one file, compressed or not; the results are the file's.
#[test]
fn standard_input() {
    let dir = folder();
    let files: Vec<Seed> = seeds::all();
    let mut read = 0;
    for seed in files {
        let path = seed.write(dir.path());
        let output = piped(&["stats", "--json", "-"], &path);
        if seed.files.len() > 1 {
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{}", seed.format);
            assert!(error.starts_with("voxload: standard input: "), "{error}");
            continue;
        }
        let expected = printed(&voxload(&["stats", "--json", name(&path)]));
        assert_eq!(printed(&output), expected, "{}", seed.format);
        read += 1;
    }
    assert!(read >= 6, "{read}");
    let bytes = Nifti::counting(&[4, 3, 2]).scl(0.5, -1.0).single();
    for content in [bytes.clone(), gz(&bytes, 6)] {
        let path = write(&dir, "in.nii", &content);
        let out = dir.path().join("out.npy");
        let there = dir.path().join("there.npy");
        let output = piped(&["convert", "-", name(&out)], &path);
        assert_eq!(
            (printed(&output), text(&output.stderr)),
            (String::new(), String::new())
        );
        voxload(&["convert", name(&path), name(&there)]);
        let read = |path: &Path| std::fs::read(path).expect("an output");
        assert_eq!(read(&out), read(&there));
        let shown = printed(&piped(&["info", "-"], &path));
        assert!(shown.starts_with("standard input\n"), "{shown}");
        assert_eq!(lines(&shown, "shape"), ["4 x 3 x 2 voxels"]);
        let png = dir.path().join("out.png");
        printed(&piped(&["render", "-", "-o", name(&png)], &path));
        assert!(read(&png).starts_with(b"\x89PNG"));
    }
    for (content, expected) in [
        (&b""[..], "standard input: empty file"),
        (b"<!DOCTYPE html><html>", "standard input: a web page"),
        (
            b"what is this?",
            "standard input: cannot work out the format",
        ),
    ] {
        let path = write(&dir, "bad", content);
        let error = text(&piped(&["info", "-"], &path).stderr);
        assert!(
            error.contains(expected) && error.lines().count() == 1,
            "{error}"
        );
    }
}

/// Messages say what to do, and which file is meant.
#[test]
fn messages_help() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    let rgb = Nifti::new(voxload::DType::Rgb24, &[2, 1, 1], vec![1; 6]).single();
    let rgb = write(&dir, "rgb.nii", &rgb);
    let (header, voxels) = Nifti::counting(&[4, 3, 2]).pair();
    let half = write(&dir, "half.hdr", &header);
    let other = write(&dir, "other.img", &voxels);
    let text_file = write(&dir, "text.txt", b"no volume");
    let out = at("out.npy");
    let mat = seeds::analyze();
    let analyze = mat.write(dir.path());
    std::fs::write(at("seed.mat"), b"no matrix").expect("a file");
    let par = write(&dir, "alone.par", seeds::PAR.as_bytes());
    for (args, words) in [
        (
            vec!["convert", name(&rgb), name(&out)],
            vec!["rgb.nii", "RGB", "--dtype native", "--channels"],
        ),
        (
            vec!["stats", name(&rgb)],
            vec!["rgb.nii", "RGB", "--dtype native", "--channels"],
        ),
        (
            vec!["convert", name(&half), name(&out)],
            vec![
                "half.img: no such file",
                "half.hdr is not complete without it",
            ],
        ),
        (
            vec!["info", name(&other)],
            vec![
                "other.hdr: no such file",
                "other.img is not complete without it",
            ],
        ),
        (
            vec!["convert", name(&par), name(&out)],
            vec!["alone.rec: no such file", "alone.par is not complete"],
        ),
        (
            vec!["stats", name(&text_file)],
            vec!["text.txt", "no known format", "--format"],
        ),
        (
            vec!["info", name(dir.path())],
            vec!["not a regular file", "voxload info -r"],
        ),
        (vec!["info", name(&analyze)], vec!["seed.mat: "]),
        (
            vec!["convert", name(&half), name(&out), "--format", "nrrd"],
            vec!["half.hdr", "magic"],
        ),
    ] {
        let output = voxload(&args);
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        for word in words {
            assert!(line.contains(word), "{word:?} in {line}");
        }
    }
    assert!(!out.exists());
}

/// `--format` for files without a mark of their format under another name.
#[test]
fn a_format_that_is_asked_for() {
    let dir = folder();
    let nifti = Nifti::counting(&[4, 3, 2]).single();
    for (format, path, expected) in [
        ("nifti", write(&dir, "a", &nifti), "NIfTI-1"),
        ("nifti", write(&dir, "a.img", &nifti), "NIfTI-1"),
        ("mgh", write(&dir, "m", &seeds::mgh().files[0].1), "MGH"),
        (
            "nrrd",
            write(&dir, "n.nii", &seeds::nrrd().files[0].1),
            "NRRD",
        ),
        (
            "metaimage",
            write(&dir, "h", &seeds::mha().files[0].1),
            "MetaImage",
        ),
        ("minc", write(&dir, "c", &seeds::minc().files[0].1), "MINC1"),
        (
            "ecat",
            write(&dir, "e", &seeds::ecat().files[0].1),
            "ECAT 7",
        ),
        (
            "parrec",
            write(&dir, "p.txt", seeds::PAR.as_bytes()),
            "PAR/REC",
        ),
        ("afni", write(&dir, "f.txt", seeds::HEAD.as_bytes()), "AFNI"),
        (
            "analyze",
            write(&dir, "s.dat", &seeds::analyze().files[0].1),
            "Analyze 7.5",
        ),
        (
            "spm99",
            write(&dir, "s.dat", &seeds::analyze().files[0].1),
            "SPM99 Analyze",
        ),
        (
            "spm2",
            write(&dir, "s.dat", &seeds::analyze().files[0].1),
            "SPM2 Analyze",
        ),
    ] {
        let output = voxload(&["info", "--json", "--format", format, name(&path)]);
        printed(&output);
        assert_eq!(objects(&output)[0]["format"], expected, "{format}");
    }
    let error = text(
        &voxload(&[
            "info",
            "--format",
            "nifti",
            name(&write(&dir, "n.nii", &seeds::nrrd().files[0].1)),
        ])
        .stderr,
    );
    assert!(
        error.contains("the content is NRRD, not NIfTI-1"),
        "{error}"
    );
}

#[test]
fn dropped_imaginary_parts_are_noted() {
    let dir = folder();
    let data: Vec<u8> = (0..8).flat_map(|k| (k as f32).to_le_bytes()).collect();
    let complex = Nifti::new(voxload::DType::C64, &[2, 2, 1], data).single();
    let path = write(&dir, "complex.nii", &complex);
    let out = |ending: &str| dir.path().join(format!("out.{ending}"));
    let note = "complex.nii: complex voxels: the imaginary part was left out";
    for (dtype, noted) in [
        ("f32", true),
        ("f64", true),
        ("f16", true),
        ("native", false),
    ] {
        let output = voxload(&["convert", name(&path), name(&out("npy")), "--dtype", dtype]);
        printed(&output);
        assert_eq!(text(&output.stderr).contains(note), noted, "{dtype}");
    }
    let output = voxload(&["convert", name(&path), name(&out("npy"))]);
    assert!(text(&output.stderr).contains(note));
    let output = voxload(&["stats", name(&path)]);
    assert!(text(&output.stderr).contains(note));
    // As NIfTI they stay complex.
    let output = voxload(&["convert", name(&path), name(&out("nii"))]);
    printed(&output);
    assert_eq!(text(&output.stderr), "");
}
