//! The way back: values to stored numbers, with the slope and inter that nibabel would choose (its arraywriters).

mod fit;

use bytemuck::Pod;

use crate::array::{HostArray, StoredArray, with_stored};
use crate::dtype::{ByteOrder, DType};
use crate::error::Result;
pub(crate) use fit::Storing;

/// What is known of all values before the first is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    /// The smallest and the largest finite value; `None` when there is none.
    finite: Option<(f64, f64)>,
    /// The same of integers, exactly.
    integers: Option<(i128, i128)>,
    has_nan: bool,
}

impl Range {
    /// The range of no values at all.
    pub const EMPTY: Self = Self {
        finite: None,
        integers: None,
        has_nan: false,
    };

    /// The range of these values and of those seen before; complex numbers and colours have none.
    pub fn with(self, values: &StoredArray) -> Self {
        fn integers<T: Pod + Into<i128>>(range: Range, values: &HostArray<T>) -> Range {
            let values = values.as_slice().iter().map(|&value| value.into());
            let integers = values.fold(range.integers, |range, value: i128| {
                let (low, high) = range.unwrap_or((value, value));
                Some((low.min(value), high.max(value)))
            });
            Range { integers, ..range }
        }
        fn floats<T: Pod>(range: Range, values: &HostArray<T>, wide: fn(T) -> f64) -> Range {
            values.as_slice().iter().fold(range, |range, &value| {
                let value = wide(value);
                let finite = match range.finite {
                    _ if !value.is_finite() => range.finite,
                    None => Some((value, value)),
                    Some((low, high)) => Some((low.min(value), high.max(value))),
                };
                Range {
                    finite,
                    has_nan: range.has_nan | value.is_nan(),
                    ..range
                }
            })
        }
        match values {
            StoredArray::U8(values) => integers(self, values),
            StoredArray::I8(values) => integers(self, values),
            StoredArray::U16(values) => integers(self, values),
            StoredArray::I16(values) => integers(self, values),
            StoredArray::U32(values) => integers(self, values),
            StoredArray::I32(values) => integers(self, values),
            StoredArray::U64(values) => integers(self, values),
            StoredArray::I64(values) => integers(self, values),
            StoredArray::F16(values) => floats(self, values, half::f16::to_f64),
            StoredArray::F32(values) => floats(self, values, f64::from),
            StoredArray::F64(values) => floats(self, values, |value| value),
            StoredArray::C64(_)
            | StoredArray::C128(_)
            | StoredArray::Rgb24(_)
            | StoredArray::Rgba32(_) => self,
        }
    }
}

/// A number as the largest type of its kind.
#[derive(Debug, Clone, Copy)]
enum Wide {
    Integer(i128),
    Real(f64),
    Complex(f64, f64),
}

impl Wide {
    fn real(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Real(value) | Self::Complex(value, _) => value,
        }
    }

    fn single(self) -> f32 {
        match self {
            // At once: by way of f64 it would be rounded twice.
            Self::Integer(value) => value as f32,
            other => other.real() as f32,
        }
    }

    fn imaginary(self) -> f64 {
        match self {
            Self::Complex(_, value) => value,
            _ => 0.0,
        }
    }
}

/// Types that store writes from.
trait Widen: Copy {
    fn wide(self) -> Wide;
}

macro_rules! widen {
    ($($type:ty: $value:ident => $wide:expr;)*) => {
        $(impl Widen for $type {
            fn wide(self) -> Wide {
                let $value = self;
                $wide
            }
        })*
    };
}

widen! {
    u8: v => Wide::Integer(v.into());
    i8: v => Wide::Integer(v.into());
    u16: v => Wide::Integer(v.into());
    i16: v => Wide::Integer(v.into());
    u32: v => Wide::Integer(v.into());
    i32: v => Wide::Integer(v.into());
    u64: v => Wide::Integer(v.into());
    i64: v => Wide::Integer(v.into());
    half::f16: v => Wide::Real(v.to_f64());
    f32: v => Wide::Real(v.into());
    f64: v => Wide::Real(v);
    crate::dtype::c64: v => Wide::Complex(v.re.into(), v.im.into());
    crate::dtype::c128: v => Wide::Complex(v.re, v.im);
    // Colours are only ever copied.
    [u8; 3]: _v => Wide::Integer(0);
    [u8; 4]: _v => Wide::Integer(0);
}

impl Storing {
    /// Appends the stored bytes of these values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DType`] when the values are not of the type that was planned for.
    pub fn store(&self, values: &StoredArray, order: ByteOrder, out: &mut Vec<u8>) -> Result<()> {
        self.check_type(values.dtype())?;
        let start = out.len();
        if self.is_copy() {
            out.extend_from_slice(values.as_bytes());
        } else {
            with_stored!(values, values => self.each(values.as_slice(), out));
        }
        if order != ByteOrder::NATIVE {
            swap(&mut out[start..], self.to().part_bytes());
        }
        Ok(())
    }

    fn each<T: Widen>(&self, values: &[T], out: &mut Vec<u8>) {
        let values = values.iter().map(|value| value.wide());
        match self.to() {
            DType::F16 => push(values, out, |v| crate::float::to_f16(v.real())),
            DType::F32 => push(values, out, Wide::single),
            DType::F64 => push(values, out, Wide::real),
            DType::C64 => push(values, out, |v| [v.single(), v.imaginary() as f32]),
            DType::C128 => push(values, out, |v| [v.real(), v.imaginary()]),
            DType::U8 | DType::Rgb24 | DType::Rgba32 => push(values, out, |v| self.fitted(v) as u8),
            DType::I8 => push(values, out, |v| self.fitted(v) as i8),
            DType::U16 => push(values, out, |v| self.fitted(v) as u16),
            DType::I16 => push(values, out, |v| self.fitted(v) as i16),
            DType::U32 => push(values, out, |v| self.fitted(v) as u32),
            DType::I32 => push(values, out, |v| self.fitted(v) as i32),
            DType::U64 => push(values, out, |v| self.fitted(v) as u64),
            DType::I64 => push(values, out, |v| self.fitted(v) as i64),
        }
    }
}

fn push<T: Pod>(values: impl Iterator<Item = Wide>, out: &mut Vec<u8>, narrow: impl Fn(Wide) -> T) {
    for value in values {
        out.extend_from_slice(bytemuck::bytes_of(&narrow(value)));
    }
}

/// Turns the bytes of each part around.
fn swap(bytes: &mut [u8], part: usize) {
    if part > 1 {
        bytes.chunks_exact_mut(part).for_each(<[u8]>::reverse);
    }
}
