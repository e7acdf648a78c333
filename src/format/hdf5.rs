//! HDF5 files, by the crate `hdf5-reader`: datasets, their attributes, and their values as a source of bytes.

mod read;

use std::fmt;
use std::sync::{Arc, Mutex};

use hdf5_reader::{Attribute, Dataset, Datatype, Hdf5File, OpenOptions, Storage, StorageBuffer};

use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Source, zeros};
use read::Slab;

/// Bytes of what is read in one piece; more is refused before memory is taken.
const MOST_BYTES: usize = 8 << 30;

/// Bytes of decoded chunks that are kept for the next read.
const CACHE_BYTES: usize = 16 << 20;

/// An open file.
pub(super) struct File {
    file: Hdf5File,
    bytes: u64,
}

/// A dataset; its values are read when they are asked for.
pub(super) struct Data {
    name: String,
    dataset: Dataset,
    /// The slab that was read last, for the next reads of it.
    last: Mutex<Option<Arc<Slab>>>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Numbers(Vec<f64>),
    /// Something that no volume needs.
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

/// The bytes of a source, as the crate wants them.
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
        // Our own error comes back in `told`.
        let bytes = read().map_err(|error: Error| std::io::Error::other(error))?;
        Ok(StorageBuffer::from_vec(bytes))
    }
}

impl File {
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a compressed file, and what is wrong with the file.
    pub fn open(source: &Source) -> Result<Self> {
        let bytes = source
            .len()?
            .ok_or_else(|| Error::unsupported("HDF5 in a compressed file"))?;
        let stored = Stored {
            source: source.clone(),
            bytes,
        };
        let options = OpenOptions::default()
            .with_max_read_bytes(MOST_BYTES)
            .with_chunk_cache_bytes(CACHE_BYTES);
        let file = Hdf5File::from_storage_with_options(Arc::new(stored), options);
        Ok(Self {
            file: file.map_err(told)?,
            bytes,
        })
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A dataset of a group.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] when it is not there, and what is wrong with the file.
    pub fn dataset(&self, name: &str, group: &'static str) -> Result<Data> {
        let found = self.file.group(group).and_then(|group| group.dataset(name));
        let dataset = found.map_err(|error| match innermost(&error) {
            hdf5_reader::error::Error::GroupNotFound(_)
            | hdf5_reader::error::Error::DatasetNotFound(_) => {
                Error::header(group, error.to_string(), format!("the dataset {name}"))
            }
            _ => told(error),
        })?;
        Ok(Data {
            name: name.to_owned(),
            dataset,
            last: Mutex::new(None),
        })
    }
}

impl Data {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Axis lengths, the slowest first.
    pub fn lengths(&self) -> &[u64] {
        self.dataset.shape()
    }

    /// # Errors
    /// [`ErrorKind::Unsupported`] when the values are not numbers that voxels can be.
    pub fn dtype(&self) -> Result<DType> {
        let known = match *self.dataset.dtype() {
            Datatype::FixedPoint { size, signed, .. } => match (size, signed) {
                (1, false) => Some(DType::U8),
                (1, true) => Some(DType::I8),
                (2, false) => Some(DType::U16),
                (2, true) => Some(DType::I16),
                (4, false) => Some(DType::U32),
                (4, true) => Some(DType::I32),
                (8, false) => Some(DType::U64),
                (8, true) => Some(DType::I64),
                _ => None,
            },
            Datatype::FloatingPoint { size: 4, .. } => Some(DType::F32),
            Datatype::FloatingPoint { size: 8, .. } => Some(DType::F64),
            _ => None,
        };
        known.ok_or_else(|| {
            let found = format!("{:?}", self.dataset.dtype());
            Error::unsupported(format!("HDF5 dataset {} of {found}", self.name))
        })
    }

    /// The value of an attribute; `None` where there is no such.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        self.dataset.attribute(name).ok().as_ref().map(value)
    }

    /// All attributes.
    pub fn attributes(&self) -> Vec<(String, Value)> {
        let attributes = self.dataset.attributes();
        let pair = |found: &Attribute| (found.name.clone(), value(found));
        attributes.iter().map(pair).collect()
    }
}

fn value(attribute: &Attribute) -> Value {
    macro_rules! numbers {
        ($($type:ty)*) => {
            $(if let Ok(numbers) = attribute.read_1d::<$type>() {
                return Value::Numbers(numbers.into_iter().map(|number| number as f64).collect());
            })*
        };
    }
    if let Ok(text) = attribute.read_string() {
        return Value::Text(text);
    }
    numbers!(f64 f32 i8 u8 i16 u16 i32 u32 i64 u64);
    Value::Other
}

fn innermost(error: &hdf5_reader::error::Error) -> &hdf5_reader::error::Error {
    match error {
        hdf5_reader::error::Error::Context { source, .. } => innermost(source),
        other => other,
    }
}

/// The crate's error in our words.
fn told(error: hdf5_reader::error::Error) -> Error {
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
            needed: MOST_BYTES as u128 + 1,
            allowed: MOST_BYTES as u64,
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
