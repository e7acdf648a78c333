//! HDF5 files, read with the crate `hdf5-reader`: datasets, their attributes, and their values as a byte source.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_reader::{
    Attribute, Dataset, Datatype, H5Type, Hdf5File, OpenOptions, SliceInfo, SliceInfoElem, Storage,
    StorageBuffer,
};

use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::source::{ByteSource, Source, truncated, zeros};

/// Largest number of bytes to read at once. Larger reads are rejected before memory is allocated.
const MAX_BYTES: u64 = 8 << 30;

/// Bytes of decoded chunks that are cached for the next read.
const CACHE_BYTES: usize = 16 << 20;

/// An open file.
pub(super) struct File {
    file: Hdf5File,
    bytes: u64,
}

/// A dataset. Its values are read when needed.
pub(super) struct Data {
    name: String,
    dataset: Dataset,
    /// The slab that was read last: the next read is often in the same one.
    last: Mutex<Option<Arc<Slab>>>,
}

/// The bytes at one index of the slowest axis.
struct Slab {
    row: u64,
    bytes: Vec<u8>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Numbers(Vec<f64>),
    /// A type that no volume uses.
    Other,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Numbers(numbers) => {
                let texts: Vec<_> = numbers.iter().map(f64::to_string).collect();
                f.write_str(&texts.join(" "))
            }
            Self::Other => f.write_str("something else"),
        }
    }
}

/// Adapts a source to the crate's storage trait.
struct Stored {
    source: Source,
    bytes: u64,
}

impl Storage for Stored {
    fn len(&self) -> u64 {
        self.bytes
    }

    fn read_range(&self, offset: u64, len: usize) -> hdf5_reader::error::Result<StorageBuffer> {
        let available = self.bytes.saturating_sub(offset);
        if len as u64 > available {
            return Err(hdf5_reader::error::Error::UnexpectedEof {
                offset,
                needed: len as u64,
                available,
            });
        }
        let read = || {
            let mut bytes = zeros(len as u64)?;
            let session = self.source.begin()?;
            session.read_at(offset, &mut bytes)?;
            session.end()?;
            Ok(bytes)
        };
        // `translated` recovers our own error from this one.
        let bytes = read().map_err(|error: Error| std::io::Error::other(error))?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

impl File {
    /// Opens a file.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a compressed file, and errors in the file's structure.
    pub(super) fn open(source: &Source) -> Result<Self> {
        let bytes = source
            .len()?
            .ok_or_else(|| Error::unsupported("HDF5 in a compressed file"))?;
        let stored = Stored {
            source: source.clone(),
            bytes,
        };
        let options = OpenOptions::default()
            .with_max_read_bytes(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX))
            .with_chunk_cache_bytes(CACHE_BYTES);
        let file = Hdf5File::from_storage_with_options(Arc::new(stored), options);
        Ok(Self {
            file: file.map_err(translated)?,
            bytes,
        })
    }

    /// Number of bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A dataset in a group.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] if it does not exist, and errors in the file's structure.
    pub(super) fn dataset(&self, name: &str, group: &'static str) -> Result<Data> {
        let found = self.file.group(group).and_then(|group| group.dataset(name));
        let dataset = found.map_err(|error| match innermost(&error) {
            hdf5_reader::error::Error::GroupNotFound(_)
            | hdf5_reader::error::Error::DatasetNotFound(_) => {
                Error::header(group, error.to_string(), format!("the dataset {name}"))
            }
            _ => translated(error),
        })?;
        Ok(Data {
            name: name.to_owned(),
            dataset,
            last: Mutex::new(None),
        })
    }
}

impl Data {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Axis lengths, the slowest first.
    pub(super) fn lengths(&self) -> &[u64] {
        self.dataset.shape()
    }

    /// The voxel type of the values.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the values are not of a voxel type.
    pub(super) fn dtype(&self) -> Result<DType> {
        let known = number_type(self.dataset.dtype()).map(|(dtype, _)| dtype);
        known.ok_or_else(|| {
            let found = format!("{:?}", self.dataset.dtype());
            Error::unsupported(format!("HDF5 dataset {} of {found}", self.name))
        })
    }

