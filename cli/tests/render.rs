//! `voxload render` compared pixel by pixel with pictures made by nibabel and numpy: volumes with oblique and flipped
//! affines, and real ones.

use std::path::Path;
use std::process::Command;

use crate::support::environment::oracle_python;
use crate::support::files::folder;
use crate::support::program::{printed, script};

/// Width, height and grey levels of a PGM written by `render.py`.
fn pgm(path: &Path) -> ([usize; 2], Vec<u8>) {
    let bytes = std::fs::read(path).expect("a PGM");
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("a line");
    let head = std::str::from_utf8(&bytes[..end]).expect("ASCII");
    let sides: Vec<usize> = head
        .split(' ')
        .skip(1)
        .map(|side| side.parse().expect("a side"))
        .collect();
    ([sides[0], sides[1]], bytes[end + 1..].to_vec())
}

fn png(path: &Path) -> ([usize; 2], Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let size = [reader.info().width, reader.info().height].map(|side| side as usize);
    let mut pixels = vec![0; size[0] * size[1]];
    reader.next_frame(&mut pixels).expect("grey pixels");
    (size, pixels)
}

#[test]
#[ignore = "needs the oracle's Python (tests/run.sh)"]
fn every_pixel_is_numpys() {
    let dir = folder();
    let python = oracle_python().expect("VOXLOAD_ORACLE_PYTHON is set by tests/run.sh");
    let report = script(&python, "render.py", [dir.path()]);
    let (mut compared, mut real) = (0, 0);
    for line in report.lines() {
        let [volume, mode, frame, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        let drawn = dir.path().join("drawn.png");
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxload"));
        command
            .args(["render", volume, "--mode", mode, "--frame", frame, "-o"])
            .arg(&drawn);
        printed(&command.output().expect("the command runs"));
        let ((size, found), (wanted_size, wanted)) = (png(&drawn), pgm(Path::new(expected)));
        assert_eq!(size, wanted_size, "{line}");
        let differing = found.iter().zip(&wanted).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "{line}: of {} pixels", wanted.len());
        compared += 1;
        real += usize::from(!volume.contains("volume"));
    }
    println!("{compared} pictures, {real} of real volumes, every pixel the same");
    assert!(compared >= 64 && real >= 8, "{report}");
}
