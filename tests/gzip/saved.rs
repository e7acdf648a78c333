//! What voxload saves as `.nii.gz`: every reader takes it, and its table of chunks is an index that is never trusted.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use voxload::{
    Access, DType, DataobjImage, ErrorKind, FileHolder, FileMap, FileRole, FrameOptions, Index,
    LoadOptions, SaveOptions, Threads,
};

use super::files::{by_tool, open, scan};
use crate::support::environment::volume;
use crate::support::environment::{oracle_python, skipped};
use crate::support::rng::Rng;
use crate::support::slicing::random_index;
use crate::support::source::CountingSource;
use crate::support::table::Row;
use crate::support::{folder, for_each_parallel, write};

/// Bytes before the subfield's contents: a gzip header, the length of the extra field, a name and a length.
const TABLE_FROM: usize = 16;

/// A scan of 4.6 MB, so of five chunks: as a plain file, and as voxload saves it.
fn saved() -> (Vec<u8>, Vec<u8>) {
    saved_at(&SaveOptions::new())
}

fn saved_at(options: &SaveOptions) -> (Vec<u8>, Vec<u8>) {
    let folder = folder();
    let plain = scan(DType::I16, &[64, 64, 28, 20], 11).single();
    let image = open(&write(&folder, "plain.nii", &plain));
    let path = folder.path().join("saved.nii.gz");
    voxload::save(&image, &path, &options.keep_scaling()).expect("it is saved");
    let file = std::fs::read(path).expect("a file");
    let mut inflated = vec![0; plain.len()];
    let made = libdeflater::Decompressor::new().gzip_decompress(&file, &mut inflated);
    assert_eq!(made, Ok(plain.len()));
    // The scaling is stored as it was, so the two differ in the header's padding at most.
    assert!(inflated[352..] == plain[352..]);
    (inflated, file)
}

/// The byte after the table, at which the deflate data begins.
fn table_end(file: &[u8]) -> usize {
    12 + usize::from(u16::from_le_bytes([file[10], file[11]]))
}

fn whole(bytes: &[u8]) -> voxload::Result<Vec<f32>> {
    slice(bytes, &Index::new())
}

fn slice(bytes: &[u8], index: &Index) -> voxload::Result<Vec<f32>> {
    let image = DataobjImage::from_bytes(bytes.to_vec())?;
    Ok(image.dataobj().slice::<f32>(index)?.as_slice().to_vec())
}

fn frame(number: i64) -> Index {
    Index::new().ellipsis().at(number)
}

#[test]
fn every_level_is_read_back() {
    let mut sizes = Vec::new();
    for level in 1..=9 {
        let (plain, file) = saved_at(&SaveOptions::new().level(level));
        assert!(file[3] == 4 && file[12..14] == *b"VX");
        assert_eq!(table_end(&file), TABLE_FROM + 17 + 8 * 5);
        assert_eq!(whole(&file).unwrap(), whole(&plain).unwrap());
        sizes.push(file.len());
    }
    // Noise may get a little larger by a longer search for repetitions.
    let falls = sizes
        .windows(2)
        .all(|pair| pair[1] <= pair[0] + pair[0] / 100);
    assert!(falls && sizes[8] + sizes[8] / 10 < sizes[0], "{sizes:?}");
    let (_, file) = saved();
    assert_eq!(file.len(), sizes[5], "the default is 6");
}

#[test]
fn as_small_as_gzip_at_its_default() {
    let (plain, file) = saved();
    let Some(by_gzip) = by_tool("gzip", &["-c", "-6"], &plain) else {
        return;
    };
    let ratio = file.len() as f64 / by_gzip.len() as f64;
    assert!(ratio <= 1.01, "{ratio}");
}

#[test]
fn the_same_file_from_any_number_of_threads() {
    let (_, right) = saved();
    for count in [1, 3] {
        let threads = Threads::new(count).expect("threads");
        assert!(threads.run(saved).1 == right, "{count} threads");
    }
}

/// An image over a source that counts.
fn counted(file: Vec<u8>) -> (std::sync::Arc<CountingSource>, DataobjImage) {
    let source = CountingSource::new(file);
    let holder = FileHolder::from_source(source.clone());
    let map = FileMap::from([(FileRole::Image, holder)]);
    let image = DataobjImage::from_file_map(map, &LoadOptions::new()).expect("it loads");
    (source, image)
}

#[test]
fn a_slice_reads_its_chunks_only() {
    let (plain, file) = saved();
    let length = file.len() as u64;
    let (source, image) = counted(file);
    source.reset();
    assert_eq!(image.dataobj().access(), Access::Random);
    let found = image.dataobj().slice::<f32>(&frame(17)).expect("a slice");
    assert_eq!(found.as_slice(), slice(&plain, &frame(17)).unwrap());
    let read = source.bytes_read();
    assert!(read < length / 3, "{read} of {length} bytes");
}

