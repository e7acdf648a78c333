//! The opposite direction: values to stored numbers, with the slope and intercept that nibabel would choose. It follows
//! `SlopeInterArrayWriter` in nibabel's module `arraywriters`.

use bytemuck::Pod;

use crate::core::array::{HostArray, StoredArray, with_stored};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::scope;

/// Values that are stored between two looks at whether the save was cancelled.
const PIECE: usize = 1 << 18;

/// What must be known of all values before the first one is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    /// The smallest and the largest finite value; `None` if there is none.
    finite: Option<(f64, f64)>,
    /// The same for integers, exactly.
    integers: Option<(i128, i128)>,
    has_nan: bool,
}

impl Range {
    /// The range of no values.
    pub(crate) const EMPTY: Self = Self {
        finite: None,
        integers: None,
        has_nan: false,
    };

    /// Extends the range by these values. Complex numbers and colours do not have a range. After a cancellation the range
    /// is incomplete.
    pub(crate) fn with(self, values: &StoredArray) -> Self {
        fn integers<T: Pod + Into<i128>>(range: Range, values: &HostArray<T>) -> Range {
            fold_pieces(values.as_slice(), range, |range, piece| {
                let values = piece.iter().map(|&value| value.into());
                let integers = values.fold(range.integers, |range, value: i128| {
                    let (low, high) = range.unwrap_or((value, value));
                    Some((low.min(value), high.max(value)))
                });
                Range { integers, ..range }
            })
        }
        fn floats<T: Pod>(range: Range, values: &HostArray<T>, wide: fn(T) -> f64) -> Range {
            let with_one = |range: Range, &value: &T| {
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
            };
            fold_pieces(values.as_slice(), range, |range, piece| {
                piece.iter().fold(range, with_one)
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

/// Folds values piece by piece, until the save is cancelled.
fn fold_pieces<T>(values: &[T], range: Range, with: impl Fn(Range, &[T]) -> Range) -> Range {
    let mut pieces = values.chunks(PIECE);
    let folded = pieces.try_fold(range, |range, piece| match scope::is_cancelled() {
        true => Err(range),
        false => Ok(with(range, piece)),
    });
    folded.unwrap_or_else(|range| range)
}

/// A number as the widest type of its kind.
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
            // Directly: by way of f64 it would be rounded twice.
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

/// Types whose values can be stored.
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
    crate::core::dtype::c64: v => Wide::Complex(v.re.into(), v.im.into());
    crate::core::dtype::c128: v => Wide::Complex(v.re, v.im);
    // Colours are only copied, so this is not used.
    [u8; 3]: _v => Wide::Integer(0);
    [u8; 4]: _v => Wide::Integer(0);
}

/// How values of one type are stored as another type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Storing {
    from: DType,
    to: DType,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    /// The same numbers, possibly rounded to another type.
    Cast,
    /// All zeros, because there are no finite values.
    Zeros,
    /// `(value - inter) / slope`, rounded and clipped.
    Fit(Fit),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Fit {
    slope: f32,
    inter: f32,
    /// Whether the arithmetic is in f64; otherwise in f32.
    wide: bool,
    low: f64,
    high: f64,
    /// The number stored for NaN: the one that is read back as zero.
    nan: f64,
}

impl Storing {
    /// Chooses how values of type `from` in this range are stored as `to`.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] if complex numbers or colours would become something else, and if no finite slope and
    /// intercept fit the range.
    pub(crate) fn choose(from: DType, to: DType, range: &Range) -> Result<Self> {
        let rule = rule(from, to, range)?;
        Ok(Self { from, to, rule })
    }

    pub(crate) fn to(&self) -> DType {
        self.to
    }

    /// Whether values of this type lose their fraction or size: floats stored as integers.
    pub(crate) fn loses(&self, from: DType) -> bool {
        self.to.is_integer() && !from.is_integer() && !self.is_copy()
    }

    /// The slope and intercept that restore the values.
    pub(crate) fn slope_inter(&self) -> (f64, f64) {
        match &self.rule {
            Rule::Fit(fit) => (fit.slope.into(), fit.inter.into()),
            Rule::Cast | Rule::Zeros => (1.0, 0.0),
        }
    }

    fn is_copy(&self) -> bool {
        self.from == self.to
    }

    fn check_type(&self, dtype: DType) -> Result<()> {
        if dtype == self.from {
            Ok(())
        } else {
            Err(cannot(dtype, self.from))
        }
    }

    /// The integer to be stored for a value.
    fn fitted(&self, value: Wide) -> i128 {
        match (&self.rule, value) {
            (Rule::Zeros, _) => 0,
            (Rule::Fit(fit), value) => fit.store(value.real()) as i128,
            (Rule::Cast, Wide::Integer(value)) => value,
            (Rule::Cast, value) => value.real() as i128,
        }
    }

    /// Appends the bytes of these values as they are stored.
    ///
    /// # Errors
    /// [`crate::ErrorKind::DType`] if the values are not of the type for which this was chosen, [`ErrorKind::Cancelled`].
    pub(crate) fn store(
        &self,
        values: &StoredArray,
        order: ByteOrder,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.check_type(values.dtype())?;
        with_stored!(values, values => {
            for piece in values.as_slice().chunks(PIECE) {
                scope::check()?;
                let start = out.len();
                match self.is_copy() {
                    true => out.extend_from_slice(bytemuck::cast_slice(piece)),
                    false => self.each(piece, out),
                }
                if order != ByteOrder::NATIVE {
                    swap(&mut out[start..], self.to().part_bytes());
                }
            }
        });
        Ok(())
    }

    fn each<T: Widen>(&self, values: &[T], out: &mut Vec<u8>) {
        let values = values.iter().map(|value| value.wide());
        match self.to() {
            DType::F16 => push(values, out, |v| crate::core::float::to_f16(v.real())),
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

/// Reverses the bytes of each part.
fn swap(bytes: &mut [u8], part: usize) {
    if part > 1 {
        bytes.chunks_exact_mut(part).for_each(<[u8]>::reverse);
    }
}

fn cannot(from: DType, to: DType) -> Error {
    ErrorKind::DType {
        stored: from.to_string(),
        wanted: format!("stored {to}"),
    }
    .into()
}

fn rule(from: DType, to: DType, range: &Range) -> Result<Rule> {
    if from == to {
        return Ok(Rule::Cast);
    }
    // As everywhere, a complex number becomes a float by its real part.
    if from.is_colour() || to.is_colour() || from.is_complex() && to.is_integer() {
        return Err(cannot(from, to));
    }
    let Some(limits) = integer_limits(to) else {
        return Ok(Rule::Cast);
    };
    let fit = match (range.integers, range.finite) {
        (None, None) => return Ok(Rule::Zeros),
        (Some((low, high)), _) => {
            if low >= limits.0 && high <= limits.1 {
                return Ok(Rule::Cast);
            }
            integers_by_inter(low, high, to)
                .or_else(|| by_range(low as f64, high as f64, to, range))
        }
        (None, Some((0.0, 0.0))) => return Ok(Rule::Zeros),
        (None, Some((low, high))) => {
            // NaN is stored as zero, so zero must fit too.
            let zero = |bound: f64, pick: fn(f64, f64) -> f64| match range.has_nan {
                true => pick(bound, 0.0),
                false => bound,
            };
            by_range(zero(low, f64::min), zero(high, f64::max), to, range)
        }
    };
    let (slope, inter) = fit
        .filter(|(slope, inter)| slope.is_finite() && inter.is_finite() && *slope != 0.0)
        .ok_or_else(|| cannot(from, to))?;
    Ok(Rule::Fit(Fit::new(from, to, slope, inter, range)))
}

/// Integers that fit after subtracting an f32, or after changing their sign.
fn integers_by_inter(low: i128, high: i128, to: DType) -> Option<(f32, f32)> {
    let (out_low, out_high) = shared_range(to, false)?;
    let (out_low, out_high) = (out_low as i128, out_high as i128);
    let span = high - low;
    if span <= out_high - out_low {
        let start = match out_low {
            0 => low,
            // The middle becomes zero. It is rounded up, because the lowest integer has no positive counterpart.
            _ => low + (span + 1) / 2,
        };
        let inter = floor_f32(start);
        if high - inter as i128 <= out_high {
            return Some((1.0, inter));
        }
    }
    (out_low == 0 && high <= 0 && -low <= out_high).then_some((-1.0, 0.0))
}

/// The slope and intercept that map `low..=high` to the whole range of an integer type.
fn by_range(low: f64, high: f64, to: DType, range: &Range) -> Option<(f32, f32)> {
    if low == high {
        return Some((1.0, low as f32));
    }
    let (out_low, out_high) = shared_range(to, false)?;
    let slope = (high - low) / (out_high - out_low);
    // Unsigned types store the smaller values near zero, where the rounding errors are smallest.
    let (slope, inter) = if out_low == 0.0 && high.abs() < low.abs() {
        (-slope, high + out_low * slope)
    } else {
        (slope, low - out_low * slope)
    };
    let (slope, mut inter) = (slope as f32, inter as f32);
    if range.has_nan && (low == 0.0 || high == 0.0) {
        let fill = -inter / slope;
        let kept = f64::from(fill.round_ties_even()).clamp(out_low, out_high);
        if kept != f64::from(fill.round_ties_even()) {
            inter = -fill.clamp(out_low as f32, out_high as f32) * slope;
        }
    }
    Some((slope, inter))
}

impl Fit {
    fn new(from: DType, to: DType, slope: f32, inter: f32, range: &Range) -> Self {
        let (low, high) = match (range.finite, from.integer_extremes()) {
            (_, Some(extremes)) => extremes,
            (Some(finite), None) => finite,
            (None, None) => (0.0, 0.0),
        };
        let narrow = matches!(
            from,
            DType::U8 | DType::I8 | DType::U16 | DType::I16 | DType::F16 | DType::F32
        );
        let scaled = |value: f64, wide: bool| {
            let fit = Self {
                slope,
                inter,
                wide,
                low: 0.0,
                high: 0.0,
                nan: 0.0,
            };
            fit.scale(value)
        };
        // As in nibabel, f32 is used for small types unless their scaled extremes overflow it.
        let wide = !(narrow && scaled(low, false).is_finite() && scaled(high, false).is_finite());
        let (out_low, out_high) = shared_range(to, wide).unwrap_or((0.0, 0.0));
        let ends = [scaled(low, wide), scaled(high, wide)].map(f64::round_ties_even);
        Self {
            slope,
            inter,
            wide,
            low: ends[0].min(ends[1]).max(out_low),
            high: ends[0].max(ends[1]).min(out_high),
            nan: scaled(0.0, wide).round_ties_even().clamp(out_low, out_high),
        }
    }

    fn scale(&self, value: f64) -> f64 {
        if self.wide {
            (value - f64::from(self.inter)) / f64::from(self.slope)
        } else {
            ((value as f32 - self.inter) / self.slope).into()
        }
    }

    fn store(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.nan;
        }
        let rounded = self.scale(value).round_ties_even();
        // Not `clamp`, which panics if the bounds are in the wrong order.
        rounded.max(self.low).min(self.high)
    }
}

fn integer_limits(dtype: DType) -> Option<(i128, i128)> {
    Some(match dtype {
        DType::U8 => (0, u8::MAX.into()),
        DType::I8 => (i8::MIN.into(), i8::MAX.into()),
        DType::U16 => (0, u16::MAX.into()),
        DType::I16 => (i16::MIN.into(), i16::MAX.into()),
        DType::U32 => (0, u32::MAX.into()),
        DType::I32 => (i32::MIN.into(), i32::MAX.into()),
        DType::U64 => (0, u64::MAX.into()),
        DType::I64 => (i64::MIN.into(), i64::MAX.into()),
        _ => return None,
    })
}

/// The largest range of an integer type whose ends are exact in a float type (f64 if `wide`, else f32).
fn shared_range(to: DType, wide: bool) -> Option<(f64, f64)> {
    let (low, high) = integer_limits(to)?;
    let high = if wide {
        floor_f64(high)
    } else {
        floor_f32(high).into()
    };
    Some((low as f64, high))
}

/// The largest f32 that is not above the integer.
fn floor_f32(value: i128) -> f32 {
    let nearest = value as f32;
    if nearest as i128 > value {
        nearest.next_down()
    } else {
        nearest
    }
}

/// The largest f64 that is not above the integer.
fn floor_f64(value: i128) -> f64 {
    let nearest = value as f64;
    if nearest as i128 > value {
        nearest.next_down()
    } else {
        nearest
    }
}
