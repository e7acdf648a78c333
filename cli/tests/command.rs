//! Promise: the command does what its help says, reports failures in one line, and leaves no incomplete files.

mod loading;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use half::f16;
use serde_json::Value;
use tempfile::TempDir;
use voxload::{ByteOrder, DType, DataobjImage, HostArray, Index, LoadOptions, StoredArray};

use crate::support::files::{folder, write};
use crate::support::nifti::{Nifti, gz, one, put_real};

fn voxload(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voxload"));
    command.args(args).output().expect("the command runs")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("no signal")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn scaled(dir: &TempDir) -> PathBuf {
    let nifti = Nifti::counting(&[4, 3, 2]).scl(0.5, -1.0);
    write(dir, "in.nii.gz", &gz(&nifti.single(), 6))
}

fn name(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The header's text and the bytes after it.
fn npy(path: &Path) -> (String, Vec<u8>) {
    let bytes = std::fs::read(path).expect("the output");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + length) % 64, 0, "aligned");
    let header = text(&bytes[10..10 + length]);
    assert!(header.ends_with('\n'));
    (header.trim_end().to_owned(), bytes[10 + length..].to_vec())
}

fn bytes_of<T: voxload::Element>(array: HostArray<T>) -> Vec<u8> {
    StoredArray::from(array).as_bytes().to_vec()
}

/// The library's result for the same request.
fn expected(path: &Path, dtype: &str, index: &Index) -> Vec<u8> {
    let image = voxload::load(path).expect("it loads");
    let data = image.dataobj();
    match dtype {
        "f16" => bytes_of(data.slice::<f16>(index).expect("values")),
        "f32" => bytes_of(data.slice::<f32>(index).expect("values")),
        "f64" => bytes_of(data.slice::<f64>(index).expect("values")),
        _ => {
            let part = data.sliced(index).expect("an index");
            part.native().expect("values").as_bytes().to_vec()
        }
    }
}

#[test]
fn index_writes_what_loading_uses() {
    let dir = folder();
    let volume = Nifti::counting(&[64, 64, 40, 4]).scl(0.5, -1.0);
    let file = write(&dir, "in.nii.gz", &gz(&volume.single(), 6));
    let done = voxload(&["index", name(&file)]);
    assert_eq!((status(&done), text(&done.stderr)), (0, ""));
    let beside = dir.path().join("in.nii.gz.voxgzi");
    let elsewhere = dir.path().join("there.voxgzi");
    let done = voxload(&["index", name(&file), "-o", name(&elsewhere)]);
    assert_eq!(status(&done), 0);
    let made = std::fs::read(&beside).expect("an index");
    assert_eq!(std::fs::read(&elsewhere).expect("an index"), made);
    // A load with the index.
    let options = LoadOptions::new().gzip_index(&elsewhere);
    let image = DataobjImage::from_filename(&file, &options).expect("it loads");
    let index: Index = "[..., 2]".parse().expect("an index");
    let frame = image.dataobj().slice::<f32>(&index).expect("a frame");
    assert_eq!(bytes_of(frame), expected(&file, "f32", &index));
    assert_eq!(std::fs::read(&elsewhere).expect("an index"), made);
    let done = voxload(&[
        "index",
        name(&file),
        "-o",
        name(&dir.path().join("it.gzidx")),
    ]);
    assert_eq!(status(&done), 0);
    let exported = std::fs::read(dir.path().join("it.gzidx")).expect("an index");
    assert_eq!(&exported[..5], b"GZIDX");
}

#[test]
fn index_of_what_is_not_gzip_or_damaged_writes_nothing() {
    let dir = folder();
    let bytes = gz(&Nifti::counting(&[64, 64, 40]).single(), 6);
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x10;
    for (file, content) in [
        ("plain.nii.gz", Nifti::counting(&[4, 3, 2]).single()),
        ("cut.nii.gz", bytes[..bytes.len() - 9].to_vec()),
        ("damaged.nii.gz", damaged),
    ] {
        let path = write(&dir, file, &content);
        let done = voxload(&["index", name(&path)]);
        assert_eq!(status(&done), 1, "{file}");
        let said = text(&done.stderr);
        assert!(said.contains(file) && said.lines().count() == 1, "{said}");
        let index = dir.path().join(format!("{file}.voxgzi"));
        assert!(!index.exists(), "{file}");
    }
}

