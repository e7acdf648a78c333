//! The types in which voxels are stored, and their byte order.

use std::fmt;
use std::str::FromStr;

use num_complex::Complex;

use crate::core::error::{Error, Result};

/// A complex number of two `f32`.
#[expect(non_camel_case_types, reason = "the name of the type in numpy")]
pub type c64 = Complex<f32>;
/// A complex number of two `f64`.
#[expect(non_camel_case_types, reason = "the name of the type in numpy")]
pub type c128 = Complex<f64>;

/// The type of a stored voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name is its own description")]
pub enum DType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
    C64,
    C128,
    Rgb24,
    Rgba32,
}

/// The order of the bytes of a stored number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name is its own description")]
pub enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// The byte order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") {
        Self::Big
    } else {
        Self::Little
    };
}

impl Default for ByteOrder {
    fn default() -> Self {
        Self::NATIVE
    }
}

impl DType {
    /// All stored types, in the order of the table in doc/FORMATS.md.
    pub const ALL: [Self; 15] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F16,
        Self::F32,
        Self::F64,
        Self::C64,
        Self::C128,
        Self::Rgb24,
        Self::Rgba32,
    ];

    /// Bytes of one voxel of the largest type.
    pub(crate) const MAX_SIZE_BYTES: usize = Self::C128.size_bytes();

    /// Bytes of one voxel.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::Rgb24 => 3,
            Self::U32 | Self::I32 | Self::F32 | Self::Rgba32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// Bytes of the unit to which [`ByteOrder`] applies: one part of a complex number, one channel of a colour.
    pub const fn part_bytes(self) -> usize {
        match self {
            Self::Rgb24 | Self::Rgba32 => 1,
            Self::C64 => 4,
            Self::C128 => 8,
            real => real.size_bytes(),
        }
    }

    /// numpy's name of the type (`int16`, `complex64`); colours are `RGB` and `RGBA`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::C64 => "complex64",
            Self::C128 => "complex128",
            Self::Rgb24 => "RGB",
            Self::Rgba32 => "RGBA",
        }
    }

    /// Whether this is a signed or unsigned integer.
    pub const fn is_integer(self) -> bool {
        matches!(
            self,
            Self::U8
                | Self::I8
                | Self::U16
                | Self::I16
                | Self::U32
                | Self::I32
                | Self::U64
                | Self::I64
        )
    }

    /// Whether this is a complex type.
    pub const fn is_complex(self) -> bool {
        matches!(self, Self::C64 | Self::C128)
    }

    /// Whether this is a colour. Colours are never scaled and cannot be converted to floats.
    pub const fn is_colour(self) -> bool {
        matches!(self, Self::Rgb24 | Self::Rgba32)
    }

    /// The smallest and largest value of an integer type, rounded to f64.
    pub(crate) const fn integer_extremes(self) -> Option<(f64, f64)> {
        Some(match self {
            Self::U8 => (0.0, u8::MAX as f64),
            Self::I8 => (i8::MIN as f64, i8::MAX as f64),
            Self::U16 => (0.0, u16::MAX as f64),
            Self::I16 => (i16::MIN as f64, i16::MAX as f64),
            Self::U32 => (0.0, u32::MAX as f64),
            Self::I32 => (i32::MIN as f64, i32::MAX as f64),
            Self::U64 => (0.0, u64::MAX as f64),
            Self::I64 => (i64::MIN as f64, i64::MAX as f64),
            _ => return None,
        })
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DType {
    type Err = Error;

    /// Parses a name as returned by [`Self::name`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for any other name.
    fn from_str(name: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|dtype| dtype.name() == name);
        named.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::usage(format_args!(
                "no voxel type is named {name:?}, these are: {names}"
            ))
        })
    }
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Little => "little",
            Self::Big => "big",
        })
    }
}
