//! Small files that ask for much: refused before anything is allocated, in a process with little memory.

#[cfg(feature = "bz2")]
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::{Compress, Compression, Crc, FlushCompress};
use rustix::time::{ClockId, clock_gettime};
use voxload::{
    DType, DataobjImage, FileHolder, FileMap, FileRole, Limits, LoadOptions, write_gzip_index,
};

use super::Row;
use crate::gzip::files::{bgzf, mgzip};
use crate::support::child::{process_within, run_test, run_test_as, status_bytes};
use crate::support::environment::is_long_run;
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz, header_of_bytes};
use crate::support::source::CountingSource;
use crate::support::{by_width, folder, write};

/// Address space of the child, in KiB.
const ADDRESS_SPACE: u64 = 2 << 20;

/// Processor time of a refusal, in milliseconds; only in the long run, where nothing else runs in the process.
const MOST_MILLISECONDS: u64 = 50;
/// Memory that a refusal may take.
const MOST_BYTES: u64 = 100 << 20;
/// Bytes of the file that it may read. They inflate to at most a thousand times as much.
const MOST_READ: u64 = 2 << 20;

const GIB: u64 = 1 << 30;

/// One gzip member of `start` and this many zeros, without making them all.
fn with_zeros(start: &[u8], zeros: u64) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut crc = Crc::new();
    crc.update(start);
    file.extend(deflated(start));
    let piece = vec![0; 64 << 20];
    let packed = deflated(&piece);
    let mut of_piece = Crc::new();
    of_piece.update(&piece);
    assert_eq!(zeros % piece.len() as u64, 0, "whole pieces");
    for _ in 0..zeros / piece.len() as u64 {
        file.extend(&packed);
        crc.combine(&of_piece);
    }
    file.extend([3, 0]);
    file.extend(crc.sum().to_le_bytes());
    file.extend(((start.len() as u64 + zeros) as u32).to_le_bytes());
    file
}

/// Blocks of deflate that end at a byte and repeat nothing before them.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 500 + 4096);
    let mut state = Compress::new(Compression::best(), false);
    let status = state.compress_vec(bytes, &mut out, FlushCompress::Full);
    status.expect("it compresses");
    assert_eq!(state.total_in(), bytes.len() as u64, "room");
    out
}

/// An mgzip file whose members say that they hold 4 GB each.
fn lying_members() -> Vec<u8> {
    let small = Nifti::new(DType::U8, &[60_000], vec![7; 60_000])
        .version(2)
        .single();
    let mut file = mgzip(&small, 1000);
    let starts: Vec<usize> = (1..file.len())
        .filter(|&at| file[at..].starts_with(&[0x1f, 0x8b, 8, 4]))
        .collect();
    for start in starts {
        file[start - 4..start].fill(0xff);
    }
    file
}

type Bomb = (&'static str, Vec<u8>, &'static str);

fn bombs() -> Vec<Bomb> {
    let small = Nifti::new(DType::U8, &[100], vec![0; 100])
        .version(2)
        .single();
    let empty = gz(b"", 9).repeat(1_000_000);
    let large = by_width("Limit(output bytes)", "Header(dim)");
    vec![
        (
            "8 GiB in 8 MB",
            with_zeros(&header_of_bytes(8 * GIB), 8 * GIB),
            large,
        ),
        ("8 GiB of BGZF", bgzf(&header_of_bytes(8 * GIB)), large),
        ("70 TB, plain", header_of_bytes(70 << 40), large),
        ("70 TB, gz", gz(&header_of_bytes(70 << 40), 9), large),
        #[cfg(feature = "bz2")]
        ("70 TB, bz2", bz2(&header_of_bytes(70 << 40)), large),
        #[cfg(feature = "bz2")]
        (
            "1 GiB of tail, bz2",
            bz2_tail(&small),
            "Limit(inflated bytes after the voxels)",
        ),
        #[cfg(feature = "zst")]
        ("70 TB, zst", zst(&header_of_bytes(70 << 40)), large),
        (
            "2 GB in a kilobyte",
            gz(&header_of_bytes(2_000_000_000), 9),
            "Limit(inflated bytes)",
        ),
        (
            "2 GB, plain",
            header_of_bytes(2_000_000_000),
            "Truncated(voxel data)",
        ),
        (
            "1 GiB of tail",
            with_zeros(&small, GIB),
            "Limit(inflated bytes after the voxels)",
        ),
        (
            "empty members after",
            [gz(&small, 9), empty.clone()].concat(),
            "Limit(empty gzip members in a row)",
        ),
        (
            "empty members before",
            [empty, gz(&small, 9)].concat(),
            "Limit(empty gzip members in a row)",
        ),
        ("members that lie", lying_members(), "Integrity(gzip)"),
    ]
}

#[cfg(feature = "bz2")]
fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A stream of bzip2 after another is part of the file.
#[cfg(feature = "bz2")]
fn bz2_tail(start: &[u8]) -> Vec<u8> {
    [bz2(start), bz2(&vec![0; 64 << 20]).repeat(16)].concat()
}