#[test]
fn random_slices_frames_and_whole_reads() {
    let (plain, file) = saved();
    let folder = folder();
    let plain = open(&write(&folder, "plain.nii", &plain));
    let path = write(&folder, "saved.nii.gz", &file);
    let mut rng = Rng::new(12);
    for options in [LoadOptions::new(), LoadOptions::new().gzip_cache(0)] {
        let image = DataobjImage::from_filename(&path, &options).expect("it loads");
        let mut indexes = vec![Index::new()];
        indexes.extend((0..40).map(|_| random_index(&mut rng, &[64, 64, 28, 20])));
        for index in indexes {
            let found = image.dataobj().slice::<f64>(&index).expect("a slice");
            let right = plain.dataobj().slice::<f64>(&index).expect("a slice");
            assert_eq!(found, right, "{index:?}");
        }
        let frames = || FrameOptions::new().range(3..19).step(2);
        let found = image.frames::<f32>(frames()).expect("a stream");
        let right = plain.frames::<f32>(frames()).expect("a stream");
        for (found, right) in found.zip(right) {
            let (found, right) = (found.expect("a frame"), right.expect("a frame"));
            assert_eq!(found.as_slice(), right.as_slice());
        }
    }
}

/// Right values, or a typed error of damage.
fn right_or_damage(read: voxload::Result<Vec<f32>>, right: &[f32], what: &str) -> bool {
    match read {
        Ok(found) => {
            assert!(found == right, "{what}: wrong values");
            true
        }
        Err(error) => {
            let found = matches!(
                error.kind(),
                ErrorKind::Integrity { .. }
                    | ErrorKind::Truncated { .. }
                    | ErrorKind::UnknownFormat(_)
                    | ErrorKind::Empty
                    | ErrorKind::Limit { .. }
            );
            assert!(found, "{what}: {error:?}");
            false
        }
    }
}

#[test]
fn mutations_of_the_extra_field() {
    let row = Row::new("gz: bits of the extra field");
    let tries = volume(10_000, 100_000);
    let (plain, file) = small();
    let (all, part) = (whole(&plain).unwrap(), slice(&plain, &frame(7)).unwrap());
    let (ran, loaded) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each_parallel(0..tries, |number| {
        let mut rng = Rng::new(number as u64);
        let mut changed = file.clone();
        for _ in 0..=rng.below(2) {
            let at = 3 + rng.below(table_end(&file) - 3);
            changed[at] ^= 1 << rng.below(8);
        }
        let what = format!("mutation {number}");
        let first = right_or_damage(whole(&changed), &all, &what);
        let second = right_or_damage(slice(&changed, &frame(7)), &part, &what);
        loaded.fetch_add(usize::from(first && second), Ordering::Relaxed);
        ran.fetch_add(1, Ordering::Relaxed);
    });
    let loaded = loaded.into_inner();
    assert!(loaded > tries / 2, "{loaded} of {tries} load");
    row.done(ran.into_inner(), tries);
}

/// A saved volume of two chunks that inflates fast: mostly zeros.
fn small() -> (Vec<u8>, Vec<u8>) {
    let folder = folder();
    let shape = [64, 64, 16, 9];
    let mut volume = scan(DType::I16, &shape, 5);
    volume.data[70_000..1_100_000].fill(0);
    let plain = volume.single();
    let image = open(&write(&folder, "plain.nii", &plain));
    let path = folder.path().join("saved.nii.gz");
    voxload::save(&image, &path, &SaveOptions::new().keep_scaling()).expect("it is saved");
    let file = std::fs::read(path).expect("a file");
    assert_eq!(table_end(&file), TABLE_FROM + 17 + 8 * 2);
    (plain, file)
}

/// Puts the right checksum after a table that was changed.
fn seal(file: &mut [u8]) {
    let end = table_end(file);
    let mut crc = flate2::Crc::new();
    crc.update(&file[TABLE_FROM..end - 4]);
    file[end - 4..end].copy_from_slice(&crc.sum().to_le_bytes());
}

