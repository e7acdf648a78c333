//! Reads whose source cancels them itself, at any of its own reads: each ends with the error, soon.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use voxload::{
    ByteSource, Caching, Cancel, DType, DataobjImage, FileHolder, FileMap, FileRole, FrameOptions,
    Index, LoadOptions, Result, StatisticsOptions, Threads,
};

use super::{in_time, is_cancelled};
use crate::gzip::files::{bgzf, by_tool, libdeflate, members, mgzip, scan};
use crate::support::backend::Backend;
use crate::support::folder;
use crate::support::nifti::gz;
use crate::support::rng::Rng;

const SHAPE: [usize; 4] = [64, 64, 40, 10];

/// Threads of the pool, and so the most reads that may be under way when the token is cancelled.
const THREADS: u64 = 2;

/// Bytes that cancel a token at one of the reads of them.
#[derive(Debug)]
pub struct Tripping {
    bytes: Vec<u8>,
    trip: Mutex<Option<(Cancel, u64)>>,
    reads: AtomicU64,
    /// Reads that began after the token was cancelled.
    late: AtomicU64,
    first: Mutex<Option<u64>>,
}

impl Tripping {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            trip: Mutex::default(),
            reads: AtomicU64::new(0),
            late: AtomicU64::new(0),
            first: Mutex::default(),
        })
    }

    /// A token that the read after so many others cancels.
    fn set(&self, reads: u64) -> Cancel {
        let cancel = Cancel::new();
        *self.trip.lock().expect("no panic") = Some((cancel.clone(), reads));
        self.reads.store(0, Ordering::SeqCst);
        self.late.store(0, Ordering::SeqCst);
        *self.first.lock().expect("no panic") = None;
        cancel
    }

    /// Where the first read since then began.
    fn first(&self) -> Option<u64> {
        *self.first.lock().expect("no panic")
    }
}

impl ByteSource for Tripping {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.bytes.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.first.lock().expect("no panic").get_or_insert(offset);
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        if let Some((cancel, at)) = &*self.trip.lock().expect("no panic") {
            if cancel.is_cancelled() {
                self.late.fetch_add(1, Ordering::SeqCst);
            }
            if number == *at {
                cancel.cancel();
            }
        }
        let offset = offset as usize;
        let from = self.bytes.get(offset..offset + buffer.len());
        buffer.copy_from_slice(from.expect("within the file"));
        Ok(())
    }
}

/// An image of a file with this name and these bytes.
fn image(name: &str, source: &Arc<Tripping>) -> DataobjImage {
    let holder = FileHolder::from_source(source.clone()).named(name);
    let options = LoadOptions::new().threads(Threads::new(THREADS as usize).expect("a pool"));
    DataobjImage::from_file_map(FileMap::from([(FileRole::Image, holder)]), &options)
        .expect("it loads")
}

/// A MetaImage file in one zlib stream.
fn zlib(stored: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(stored).expect("in memory");
    let data = encoder.finish().expect("in memory");
    let dims = SHAPE.map(|n| n.to_string()).join(" ");
    let header = format!(
        "ObjectType = Image\nNDims = 4\nBinaryData = True\nBinaryDataByteOrderMSB = False\n\
         CompressedData = True\nCompressedDataSize = {}\nDimSize = {dims}\n\
         ElementType = MET_SHORT\nElementDataFile = LOCAL\n",
        data.len()
    );
    [header.as_bytes(), &data].concat()
}