    /// The value of an attribute; `None` if it does not exist.
    pub(super) fn attribute(&self, name: &str) -> Option<Value> {
        self.dataset.attribute(name).ok().as_ref().map(value)
    }

    /// All attributes.
    pub(super) fn attributes(&self) -> Vec<(String, Value)> {
        let attributes = self.dataset.attributes();
        let pair = |found: &Attribute| (found.name.clone(), value(found));
        attributes.iter().map(pair).collect()
    }
}

/// The values in C order and native byte order, read by slabs of the slowest axis.
impl Data {
    /// All values as f64; there must be `count` of them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Header`] if there are more or fewer, and errors in the file's structure.
    pub(super) fn numbers(&self, count: u64) -> Result<Vec<f64>> {
        let have = self.dataset.num_elements().map_err(translated)?;
        if have != count {
            let found = format!("{have} of {}", self.name());
            return Err(Error::header("image-max", found, count));
        }
        let rows = self.lengths().first().copied().unwrap_or(1);
        let bytes = self.read_rows(&(0..rows))?;
        Ok(numbers(self.dtype()?, ByteOrder::NATIVE, &bytes))
    }

    /// Number of bytes of all voxels, and of one slab (one index of the slowest axis).
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

    /// The slab at an index of the slowest axis. The last one is kept, because slabs are often read in several pieces.
    fn row(&self, row: u64) -> Result<Arc<Slab>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slab) = last.as_ref().filter(|slab| slab.row == row) {
            return Ok(Arc::clone(slab));
        }
        *last = None;
        let bytes = self.read_rows(&(row..row + 1))?;
        Ok(Arc::clone(last.insert(Arc::new(Slab { row, bytes }))))
    }

    /// Reads a range of indices of the slowest axis.
    fn read_rows(&self, rows: &Range<u64>) -> Result<Vec<u8>> {
        let mut selection = SliceInfo::all(self.lengths().len());
        if let Some(first) = selection.selections.first_mut() {
            *first = SliceInfoElem::Slice {
                start: rows.start,
                end: rows.end,
                step: 1,
            };
        }
        let size = self.dtype()?.size_bytes();
        let selected = self.dataset.read_slice::<Anything>(&selection);
        let bytes = BYTES.take();
        let count = selected.map_err(translated)?.len();
        if bytes.len() == count * size {
            return Ok(bytes);
        }
        // Of a dataset that is stored in its own header the crate takes all bytes, and selects among the elements afterwards.
        let row = self.sizes()?.1;
        let part = |row_number: u64| usize::try_from(row_number.saturating_mul(row)).ok();
        let part = part(rows.start)
            .zip(part(rows.end))
            .and_then(|(start, end)| bytes.get(start..end));
        let have = bytes.len() as u64;
        let need = rows.end.saturating_mul(row);
        part.map(<[u8]>::to_vec)
            .ok_or_else(|| truncated("voxel data", have, need))
    }
}