#[cfg(feature = "zst")]
fn zst(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Milliseconds of processor time of this process, whatever else the machine does.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

fn first_error(path: &Path, limits: Limits) -> String {
    let options = LoadOptions::new().limits(limits);
    first_error_of(DataobjImage::from_filename(path, &options))
}

fn first_error_of(image: voxload::Result<DataobjImage>) -> String {
    match image {
        // As u8, so that sizes are those of the voxels.
        Ok(image) => outcome(&image.dataobj().unscaled()),
        failed => outcome(&failed),
    }
}

/// The same for a file's bytes in a source that counts; and how many of them were read.
fn first_error_counted(path: &Path, limits: Limits) -> (String, u64) {
    let source = CountingSource::new(std::fs::read(path).expect("a file"));
    let holder = FileHolder::from_source(Arc::clone(&source) as _).named(path);
    let map = FileMap::from([(FileRole::Image, holder)]);
    let options = LoadOptions::new().limits(limits);
    let found = first_error_of(DataobjImage::from_file_map(map, &options));
    (found, source.bytes_read())
}

fn name(k: usize, bytes: &[u8]) -> String {
    let ending = match bytes {
        [0x1f, 0x8b, ..] => ".gz",
        [b'B', b'Z', ..] => ".bz2",
        [0x28, 0xb5, ..] => ".zst",
        _ => "",
    };
    format!("{k:02}.nii{ending}")
}

const FOLDER: &str = "VOXLOAD_TEST_FOLDER";

#[test]
#[ignore = "run by `bombs_are_refused_early` in a process of its own"]
fn child_meets_bombs() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("the parent's folder"));
    // Threads and their heaps first.
    let honest = gz(
        &Nifti::new(DType::U8, &[4 << 20], vec![1; 4 << 20])
            .version(2)
            .single(),
        1,
    );
    let image = DataobjImage::from_bytes(honest).expect("it loads");
    assert_eq!(
        image.dataobj().read::<f32>().expect("it reads").len(),
        4 << 20
    );
    let limits = Limits::new().output(2 * GIB);
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.sort();
    for path in names {
        let (started, before) = (processor_time(), status_bytes("VmHWM"));
        let found = first_error(&path, limits);
        let took = processor_time() - started;
        let grown = status_bytes("VmHWM") - before;
        let (again, read) = first_error_counted(&path, limits);
        assert_eq!(again, found, "{}", path.display());
        // On a line of its own, whatever the test runner has written.
        println!("\nbomb {} {took} {grown} {read} {found}", path.display());
    }
}

#[test]
fn bombs_are_refused_early() {
    let row = Row::new("bombs under 2 GiB of address space");
    let bombs = bombs();
    let folder = folder();
    for (k, (_, bytes, _)) in bombs.iter().enumerate() {
        write(&folder, &name(k, bytes), bytes);
    }
    let mut process = process_within(ADDRESS_SPACE);
    process.env(FOLDER, folder.path());
    let text = run_test_as("faults::bombs::child_meets_bombs", &mut process);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("bomb "))
        .collect();
    for (line, (what, bytes, expected)) in lines.iter().zip(&bombs) {
        let mut words = line.splitn(6, ' ').skip(2);
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let took = number().expect("a time");
        let (grown, read) = (number().expect("a size"), number().expect("a size"));
        let found = words.next().expect("an outcome");
        println!(
            "{what}: {found}, {took} ms of processor time, {} MiB, {read} of {} bytes read",
            grown >> 20,
            bytes.len()
        );
        assert_eq!(found, *expected, "{what}");
        // bzip2 says nowhere how much is to come, and is slow.
        let most = if what.contains("tail, bz2") {
            5000
        } else {
            MOST_MILLISECONDS
        };
        assert!(!is_long_run() || took < most, "{what}: {took} ms");
        assert!(grown < MOST_BYTES, "{what}: {grown} bytes");
        assert!(read < MOST_READ, "{what}: {read} bytes read");
    }
    row.done(lines.len(), bombs.len());
    assert!(bombs.len() >= 10);
}

/// A sound file larger than memory: an error, and the process goes on.
#[test]
#[ignore = "run by `more_than_memory_is_an_error` in a process of its own"]
fn child_runs_out_of_memory() {
    let folder = folder();
    // On a machine of 32 bits the axis must fit 32 bits, and the array does not.
    let size = if usize::BITS == 64 { 8 * GIB } else { 3 * GIB };
    let bytes = with_zeros(&header_of_bytes(size), size);
    let path = write(&folder, "it.nii.gz", &bytes);
    assert_eq!(first_error(&path, Limits::new()), "OutOfMemory");
    let image = voxload::load(&path).expect("it loads");
    let middle = image.dataobj().slice::<f32>("[1000:1010]");
    assert_eq!(middle.expect("a part fits").as_slice(), [0.0; 10]);
    println!("went on");
}

#[test]
fn more_than_memory_is_an_error() {
    let text = run_test_as(
        "faults::bombs::child_runs_out_of_memory",
        &mut process_within(ADDRESS_SPACE),
    );
    assert!(text.contains("went on"), "{text}");
}

/// Reads of parts and indexes of the same files end too, without more memory than honest ones take.
#[test]
#[ignore = "run by `parts_of_bombs_take_little` in a process of its own"]
fn child_slices_bombs() {
    let folder = folder();
    let before = status_bytes("VmHWM");
    let path = write(&folder, "it.nii.gz", &lying_members());
    let image = voxload::load(&path).expect("the header is sound");
    let part = image.dataobj().slice::<f32>("[50000:50010]");
    assert_eq!(outcome(&part), "Integrity(gzip)");
    assert_eq!(
        outcome(&write_gzip_index(&path, folder.path().join("index"))),
        "Integrity(gzip)"
    );
    let grown = status_bytes("VmHWM") - before;
    assert!(grown < MOST_BYTES, "{grown} bytes");
    println!("ended");
}

#[test]
fn parts_of_bombs_take_little() {
    let text = run_test("faults::bombs::child_slices_bombs");
    assert!(text.contains("ended"), "{text}");
}