/// Files of the same voxels, stored in every way that is inflated differently.
fn files() -> (Vec<(&'static str, Vec<u8>)>, Vec<u8>) {
    let nifti = scan(DType::I16, &SHAPE, 5);
    let plain = nifti.single();
    let mut files = vec![
        ("one.nii.gz", gz(&plain, 1)),
        ("libdeflate.nii.gz", libdeflate(&plain, 6)),
        ("members.nii.gz", members(&plain, 1 << 20)),
        ("mgzip.nii.gz", mgzip(&plain, 1 << 20)),
        ("bgzf.nii.gz", bgzf(&plain)),
        ("zlib.mha", zlib(&nifti.data)),
    ];
    if cfg!(feature = "zst") {
        files.extend(by_tool("zstd", &["-c", "-1"], &plain).map(|file| ("it.nii.zst", file)));
    }
    if cfg!(feature = "bz2") {
        files.extend(by_tool("bzip2", &["-c", "-1"], &plain).map(|file| ("it.nii.bz2", file)));
    }
    files.insert(0, ("plain.nii", plain.clone()));
    (files, plain)
}

type Action = fn(&DataobjImage) -> Result<Vec<f32>>;

fn whole(image: &DataobjImage) -> Result<Vec<f32>> {
    Ok(image.get_fdata::<f32>(Caching::Fill)?.as_slice().to_vec())
}

fn slice(image: &DataobjImage) -> Result<Vec<f32>> {
    let index: Index = "[::2, 3:80, :, -1]".parse().expect("an index");
    Ok(image.dataobj().slice::<f32>(&index)?.as_slice().to_vec())
}

fn frames(image: &DataobjImage) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    for frame in image.frames::<f32>(FrameOptions::new())? {
        values.extend_from_slice(frame?.as_slice());
    }
    Ok(values)
}

fn backwards(image: &DataobjImage) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    let options = FrameOptions::new().range(..3).reverse();
    for frame in image.frames::<f32>(options)? {
        values.extend_from_slice(frame?.as_slice());
    }
    Ok(values)
}

fn statistics(image: &DataobjImage) -> Result<Vec<f32>> {
    let found = image.statistics::<f32>(&StatisticsOptions::new().histogram(10))?;
    let counts = found.histogram.expect("asked for").counts;
    let counts = counts.iter().map(|&count| count as f32);
    Ok(counts
        .chain([found.mean as f32, found.std as f32])
        .collect())
}

fn over_time(image: &DataobjImage) -> Result<Vec<f32>> {
    Ok(image.temporal_statistics::<f32>()?.tsnr.as_slice().to_vec())
}

fn saved(image: &DataobjImage) -> Result<Vec<f32>> {
    let bytes = image.to_bytes()?;
    Ok(bytes
        .iter()
        .step_by(1001)
        .map(|&byte| byte.into())
        .collect())
}

const ACTIONS: [(&str, Action); 7] = [
    ("whole", whole),
    ("slice", slice),
    ("frames", frames),
    ("backwards", backwards),
    ("statistics", statistics),
    ("over time", over_time),
    ("saved", saved),
];

/// Cancels an action at some of its reads; how many times it ended early.
fn trip(name: &str, file: &[u8], what: &str, action: Action, rng: &mut Rng) -> u32 {
    let source = Tripping::new(file.to_vec());
    let right = action(&image(name, &source)).expect("sound");
    let mut ended = 0;
    for trial in 0..3 {
        // Sometimes as it is when it was just loaded, sometimes after a read that was cancelled.
        let image = image(name, &source);
        source.set(u64::MAX);
        if trial > 1 {
            let cancel = source.set(1);
            let _ = cancel.run(|| action(&image));
            image.uncache();
        }
        // As it would be read now.
        let reads = {
            let clone = self::image(name, &source);
            let cancel = source.set(u64::MAX);
            cancel.run(|| action(&clone)).expect("not cancelled");
            source.reads.load(Ordering::SeqCst)
        };
        let at = rng.below(reads as usize) as u64;
        let cancel = source.set(at);
        let outcome = cancel.run(|| action(&image));
        let said = format!("{name}, {what}, cancelled at read {at} of {reads}");
        match &outcome {
            Ok(values) => assert!(*values == right, "{said}"),
            Err(_) => assert!(is_cancelled(&outcome), "{said}: {:?}", outcome.err()),
        }
        ended += u32::from(outcome.is_err());
        let late = source.late.load(Ordering::SeqCst);
        assert!(late <= THREADS, "{said}: {late} reads after that");
        assert!(outcome.is_ok() || !image.in_memory(), "{said}: kept");
        source.set(u64::MAX);
        let again = action(&image).unwrap_or_else(|error| panic!("{said}: then {error}"));
        assert!(again == right, "{said}: the next read");
    }
    ended
}