thread_local! {
    /// The bytes of the last read of [`Anything`].
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An element of any type of number. The crate's reads are large, and compiled for each type that is read. So it reads elements
/// without a size, and their bytes are put aside in [`BYTES`] when it would decode them, in native byte order.
#[derive(Clone)]
struct Anything;

impl H5Type for Anything {
    fn hdf5_type() -> Datatype {
        Datatype::Opaque {
            size: 0,
            tag: String::new(),
        }
    }

    fn from_bytes(_: &[u8], stored: &Datatype) -> hdf5_reader::error::Result<Self> {
        Err(hdf5_reader::error::Error::TypeMismatch {
            expected: "numbers".to_owned(),
            actual: format!("{stored:?}"),
        })
    }

    fn element_size(_: &Datatype) -> usize {
        0
    }

    fn decode_vec(
        bytes: &[u8],
        stored: &Datatype,
        count: usize,
    ) -> Option<hdf5_reader::error::Result<Vec<Self>>> {
        let (dtype, order) = number_type(stored)?;
        let mut bytes = bytes.to_vec();
        if order != ByteOrder::NATIVE {
            match dtype.size_bytes() {
                2 => swap::<2>(&mut bytes),
                4 => swap::<4>(&mut bytes),
                8 => swap::<8>(&mut bytes),
                _ => {}
            }
        }
        BYTES.set(bytes);
        Some(Ok(vec![Self; count]))
    }
}

fn swap<const N: usize>(bytes: &mut [u8]) {
    let numbers = bytes.as_chunks_mut::<N>().0;
    numbers.iter_mut().for_each(|number| number.reverse());
}

/// The type and byte order of numbers; `None` for other types.
fn number_type(stored: &Datatype) -> Option<(DType, ByteOrder)> {
    let (dtype, order) = match *stored {
        Datatype::FixedPoint {
            size,
            signed,
            byte_order,
        } => match (size, signed) {
            (1, false) => (DType::U8, byte_order),
            (1, true) => (DType::I8, byte_order),
            (2, false) => (DType::U16, byte_order),
            (2, true) => (DType::I16, byte_order),
            (4, false) => (DType::U32, byte_order),
            (4, true) => (DType::I32, byte_order),
            (8, false) => (DType::U64, byte_order),
            (8, true) => (DType::I64, byte_order),
            _ => return None,
        },
        Datatype::FloatingPoint { size, byte_order } => match size {
            4 => (DType::F32, byte_order),
            8 => (DType::F64, byte_order),
            _ => return None,
        },
        _ => return None,
    };
    let order = match order {
        hdf5_reader::ByteOrder::LittleEndian => ByteOrder::Little,
        hdf5_reader::ByteOrder::BigEndian => ByteOrder::Big,
    };
    Some((dtype, order))
}

/// Numbers of a type of [`number_type`] as f64; none for another type.
#[allow(
    clippy::cast_lossless,
    reason = "not every one of the types has a From"
)]
fn numbers(dtype: DType, order: ByteOrder, bytes: &[u8]) -> Vec<f64> {
    macro_rules! decode {
        ($($dtype:ident $type:ty;)*) => {
            match dtype {
                $(DType::$dtype => {
                    let numbers = bytes.as_chunks().0.iter().map(|&number| match order {
                        ByteOrder::Little => <$type>::from_le_bytes(number) as f64,
                        ByteOrder::Big => <$type>::from_be_bytes(number) as f64,
                    });
                    numbers.collect()
                })*
                _ => Vec::new(),
            }
        };
    }
    decode! {
        U8 u8; I8 i8; U16 u16; I16 i16; U32 u32; I32 i32; U64 u64; I64 i64; F32 f32; F64 f64;
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
        let from = usize::try_from(offset - rows.start * row).map_err(|_| short())?;
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

fn value(attribute: &Attribute) -> Value {
    if let Ok(text) = attribute.read_string() {
        return Value::Text(text);
    }
    let numbers = number_type(&attribute.datatype).and_then(|(dtype, order)| {
        let count = usize::try_from(attribute.num_elements().ok()?).ok()?;
        let length = count.checked_mul(dtype.size_bytes())?;
        Some(numbers(dtype, order, attribute.raw_data.get(..length)?))
    });
    numbers.map_or(Value::Other, Value::Numbers)
}

fn innermost(error: &hdf5_reader::error::Error) -> &hdf5_reader::error::Error {
    match error {
        hdf5_reader::error::Error::Context { source, .. } => innermost(source),
        other => other,
    }
}

/// Converts the crate's error to voxload's.
fn translated(error: hdf5_reader::error::Error) -> Error {
    use hdf5_reader::error::Error as E;
    let kind = match innermost(&error) {
        E::Io(inner) => match inner
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>())
        {
            Some(ours) => return ours.clone(),
            None => ErrorKind::Io {
                offset: 0,
                kind: inner.kind(),
                message: error.to_string(),
            },
        },
        E::UnexpectedEof {
            offset,
            needed,
            available,
        } => ErrorKind::Truncated {
            what: "HDF5 file",
            have: offset.saturating_add(*available),
            need: offset.saturating_add(*needed),
        },
        E::ResourceLimit(_) => ErrorKind::Limit {
            what: "HDF5 object",
            needed: u128::from(MAX_BYTES) + 1,
            allowed: MAX_BYTES,
        },
        E::UnsupportedFilter(_) | E::UnsupportedEncoding(_) => {
            ErrorKind::Unsupported(format!("HDF5: {error}"))
        }
        _ => ErrorKind::Integrity {
            codec: "HDF5",
            detail: error.to_string(),
        },
    };
    kind.into()
}
