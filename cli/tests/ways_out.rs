//! Ways out of a file: parts of complex voxels, colours as channels, NIfTI-2, axes in NIfTI's order, vectors and colours
//! drawn.

use std::path::Path;

use voxload::format::Fields;
use voxload::format::nifti::Version;
use voxload::{ByteOrder, DType, c64};

use crate::info::{name, printed, text, voxload};
use crate::support::files::{folder, write};
use crate::support::nifti::Nifti;

/// The numbers of a `.raw` file.
fn raw(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("an output");
    let numbers = bytes.chunks_exact(4);
    numbers
        .map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")))
        .collect()
}

fn complex() -> (Vec<c64>, Vec<u8>) {
    let numbers: Vec<c64> = (0..24i16)
        .map(|n| c64::new(f32::from(n) - 7.5, f32::from(5 - n)))
        .collect();
    let bytes = numbers
        .iter()
        .flat_map(|number| [number.re, number.im])
        .flat_map(f32::to_le_bytes);
    let nifti = Nifti::new(DType::C64, &[2, 3, 4], bytes.collect());
    (numbers, nifti.single())
}

#[test]
fn parts_of_complex_voxels() {
    let dir = folder();
    let (numbers, bytes) = complex();
    let path = write(&dir, "complex.nii", &bytes);
    type Of = fn(&c64) -> f32;
    let parts: [(&str, Of, &str); 4] = [
        ("real", |v| v.re, "the imaginary part was left out"),
        ("imag", |v| v.im, "the real part was left out"),
        (
            "abs",
            |v| f64::from(v.re).hypot(f64::from(v.im)) as f32,
            "the phase was left out",
        ),
        (
            "phase",
            |v| f64::from(v.im).atan2(f64::from(v.re)) as f32,
            "the magnitude was left out",
        ),
    ];
    for (part, of, note) in parts {
        let right: Vec<f32> = numbers.iter().map(of).collect();
        let (out, nii) = (dir.path().join("out.raw"), dir.path().join("out.nii"));
        let output = voxload(&["convert", "--part", part, name(&path), name(&out)]);
        printed(&output);
        assert!(text(&output.stderr).contains(note), "{output:?}");
        assert_eq!(raw(&out), right, "{part}");
        let output = voxload(&["convert", "--part", part, name(&path), name(&nii)]);
        printed(&output);
        assert!(text(&output.stderr).contains(note), "{output:?}");
        let image = voxload::load(&nii).expect("a NIfTI file");
        assert_eq!(image.dataobj().dtype(), DType::F32);
        let values = image.dataobj().read::<f32>().expect("values");
        assert_eq!(values.as_slice(), right, "{part}");
        let png = dir.path().join("out.png");
        printed(&voxload(&[
            "render",
            "--part",
            part,
            name(&path),
            "-o",
            name(&png),
        ]));
    }
    // Without a choice the real part is taken, and that is said; NIfTI files stay complex.
    let out = dir.path().join("out.raw");
    let output = voxload(&["convert", name(&path), name(&out)]);
    assert!(text(&output.stderr).contains("the imaginary part was left out"));
    let nii = dir.path().join("same.nii");
    let output = voxload(&["convert", name(&path), name(&nii)]);
    assert_eq!(text(&output.stderr), "");
    let image = voxload::load(&nii).expect("a NIfTI file");
    assert_eq!(image.dataobj().dtype(), DType::C64);
    let sliced = ["convert", "--part", "imag", "--slice", "[1, :, 2]"];
    printed(&voxload(
        &[&sliced[..], &[name(&path), name(&out)]].concat(),
    ));
    let right: Vec<f32> = (0..3).map(|y| numbers[1 + 2 * (y + 3 * 2)].im).collect();
    assert_eq!(raw(&out), right);
    let real = write(&dir, "real.nii", &Nifti::counting(&[2, 3, 4]).single());
    let output = voxload(&["convert", "--part", "abs", name(&real), name(&out)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--part is for complex voxels"));
}

/// A 2 x 3 x 4 volume of colours: voxel n is (n, 100 + n, 200 + n).
fn colours() -> Vec<u8> {
    let bytes = (0..24u8).flat_map(|n| [n, 100 + n, 200 + n]).collect();
    Nifti::new(DType::Rgb24, &[2, 3, 4], bytes).single()
}

#[test]
fn colours_as_channels() {
    let dir = folder();
    let path = write(&dir, "rgb.nii", &colours());
    let out = dir.path().join("out.raw");
    printed(&voxload(&[
        "convert",
        "--channels",
        "--dtype",
        "native",
        name(&path),
        name(&out),
    ]));
    let bytes = std::fs::read(&out).expect("an output");
    let right = (0..3u8).flat_map(|channel| (0..24).map(move |n| n + 100 * channel));
    assert_eq!(bytes, right.collect::<Vec<_>>());
    let nii = dir.path().join("out.nii.gz");
    printed(&voxload(&[
        "convert",
        "--channels",
        name(&path),
        name(&nii),
    ]));
    let image = voxload::load(&nii).expect("a NIfTI file");
    assert_eq!(image.shape(), [2, 3, 4, 1, 3]);
    let grey = write(&dir, "grey.nii", &Nifti::counting(&[2, 3, 4]).single());
    let output = voxload(&["convert", "--channels", name(&grey), name(&out)]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn nifti2_on_request_and_where_it_is_needed() {
    let dir = folder();
    let version = |path: &Path| match &voxload::load(path).expect("a file").header().fields {
        Fields::Nifti(nifti) => nifti.version,
        other => panic!("{other:?}"),
    };
    let path = write(&dir, "in.nii", &Nifti::counting(&[2, 3, 4]).single());
    let out = dir.path().join("out.nii");
    let output = voxload(&["convert", "--nifti2", name(&path), name(&out)]);
    assert_eq!((printed(&output), text(&output.stderr)), Default::default());
    assert_eq!(version(&out), Version::Two);
    let header = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 40000 1\nencoding: raw\n\n";
    let long = write(
        &dir,
        "long.nrrd",
        &[header.as_bytes(), &[7; 80_000]].concat(),
    );
    let output = voxload(&["convert", name(&long), name(&out)]);
    printed(&output);
    assert!(
        text(&output.stderr).contains("written as NIfTI-2"),
        "{output:?}"
    );
    assert_eq!(version(&out), Version::Two);
    let npy = dir.path().join("out.npy");
    let output = voxload(&["convert", "--nifti2", name(&path), name(&npy)]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn levels_of_gzipped_files() {
    let dir = folder();
    let path = write(&dir, "in.nii", &Nifti::counting(&[40, 30, 20]).single());
    let size = |level: &[&str]| {
        let out = dir.path().join("out.nii.gz");
        let output = voxload(&[&["convert"], level, &[name(&path), name(&out)]].concat());
        printed(&output);
        std::fs::metadata(out).expect("a file").len()
    };
    let [fast, small] = [["--level", "1"], ["--level", "9"]].map(|level| size(&level));
    assert!(small < fast, "{small} {fast}");
    assert_eq!(size(&["--level", "6"]), size(&[]));
    for (level, to, status) in [
        ("0", "out.nii.gz", 2),
        ("10", "out.nii.gz", 2),
        ("6", "out.nii", 1),
    ] {
        let out = dir.path().join(to);
        let output = voxload(&["convert", "--level", level, name(&path), name(&out)]);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
    }
}

/// Vectors of 4 x 5 x 6 voxels of one value, with the components first.
fn vectors(kind: &str, components: usize, ramp: fn(usize) -> u8) -> Vec<u8> {
    let header = format!(
        "NRRD0004\ntype: uint8\ndimension: 4\nspace: left-posterior-superior\nsizes: {components} 4 5 6\n\
         space directions: none (-2,0,0) (0,-2,0) (0,0,2)\nkinds: {kind} domain domain domain\n\
         encoding: raw\nspace origin: (0,0,0)\n\n"
    );
    let voxels = (0..components * 120).map(ramp);
    header.bytes().chain(voxels).collect()
}

/// The colours of a PNG's pixels that are not black or of a label.
fn pixels(path: &Path) -> Vec<[u8; 3]> {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let is_grey = reader.info().color_type == png::ColorType::Grayscale;
    let mut bytes = vec![0; reader.info().raw_bytes()];
    reader.next_frame(&mut bytes).expect("pixels");
    let mut found: Vec<[u8; 3]> = match is_grey {
        true => bytes.iter().map(|&grey| [grey; 3]).collect(),
        false => bytes.as_chunks().0.to_vec(),
    };
    found.retain(|pixel| !matches!(pixel, [0, 0, 0] | [255, 255, 255]));
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn colours_and_vectors_are_drawn() {
    let dir = folder();
    let png = dir.path().join("out.png");
    let draw = |path: &Path, options: &[&str]| {
        let args = [&["render", name(path), "-o", name(&png)], options].concat();
        printed(&voxload(&args));
        pixels(&png)
    };
    let orange = [250, 150, 20];
    let rgb = Nifti::new(DType::Rgb24, &[4, 5, 6], orange.repeat(120)).single();
    let rgb = write(&dir, "rgb.nii", &rgb);
    assert_eq!(draw(&rgb, &[]), [orange]);
    assert_eq!(draw(&rgb, &["--mode", "mip"]), [orange]);
    assert_eq!(
        draw(&rgb, &["--component", "1", "--window", "0,255"]),
        [[150; 3]]
    );
    // Colours as components, with an alpha channel that is not drawn.
    let rgba = vectors("RGBA-color", 4, |n| [250, 150, 20, 9][n % 4]);
    let rgba = write(&dir, "rgba.nrrd", &rgba);
    assert_eq!(draw(&rgba, &[]), [orange]);
    // Other vectors: a component at a time.
    let pairs = write(
        &dir,
        "pairs.nrrd",
        &vectors("2-vector", 2, |n| [40, 90][n % 2]),
    );
    assert_eq!(draw(&pairs, &["--window", "0,255"]), [[40; 3]]);
    assert_eq!(
        draw(&pairs, &["--window", "0,255", "--component", "1"]),
        [[90; 3]]
    );
    let output = voxload(&["render", name(&pairs), "-o", name(&png), "--component", "2"]);
    assert!(
        text(&output.stderr).contains("--component: 2 is out of range"),
        "{output:?}"
    );
    // A plane is one panel.
    let header = "NRRD0004\ntype: uint8\ndimension: 2\nsizes: 8 4\nencoding: raw\n\n";
    let plane = write(&dir, "plane.nrrd", &[header.as_bytes(), &[77; 32]].concat());
    assert_eq!(draw(&plane, &["--window", "0,255"]), [[77; 3]]);
}

#[test]
fn axes_go_to_their_places_in_nifti() {
    let dir = folder();
    let path = write(
        &dir,
        "vectors.nrrd",
        &vectors("3-vector", 3, |n| (n % 250) as u8),
    );
    let out = dir.path().join("out.nii");
    let output = voxload(&["convert", "--canonical", name(&path), name(&out)]);
    printed(&output);
    assert!(
        text(&output.stderr).contains("in NIfTI's order"),
        "{output:?}"
    );
    let image = voxload::load(&out).expect("a NIfTI file");
    assert_eq!(image.shape(), [4, 5, 6, 1, 3]);
    assert_eq!(image.header().byte_order, ByteOrder::Little);
}
