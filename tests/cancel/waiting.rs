//! Reads that wait: for a lock that another read holds, for a stream's thread, for a source that blocks.

use std::sync::{Arc, Condvar, Mutex};

use voxload::{
    ByteSource, Cancel, DType, DataobjImage, FileHolder, FileMap, FileRole, FrameOptions, Index,
    LoadOptions, Result,
};

use super::{in_time, is_cancelled};
use crate::gzip::files::scan;
use crate::support::nifti::gz;

/// Bytes whose reads wait at a gate, once it is shut.
#[derive(Debug)]
struct Gated {
    bytes: Vec<u8>,
    gate: Mutex<Gate>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Gate {
    is_shut: bool,
    waiting: usize,
}

impl Gated {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            gate: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn shut(&self, is_shut: bool) {
        self.gate.lock().expect("no panic").is_shut = is_shut;
        self.changed.notify_all();
    }

    /// Waits until a read waits at the gate.
    fn wait_for_reader(&self) {
        let mut gate = self.gate.lock().expect("no panic");
        while gate.waiting == 0 {
            gate = self.changed.wait(gate).expect("no panic");
        }
    }
}

impl ByteSource for Gated {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.bytes.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut gate = self.gate.lock().expect("no panic");
        gate.waiting += 1;
        self.changed.notify_all();
        while gate.is_shut {
            gate = self.changed.wait(gate).expect("no panic");
        }
        gate.waiting -= 1;
        drop(gate);
        buffer.copy_from_slice(&self.bytes[offset as usize..][..buffer.len()]);
        Ok(())
    }
}

const SHAPE: [usize; 4] = [64, 64, 30, 8];

fn open(name: &str, bytes: Vec<u8>) -> (Arc<Gated>, Arc<DataobjImage>) {
    let source = Gated::new(bytes);
    let holder = FileHolder::from_source(source.clone()).named(name);
    let map = FileMap::from([(FileRole::Image, holder)]);
    let image = DataobjImage::from_file_map(map, &LoadOptions::new()).expect("it loads");
    (source, Arc::new(image))
}

#[test]
fn for_what_another_read_holds() {
    in_time(|| {
        let plain = scan(DType::I16, &SHAPE, 3).single();
        let (source, image) = open("it.nii.gz", gz(&plain, 6));
        source.shut(true);
        let last: Index = "[..., -1]".parse().expect("an index");
        let (its, its_index) = (Arc::clone(&image), last.clone());
        let other = std::thread::spawn(move || its.dataobj().slice::<f32>(&its_index));
        source.wait_for_reader();
        let cancel = Cancel::new();
        let (token, its, its_index) = (cancel.clone(), Arc::clone(&image), last.clone());
        let waiting =
            std::thread::spawn(move || token.run(|| its.dataobj().slice::<f32>(&its_index)));
        cancel.cancel();
        // It ends while the other read still holds the file's inflated stream.
        let outcome = waiting.join().expect("no panic");
        assert!(is_cancelled(&outcome), "{outcome:?}");
        assert!(!other.is_finished());
        source.shut(false);
        let values = other.join().expect("no panic").expect("a slice");
        let right = DataobjImage::from_bytes(plain).expect("it loads");
        let right = right.dataobj().slice::<f32>(&last).expect("a slice");
        assert!(values.as_slice() == right.as_slice());
    });
}

#[test]
fn for_a_stream_that_was_made_outside() {
    in_time(|| {
        let plain = scan(DType::I16, &SHAPE, 4).single();
        let (source, image) = open("it.nii", plain);
        source.shut(true);
        let mut frames = image.frames::<f32>(FrameOptions::new()).expect("a stream");
        source.wait_for_reader();
        let cancel = Cancel::new();
        let token = cancel.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            token.cancel();
        });
        let outcome = cancel.run(|| frames.next()).expect("an item");
        assert!(is_cancelled(&outcome), "{outcome:?}");
        canceller.join().expect("no panic");
        source.shut(false);
        // The stream is as it was.
        let indices: Vec<usize> = frames
            .map(|frame| frame.expect("a frame").index())
            .collect();
        assert_eq!(indices, [0, 1, 2, 3, 4, 5, 6, 7]);
    });
}

#[cfg(feature = "gpu")]
#[test]
fn for_a_stream_to_a_device_that_was_made_outside() {
    use crate::support::adapter::{BEST, ready};
    use voxload::StreamOptions;
    if !ready("a cancelled stream") {
        return;
    }
    in_time(|| {
        let gpu = BEST.as_ref().expect("ready() found it");
        let plain = scan(DType::I16, &SHAPE, 4).single();
        let (source, image) = open("it.nii", plain);
        source.shut(true);
        let stream = image.stream::<f32>(gpu, StreamOptions::new());
        let mut stream = stream.expect("a stream");
        source.wait_for_reader();
        let cancel = Cancel::new();
        let token = cancel.clone();
        let canceller = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            token.cancel();
        });
        let outcome = cancel.run(|| stream.next()).expect("an item");
        assert!(is_cancelled(&outcome), "{outcome:?}");
        let awaited = cancel.run_async(stream.next_async());
        let outcome = pollster::block_on(awaited).expect("an item");
        assert!(is_cancelled(&outcome), "{outcome:?}");
        canceller.join().expect("no panic");
        source.shut(false);
        let indices: Vec<usize> = stream
            .map(|frame| frame.expect("a frame").index())
            .collect();
        assert_eq!(indices, [0, 1, 2, 3, 4, 5, 6, 7]);
    });
}

/// A source that blocks is waited for, and the read ends then; no thread is left.
#[test]
fn for_a_source_that_blocks() {
    in_time(|| {
        let plain = scan(DType::I16, &SHAPE, 5).single();
        let (source, image) = open("it.nii", plain);
        source.shut(true);
        let cancel = Cancel::new();
        let (token, its) = (cancel.clone(), Arc::clone(&image));
        let reading = std::thread::spawn(move || token.run(|| its.dataobj().read::<f32>()));
        source.wait_for_reader();
        cancel.cancel();
        source.shut(false);
        let outcome = reading.join().expect("no panic");
        assert!(is_cancelled(&outcome), "{outcome:?}");
        image.dataobj().read::<f32>().expect("the next read");
    });
}
