//! Promise: a header read touches no voxel, a slice reads only its bytes, a second read of a cached image reads
//! none. Proven by a source that counts.

use std::sync::Arc;

use voxload::{
    Access, ArrayProxy, ByteOrder, Caching, DType, DataobjImage, FileHolder, FileMap, FileRole,
    Index, LoadOptions, ProxySpec, Scaling,
};

use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;
use crate::support::slicing;
use crate::support::source::CountingSource;

fn proxy(shape: &[usize], offset: u64) -> (ArrayProxy, Arc<CountingSource>) {
    let voxels: usize = shape.iter().product();
    let mut bytes = vec![0xee; offset as usize];
    bytes.extend((0..voxels).flat_map(|n| (n as i16).to_le_bytes()));
    let source = CountingSource::new(bytes);
    let spec = ProxySpec::new(shape, DType::I16)
        .byte_order(ByteOrder::Little)
        .offset(offset)
        .scaling(Scaling::linear(0.5, 1.0));
    let proxy = ArrayProxy::new(Arc::clone(&source) as _, spec).expect("it fits");
    (proxy, source)
}

/// Loads a file's bytes through a counting source.
fn counted(bytes: Vec<u8>) -> (DataobjImage, Arc<CountingSource>) {
    let source = CountingSource::new(bytes);
    let holder = FileHolder::from_source(Arc::clone(&source) as _);
    let map = FileMap::from([(FileRole::Image, holder)]);
    let image = DataobjImage::from_file_map(map, &LoadOptions::new()).expect("it loads");
    (image, source)
}

/// Shape, index, most bytes, most reads: what nibabel 5.4.2 reads for the same slices.
type Example = (&'static [usize], &'static str, u64, u64);

const EXAMPLES: [Example; 12] = [
    (&[64, 64, 30], "[..., 5]", 8192, 1),
    (&[64, 64, 30], "[5]", 245_760, 1920),
    (&[200, 64, 30], "[5]", 200 * 64 * 30 * 2, 1920),
    (&[200, 4, 3], "[10:60]", 1200, 12),
    (&[200, 4, 3], "[0:150]", 4800, 12),
    (&[64, 64, 30, 10], "[..., ::2]", 5 * 245_760, 5),
    (&[64, 64, 30, 10], "[..., 3]", 245_760, 1),
    (&[64, 64, 30, 10], "[:, :, 7, 3]", 8192, 1),
    (&[64, 64, 30, 10], "[:, 10:20, 7, 3]", 1280, 1),
    (&[64, 64, 30], "[..., ::-1]", 245_760, 1),
    (&[64, 64, 30], "[1, 2, 3]", 2, 1),
    (&[64, 64, 30], "[..., 5:5]", 0, 0),
];

#[test]
fn slices_read_no_more_than_nibabel() {
    for (shape, text, bytes, reads) in EXAMPLES {
        let (proxy, source) = proxy(shape, 352);
        let index: Index = text.parse().expect("an index");
        let slice = proxy.slice::<f32>(&index).expect("it can be read");
        let (expected_shape, from) = slicing::take(shape, index.items());
        assert_eq!(slice.shape(), expected_shape);
        let values = from.iter().map(|&n| f32::from(n as i16) * 0.5 + 1.0);
        assert!(
            slice.as_slice().iter().copied().eq(values),
            "{shape:?} {text}"
        );
        let (found, times) = (source.bytes_read(), source.reads());
        assert!(
            found <= bytes,
            "{shape:?} {text}: {found} bytes, not {bytes}"
        );
        assert!(
            times <= reads,
            "{shape:?} {text}: {times} reads, not {reads}"
        );
        for (offset, _) in source.ranges() {
            assert!(offset >= 352, "{shape:?} {text}: the header was read");
        }
    }
}

/// Where exactly: the first of the examples.
#[test]
fn one_slice_is_one_read_at_its_place() {
    let (proxy, source) = proxy(&[64, 64, 30], 0);
    proxy.slice::<f64>("[..., 5]").expect("a slice");
    assert_eq!(source.ranges(), [(40960, 8192)]);
}

/// A whole read takes each byte once.
#[test]
fn a_whole_read_reads_each_byte_once() {
    let (proxy, source) = proxy(&[100, 100, 100], 512);
    let read = proxy.read::<f32>().expect("it can be read");
    assert_eq!(read.len(), 1_000_000);
    assert_eq!(source.bytes_read(), 2_000_000);
    let mut end = 512;
    for (offset, length) in source.ranges() {
        assert_eq!(offset, end, "no gap and no overlap");
        end = offset + length;
    }
    assert_eq!(end, 512 + 2_000_000);
}

