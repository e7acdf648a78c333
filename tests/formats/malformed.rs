//! Damaged headers and the exact kind of error that each gives: at the latest when all voxels are read.

mod afni;
mod analyze;
mod cifti;
mod ecat;
mod metaimage;
mod mgh;
mod minc;
#[cfg(feature = "minc2")]
mod minc2;
mod nrrd;
mod parrec;

use voxload::{DataobjImage, LoadOptions};

use super::seeds::Seed;
use crate::support::errors::outcome;
use crate::support::table::Row;

/// Gathers what damaged files give, and compares.
pub struct Table {
    folder: tempfile::TempDir,
    row: Row,
    promised: usize,
    cases: usize,
    failures: Vec<String>,
}

impl Table {
    /// For a format, of which there are at least so many cases.
    pub fn new(format: &str, promised: usize) -> Self {
        Self {
            row: Row::new(format!("malformed {format}")),
            promised,
            folder: tempfile::tempdir().unwrap(),
            cases: 0,
            failures: Vec::new(),
        }
    }

    pub fn check(&mut self, what: &str, seed: &Seed, expected: &str) {
        self.check_with(what, seed, &LoadOptions::new(), expected);
    }

    pub fn check_with(&mut self, what: &str, seed: &Seed, options: &LoadOptions, expected: &str) {
        self.cases += 1;
        let folder = self.folder.path().join(self.cases.to_string());
        std::fs::create_dir(&folder).unwrap();
        let read = DataobjImage::from_filename(seed.write(&folder), options)
            .and_then(|image| image.dataobj().read::<f32>());
        let found = outcome(&read);
        if found != expected {
            self.failures
                .push(format!("{what}: {found:?} instead of {expected:?}"));
        }
    }

    /// A text of the first file replaced by another.
    pub fn replaced(&mut self, seed: &Seed, rows: &[(&str, &str, &str)]) {
        for (from, to, expected) in rows {
            let mut damaged = seed.clone();
            let bytes = damaged.header();
            let at = bytes
                .windows(from.len())
                .position(|window| window == from.as_bytes())
                .unwrap_or_else(|| panic!("no {from:?} to replace"));
            bytes.splice(at..at + from.len(), to.bytes());
            self.check(&format!("{from:?} -> {to:?}"), &damaged, expected);
        }
    }

    /// Bytes of the first file overwritten.
    pub fn overwritten(&mut self, seed: &Seed, rows: &[(usize, &[u8], &str)]) {
        for (offset, bytes, expected) in rows {
            let mut damaged = seed.clone();
            damaged.header()[*offset..][..bytes.len()].copy_from_slice(bytes);
            self.check(&format!("{bytes:?} at {offset}"), &damaged, expected);
        }
    }

    /// The first file cut.
    pub fn cut(&mut self, seed: &Seed, rows: &[(usize, &str)]) {
        for (length, expected) in rows {
            let mut damaged = seed.clone();
            damaged.header().truncate(*length);
            self.check(&format!("cut at {length}"), &damaged, expected);
        }
    }

    /// All cases gave what they must, and there were as many as promised.
    pub fn done(self) {
        assert!(
            self.failures.is_empty(),
            "{} of {}:\n{}",
            self.failures.len(),
            self.cases,
            self.failures.join("\n")
        );
        self.row.done_at_least(self.cases, self.promised);
    }
}

const MINUS_1: &[u8] = &[0xff; 4];
const LARGEST: &[u8] = &[0x7f, 0xff, 0xff, 0xff];
const LARGE: i32 = i32::MAX;