#[test]
fn convert_writes_every_type() {
    let dir = folder();
    let input = scaled(&dir);
    for (dtype, descr) in [
        ("f16", "<f2"),
        ("f32", "<f4"),
        ("f64", "<f8"),
        ("native", "<f8"),
    ] {
        for ending in ["npy", "raw"] {
            let out = dir.path().join(format!("{dtype}.{ending}"));
            let output = voxload(&["convert", name(&input), name(&out), "--dtype", dtype]);
            assert_eq!(status(&output), 0, "{}", text(&output.stderr));
            assert!(
                output.stdout.is_empty() && output.stderr.is_empty(),
                "silent"
            );
            let data = match ending {
                "npy" => {
                    let (header, data) = npy(&out);
                    let wanted = format!(
                        "{{'descr': '{descr}', 'fortran_order': True, 'shape': (4, 3, 2), }}"
                    );
                    assert_eq!(header, wanted);
                    data
                }
                _ => std::fs::read(&out).expect("the output"),
            };
            assert!(
                data == expected(&input, dtype, &Index::new()),
                "{dtype} {ending}"
            );
        }
    }
    let default = dir.path().join("default.npy");
    assert_eq!(
        status(&voxload(&["convert", name(&input), name(&default)])),
        0
    );
    assert!(npy(&default).0.contains("'<f4'"));
}

#[test]
fn convert_writes_every_stored_type_as_it_is() {
    let descrs = [
        (DType::U8, "'|u1'"),
        (DType::I8, "'|i1'"),
        (DType::U16, "'<u2'"),
        (DType::I16, "'<i2'"),
        (DType::U32, "'<u4'"),
        (DType::I32, "'<i4'"),
        (DType::U64, "'<u8'"),
        (DType::I64, "'<i8'"),
        (DType::F32, "'<f4'"),
        (DType::F64, "'<f8'"),
        (DType::C64, "'<c8'"),
        (DType::C128, "'<c16'"),
        (DType::Rgb24, "[('R', '|u1'), ('G', '|u1'), ('B', '|u1')]"),
        (
            DType::Rgba32,
            "[('R', '|u1'), ('G', '|u1'), ('B', '|u1'), ('A', '|u1')]",
        ),
    ];
    for (dtype, descr) in descrs {
        let dir = folder();
        let data: Vec<u8> = (0..6 * dtype.size_bytes()).map(|n| n as u8 + 1).collect();
        let input = write(
            &dir,
            "in.nii",
            &Nifti::new(dtype, &[6], data.clone()).single(),
        );
        let out = dir.path().join("out.npy");
        let output = voxload(&["convert", name(&input), name(&out), "--dtype", "native"]);
        assert_eq!(status(&output), 0, "{dtype}: {}", text(&output.stderr));
        let (header, found) = npy(&out);
        assert!(header.contains(&format!("'descr': {descr}, ")), "{header}");
        assert!(header.contains("'shape': (6,), "), "{header}");
        assert_eq!(found, data, "{dtype}");
    }
}

#[test]
fn convert_takes_slices() {
    let dir = folder();
    let input = scaled(&dir);
    for (slice, shape) in [
        ("[..., 1]", "(4, 3)"),
        ("[::-1, 1:, 0]", "(4, 2)"),
        ("-1", "(3, 2)"),
        ("[0, 0, 0]", "()"),
        ("[None, 2:2]", "(1, 0, 3, 2)"),
    ] {
        let out = dir.path().join("out.npy");
        let output = voxload(&["convert", name(&input), name(&out), "--slice", slice]);
        assert_eq!(status(&output), 0, "{slice}: {}", text(&output.stderr));
        let (header, data) = npy(&out);
        assert!(
            header.contains(&format!("'shape': {shape}, ")),
            "{slice}: {header}"
        );
        let index: Index = slice.parse().expect("an index");
        assert_eq!(data, expected(&input, "f32", &index), "{slice}");
    }
}

/// Status 1, one line with the reason, nothing on standard output.
fn fails(args: &[&str], reason: &str) {
    let output = voxload(args);
    assert_eq!(status(&output), 1, "{args:?}");
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("voxload: "), "{error}");
    assert!(error.contains(reason), "{error:?} does not say {reason:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn failures_are_one_line_and_leave_no_file() {
    let dir = folder();
    let input = scaled(&dir);
    let bytes = Nifti::counting(&[40, 30, 20]).single();
    let cut = write(&dir, "cut.nii", &bytes[..20_000]);
    let mut damaged = gz(&bytes, 6);
    let end = damaged.len();
    damaged[end - 8] ^= 1;
    let damaged = write(&dir, "damaged.nii.gz", &damaged);
    let rgb = Nifti::new(DType::Rgb24, &[2], vec![1; 6]).single();
    let rgb = write(&dir, "rgb.nii", &rgb);
    let gone = dir.path().join("gone.nii");
    let out = dir.path().join("out.npy");
    let nowhere = dir.path().join("nowhere/out.npy");
    let other = dir.path().join("out.txt");
    let before = std::fs::read_dir(dir.path()).expect("the folder").count();
    fails(
        &["convert", name(&gone), name(&out)],
        "gone.nii: no such file",
    );
    fails(&["convert", name(&cut), name(&out)], "cut.nii: truncated");
    fails(
        &["convert", name(&damaged), name(&out)],
        "damaged.nii.gz: damaged gzip",
    );
    fails(&["convert", name(&rgb), name(&out)], "RGB");
    fails(&["convert", name(&input), name(&nowhere)], "nowhere");
    fails(&["convert", name(&input), name(&other)], ".npy");
    fails(
        &["convert", name(&input), name(&out), "--slice", "[9]"],
        "9 is out of range",
    );
    fails(&["info", name(&gone)], "gone.nii");
    let after = std::fs::read_dir(dir.path()).expect("the folder").count();
    assert_eq!(before, after, "no output and no temporary file");
}

