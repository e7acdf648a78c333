//! Promise: a source that hints at large requests gets few of them, the bits are the same, and no more is read than its hint
//! allows.

use std::sync::{Arc, Mutex};

use voxload::{
    Access, ArrayProxy, ByteSource, Caching, DType, DataobjImage, FileHolder, FileMap, FileRole,
    Float, FrameOptions, Index, LoadOptions, ReadHint, Result, StatisticsOptions, Threads,
};

use crate::gzip::files::{bgzf, scan};
use crate::support::backend::Backend;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::slicing::random_index;

/// Bytes with a hint, and the requests for them.
#[derive(Debug)]
struct Remote {
    bytes: Vec<u8>,
    hint: ReadHint,
    access: Access,
    requests: Mutex<Vec<(u64, u64)>>,
}

impl Remote {
    fn new(bytes: Vec<u8>, hint: ReadHint) -> Arc<Self> {
        Self::with_access(bytes, hint, Access::Random)
    }

    fn with_access(bytes: Vec<u8>, hint: ReadHint, access: Access) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            hint,
            access,
            requests: Mutex::default(),
        })
    }

    /// Offsets and lengths of the requests since the last call.
    fn take(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *self.requests.lock().expect("no panic"))
    }
}

impl ByteSource for Remote {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.bytes.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut requests = self.requests.lock().expect("no panic");
        requests.push((offset, buffer.len() as u64));
        drop(requests);
        let from = self
            .bytes
            .get(offset as usize..)
            .and_then(|from| from.get(..buffer.len()));
        buffer.copy_from_slice(from.expect("within the file"));
        Ok(())
    }

    fn access(&self) -> Access {
        self.access
    }

    fn hint(&self) -> ReadHint {
        self.hint
    }
}

fn hint(merge_gap: u64, min_read: u64) -> ReadHint {
    ReadHint::new().merge_gap(merge_gap).min_read(min_read)
}

/// An image of a file with this name, read by so many threads, beginning at a byte.
fn open_at(name: &str, source: &Arc<Remote>, threads: usize, pos: u64) -> DataobjImage {
    let holder = FileHolder::from_source(source.clone()).named(name).at(pos);
    let options = LoadOptions::new().threads(Threads::new(threads).expect("a pool"));
    DataobjImage::from_file_map(FileMap::from([(FileRole::Image, holder)]), &options)
        .expect("it loads")
}

fn open(name: &str, source: &Arc<Remote>, threads: usize) -> DataobjImage {
    open_at(name, source, threads, 0)
}

fn slice<T: Float>(image: &DataobjImage, index: &str) -> Vec<T> {
    let index: Index = index.parse().expect("an index");
    let values = image.dataobj().slice::<T>(&index).expect("a slice");
    values.as_slice().to_vec()
}

const SHAPE: [usize; 4] = [64, 64, 64, 4];
/// Bytes of a row, a slice and a frame.
const ROW: u64 = 128;
const SLICE: u64 = 64 * ROW;
const FRAME: u64 = 64 * SLICE;

fn nifti() -> Nifti {
    scan(DType::I16, &SHAPE, 4).scl(f64::NAN, f64::NAN)
}

#[test]
fn runs_with_small_gaps_are_one_request() {
    let nifti = nifti();
    let (plain, start) = (nifti.single(), nifti.data_offset() as u64);
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    for (index, gap, expected) in [
        // A row of each slice of a frame: 64 runs, each almost a slice away.
        ("[:, 30, :, 1]", SLICE - ROW - 1, 64),
        ("[:, 30, :, 1]", SLICE - ROW, 1),
        // The same of all frames: what is read together is at most 8 MiB.
        ("[:, 30]", SLICE - ROW, 1),
        // Every voxel of a plane by itself: rows are too close for a request each anyway.
        ("[30, :, 5, 0]", 0, 1),
        ("[30, 4, :, 0]", SLICE, 1),
        // A row of each frame.
        ("[:, 3, 4]", FRAME - ROW - 1, 4),
        ("[:, 3, 4]", FRAME, 1),
    ] {
        let source = Remote::new(plain.clone(), hint(gap, 0));
        let image = open("it.nii", &source, 1);
        source.take();
        assert_eq!(
            slice::<f32>(&image, index),
            slice::<f32>(&right, index),
            "{index} {gap}"
        );
        let requests = source.take();
        assert_eq!(requests.len(), expected, "{index} {gap}: {requests:?}");
        if index == "[:, 30, :, 1]" && expected == 1 {
            let from = start + FRAME + 30 * ROW;
            assert_eq!(
                requests,
                [(from, 63 * SLICE + ROW)],
                "nothing beside the gaps"
            );
        }
    }
}

