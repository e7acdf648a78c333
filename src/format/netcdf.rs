//! The header of a netCDF-3 file ("NetCDF Classic Format Specification",
//! <https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html>): dimensions, attributes, and where
//! the variables are. Numbers are big-endian.

use super::text::check_entries;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::header::fields::binary::{Number, Stored, latin1, numbers};

const DIMENSIONS: i32 = 10;
const VARIABLES: i32 = 11;
const ATTRIBUTES: i32 = 12;

/// A parsed header.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NetCdf {
    pub attributes: Vec<Attribute>,
    pub variables: Vec<Variable>,
    /// Bytes from one record to the next; 0 if no variable is in records.
    record_bytes: u64,
}

/// Where the values of a variable are: in one piece, or in one piece per record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pieces {
    /// Bytes of a piece.
    pub bytes: u64,
    /// Where each piece begins, relative to the variable's `begin`.
    pub starts: Vec<u64>,
}

/// A named value: text, or numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attribute {
    pub name: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Numbers(Vec<f64>),
}

/// An array in the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Variable {
    pub name: String,
    /// Its dimensions by name, slowest first, with their lengths.
    pub dimensions: Vec<(String, u64)>,
    pub attributes: Vec<Attribute>,
    pub kind: Kind,
    /// Byte of the file at which it begins.
    pub begin: u64,
    /// Whether its values are in records, between those of other variables.
    pub in_records: bool,
}

/// A netCDF type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Byte,
    Char,
    Short,
    Int,
    Float,
    Double,
}

impl Kind {
    pub(super) fn bytes(self) -> usize {
        self.stored().bytes()
    }

    fn stored(self) -> Stored {
        match self {
            Self::Byte | Self::Char => Stored::I8,
            Self::Short => Stored::I16,
            Self::Int => Stored::I32,
            Self::Float => Stored::F32,
            Self::Double => Stored::F64,
        }
    }

    /// The voxel type. `signed` decides for types that can be either.
    pub(super) fn dtype(self, signed: bool) -> Option<DType> {
        Some(match (self, signed) {
            (Self::Byte, true) => DType::I8,
            (Self::Byte, false) => DType::U8,
            (Self::Short, true) => DType::I16,
            (Self::Short, false) => DType::U16,
            (Self::Int, true) => DType::I32,
            (Self::Int, false) => DType::U32,
            (Self::Float, _) => DType::F32,
            (Self::Double, _) => DType::F64,
            (Self::Char, _) => return None,
        })
    }

    /// All complete numbers in these bytes.
    pub(super) fn numbers(self, bytes: &[u8]) -> Vec<f64> {
        let numbers = self.stored().numbers(bytes, ByteOrder::Big);
        numbers.map(Number::real).collect()
    }
}

impl Variable {
    /// Bytes of its values, or of those in one record; `u64::MAX` if the product overflows.
    fn piece_bytes(&self) -> u64 {
        let lengths = &self.dimensions[usize::from(self.in_records)..];
        let bytes = self.kind.bytes() as u64;
        lengths.iter().fold(bytes, |product, (_, length)| {
            product.saturating_mul(*length)
        })
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&Value> {
        let found = self
            .attributes
            .iter()
            .rev()
            .find(|known| known.name == name);
        found.map(|attribute| &attribute.value)
    }
}

impl NetCdf {
    pub(super) fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|known| known.name == name)
    }

    /// Parses a header.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the header is not complete, [`ErrorKind::Header`] if it is not valid.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader { bytes, at: 0 };
        reader.take(4)?;
        let records = reader.length()?;
        let dimensions =
            reader.list(DIMENSIONS, |reader| Ok((reader.name()?, reader.length()?)))?;
        let attributes = reader.list(ATTRIBUTES, Reader::attribute)?;
        let variables = reader.list(VARIABLES, |reader| reader.variable(&dimensions, records))?;
        Ok(Self {
            attributes,
            record_bytes: record_bytes(&variables),
            variables,
        })
    }

    /// Where the values of a variable are.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] if there are too many records.
    pub(super) fn pieces(&self, variable: &Variable) -> Result<Pieces> {
        let bytes = variable.piece_bytes();
        let starts = match variable.dimensions.first() {
            Some(&(_, records)) if variable.in_records => {
                check_entries(records)?;
                let start = |record| self.record_bytes.saturating_mul(record);
                (0..records).map(start).collect()
            }
            _ => vec![0],
        };
        Ok(Pieces { bytes, starts })
    }
}