#[test]
fn at_any_read_of_the_source() {
    in_time(|| {
        let (files, _) = files();
        let mut rng = Rng::new(15);
        for (name, file) in &files {
            let mut ended = 0;
            for (what, action) in ACTIONS {
                ended += trip(name, file, what, action, &mut rng);
            }
            assert!(ended >= 7, "{name}: {ended} of 21 ended early");
        }
    });
}

/// Files that are large enough for the ways that only large ones take: parts on all threads, and members that libdeflate
/// would inflate in one go.
#[test]
fn large_gzip_files() {
    in_time(|| {
        let plain = scan(DType::I16, &[128, 128, 64, 9], 5).single();
        let mut rng = Rng::new(17);
        for (name, file) in [
            ("one.nii.gz", gz(&plain, 1)),
            ("members.nii.gz", members(&plain, 9 << 20)),
            ("mgzip.nii.gz", mgzip(&plain, 9 << 20)),
        ] {
            let mut ended = 0;
            for (what, action) in [("whole", whole as Action), ("slice", slice)] {
                ended += trip(name, &file, what, action, &mut rng);
            }
            assert!(ended >= 3, "{name}: {ended} of 6 ended early");
        }
    });
}

#[test]
fn on_the_way_to_a_device() {
    in_time(|| {
        let (files, _) = files();
        let mut rng = Rng::new(16);
        for backend in Backend::every_way("cancelled loads").into_iter().skip(1) {
            for (name, file) in files.iter().take(3) {
                let source = Tripping::new(file.clone());
                let image = image(name, &source);
                let right = backend.read::<f32>(&image).expect("sound");
                let reads = {
                    let image = self::image(name, &source);
                    let cancel = source.set(u64::MAX);
                    let read = || backend.read::<f32>(&image);
                    cancel.run(read).expect("not cancelled");
                    source.reads.load(Ordering::SeqCst)
                };
                let mut ended = 0;
                for _ in 0..4 {
                    let image = self::image(name, &source);
                    let at = rng.below(reads as usize) as u64;
                    let cancel = source.set(at);
                    let outcome = cancel.run(|| backend.read::<f32>(&image));
                    let said = format!("{backend:?}, {name}, read {at} of {reads}");
                    assert!(outcome.is_ok() || is_cancelled(&outcome), "{said}");
                    ended += u32::from(outcome.is_err());
                    let late = source.late.load(Ordering::SeqCst);
                    assert!(late <= THREADS, "{said}: {late} reads after that");
                    let again = backend.read::<f32>(&image).expect("the next read");
                    assert!(again.as_slice() == right.as_slice(), "{said}");
                }
                assert!(ended > 0, "{backend:?}, {name}: none ended early");
            }
        }
    });
}

/// A stream made inside a token is cancelled with it, on the host and on a device.
#[test]
fn a_stream_that_was_made_inside() {
    in_time(|| {
        let (files, plain) = files();
        let right = DataobjImage::from_bytes(plain).expect("it loads");
        let right = right.get_fdata::<f32>(Caching::Fill).expect("sound");
        let frame = right.len() / SHAPE[3];
        for backend in Backend::every_way("cancelled streams") {
            for (name, file) in files.iter().take(2) {
                let source = Tripping::new(file.clone());
                let items = |image: &DataobjImage| {
                    crate::streams::items::<f32>(backend, image, FrameOptions::new())
                };
                source.set(u64::MAX);
                let frames = items(&image(name, &source)).expect("a stream").count();
                assert_eq!(frames, SHAPE[3]);
                let reads = source.reads.load(Ordering::SeqCst);
                let image = image(name, &source);
                let cancel = source.set(reads / 2);
                let got = cancel.run(|| {
                    let stream = items(&image)?;
                    let mut good = 0;
                    for item in stream {
                        let item = item?;
                        let values = item.values();
                        assert!(values == &right.as_slice()[good * frame..][..frame]);
                        good += 1;
                    }
                    Ok(good)
                });
                assert!(is_cancelled(&got), "{backend:?} {name}: {got:?}");
                source.set(u64::MAX);
                let stream = items(&image);
                let all = stream.expect("a stream").map(|item| item.expect("a frame"));
                let all: Vec<f32> = all.flat_map(|item| item.values().to_vec()).collect();
                assert!(all == right.as_slice(), "{backend:?} {name}");
            }
        }
    });
}