/// The table's own checksum is right, and what it says of the chunks is not.
#[test]
fn tables_that_lie() {
    let (plain, file) = saved();
    let (all, part) = (whole(&plain).unwrap(), slice(&plain, &frame(17)).unwrap());
    let first = TABLE_FROM + 13;
    let mut lies = Vec::new();
    // The lengths of two chunks, so that the sum stays: of the first ones, and of those of the slice.
    for chunk in [0, 3] {
        for by in [1u32, 300] {
            let mut lie = file.clone();
            for (chunk, add) in [(chunk, by), (chunk + 1, by.wrapping_neg())] {
                let at = first + 8 * chunk;
                let length = u32::from_le_bytes(lie[at..at + 4].try_into().unwrap());
                lie[at..at + 4].copy_from_slice(&length.wrapping_add(add).to_le_bytes());
            }
            lies.push(lie);
        }
    }
    // Checksums, which no longer combine to the trailer's.
    let mut lie = file.clone();
    lie[first + 4] ^= 1;
    lies.push(lie);
    for mut lie in lies {
        seal(&mut lie);
        assert_eq!(slice(&lie, &frame(17)).unwrap(), part);
        assert_eq!(whole(&lie).unwrap(), all);
        let image = DataobjImage::from_bytes(lie).expect("it loads");
        // One after the other: with the table, without it, and by the index that took its place.
        for _ in 0..2 {
            for number in 0..20 {
                let found = image
                    .dataobj()
                    .slice::<f32>(&frame(number))
                    .expect("a slice");
                let right = slice(&plain, &frame(number)).unwrap();
                assert_eq!(found.as_slice(), right, "{number}");
            }
        }
        image.dataobj().check_to_end().expect("the file is sound");
    }
}

/// Several threads find at once that a table lies.
#[test]
fn a_lie_found_by_many_threads() {
    let (plain, mut file) = saved();
    let first = TABLE_FROM + 13;
    file[first] ^= 1;
    file[first + 8] ^= 1;
    let sum = |file: &[u8]| u32::from(file[first]) + u32::from(file[first + 8]);
    let (before, after) = (sum(&saved().1), sum(&file));
    file[first + 16] = file[first + 16].wrapping_add((before.wrapping_sub(after)) as u8);
    seal(&mut file);
    for _ in 0..5 {
        let image = DataobjImage::from_bytes(file.clone()).expect("it loads");
        for_each_parallel(0..40, |number| {
            let found = image
                .dataobj()
                .slice::<f32>(&frame(number % 20))
                .expect("a slice");
            let right = slice(&plain, &frame(number % 20)).unwrap();
            assert!(found.as_slice() == right, "{number}");
        });
    }
}

/// Damaged data is an error where it is read, also when the table says nothing wrong; the rest is still right.
#[test]
fn damage_of_the_data() {
    let (plain, file) = saved();
    let mut rng = Rng::new(8);
    let from = table_end(&file);
    let third = from + (file.len() - from) * 2 / 5;
    let mut found = 0;
    for _ in 0..12 {
        let mut damaged = file.clone();
        damaged[third + rng.below(file.len() / 5)] ^= 1 << rng.below(8);
        let error = whole(&damaged).expect_err("it is damaged");
        assert!(
            matches!(error.kind(), ErrorKind::Integrity { .. }),
            "{error}"
        );
        let image = DataobjImage::from_bytes(damaged).expect("it loads");
        for number in (0..20).chain(0..20) {
            let right = slice(&plain, &frame(number)).unwrap();
            match image.dataobj().slice::<f32>(&frame(number)) {
                Ok(read) => assert_eq!(read.as_slice(), right, "{number}"),
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Integrity { .. }),
                        "{error}"
                    );
                    found += 1;
                }
            }
        }
        image.dataobj().check_to_end().expect_err("it is damaged");
    }
    assert!(found >= 2 * 12, "each slice of a damaged chunk: {found}");
}

#[test]
fn an_index_file_is_made_of_the_data() {
    let (plain, file) = saved();
    let folder = folder();
    let path = write(&folder, "saved.nii.gz", &file);
    for name in ["an.index", "an.gzidx"] {
        let index = folder.path().join(name);
        voxload::write_gzip_index(&path, &index).expect("an index");
        let options = LoadOptions::new().gzip_index(&index);
        let image = DataobjImage::from_filename(&path, &options).expect("it loads");
        let found = image.dataobj().slice::<f32>(&frame(11)).expect("a slice");
        assert_eq!(found.as_slice(), slice(&plain, &frame(11)).unwrap());
    }
    // The table is an index already, so none is written beside it.
    let index = folder.path().join("none");
    let options = LoadOptions::new().gzip_index(&index);
    let image = DataobjImage::from_filename(&path, &options).expect("it loads");
    image.dataobj().slice::<f32>(&frame(11)).expect("a slice");
    assert!(!index.exists());
}

// ---- other readers ----

#[test]
fn gzip_zcat_and_pigz() {
    let (plain, file) = saved();
    for (tool, arguments) in [
        ("gzip", &["-d", "-c"][..]),
        ("gzip", &["-t"]),
        ("zcat", &[]),
        ("pigz", &["-d", "-c"]),
    ] {
        let Some(out) = by_tool(tool, arguments, &file) else {
            continue;
        };
        assert!(out == plain || arguments == ["-t"], "{tool} {arguments:?}");
    }
}