#[test]
fn large_files_are_asked_for_in_pieces_of_some_mib() {
    let nifti = scan(DType::I16, &[256, 256, 200], 4);
    let plain = nifti.single();
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let source = Remote::new(plain, hint(1 << 20, 0));
    let image = open("it.nii", &source, 1);
    source.take();
    assert_eq!(
        slice::<f32>(&image, "[:, 30]"),
        slice::<f32>(&right, "[:, 30]")
    );
    let requests = source.take();
    // 200 runs over 25 MiB.
    assert_eq!(requests.len(), 4, "{requests:?}");
    assert!(
        requests.iter().all(|&(_, length)| length <= 8 << 20),
        "{requests:?}"
    );
}

#[test]
fn a_request_has_a_least_length_and_what_is_over_is_kept() {
    const LEAST: u64 = 256 << 10;
    let nifti = nifti();
    let (plain, start) = (nifti.single(), nifti.data_offset() as u64);
    let length = plain.len() as u64;
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let source = Remote::new(plain, hint(0, LEAST));
    let image = open("it.nii", &source, 1);
    // All of the header comes with the first bytes.
    assert_eq!(source.take(), [(0, LEAST)]);
    let row = start + FRAME + 30 * ROW;
    assert_eq!(
        slice::<f32>(&image, "[:, 30, :, 1]"),
        slice::<f32>(&right, "[:, 30, :, 1]")
    );
    // Its 64 runs are over half a MiB: two requests, or three where one ends within a row.
    let requests = source.take();
    assert_eq!(requests[0], (row, LEAST));
    assert!(requests.len() <= 3, "{requests:?}");
    assert!(
        requests.iter().all(|&(_, length)| length == LEAST),
        "{requests:?}"
    );
    // A whole read, frames, statistics and a save: each byte once.
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    assert!(whole.as_slice() == slice::<f32>(&right, "[...]"));
    let fewest = (length - start).div_ceil(LEAST) as usize;
    each_byte_once("whole", &source, fewest, start, length);
    let frames = image.frames::<f32>(FrameOptions::new()).expect("a stream");
    assert_eq!(frames.filter(|frame| frame.is_ok()).count(), 4);
    each_byte_once("frames", &source, fewest, start, length);
    image
        .statistics::<f32>(&StatisticsOptions::new())
        .expect("statistics");
    each_byte_once("statistics", &source, fewest, start, length);
    image.temporal_statistics::<f32>().expect("statistics");
    each_byte_once("over time", &source, fewest, start, length);
    image.to_bytes().expect("it saves");
    each_byte_once("saved", &source, fewest, start, length);
    for backend in Backend::available("large requests").into_iter().skip(1) {
        backend.read::<f32>(&image).expect("values");
        each_byte_once("device", &source, fewest, start, length);
    }
    // The next read asks anew, as the source may have changed.
    slice::<f32>(&image, "[0, 0, 0, 0]");
    slice::<f32>(&image, "[0, 0, 0, 0]");
    assert_eq!(source.take().len(), 2);
}

fn each_byte_once(what: &str, source: &Remote, fewest: usize, start: u64, end: u64) {
    let mut requests = source.take();
    requests.sort_unstable();
    assert!(requests.len() <= fewest + 1, "{what}: {requests:?}");
    let mut at = start;
    for &(from, length) in &requests {
        assert_eq!(from, at, "{what}: {requests:?}");
        at += length;
    }
    assert_eq!(at, end, "{what}: {requests:?}");
}

#[test]
fn many_threads_share_requests() {
    const LEAST: u64 = 1 << 20;
    let nifti = scan(DType::I16, &[128, 128, 128, 8], 4);
    let (plain, start) = (nifti.single(), nifti.data_offset() as u64);
    let length = plain.len() as u64;
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let right = right.get_fdata::<f32>(Caching::Fill).expect("values");
    for threads in [2, 4] {
        let source = Remote::new(plain.clone(), hint(0, LEAST));
        let image = open("it.nii", &source, threads);
        source.take();
        let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        assert!(whole.as_slice() == right.as_slice());
        let requests = source.take();
        let read: u64 = requests.iter().map(|(_, length)| length).sum();
        // Threads that begin in the middle meet what others have read: then requests are shorter.
        let fewest = (length - start).div_ceil(LEAST) as usize;
        assert!(
            requests.len() <= 2 * fewest,
            "{threads}: {} requests",
            requests.len()
        );
        assert!(read <= (length - start) * 3 / 2, "{threads}: {read} bytes");
    }
}

