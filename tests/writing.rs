//! Writing NIfTI: what nibabel would store is stored, what was written is read back, by us and by nibabel, and the
//! file that is read stays until the new one is complete.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use voxload::format::Fields;
use voxload::{
    ByteOrder, DType, DataobjImage, ErrorKind, HostArray, Index, NiftiWriter, SaveOptions,
};

use crate::support::environment::{oracle_python, skipped};
use crate::support::floats::from_hex;
use crate::support::nifti::Nifti;
use crate::support::oracle;
use crate::support::program;
use crate::support::rng::Rng;
use crate::support::types::NIFTI;

const ENDINGS: [&str; 5] = ["nii", "nii.gz", "hdr", "img.gz", "NII"];

fn named(name: &str) -> DType {
    let found = NIFTI.iter().find(|dtype| dtype.name() == name);
    *found.unwrap_or_else(|| panic!("no type {name}"))
}

/// A random volume in a file: types, orders, versions, shapes, scalings, extensions.
fn random_file(rng: &mut Rng, path: &Path) -> Nifti {
    let dtype = *rng.pick(&NIFTI);
    let axes = 1 + rng.below(5);
    let shape: Vec<usize> = (0..axes).map(|_| 1 + rng.below(7)).collect();
    let count: usize = shape.iter().product();
    let data = rng.bytes(count * dtype.size_bytes());
    let scl = match (dtype, rng.below(4)) {
        (DType::Rgb24, _) | (_, 0) => (1.0, 0.0),
        (_, 1) => (f64::from(0.37f32), -3.25),
        (_, 2) => (1.0, 7.5),
        _ => (-2.0, 0.0),
    };
    let order = *rng.pick(&[ByteOrder::Little, ByteOrder::Big]);
    let version = if rng.one_in(2) { 1 } else { 2 };
    let mut volume = Nifti::new(dtype, &shape, data)
        .version(version)
        .order(order)
        .scl(scl.0, scl.1);
    if rng.one_in(2) {
        volume = volume.extension(6, b"a comment of some length");
    }
    std::fs::write(path, volume.single()).expect("room for a file");
    volume
}

#[test]
fn what_was_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = Rng::new(81);
    let mut list = String::new();
    let mut compared = 0;
    for number in 0..600 {
        let source = folder.path().join(format!("s{number}.nii"));
        let volume = random_file(&mut rng, &source);
        let written = folder
            .path()
            .join(format!("w{number}.{}", rng.pick(&ENDINGS)));
        let image = voxload::load(&source).expect("a source");
        let real = !matches!(volume.dtype, DType::C64 | DType::C128 | DType::Rgb24);
        let (options, asked) = match rng.below(3) {
            1 if real => (SaveOptions::new().dtype(DType::F32), "float32"),
            2 if real => (SaveOptions::new().dtype(DType::F64), "float64"),
            _ => (SaveOptions::new().keep_scaling(), "kept"),
        };
        let before = image.dataobj().native().expect("voxels");
        voxload::save(&image, &written, &options).expect("a saved file");
        let again = voxload::load(&written).expect("the saved file");
        assert_eq!(again.notes(), [], "{written:?}: nothing to repair");
        assert_eq!(again.shape(), image.shape());
        assert_eq!(again.affine(), image.affine());
        if asked == "kept" {
            let after = again.dataobj().native().expect("voxels");
            assert_eq!(
                after.as_bytes(),
                before.as_bytes(),
                "{written:?} {:?}",
                volume.dtype
            );
        } else {
            let want = image.dataobj().read::<f64>().expect("values");
            let got = again.dataobj().read::<f64>().expect("values");
            let narrow = asked == "float32";
            for (want, got) in want.as_slice().iter().zip(got.as_slice()) {
                let want = if narrow {
                    f64::from(*want as f32)
                } else {
                    *want
                };
                assert!(
                    want == *got || want.is_nan() && got.is_nan(),
                    "{want} {got}"
                );
            }
        }
        compared += 1;
        let line = format!("{} {} {asked}\n", source.display(), written.display());
        list.push_str(&line);
    }
    assert_eq!(compared, 600);
    let list_file = folder.path().join("list.txt");
    std::fs::write(&list_file, list).expect("a list");
    nibabel_agrees(&list_file);
    nifti_tool_agrees(folder.path());
}

fn nibabel_agrees(list: &Path) {
    let Some(python) = oracle_python() else {
        return skipped(
            "nibabel reads what was written",
            "VOXLOAD_ORACLE_PYTHON is not set",
        );
    };
    let said = program::script(&python, "check_written.py", [list]);
    assert!(said.contains("compared 600"), "{said}");
}