/// Bytes of a record: the values of all its variables, each padded to a multiple of four unless there is only one.
fn record_bytes(variables: &[Variable]) -> u64 {
    let parts: Vec<u64> = variables
        .iter()
        .filter(|variable| variable.in_records)
        .map(Variable::piece_bytes)
        .collect();
    match parts.as_slice() {
        [only] => *only,
        parts => parts.iter().fold(0, |sum, &part| {
            sum.saturating_add(part.checked_next_multiple_of(4).unwrap_or(part))
        }),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        // A length that does not fit in memory is longer than the file.
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| rest.get(..length));
        let taken = taken.ok_or(ErrorKind::Truncated {
            what: "header",
            have: self.bytes.len() as u64,
            need: (self.at as u64).saturating_add(length),
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32> {
        let [int] = numbers(Stored::I32, self.take(4)?, ByteOrder::Big);
        Ok(int)
    }

    fn length(&mut self) -> Result<u64> {
        let length = self.int()?;
        u64::try_from(length)
            .map_err(|_| Error::header("netCDF", length, "a length that is not negative"))
    }

    /// Bytes, followed by padding to a multiple of four.
    fn padded(&mut self, length: u64) -> Result<&'a [u8]> {
        let taken = self.take(length)?;
        self.take(length.next_multiple_of(4) - length)?;
        Ok(taken)
    }

    fn name(&mut self) -> Result<String> {
        let length = self.length()?;
        Ok(latin1(self.padded(length)?))
    }

    /// A list with its tag and length. The tag of an empty list may be 0.
    fn list<T>(
        &mut self,
        tag: i32,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let found = self.int()?;
        if found != tag && found != 0 {
            return Err(Error::header("netCDF", format!("tag {found}"), tag));
        }
        let count = self.length()?;
        // Not allocated in advance, because the count in the file may be wrong.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn kind(&mut self) -> Result<Kind> {
        Ok(match self.int()? {
            1 => Kind::Byte,
            2 => Kind::Char,
            3 => Kind::Short,
            4 => Kind::Int,
            5 => Kind::Float,
            6 => Kind::Double,
            other => return Err(Error::header("nc_type", other, "1 to 6")),
        })
    }

    fn attribute(&mut self) -> Result<Attribute> {
        let name = self.name()?;
        let kind = self.kind()?;
        let count = self.length()?;
        let bytes = self.padded(count.saturating_mul(kind.bytes() as u64))?;
        let value = match kind {
            Kind::Char => Value::Text(latin1(bytes)),
            _ => Value::Numbers(kind.numbers(bytes)),
        };
        Ok(Attribute { name, value })
    }

    fn variable(&mut self, dimensions: &[(String, u64)], records: u64) -> Result<Variable> {
        let name = self.name()?;
        let rank = self.length()?;
        let mut own = Vec::new();
        for _ in 0..rank {
            let id = self.length()?;
            let dimension = usize::try_from(id).ok().and_then(|id| dimensions.get(id));
            own.push(dimension.cloned().ok_or_else(|| {
                Error::header("dimid", id, format!("below {}", dimensions.len()))
            })?);
        }
        // A length of 0 means the number of records.
        let in_records = own.first().is_some_and(|(_, length)| *length == 0);
        if let Some((_, length)) = own.first_mut().filter(|_| in_records) {
            *length = records;
        }
        let attributes = self.list(ATTRIBUTES, Self::attribute)?;
        let kind = self.kind()?;
        self.int()?; // The size is redundant: it follows from the lengths.
        Ok(Variable {
            name,
            dimensions: own,
            attributes,
            kind,
            begin: self.length()?,
            in_records,
        })
    }
}