/// A slice never reads more than lies between its first and last voxel, and never twice.
#[test]
fn random_slices_read_within_their_bounds() {
    let mut rng = Rng::new(12);
    let mut read_something = 0;
    for _ in 0..3000 {
        let shape = slicing::random_shape(&mut rng);
        let (proxy, source) = proxy(&shape, 64);
        let index = slicing::random_index(&mut rng, &shape);
        let slice = proxy.slice::<f32>(&index).expect("a slice");
        let (_, from) = slicing::take(&shape, index.items());
        assert_eq!(slice.len(), from.len());
        if from.is_empty() {
            assert_eq!(source.bytes_read(), 0, "{index:?} of {shape:?}");
            continue;
        }
        let first = 64 + 2 * *from.iter().min().expect("not empty") as u64;
        let last = 66 + 2 * *from.iter().max().expect("not empty") as u64;
        let mut end = first;
        for (offset, length) in source.ranges() {
            assert!(offset >= end, "{index:?} of {shape:?}: twice or too early");
            end = offset + length;
        }
        assert_eq!(end, last, "{index:?} of {shape:?}");
        read_something += 1;
    }
    assert!(read_something > 1000);
}

#[test]
fn loading_reads_no_voxel() {
    for version in [1, 2] {
        for extensions in 0..3 {
            let mut nifti = Nifti::counting(&[50, 40, 30]).version(version);
            for n in 0..extensions {
                nifti = nifti.extension(6, &vec![b'x'; 20 + 3000 * n]);
            }
            let (image, source) = counted(nifti.single());
            let offset = nifti.data_offset() as u64;
            assert_eq!(image.header().data_offset, offset);
            assert!(
                source.reach() <= offset,
                "{} bytes of {offset}",
                source.reach()
            );
            assert!(source.bytes_read() > 0);
            assert_eq!(image.shape(), [50, 40, 30]);
        }
    }
}

#[test]
fn a_second_get_fdata_reads_nothing() {
    let (image, source) = counted(Nifti::counting(&[50, 40, 30]).scl(2.0, 1.0).single());
    source.reset();
    let first = image
        .get_fdata::<f32>(Caching::Fill)
        .expect("it can be read");
    assert_eq!(source.bytes_read(), 120_000);
    source.reset();
    for caching in [Caching::Fill, Caching::Unchanged] {
        let again = image.get_fdata::<f32>(caching).expect("it is there");
        assert!(again.shares_memory_with(&first));
    }
    assert_eq!((source.reads(), source.bytes_read()), (0, 0));
    image
        .get_fdata::<f64>(Caching::Unchanged)
        .expect("it can be read");
    assert_eq!(
        source.bytes_read(),
        120_000,
        "another type comes from the file"
    );
}

/// Gzip through a source of the caller's: the header alone takes the start of the file, and reading on goes on
/// from there instead of starting again.
#[test]
fn gzip_is_read_once_from_the_start() {
    let voxels = 4 << 20;
    let nifti = Nifti::new(DType::U8, &[1024, voxels / 1024], Rng::new(1).bytes(voxels));
    let bytes = gz(&nifti.single(), 1);
    let length = bytes.len() as u64;
    let (image, source) = counted(bytes);
    assert!(
        source.reach() <= 1 << 20,
        "{} bytes for a header",
        source.reach()
    );
    image
        .get_fdata::<f32>(Caching::Fill)
        .expect("it can be read");
    let most = length + length / 4 + 64;
    assert!(
        source.bytes_read() <= most,
        "{} of {length}",
        source.bytes_read()
    );
    source.reset();
    image.get_fdata::<f32>(Caching::Fill).expect("it is there");
    assert_eq!(source.reads(), 0);
}

/// A source that fails at its k-th read: the error comes out with its place, no partial array does.
#[test]
fn read_errors_come_out() {
    let (image, source) = counted(Nifti::counting(&[512, 512, 16]).single());
    source.fail_from(u64::MAX);
    image
        .get_fdata::<f32>(Caching::Unchanged)
        .expect("it can be read");
    let reads = source.reads();
    assert!(reads >= 2, "several reads");
    for k in 0..reads {
        source.fail_from(k);
        assert_eq!(outcome(&image.get_fdata::<f32>(Caching::Fill)), "Io");
        assert!(!image.in_memory());
    }
    source.fail_from(u64::MAX);
    image
        .get_fdata::<f32>(Caching::Fill)
        .expect("it can be read again");
    assert!(image.in_memory());
}

/// A sequential source of the caller's, of unknown length, is read in ascending order.
#[test]
fn sequential_sources_are_read_in_order() {
    let nifti = Nifti::counting(&[300, 200, 30]);
    let source = CountingSource::with_access(nifti.data.clone(), Access::Sequential);
    let spec = ProxySpec::new(&nifti.shape, DType::I16).byte_order(ByteOrder::Little);
    let proxy = ArrayProxy::new(Arc::clone(&source) as _, spec).expect("it fits");
    let read = proxy.read::<f32>().expect("it can be read");
    assert_eq!(read.as_slice()[40_000], f32::from(40_000u16 as i16));
    assert_eq!(source.bytes_read(), 3_600_000);
    let slice = proxy.slice::<f32>("[7, ::-3, 5]");
    assert_eq!(slice.expect("a slice").shape(), [67]);
}
