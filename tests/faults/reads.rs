//! Reads that come short, are interrupted, or fail: the right voxels, or [`voxload::ErrorKind::Io`] with its place and
//! no array. The faults are made in the C library's `pread`, in a process of its own.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use voxload::{Caching, DataobjImage, ErrorKind, LoadOptions, Mmap};

use super::{Row, volume};
use crate::support::child::{process, run_test_as};
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::{folder, write};

const WISHES: &str = "VOXLOAD_TEST_WISHES";

/// What the shim is to do, by the number of the read.
struct Wishes(File);

impl Wishes {
    fn set(&self, short_every: u32, interrupt_every: u32, fail_at: u32) {
        let words = [short_every, interrupt_every, fail_at, 0].map(u32::to_ne_bytes);
        self.0.write_all_at(&words.concat(), 0).expect("a write");
    }

    /// Reads since the wishes were set.
    fn reads(&self) -> u32 {
        // Not by position: those reads are the shim's.
        let bytes = std::fs::read(std::env::var_os(WISHES).expect("the parent's file"));
        let word = bytes.expect("a file")[12..].try_into();
        u32::from_ne_bytes(word.expect("four bytes"))
    }
}

fn build_shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
    let shim = folder.join("shim.so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1"])
        // Of this process's own width.
        .args(cfg!(target_arch = "x86").then_some("-m32"))
        .arg("-o")
        .args([&shim, &source])
        .arg("-ldl")
        .status();
    assert!(status.expect("a C compiler, as for libdeflate").success());
    shim
}

#[test]
fn reads_that_fail() {
    let row = Row::new("short reads, EINTR, EIO at the k-th read");
    let cases = volume(5000, 50_000);
    let folder = folder();
    let wishes = write(&folder, "wishes", &[0; 16]);
    let mut process = process();
    process
        .env(WISHES, wishes)
        .env("LD_PRELOAD", build_shim(folder.path()))
        .env("VOXLOAD_TEST_CASES", cases.to_string());
    let text = run_test_as("faults::reads::child_reads_with_faults", &mut process);
    let number = |name: &str| -> usize {
        let word = text
            .split(name)
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).expect(name)
    };
    println!(
        "{} failed, {} went through",
        number("failed="),
        number("through=")
    );
    assert!(number("failed=") > cases / 5 && number("through=") > cases / 5);
    row.done(number("ran="), cases);
}

#[test]
#[ignore = "run by `reads_that_fail` in a process of its own"]
fn child_reads_with_faults() {
    let path = std::env::var_os(WISHES).expect("the parent's file");
    let wishes = File::options().read(true).write(true).open(path);
    let wishes = Wishes(wishes.expect("it opens"));
    let cases: usize = std::env::var("VOXLOAD_TEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    let folder = folder();
    let mut nifti = Nifti::counting(&[64, 64, 40]);
    nifti.data = Rng::new(1).bytes(nifti.data.len());
    let bytes = nifti.single();
    let paths = [
        write(&folder, "it.nii", &bytes),
        write(&folder, "it.nii.gz", &gz(&bytes, 1)),
    ];
    let right = voxload::load(&paths[0]).expect("it loads");
    let right = right.dataobj().read::<f32>().expect("it reads");
    wishes.set(1, 0, 0);
    let probe = Mmap::Off;
    let options = LoadOptions::new().mmap(probe);
    DataobjImage::from_filename(&paths[0], &options).expect("short reads are read on");
    assert!(wishes.reads() > 0, "the shim is in place");
    let (mut failed, mut through) = (0, 0);
    for case in 0..cases {
        let mut rng = Rng::new(case as u64);
        let rarely = |rng: &mut Rng| {
            if rng.one_in(2) {
                0
            } else {
                2 + rng.below(3) as u32
            }
        };
        let (short, interrupt) = (rarely(&mut rng), rarely(&mut rng));
        let fail = if rng.one_in(3) {
            0
        } else {
            1 + rng.below(2) as u32
        };
        let load_fails = rng.one_in(3);
        wishes.set(short, interrupt, if load_fails { fail } else { 0 });
        let image = DataobjImage::from_filename(&paths[case % 2], &options);
        let image = match image {
            Ok(image) => image,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error}");
                assert!(load_fails && wishes.reads() >= fail, "{error}");
                failed += 1;
                continue;
            }
        };
        wishes.set(short, interrupt, fail);
        match image.get_fdata::<f32>(Caching::Fill) {
            Ok(values) => {
                assert!(values.as_slice() == right.as_slice(), "case {case}");
                assert!(
                    fail == 0 || wishes.reads() < fail,
                    "case {case}: EIO was seen"
                );
                through += 1;
            }
            Err(error) => {
                let ErrorKind::Io { offset, .. } = *error.kind() else {
                    panic!("case {case}: {error}");
                };
                assert!(
                    offset < bytes.len() as u64 && error.path().is_some(),
                    "{error}"
                );
                assert!(!image.in_memory(), "no partial array is kept");
                wishes.set(0, 0, 0);
                let again = image.get_fdata::<f32>(Caching::Fill).expect("it goes on");
                assert!(again.as_slice() == right.as_slice(), "case {case}, again");
                failed += 1;
            }
        }
    }
    println!(
        "\nran={} failed={failed} through={through}",
        failed + through
    );
}