#[test]
fn decoders_in_rust() {
    use std::io::Read;
    let (plain, file) = saved();
    let mut bytes = Vec::new();
    let mut one = flate2::read::GzDecoder::new(&file[..]);
    one.read_to_end(&mut bytes).expect("one member");
    assert!(bytes == plain);
    assert!(one.into_inner().is_empty(), "nothing follows the member");
    bytes.clear();
    let mut all = flate2::read::MultiGzDecoder::new(&file[..]);
    all.read_to_end(&mut bytes).expect("one member");
    assert!(bytes == plain);
    let folder = folder();
    let path = write(&folder, "saved.nii.gz", &file);
    let by_nifti_rs = nifti::ReaderOptions::new()
        .read_file(path)
        .expect("nifti-rs");
    let values = {
        use nifti::{IntoNdArray, NiftiObject};
        by_nifti_rs
            .into_volume()
            .into_ndarray::<f32>()
            .expect("values")
    };
    let values: Vec<f32> = values.t().iter().copied().collect();
    assert!(values == whole(&plain).unwrap());
}

/// Runs a script that gets the folder with `plain.nii` and `saved.nii.gz`.
fn run_script(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], folder: &Path) {
    let status = Command::new(program).args(arguments).arg(folder).status();
    assert!(status.expect("it runs").success());
}

#[test]
#[ignore = "needs the oracle's Python (tests/run.sh)"]
fn readers_in_python() {
    let python = oracle_python().expect("VOXLOAD_ORACLE_PYTHON is set by tests/run.sh");
    let folder = folder();
    let (plain, file) = saved();
    write(&folder, "plain.nii", &plain);
    write(&folder, "saved.nii.gz", &file);
    let script = r#"
import gzip, sys, zlib
import indexed_gzip, nibabel, numpy, SimpleITK
folder = sys.argv[1]
plain, saved = folder + "/plain.nii", folder + "/saved.nii.gz"
right, packed = open(plain, "rb").read(), open(saved, "rb").read()
assert gzip.open(saved).read() == right
assert gzip.decompress(packed) == right
inflate = zlib.decompressobj(31)
assert inflate.decompress(packed) == right and inflate.eof and not inflate.unused_data
small = zlib.decompressobj(31)
assert b"".join(small.decompress(packed[at:at + 1000]) for at in range(0, len(packed), 1000)) == right
values = nibabel.load(plain).get_fdata()
assert numpy.array_equal(nibabel.load(saved).get_fdata(), values)
assert numpy.array_equal(nibabel.load(saved).dataobj[..., 17], values[..., 17])
file = indexed_gzip.IndexedGzipFile(saved, spacing=1 << 19)
for at in [len(right) - 999, 5, 352, 3 << 20, 1 << 20]:
    file.seek(at)
    assert file.read(70000) == right[at:at + 70000], at
image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(saved))
assert numpy.array_equal(image.T, values.astype(image.dtype))
"#;
    run_script(python, &["-c", script], folder.path());
}

#[test]
fn readers_in_node() {
    if Command::new("node").arg("--version").output().is_err() {
        return skipped("saved files in Node", "it is not installed");
    }
    let folder = folder();
    let (plain, file) = saved();
    write(&folder, "plain.nii", &plain);
    write(&folder, "saved.nii.gz", &file);
    // Node's zlib, and the decoder of browsers.
    let script = r#"
const fs = require("fs"), zlib = require("zlib");
const folder = process.argv[1];
const right = fs.readFileSync(folder + "/plain.nii"), packed = fs.readFileSync(folder + "/saved.nii.gz");
const same = (bytes, what) => { if (Buffer.compare(Buffer.from(bytes), right)) throw new Error(what); };
same(zlib.gunzipSync(packed), "gunzipSync");
same(zlib.unzipSync(packed), "unzipSync");
const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
new Response(stream).arrayBuffer().then((bytes) => same(bytes, "DecompressionStream"));
"#;
    run_script("node", &["-e", script], folder.path());
    // fflate, if `VOXLOAD_FFLATE` names its module.
    let Some(module) = std::env::var_os("VOXLOAD_FFLATE") else {
        return skipped(
            "saved files in fflate",
            "VOXLOAD_FFLATE does not name its module",
        );
    };
    let script = format!(
        r#"
const fs = require("fs"), fflate = require({:?});
const folder = process.argv[1];
const right = fs.readFileSync(folder + "/plain.nii"), packed = fs.readFileSync(folder + "/saved.nii.gz");
for (const bytes of [fflate.gunzipSync(packed), fflate.decompressSync(packed)])
    if (Buffer.compare(Buffer.from(bytes), right)) throw new Error("fflate");
"#,
        module.to_string_lossy()
    );
    run_script("node", &["-e", &script], folder.path());
}
