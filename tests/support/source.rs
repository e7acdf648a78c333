//! A source that counts what is read of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use voxload::{Access, ByteSource, Error, ErrorKind, Result};

/// Bytes in memory; reads and bytes are counted.
#[derive(Debug)]
pub struct CountingSource {
    bytes: Vec<u8>,
    access: Access,
    reads: AtomicU64,
    taken: AtomicU64,
    /// The end of the furthest read.
    reach: AtomicU64,
    ranges: Mutex<Vec<(u64, u64)>>,
    /// Reads from this one on fail.
    fail_from: AtomicU64,
}

impl CountingSource {
    pub fn new(bytes: Vec<u8>) -> Arc<Self> {
        Self::with_access(bytes, Access::Random)
    }

    pub fn with_access(bytes: Vec<u8>, access: Access) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            access,
            reads: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            reach: AtomicU64::new(0),
            ranges: Mutex::default(),
            fail_from: AtomicU64::new(u64::MAX),
        })
    }

    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    pub fn bytes_read(&self) -> u64 {
        self.taken.load(Ordering::SeqCst)
    }

    pub fn reach(&self) -> u64 {
        self.reach.load(Ordering::SeqCst)
    }

    /// Offset and length of each read, in ascending order.
    pub fn ranges(&self) -> Vec<(u64, u64)> {
        let mut ranges = self.ranges.lock().expect("no panic under the lock").clone();
        ranges.sort_unstable();
        ranges
    }

    /// Starts to count anew.
    pub fn reset(&self) {
        self.reads.store(0, Ordering::SeqCst);
        self.taken.store(0, Ordering::SeqCst);
        self.reach.store(0, Ordering::SeqCst);
        self.ranges.lock().expect("no panic under the lock").clear();
    }

    /// Lets the `n`-th read from now on fail, and all that follow.
    pub fn fail_from(&self, n: u64) {
        self.reset();
        self.fail_from.store(n, Ordering::SeqCst);
    }
}

impl ByteSource for CountingSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(match self.access {
            Access::Random => Some(self.bytes.len() as u64),
            Access::Sequential => None,
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        let length = buffer.len() as u64;
        let end = offset + length;
        self.taken.fetch_add(length, Ordering::SeqCst);
        self.reach.fetch_max(end, Ordering::SeqCst);
        let mut ranges = self.ranges.lock().expect("no panic under the lock");
        ranges.push((offset, length));
        if number >= self.fail_from.load(Ordering::SeqCst) {
            return Err(Error::from(ErrorKind::Io {
                offset,
                kind: std::io::ErrorKind::Other,
                message: "injected".to_owned(),
            }));
        }
        let have = self.bytes.len() as u64;
        let from = self.bytes.get(offset as usize..end as usize);
        let from = from.ok_or(ErrorKind::Truncated {
            what: "voxel data",
            have,
            need: end,
        })?;
        buffer.copy_from_slice(from);
        Ok(())
    }

    fn access(&self) -> Access {
        self.access
    }
}
