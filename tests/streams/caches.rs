//! What an image keeps is not read again, and an edit is never shown.

use std::sync::Arc;

use voxload::{
    Access, ArrayProxy, ByteOrder, Caching, DType, DataobjImage, Extra, FileMap, FrameOptions,
    ProxySpec, Scaling,
};

use super::{check, items};
use crate::support::backend::Backend;
use crate::support::header_of;
use crate::support::source::CountingSource;

const FRAME: usize = 12 * 11 * 10;
const FRAMES: usize = 6;

fn counted() -> (Arc<CountingSource>, DataobjImage) {
    let spec = ProxySpec::new(&[12, 11, 10, FRAMES], DType::I16)
        .byte_order(ByteOrder::Little)
        .scaling(Scaling::linear(0.1, 2.0));
    let data = (0..FRAME * FRAMES).flat_map(|n| (n as i16).to_le_bytes());
    let source = CountingSource::with_access(data.collect(), Access::Random);
    let proxy = ArrayProxy::new(source.clone(), spec.clone()).expect("a proxy");
    let image = DataobjImage::new(proxy, header_of(&spec), Extra::new(), FileMap::new());
    (source, image.expect("an image"))
}

/// Streams all of it and says how many bytes were read.
fn streamed(backend: Backend, source: &CountingSource, image: &DataobjImage, whole: &[f32]) -> u64 {
    source.reset();
    let options = FrameOptions::new().block(2);
    let mut blocks = 0;
    for item in items::<f32>(backend, image, options).expect("a stream") {
        check("cached", &item.expect("a block"), whole, FRAME);
        blocks += 1;
    }
    assert_eq!(blocks, 3);
    source.bytes_read()
}

const ALL: u64 = 2 * (FRAME * FRAMES) as u64;

#[test]
fn kept_host_arrays_are_used_unless_edited() {
    for backend in Backend::every_way("kept host arrays in streams") {
        let (source, mut image) = counted();
        let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        let whole = whole.as_slice();
        assert_eq!(streamed(backend, &source, &image, whole), ALL);
        image.get_fdata::<f64>(Caching::Fill).expect("values");
        assert_eq!(
            streamed(backend, &source, &image, whole),
            ALL,
            "another type"
        );
        image.get_fdata::<f32>(Caching::Fill).expect("values");
        assert_eq!(streamed(backend, &source, &image, whole), 0);
        image.fdata_mut::<f32>().expect("an array")[[0, 0, 0, 0]] = 99.0;
        assert_eq!(streamed(backend, &source, &image, whole), ALL, "edited");
        image.uncache();
        assert_eq!(streamed(backend, &source, &image, whole), ALL);
    }
}

#[test]
fn array_images_stream_what_they_have() {
    let values: Vec<i64> = (0..FRAME * FRAMES)
        .map(|n| (n as i64) << 40 | 0x7fff_ffff)
        .collect();
    let array = voxload::HostArray::from_vec(&[12, 11, 10, FRAMES], values).expect("an array");
    let image = DataobjImage::from_array(array, None).expect("an image");
    let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    for backend in Backend::every_way("array images in streams") {
        let mut frames = 0;
        for item in items::<f32>(backend, &image, FrameOptions::new()).expect("a stream") {
            check("array", &item.expect("a frame"), whole.as_slice(), FRAME);
            frames += 1;
        }
        assert_eq!(frames, FRAMES);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn kept_device_arrays_are_used_unless_written_to() {
    use crate::support::backend::open;
    use crate::support::ways;
    for backend in Backend::every_way("kept device arrays in streams") {
        let Backend::Gpu(device) = backend else {
            continue;
        };
        let (source, image) = counted();
        let whole = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
        let whole = whole.as_slice();
        let gpu = open(device);
        let kept = ways::get_fdata_gpu::<f32>(&image, gpu, Caching::Fill);
        let kept = kept.expect("values");
        assert_eq!(streamed(backend, &source, &image, whole), 0);
        // From the first frame on it is written to: the rest is read from the file.
        source.reset();
        let options = super::small_slots(FrameOptions::new().slots(1));
        let mut stream = ways::stream::<f32>(&image, gpu, options).expect("a stream");
        let first = super::got_on(gpu, &stream.next().expect("an item").expect("a frame"));
        check("first", &first.expect("values"), whole, FRAME);
        assert_eq!(source.bytes_read(), 0);
        let poison = vec![0xff; kept.size_bytes() as usize];
        gpu.queue().write_buffer(kept.buffer(), 0, &poison);
        kept.mark_modified();
        let mut frames = 1;
        for item in stream {
            let got = super::got_on(gpu, &item.expect("a frame")).expect("values");
            assert_eq!(got.frames, [frames]);
            check("after", &got, whole, FRAME);
            frames += 1;
        }
        assert_eq!(frames, FRAMES);
        assert!(source.bytes_read() > 0);
        assert_eq!(streamed(backend, &source, &image, whole), ALL);
        ways::get_fdata::<f32>(&image, gpu, Caching::Fill).expect("the edit");
        assert_eq!(streamed(backend, &source, &image, whole), ALL, "downloaded");
        image.uncache();
        assert_eq!(streamed(backend, &source, &image, whole), ALL);
    }
}