/// A failed conversion leaves the old output unchanged; a successful one replaces it.
#[test]
fn an_old_output_is_replaced_whole() {
    let dir = folder();
    let input = scaled(&dir);
    let cut = write(
        &dir,
        "cut.nii",
        &Nifti::counting(&[40, 30]).single()[..1000],
    );
    let out = write(&dir, "out.raw", b"old");
    assert_eq!(status(&voxload(&["convert", name(&cut), name(&out)])), 1);
    assert_eq!(std::fs::read(&out).expect("the output"), b"old");
    assert_eq!(status(&voxload(&["convert", name(&input), name(&out)])), 0);
    assert_eq!(std::fs::read(&out).expect("the output").len(), 4 * 24);
}

#[test]
fn wrong_usage_is_status_2() {
    let dir = folder();
    let input = scaled(&dir);
    let input = name(&input);
    let wrong: [&[&str]; 8] = [
        &[],
        &["frobnicate"],
        &["info"],
        &["convert", input],
        &["convert", input, "a.npy", "--dtype", "i16"],
        &["convert", input, "a.npy", "--slice", "[a]"],
        &["convert", input, "a.npy", "--backend", "tpu"],
        &["info", "--what", input],
    ];
    for args in wrong {
        assert_eq!(status(&voxload(args)), 2, "{args:?}");
    }
    for args in [
        &["--help"][..],
        &["--version"],
        &["convert", "--help"],
        &["info", "--help"],
    ] {
        let output = voxload(args);
        assert_eq!(status(&output), 0, "{args:?}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn info_for_programs() {
    let dir = folder();
    let mut bytes = Nifti::counting(&[5, 6])
        .version(1)
        .order(ByteOrder::Big)
        .single();
    put_real(&mut bytes, one::VOX_OFFSET, 0.0, ByteOrder::Big);
    let second = write(&dir, "second.nii", &bytes);
    let first = scaled(&dir);
    let output = voxload(&["info", "--json", name(&first), name(&second)]);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let [one, two] = shown.as_array().expect("an array").as_slice() else {
        panic!("two objects: {shown}");
    };
    assert_eq!(one["shape"], serde_json::json!([4, 3, 2]));
    assert_eq!(one["dtype"], "int16");
    assert_eq!(
        (&one["slope"], &one["inter"]),
        (&0.5.into(), &(-1.0).into())
    );
    assert_eq!(one["affine"][3], serde_json::json!([0.0, 0.0, 0.0, 1.0]));
    assert_eq!(one["notes"], serde_json::json!([]));
    assert_eq!(two["byte_order"], "big");
    assert_eq!(two["data_offset"], 352);
    assert_eq!(two["notes"].as_array().map(Vec::len), Some(1));
    assert_eq!(two["fields"]["vox_offset"], 0.0);
}

/// The same bytes on every backend; without an adapter asking for one is a failure in one line.
#[test]
#[cfg(feature = "gpu")]
fn backends_write_the_same_bytes() {
    use crate::support::adapter;

    let dir = folder();
    let input = scaled(&dir);
    let out = dir.path().join("out.raw");
    let has_gpu = adapter::ready("convert --backend gpu");
    for dtype in ["f16", "f32", "f64"] {
        for slice in ["...", "[::-1, 1:, 0]"] {
            let expected = expected(&input, dtype, &slice.parse().expect("an index"));
            for backend in ["auto", "cpu", "gpu"] {
                let args = ["convert", name(&input), name(&out), "--dtype", dtype];
                let args = [&args[..], &["--slice", slice, "--backend", backend]].concat();
                if backend == "gpu" && !has_gpu {
                    fails(&args, "GPU");
                    continue;
                }
                let output = voxload(&args);
                assert_eq!(status(&output), 0, "{}", text(&output.stderr));
                let found = std::fs::read(&out).expect("the output");
                assert_eq!(found, expected, "{backend} {dtype} {slice}");
            }
        }
    }
}

#[test]
fn bench_compares_the_bits() {
    let output = voxload(&["bench", "--json", "--runs", "1", "--phantom", "3"]);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files = shown["files"].as_array().expect("files");
    assert_eq!(files.len(), 7);
    let largest = |file: &&Value| file["kind"] == "int16" && seconds(file, "open (header)") > 0.0;
    assert_eq!(files.iter().filter(largest).count(), 4);
    for report in files {
        assert_eq!(report["differing_values_on_cpu"], 0);
        let verdict = report["verdict"].as_str().expect("a line");
        assert!(verdict.starts_with("for host arrays use the "), "{verdict}");
        for row in ["cpu to f32, fresh array", "cpu to f32, fresh, 1 thread"] {
            assert!(seconds(report, row) > 0.0, "{row} in {report}");
        }
        device_rows(report);
    }
    let packed = files.last().expect("a file");
    assert_eq!(packed["kind"], "int16, compressed");
    assert!(seconds(packed, "inflate alone, 1 thread") > 0.0);
    let gpu = !packed["gpu"].is_null();
    // Host and device arrays of the only kind with several sizes.
    let wins = shown["gpu_wins"].as_array().expect("crossings");
    assert_eq!(wins.len(), if gpu { 2 } else { 0 });
}

/// What is printed of a device, if one took part.
fn device_rows(report: &Value) {
    let gpu = &report["gpu"];
    assert_eq!(gpu.is_null(), report["differing_values"].is_null());
    if gpu.is_null() {
        return;
    }
    assert_eq!(report["differing_values"], 0);
    assert!(gpu["trace"]["stage"].as_f64() > Some(0.0), "{gpu}");
    assert!(gpu["trace"]["bytes"].as_u64() >= Some(900_000), "{gpu}");
    assert!(gpu["share_of_bus_copy"].as_f64() > Some(0.0), "{gpu}");
    assert!(gpu["kernel"]["chosen"].is_string(), "{gpu}");
    for row in ["gpu to a device buffer", "gpu to a device buffer and back"] {
        assert!(seconds(report, row) > 0.0, "{row} in {report}");
    }
    let stages = report["stages"].as_array().expect("rows");
    let busy = |row: &&Value| row["stage"].as_str().is_some_and(|s| s.contains("busy"));
    assert!(stages.iter().filter(busy).count() >= 4, "{report}");
}

/// The time of a row; 0 if there is no such row.
fn seconds(report: &Value, row: &str) -> f64 {
    let stages = report["stages"].as_array().expect("rows");
    let row = stages.iter().find(|stage| stage["stage"] == row);
    row.and_then(|row| row["seconds"].as_f64()).unwrap_or(0.0)
}

#[test]
fn bench_takes_several_files_and_draws_them() {
    let dir = folder();
    let input = scaled(&dir);
    let other = dir.path().join("a & <b>.nii");
    std::fs::copy(&input, &other).expect("a copy");
    let plot = dir.path().join("plot.svg");
    let files = [name(&input), name(&other)];
    let args = [&["bench", "--runs", "1", "--plot", name(&plot)], &files[..]].concat();
    let output = voxload(&args);
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert_eq!(
        said.matches("for host arrays use the ").count(),
        2,
        "{said}"
    );
    assert!(files.iter().all(|file| said.contains(file)), "{said}");

    let drawn = std::fs::read_to_string(&plot).expect("the plot");
    let drawn = roxmltree::Document::parse(&drawn).expect("well-formed XML");
    let root = drawn.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    let all = |tag: &'static str| {
        root.descendants()
            .filter(move |node| node.has_tag_name((SVG, tag)))
    };
    let number = |node: roxmltree::Node, key| node.attribute(key)?.parse::<f64>().ok();
    let (width, height) = (number(root, "width"), number(root, "height"));
    let texts: Vec<&str> = all("text").filter_map(|node| node.text()).collect();
    assert!(texts.contains(&"a & <b>.nii"), "{texts:?}");
    let bars: Vec<_> = all("rect").filter(|node| node.has_attribute("x")).collect();
    // Five in the legend; three or more for each file.
    assert!(bars.len() >= 5 + 2 * 3, "{}", bars.len());
    for bar in bars {
        let right = number(bar, "x")
            .zip(number(bar, "width"))
            .map(|(x, w)| x + w);
        let below = number(bar, "y")
            .zip(number(bar, "height"))
            .map(|(y, h)| y + h);
        assert!(
            right <= width && below <= height && right > Some(0.0),
            "{bar:?}"
        );
    }
}

const SVG: &str = "http://www.w3.org/2000/svg";

#[test]
fn bench_refuses_what_is_no_volume() {
    let dir = folder();
    let input = dir.path().join("no.nii");
    std::fs::write(&input, [7; 400]).expect("a file");
    fails(&["bench", name(&input)], "no.nii");
    fails(&["bench", name(&dir.path().join("none.nii"))], "none.nii");
}