#[test]
fn compressed_sources_are_asked_for_in_large_steps() {
    const LEAST: u64 = 1 << 20;
    let plain = scan(DType::I16, &[96, 96, 60, 10], 4).single();
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let mut files = vec![("it.nii.gz", gz(&plain, 6)), ("bgzf.nii.gz", bgzf(&plain))];
    if cfg!(feature = "bz2") {
        let bz2 = crate::gzip::files::by_tool("bzip2", &["-c", "-1"], &plain);
        files.extend(bz2.map(|file| ("it.nii.bz2", file)));
    }
    for (name, file) in files {
        let length = file.len() as u64;
        let source = Remote::new(file, hint(0, LEAST));
        let image = open(name, &source, 1);
        let header = source.take();
        assert!(header.len() <= 2, "{name}: {header:?}");
        let fewest = length.div_ceil(LEAST) as usize;
        for index in ["[..., -1]", "[:, 3, :, 2]", "[...]"] {
            assert_eq!(
                slice::<f32>(&image, index),
                slice::<f32>(&right, index),
                "{name} {index}"
            );
            let requests = source.take();
            assert!(requests.len() <= fewest + 3, "{name} {index}: {requests:?}");
        }
        for _ in image.frames::<f32>(FrameOptions::new()).expect("a stream") {}
        let requests = source.take();
        assert!(requests.len() <= fewest + 1, "{name}, frames: {requests:?}");
    }
}

#[test]
fn a_file_within_another_has_its_hint() {
    let plain = nifti().single();
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let source = Remote::new([vec![7; 1000], plain].concat(), hint(SLICE, 64 << 10));
    let image = open_at("it.nii", &source, 1, 1000);
    assert_eq!(source.take(), [(1000, 64 << 10)]);
    let index = "[:, 30, :, 1]";
    assert_eq!(slice::<f32>(&image, index), slice::<f32>(&right, index));
    assert_eq!(source.take().len(), 1);
}

#[test]
fn a_forward_source_can_have_a_hint() {
    let plain = nifti().single();
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let source = Remote::with_access(plain, hint(0, 1 << 20), Access::Sequential);
    let image = open("it.nii", &source, 2);
    source.take();
    assert_eq!(slice::<f32>(&image, "[...]"), slice::<f32>(&right, "[...]"));
    assert_eq!(source.take().len(), 2);
}

/// Any hint, any index, any number of threads: the same bits.
#[test]
fn bits_do_not_depend_on_hints() {
    let nifti = scan(DType::I16, &[31, 23, 19, 7], 4).scl(0.5, 2.0);
    let plain = nifti.single();
    let right = DataobjImage::from_bytes(plain.clone()).expect("it loads");
    let mut rng = Rng::new(11);
    let extremes = [0, 1, 2, 300, 4096, 1 << 20, u64::MAX];
    for _ in 0..60 {
        let (gap, least) = (*rng.pick(&extremes), *rng.pick(&extremes));
        let file = match rng.below(3) {
            0 => ("it.nii.gz", gz(&plain, 1)),
            _ => ("it.nii", plain.clone()),
        };
        let mut wanted = hint(0, 0);
        (wanted.merge_gap, wanted.min_read) = (gap, least);
        let source = Remote::new(file.1, wanted);
        let image = open(file.0, &source, 1 + rng.below(3));
        for _ in 0..4 {
            let index = random_index(&mut rng, image.shape());
            let found = image.dataobj().slice::<f64>(&index).expect("a slice");
            let expected = right.dataobj().slice::<f64>(&index).expect("a slice");
            assert_eq!(
                found.as_slice(),
                expected.as_slice(),
                "{index:?} {wanted:?}"
            );
        }
    }
}

/// A proxy of the caller's has the hint as well.
#[test]
fn of_a_proxy_alone() {
    let nifti = nifti();
    let right = DataobjImage::from_bytes(nifti.single()).expect("it loads");
    let source = Remote::new(nifti.data.clone(), hint(FRAME, 0));
    let mut spec = voxload::ProxySpec::from(right.header());
    spec.offset = 0;
    let proxy = ArrayProxy::new(Arc::clone(&source) as _, spec).expect("a proxy");
    let index: Index = "[2, :, :, :]".parse().expect("an index");
    let found = proxy.slice::<f32>(&index).expect("a slice");
    assert_eq!(found.as_slice(), slice::<f32>(&right, "[2, :, :, :]"));
    // What is gathered at a time is 1 MiB.
    assert_eq!(source.take().len(), 2);
}