/// nifti_tool, where it is installed, finds no fault in the NIfTI-1 headers.
fn nifti_tool_agrees(folder: &Path) {
    if Command::new("nifti_tool").arg("-ver").output().is_err() {
        return skipped("nifti_tool checks the headers", "it is not installed");
    }
    let mut checked = 0;
    let entries = std::fs::read_dir(folder).expect("the folder").flatten();
    for entry in entries {
        let path = entry.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let header = voxload::load(&path).map(|image| image.header().sizeof_hdr());
        let single = name.ends_with(".nii") || name.ends_with(".nii.gz");
        if !name.starts_with('w') || !single || !matches!(header, Ok(Some(348))) {
            continue;
        }
        let output = Command::new("nifti_tool")
            .args(["-check_hdr", "-infiles"])
            .arg(&path)
            .output()
            .expect("nifti_tool runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("header IS GOOD"), "{name}: {said}");
        checked += 1;
    }
    assert!(checked > 50, "{checked} headers were checked");
}

trait SizeofHdr {
    fn sizeof_hdr(&self) -> Option<i64>;
}

impl SizeofHdr for voxload::Header {
    fn sizeof_hdr(&self) -> Option<i64> {
        match &self.fields {
            Fields::Nifti(nifti) => Some(nifti.sizeof_hdr),
            _ => None,
        }
    }
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn integers_are_stored_as_nibabel_stores_them() {
    let (folder, lines) = oracle::manifest("saved.txt");
    let (mut stored, mut refused) = (0, 0);
    for line in &lines {
        let [source, dtype, outcome @ ..] = line.as_slice() else {
            panic!("a short line: {line:?}");
        };
        let image = voxload::load(folder.join(source)).expect("a source");
        let out = tempfile::tempdir().expect("a folder");
        let path = out.path().join("saved.nii");
        let saved = voxload::save(&image, &path, &SaveOptions::new().dtype(named(dtype)));
        let [slope, inter, hash] = outcome else {
            assert!(saved.is_err(), "{source} as {dtype}: nibabel refuses");
            refused += 1;
            continue;
        };
        saved.unwrap_or_else(|error| panic!("{source} as {dtype}: {error}"));
        let again = voxload::load(&path).expect("the saved file");
        let proxy = again.dataobj();
        let scaling = &proxy.spec().scaling;
        let found = (scaling.slope(), scaling.inter());
        assert_eq!(
            found,
            (Some(from_hex(slope)), Some(from_hex(inter))),
            "{source} as {dtype}"
        );
        let bytes = proxy.unscaled().expect("voxels");
        assert_eq!(
            &oracle::hash_bytes(bytes.as_bytes()),
            hash,
            "{source} as {dtype}"
        );
        stored += 1;
    }
    assert!(stored > 1000, "{stored} stored, {refused} refused");
}

#[test]
fn saving_over_the_file_that_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.nii", "a.nii.gz", "a.hdr"] {
        let path = folder.path().join(name);
        let values: Vec<f32> = (0..60_000).map(|i| i as f32).collect();
        let array = HostArray::from_vec(&[100, 100, 6], values.clone()).expect("an array");
        let mut first = DataobjImage::from_array(array, None).expect("an image");
        first.to_filename(&path).expect("a saved file");
        let mut image = voxload::load(&path).expect("the file");
        image.to_filename(&path).expect("saved over itself");
        let again = voxload::load(&path).expect("the file");
        let got = again.dataobj().read::<f32>().expect("values");
        assert_eq!(got.as_slice(), values, "{name}");
    }
    let left: Vec<PathBuf> = std::fs::read_dir(folder.path())
        .expect("the folder")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert_eq!(left.len(), 4, "no temporary file is left: {left:?}");
}

#[test]
fn an_unfinished_file_leaves_the_old_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("series.nii.gz");
    std::fs::write(&path, b"what was there").expect("room");
    let array = HostArray::from_vec(&[4, 4, 4, 3], vec![1i16; 192]).expect("an array");
    let image = DataobjImage::from_array(array, None).expect("an image");
    let mut writer =
        NiftiWriter::create(&path, image.header(), &SaveOptions::new()).expect("a writer");
    writer.write_values(&[1i16; 64]).expect("a frame");
    let error = writer.finish().expect_err("two frames are missing");
    assert!(matches!(error.kind(), ErrorKind::Shape { .. }), "{error}");
    let mut writer =
        NiftiWriter::create(&path, image.header(), &SaveOptions::new()).expect("a writer");
    let error = writer.write_values(&[1i16; 193]).expect_err("one too many");
    assert!(matches!(error.kind(), ErrorKind::Shape { .. }), "{error}");
    let error = writer
        .write_values(&[0.5f32; 3])
        .expect_err("floats as integers");
    assert!(matches!(error.kind(), ErrorKind::DType { .. }), "{error}");
    drop(writer);
    assert_eq!(
        std::fs::read(&path).expect("the old file"),
        b"what was there"
    );
    let left = std::fs::read_dir(folder.path())
        .expect("the folder")
        .count();
    assert_eq!(left, 1, "no temporary file is left");
}

