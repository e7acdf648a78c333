//! Seek indexes that cannot be written, were cut, or belong to something else: the slices are right all the same.

use std::path::Path;
use std::time::{Duration, Instant};

use voxload::{DType, DataobjImage, Index, LoadOptions, write_gzip_index};

use super::{Row, volume};
use crate::gzip::files::{members, scan};
use crate::support::child::{arguments, process};
#[cfg(target_os = "linux")]
use crate::support::child::{process_within, run_test_as};
use crate::support::nifti::gz;
use crate::support::rng::Rng;
use crate::support::{folder, overwrite, write};

const GZIP: &str = "VOXLOAD_TEST_GZIP";
const INDEX: &str = "VOXLOAD_TEST_INDEX";

fn middle(path: &Path, index: &Path) -> Vec<f32> {
    let options = LoadOptions::new().gzip_index(index);
    let image = DataobjImage::from_filename(path, &options).expect("it loads");
    let slice: Index = "[..., 3]".parse().expect("an index");
    let slice = image.dataobj().slice::<f32>(&slice).expect("a slice");
    slice.as_slice().to_vec()
}

#[test]
fn cut_at_every_byte() {
    let row = Row::new("index cut at every byte");
    let folder = folder();
    let bytes = scan(DType::I16, &[8, 8, 5, 6], 6).single();
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let path = write(&folder, "it.nii.gz", &members(&bytes, 300));
    let index = folder.path().join("index");
    write_gzip_index(&path, &index).expect("an index");
    let whole = std::fs::read(&index).expect("an index");
    // Magic, binding, number and checksum are 44 bytes; each of the 14 members is a chunk of 29.
    assert_eq!(whole.len(), 44 + 29 * 14);
    let mut cases = 0;
    for length in 0..whole.len() {
        overwrite(&index, &whole[..length]);
        assert_eq!(middle(&path, &index), right, "{length} bytes");
        let again = std::fs::read(&index).expect("an index");
        assert!(again == whole, "{length} bytes: made anew");
        cases += 1;
    }
    row.done(cases, 450);
}

/// Where no file can be made or no byte be written, even by root.
#[cfg(unix)]
#[test]
fn unwritable_places() {
    let row = Row::new("index in a folder that cannot be written");
    let folder = folder();
    let bytes = scan(DType::I16, &[32, 32, 20, 10], 6).single();
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let file = write(&folder, "file", b"no folder");
    let places = [
        Path::new("/proc/index").to_owned(),
        Path::new("/nonexistent/index").to_owned(),
        file.join("index"),
        folder.path().join("n".repeat(300)),
    ];
    for index in &places {
        assert_eq!(middle(&path, index), right, "{}", index.display());
        assert_eq!(middle(&path, index), right, "{}", index.display());
    }
    row.done(places.len(), 4);
}

/// A limit on the size of files stands for a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let row = Row::new("index on a full disk");
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 10], 6).single();
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let right = format!("sum {}", right.iter().sum::<f32>());
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).expect("a folder");
    let mut cases = 0;
    for blocks in [0, 1, 2, 4, 8] {
        let mut shell = std::process::Command::new("sh");
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        shell.args(["-c", &limited]).arg(process().get_program());
        shell.env(GZIP, &path).env(INDEX, &cache);
        let text = run_test_as("faults::seek_index::child_slices", &mut shell);
        assert!(text.contains(&right), "{text}");
        let left = std::fs::read_dir(&cache).expect("a folder").count();
        assert_eq!(left, 0, "{blocks} blocks: no part of an index is left");
        cases += 1;
    }
    let mut unlimited = process_within(8 << 20);
    unlimited.env(GZIP, &path).env(INDEX, &cache);
    run_test_as("faults::seek_index::child_slices", &mut unlimited);
    let made = std::fs::read_dir(&cache).expect("a folder").count();
    assert_eq!(made, 1, "with room there is an index");
    row.done(cases, 5);
}

#[test]
#[ignore = "run by `a_full_disk` and `killed_while_writing` in a process of its own"]
fn child_slices() {
    let [path, index] = [GZIP, INDEX].map(|name| std::env::var_os(name).expect("a path"));
    let voxels = middle(Path::new(&path), Path::new(&index));
    println!("\nsum {}", voxels.iter().sum::<f32>());
}

#[test]
fn killed_while_writing() {
    let row = Row::new("killed while making an index");
    let cases = volume(60, 2000);
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 20], 6).single();
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 1));
    let index = folder.path().join("it.index");
    let spawn = || {
        let mut child = process();
        child.args(arguments("faults::seek_index::child_slices"));
        child.env(GZIP, &path).env(INDEX, &index);
        child.stdout(std::process::Stdio::null());
        child.spawn().expect("a process")
    };
    let undisturbed = Instant::now();
    assert!(spawn().wait().expect("it ends").success());
    let most = (undisturbed.elapsed().as_micros() as usize).min(200_000);
    let mut rng = Rng::new(3);
    let (mut killed, mut early, mut whole) = (0, 0, 0);
    for _ in 0..cases {
        let _ = std::fs::remove_file(&index);
        let mut child = spawn();
        std::thread::sleep(Duration::from_micros(rng.below(most) as u64));
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        match std::fs::read(&index) {
            Ok(_) => whole += 1,
            Err(_) => early += 1,
        }
        // What is there is used or made anew; either way a whole one is there then.
        assert_eq!(middle(&path, &index), right);
        let left = std::fs::read(&index).expect("an index");
        write_gzip_index(&path, folder.path().join("own")).expect("an index");
        let own = std::fs::read(folder.path().join("own")).expect("an index");
        assert!(left == own, "a whole index");
        killed += 1;
    }
    println!("{early} killed before there was an index, {whole} after");
    assert!(early > 0, "none was killed before there was an index");
    row.done(killed, cases);
}
