//! Promise (SECURITY.md): a read takes its output, the limits and at most 64 MiB, whatever the file.

use std::path::{Path, PathBuf};

use voxload::{DType, DataobjImage, Float, Index, Limits, LoadOptions, Mmap};

use crate::faults::mutations;
use crate::gzip::files::{bgzf, by_tool, libdeflate, members, mgzip};
use crate::support::child::{run_test, status_bytes};
use crate::support::environment::volume;
use crate::support::nifti::{Nifti, gz};
use crate::support::peak::peak_of;
use crate::support::rng::Rng;
use crate::support::table::Row;
use crate::support::{folder, write};

const BESIDE: u64 = 64 << 20;

/// Stored bytes of the sound volumes: who copies them, or the file they are deflated to, takes too much.
const STORED: usize = 72 << 20;

/// Peak of anonymous memory over the start and the output.
fn beside<T: Float>(path: &Path, options: &LoadOptions, index: &Index) -> u64 {
    let (peak, output) = peak_of(|| {
        let image = DataobjImage::from_filename(path, options).expect("it loads");
        image.dataobj().slice::<T>(index).expect("a read").len() * size_of::<T>()
    });
    peak.saturating_sub(output as u64)
}

/// Files that hold these bytes; what `repeats` itself in the kinds too that are slow to make of noise.
fn files(folder: &tempfile::TempDir, bytes: &[u8], repeats: bool) -> Vec<PathBuf> {
    let mut kinds = vec![
        ("plain.nii", bytes.to_vec()),
        ("zlib.nii.gz", gz(bytes, 1)),
        ("libdeflate.nii.gz", libdeflate(bytes, 1)),
        ("members.nii.gz", members(bytes, 1 << 20)),
        ("large_members.nii.gz", members(bytes, 40 << 20)),
        ("mgzip.nii.gz", mgzip(bytes, 1 << 20)),
        ("large_mgzip.nii.gz", mgzip(bytes, 40 << 20)),
        ("bgzf.nii.gz", bgzf(bytes)),
    ];
    if cfg!(feature = "zst") {
        kinds.extend(by_tool("zstd", &["-c", "-1"], bytes).map(|file| ("zstd.nii.zst", file)));
    }
    // bzip2 takes ten seconds for noise.
    if cfg!(feature = "bz2") && repeats {
        kinds.extend(by_tool("bzip2", &["-c"], bytes).map(|file| ("bzip2.nii.bz2", file)));
    }
    kinds
        .iter()
        .map(|(name, file)| write(folder, name, file))
        .collect()
}

/// What is read of each file, how: in every run, and what else in the long one.
const READS: [(&str, Mmap); 3] = [
    ("[...]", Mmap::CopyOnWrite),
    ("[...]", Mmap::Off),
    ("[..., 3]", Mmap::CopyOnWrite),
];
const MORE_READS: [(&str, Mmap); 4] = [
    ("[..., 3]", Mmap::Off),
    ("[::2, ::-1]", Mmap::CopyOnWrite),
    ("[::2, ::-1]", Mmap::Off),
    ("[5, 7]", Mmap::CopyOnWrite),
];

#[test]
#[ignore = "run by `reads_of_sound_files` in a process of its own"]
fn child_reads_sound_files() {
    let noise = Rng::new(8).bytes(STORED);
    let zeros = vec![0; STORED];
    let mut cases = 0;
    for (dtype, shape, data, repeats) in [
        (DType::I16, [256, 256, 72, 8], &noise, false),
        (DType::I16, [256, 256, 72, 8], &zeros, true),
        (DType::F64, [256, 256, 36, 4], &noise, false),
    ] {
        let folder = folder();
        let image = Nifti::new(dtype, &shape, data.clone()).scl(0.5, 3.0);
        let files = files(&folder, &image.single(), repeats);
        drop(image);
        let more = &MORE_READS[..volume(0, MORE_READS.len())];
        for path in files {
            for (index, mmap) in READS.iter().chain(more) {
                let options = LoadOptions::new().mmap(*mmap);
                let index: Index = index.parse().expect("an index");
                let mut most = beside::<f32>(&path, &options, &index);
                if volume(0, 1) == 1 {
                    most = most.max(beside::<f64>(&path, &options, &index));
                }
                let what = format!("{} of {dtype}, {index:?}, {mmap:?}", path.display());
                println!("{} MiB: {what}", most >> 20);
                assert!(most <= BESIDE, "{what}: {most} bytes beside the output");
                cases += 1;
            }
        }
    }
    println!("\nread {cases}");
}

#[test]
fn reads_of_sound_files() {
    let row = Row::new("memory beside the output, sound files");
    let text = run_test("memory::beside::child_reads_sound_files");
    print!("{text}");
    // Three sorts of voxels in eight kinds of files and more where the tools for them are there.
    row.done_at_least(number(&text, "read "), 3 * 8 * volume(3, 7));
}

/// Output that the damaged files may have.
const OUTPUT: u64 = 16 << 20;

/// Bytes of header, and of extensions.
const HEADER: u64 = 1 << 20;

#[test]
#[ignore = "run by `reads_of_damaged_files` in a process of its own"]
fn child_reads_damaged_files() {
    let limits = Limits::new()
        .output(OUTPUT)
        .header(HEADER)
        .extensions(HEADER);
    let sound = mutations::sound();
    mutations::try_one(&sound, 0, limits);
    let before = status_bytes("VmHWM");
    let mut tried = 0;
    for number in 0..volume(20_000, 200_000) {
        mutations::try_one(&sound, number, limits);
        tried += 1;
    }
    // Two arrays are held at a time: the stored voxels, and others that are compared with them.
    let allowed = BESIDE + 2 * OUTPUT + 2 * HEADER;
    let grown = status_bytes("VmHWM") - before;
    assert!(grown <= allowed, "{grown} bytes");
    println!("\ntried {tried}\ngrown by MiB {}", grown >> 20);
}

#[test]
fn reads_of_damaged_files() {
    let row = Row::new("memory beside output and limits, damaged files");
    let text = run_test("memory::beside::child_reads_damaged_files");
    println!("grown by {} MiB", number(&text, "grown by MiB "));
    row.done(number(&text, "tried "), volume(20_000, 200_000));
}

/// The number that a child printed after a word.
fn number(text: &str, word: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.and_then(|n| n.parse().ok()).expect("a number")
}

/// The instrument can see what it should: a copy as large as the file.
#[test]
#[ignore = "run by `a_copy_is_seen` in a process of its own"]
fn child_copies() {
    let bytes = Rng::new(1).bytes(STORED);
    let (peak, copy) = peak_of(|| bytes.clone());
    assert!(peak >= copy.len() as u64, "{peak}");
    println!("\nMiB {}", peak >> 20);
}

#[test]
fn a_copy_is_seen() {
    let text = run_test("memory::beside::child_copies");
    assert!(number(&text, "MiB ") as u64 > BESIDE >> 20);
}