#[test]
fn frames_written_in_order_are_the_series() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = Rng::new(7);
    let bytes = rng.bytes(9 * 8 * 7 * 40 * 2);
    let volume = Nifti::new(DType::I16, &[9, 8, 7, 40], bytes).scl(0.5, 3.0);
    let image = DataobjImage::from_bytes(volume.single()).expect("an image");
    for name in ["b.nii", "b.nii.gz", "b.img"] {
        let path = folder.path().join(name);
        let options = SaveOptions::new().dtype(DType::F64).level(6);
        let mut writer = NiftiWriter::create(&path, image.header(), &options).expect("a writer");
        for t in 0..40 {
            let frame = Index::new().ellipsis().at(t);
            let values = image.dataobj().slice::<f64>(&frame).expect("a frame");
            writer.write_values(values.as_slice()).expect("written");
        }
        writer.finish().expect("finished");
        let again = voxload::load(&path).expect("the series");
        let (want, got) = (
            image.dataobj().read::<f64>().expect("values"),
            again.dataobj().read::<f64>().expect("values"),
        );
        assert_eq!(want.as_slice(), got.as_slice(), "{name}");
    }
}

/// Values are looked at as a whole, though they are stored in pieces: what does not fit is refused before the first.
#[test]
fn many_values_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let count = 700_001;
    let values: Vec<i32> = (0..count).map(|n| n % 30_000 - 9000).collect();
    for (order, dtype) in [
        (ByteOrder::Little, DType::I16),
        (ByteOrder::Big, DType::I16),
        (ByteOrder::Big, DType::I32),
        (ByteOrder::Little, DType::I32),
        (ByteOrder::Little, DType::F32),
    ] {
        let header = Nifti::new(DType::I32, &[1, count as usize], vec![0; 4 * values.len()])
            .version(2)
            .order(order);
        let header = DataobjImage::from_bytes(header.single()).expect("an image");
        let path = folder.path().join("many.nii");
        let options = SaveOptions::new().dtype(dtype);
        let mut writer = NiftiWriter::create(&path, header.header(), &options).expect("a writer");
        let mut large = values.clone();
        if let Some(last) = large.last_mut() {
            *last = 40_000;
        }
        if dtype == DType::I16 {
            let error = writer.write_values(&large).expect_err("above 16 bits");
            assert!(matches!(error.kind(), ErrorKind::DType { .. }), "{error}");
        }
        writer.write_values(&values).expect("written");
        writer.finish().expect("finished");
        let again = voxload::load(&path).expect("the file");
        assert_eq!(again.header().byte_order, order);
        let read = again.dataobj().read::<f64>().expect("values");
        let wanted: Vec<f64> = values.iter().map(|&value| value.into()).collect();
        assert!(read.as_slice() == wanted, "{order:?} {dtype}");
    }
}

#[test]
fn forms_can_be_set() {
    let array = HostArray::from_vec(&[3, 4, 5], vec![0u8; 60]).expect("an array");
    let first = DataobjImage::from_array(array, None).expect("an image");
    let mut image = DataobjImage::from_bytes(first.to_bytes().expect("bytes")).expect("an image");
    let affine = [
        [0.0, -2.0, 0.0, 10.0],
        [3.0, 0.0, 0.0, -5.0],
        [0.0, 0.0, 4.0, 1.5],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let header = image.header_mut();
    header.set_qform(&affine, 1).expect("a rotation");
    let again = DataobjImage::from_bytes(image.to_bytes().expect("bytes")).expect("an image");
    for (want, got) in affine
        .iter()
        .flatten()
        .zip(again.affine().expect("one").iter().flatten())
    {
        assert!((want - got).abs() < 1e-5, "{want} {got}");
    }
    image.header_mut().set_sform(&affine, 3);
    let again = DataobjImage::from_bytes(image.to_bytes().expect("bytes")).expect("an image");
    assert_eq!(again.affine(), Some(&affine));
    let Fields::Nifti(nifti) = &again.header().fields else {
        panic!("a NIfTI header");
    };
    assert_eq!((nifti.sform_code, nifti.qform_code), (3, 1));
    assert!(image.header_mut().set_qform(&[[0.0; 4]; 4], 1).is_err());
}

#[test]
fn what_nifti_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let many = HostArray::from_vec(&[1; 8], vec![0u8]).expect("an array");
    let mut image = DataobjImage::from_array(many, None).expect("an image");
    let error = image
        .to_filename(folder.path().join("many.nii"))
        .expect_err("eight axes");
    assert!(
        matches!(error.kind(), ErrorKind::Header { field: "dim", .. }),
        "{error}"
    );
    let freesurfer = HostArray::from_vec(&[40_000, 1, 1], vec![7u8; 40_000]).expect("an array");
    let image = DataobjImage::from_array(freesurfer, None).expect("an image");
    let again = DataobjImage::from_bytes(image.to_bytes().expect("bytes")).expect("an image");
    assert_eq!(again.shape(), [40_000, 1, 1]);
    let halves = HostArray::from_vec(&[2, 2, 2], vec![half::f16::ONE; 8]).expect("an array");
    let mut image = DataobjImage::from_array(halves, None).expect("an image");
    let error = image
        .to_filename(folder.path().join("half.nii"))
        .expect_err("no f16");
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    let error = image
        .to_filename(folder.path().join("half.mgz"))
        .expect_err("no mgz");
    assert!(
        matches!(error.kind(), ErrorKind::UnknownFormat(_)),
        "{error}"
    );
    std::io::stdout().flush().expect("a standard output");
}