/// What a cancelled slice has inflated of a gzip file is not inflated again.
#[test]
fn the_index_of_a_gzip_file_goes_on_growing() {
    let plain = scan(DType::I16, &SHAPE, 6).single();
    let source = Tripping::new(gz(&plain, 6));
    let image = image("it.nii.gz", &source);
    let last: Index = "[:, :, :, -1]".parse().expect("an index");
    let slice = || image.dataobj().slice::<f32>(&last);
    // The first read looks for a table of chunks; the others are of 256 KiB.
    let cancel = source.set(5);
    assert!(is_cancelled(&cancel.run(slice)));
    source.set(u64::MAX);
    let values = slice().expect("the next read");
    let first = source.first().expect("it reads");
    assert!(first >= 3 * (256 << 10), "it went on at byte {first}");
    let right = DataobjImage::from_bytes(plain).expect("it loads");
    let right = right.dataobj().slice::<f32>(&last).expect("sound");
    assert!(values.as_slice() == right.as_slice());
    image.dataobj().check_to_end().expect("sound");
    // And of a stream that only goes forwards.
    let source = Tripping::new(zlib(&scan(DType::I16, &SHAPE, 6).data));
    let image = self::image("it.mha", &source);
    let cancel = source.set(4);
    assert!(is_cancelled(
        &cancel.run(|| image.dataobj().slice::<f32>(&last))
    ));
    source.set(u64::MAX);
    image.dataobj().slice::<f32>(&last).expect("the next read");
    let first = source.first().expect("it reads");
    assert!(first >= 3 * (256 << 10), "it went on at byte {first}");
}

/// A file that was being saved does not appear, and what had its name stays.
#[test]
fn a_save_leaves_nothing() {
    let plain = scan(DType::I16, &SHAPE, 7).single();
    let source = Tripping::new(plain);
    let mut image = image("it.nii", &source);
    let folder = folder();
    for name in ["new.nii", "new.nii.gz", "old.nii.gz", "pair.img"] {
        let path = folder.path().join(name);
        if name.starts_with("old") {
            std::fs::write(&path, b"what was there").expect("written");
        }
        for at in [0, 5, 20] {
            let cancel = source.set(at);
            let saved = cancel.run(|| image.to_filename(&path));
            assert!(is_cancelled(&saved), "{name} at {at}: {saved:?}");
        }
        let there = std::fs::read(&path).ok();
        let was = name.starts_with("old").then(|| b"what was there".to_vec());
        assert_eq!(there, was, "{name}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    source.set(u64::MAX);
    let path = folder.path().join("good.nii.gz");
    image.to_filename(&path).expect("it saves");
    let saved = voxload::load(&path).expect("it loads");
    let right = DataobjImage::from_bytes(image.to_bytes().expect("bytes")).expect("it loads");
    assert!(whole(&saved).expect("sound") == whole(&right).expect("sound"));
}

/// An index file that was to be kept is written by the next read.
#[test]
fn an_index_file_is_written_by_the_next_read() {
    let folder = folder();
    let plain = scan(DType::I16, &SHAPE, 8).single();
    let path = crate::support::write(&folder, "it.nii.gz", &gz(&plain, 1));
    let index = folder.path().join("it.voxgzi");
    let options = LoadOptions::new().gzip_index(&index);
    let image = DataobjImage::from_filename(&path, &options).expect("it loads");
    let last: Index = "[..., 5]".parse().expect("an index");
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(is_cancelled(
        &cancel.run(|| image.dataobj().slice::<f32>(&last))
    ));
    assert!(!index.exists());
    image.dataobj().slice::<f32>(&last).expect("the next read");
    assert!(index.exists());
}
