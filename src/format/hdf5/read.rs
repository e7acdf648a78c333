//! The values of a dataset: in C order, in this machine's byte order, by slabs of its slowest axis.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use hdf5_reader::{H5Type, SliceInfo, SliceInfoElem};

use super::{Data, told};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::source::{ByteSource, truncated};

/// The bytes at an index of the slowest axis.
pub(super) struct Slab {
    row: u64,
    bytes: Vec<u8>,
}

impl Data {
    /// All values as f64, where there are as many as wanted.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] when there are more or fewer, and what is wrong with the file.
    pub fn numbers(&self, count: u64) -> Result<Vec<f64>> {
        let have = self.dataset.num_elements().map_err(told)?;
        if have != count {
            let found = format!("{have} of {}", self.name());
            return Err(Error::header("image-max", found, count));
        }
        macro_rules! read {
            ($($dtype:ident $type:ty;)*) => {
                match self.dtype()? {
                    $(DType::$dtype => {
                        let array = self.dataset.read_array::<$type>().map_err(told)?;
                        array.iter().map(|&value| value as f64).collect()
                    })*
                    other => return Err(Error::unsupported(format!("HDF5 values of type {other}"))),
                }
            };
        }
        Ok(read! {
            U8 u8; I8 i8; U16 u16; I16 i16; U32 u32; I32 i32; U64 u64; I64 i64; F32 f32; F64 f64;
        })
    }

    /// Bytes of all voxels, and of those of one index of the slowest axis.
    fn sizes(&self) -> Result<(u64, u64)> {
        let element = self.dtype()?.size_bytes() as u64;
        let product = |lengths: &[u64]| {
            let sizes = lengths
                .iter()
                .try_fold(element, |product, &n| product.checked_mul(n));
            sizes.unwrap_or(u64::MAX)
        };
        let lengths = self.lengths();
        Ok((
            product(lengths),
            product(lengths.get(1..).unwrap_or_default()),
        ))
    }

    /// The values at an index of the slowest axis: kept, for they are often read in several pieces.
    fn row(&self, row: u64) -> Result<Arc<Slab>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slab) = last.as_ref().filter(|slab| slab.row == row) {
            return Ok(Arc::clone(slab));
        }
        *last = None;
        let bytes = self.read_rows(&(row..row + 1))?;
        Ok(Arc::clone(last.insert(Arc::new(Slab { row, bytes }))))
    }

    /// Reads some indices of the slowest axis.
    fn read_rows(&self, rows: &Range<u64>) -> Result<Vec<u8>> {
        let mut selection = SliceInfo::all(self.lengths().len());
        if let Some(first) = selection.selections.first_mut() {
            *first = SliceInfoElem::Slice {
                start: rows.start,
                end: rows.end,
                step: 1,
            };
        }
        match self.dtype()? {
            DType::U8 => self.select::<u8>(&selection),
            DType::I8 => self.select::<i8>(&selection),
            DType::U16 => self.select::<u16>(&selection),
            DType::I16 => self.select::<i16>(&selection),
            DType::U32 => self.select::<u32>(&selection),
            DType::I32 => self.select::<i32>(&selection),
            DType::U64 => self.select::<u64>(&selection),
            DType::I64 => self.select::<i64>(&selection),
            DType::F32 => self.select::<f32>(&selection),
            DType::F64 => self.select::<f64>(&selection),
            other => Err(Error::unsupported(format!("HDF5 values of type {other}"))),
        }
    }

    fn select<T: H5Type + bytemuck::NoUninit>(&self, selection: &SliceInfo) -> Result<Vec<u8>> {
        let array = self.dataset.read_slice::<T>(selection).map_err(told)?;
        let array = array.as_standard_layout();
        let values = array.as_slice().unwrap_or_default();
        Ok(bytemuck::cast_slice(values).to_vec())
    }
}

impl ByteSource for Data {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.sizes()?.0))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let (all, row) = self.sizes()?;
        let end = offset.saturating_add(buffer.len() as u64);
        let short = || truncated("voxel data", all, end);
        if end > all {
            return Err(short());
        }
        if buffer.is_empty() {
            return Ok(());
        }
        let rows = offset / row..end.div_ceil(row);
        let from = (offset - rows.start * row) as usize;
        let mut copy = |bytes: &[u8]| {
            let there = bytes.get(from..).and_then(|rest| rest.get(..buffer.len()));
            buffer.copy_from_slice(there.ok_or_else(short)?);
            Ok(())
        };
        match rows.end - rows.start {
            1 => copy(&self.row(rows.start)?.bytes),
            _ => copy(&self.read_rows(&rows)?),
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HDF5 dataset {} {:?}", self.name(), self.lengths())
    }
}
