//! Numpy-style selection: from its notation to the voxels that it selects.

use std::num::IntErrorKind;
use std::str::FromStr;

use ndarray::{Dimension, SliceInfo, SliceInfoElem};

use crate::core::error::{Error, Result};
use crate::plan::selection::{OutAxis, Positions, Selection};

/// One item of an [`Index`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexItem {
    /// One position of an axis, from the end when negative; the axis is dropped.
    At(i64),
    /// `start:stop:step`, with numpy's defaults for what is absent.
    Slice {
        /// The first position, from the end when negative.
        start: Option<i64>,
        /// The position after the last, from the end when negative.
        stop: Option<i64>,
        /// From one position to the next; 1 when absent.
        step: Option<i64>,
    },
    /// As many whole axes as are not named otherwise.
    Ellipsis,
    /// A new axis of length 1.
    NewAxis,
}

/// A selection in numpy's basic indexing: integers, slices with steps, `...`, new axes.
///
/// Out-of-range slice bounds clamp, an out-of-range integer is an error, axes that are not named are whole.
///
/// Methods with an index accept anything that can become one (`impl TryInto<Index>`): numpy's notation as text, an `Index`,
/// ndarray's `s![..]`, an integer or a range for the first axis, and tuples of these for the first axes.
///
/// ```
/// # fn main() -> voxload::Result<()> {
/// use ndarray::s;
/// use voxload::{DataobjImage, HostArray, Index};
///
/// let written: Index = "[1:3, ..., ::-1]".parse()?;
/// let built = Index::new().range(1..3).ellipsis().slice(None, None, Some(-1));
/// assert_eq!(written, built);
///
/// let array = HostArray::from_vec(&[4, 3, 2], (0..24i16).collect())?;
/// let image = DataobjImage::from_array(array, None)?;
/// let row = image.dataobj().slice::<f32>("[1:3, 0, 1]")?;
/// assert_eq!(row, image.dataobj().slice(s![1..3, 0, 1])?);
/// assert_eq!(row, image.dataobj().slice((1..3, 0, 1))?);
/// assert_eq!(row, image.dataobj().slice(Index::new().range(1..3).at(0).at(1))?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Index {
    items: Vec<IndexItem>,
    /// ndarray slices first and reverses afterwards; numpy walks backwards from the start.
    ndarray: bool,
}

impl Index {
    /// Everything; items are added with the methods below.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one position of the next axis.
    pub fn at(mut self, position: i64) -> Self {
        self.items.push(IndexItem::At(position));
        self
    }

    /// Adds `start:stop:step` of the next axis.
    pub fn slice(mut self, start: Option<i64>, stop: Option<i64>, step: Option<i64>) -> Self {
        self.items.push(IndexItem::Slice { start, stop, step });
        self
    }

    /// Adds a range of the next axis.
    pub fn range(self, range: std::ops::Range<i64>) -> Self {
        self.slice(Some(range.start), Some(range.end), None)
    }

    /// Adds the whole next axis.
    pub fn all(self) -> Self {
        self.slice(None, None, None)
    }

    /// Adds `...`.
    pub fn ellipsis(mut self) -> Self {
        self.items.push(IndexItem::Ellipsis);
        self
    }

    /// Adds a new axis of length 1.
    pub fn new_axis(mut self) -> Self {
        self.items.push(IndexItem::NewAxis);
        self
    }

    fn of(items: impl Into<Vec<IndexItem>>) -> Self {
        Self {
            items: items.into(),
            ndarray: false,
        }
    }

    /// The items.
    pub fn items(&self) -> &[IndexItem] {
        &self.items
    }

    /// What the index selects of an array of this shape.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] for too many items, two ellipses, a step of 0, an integer out of range.
    pub(crate) fn select(&self, shape: &[usize]) -> Result<Selection> {
        let named = self
            .items
            .iter()
            .filter(|item| matches!(item, IndexItem::At(_) | IndexItem::Slice { .. }))
            .count();
        let ellipses = self
            .items
            .iter()
            .filter(|&&item| item == IndexItem::Ellipsis)
            .count();
        if ellipses > 1 {
            return Err(Error::index("more than one ellipsis"));
        }
        if named > shape.len() {
            return Err(Error::index(format!(
                "{named} axes are named, the array has {}",
                shape.len()
            )));
        }
        let mut selection = Selection {
            axes: Vec::with_capacity(shape.len()),
            out: Vec::with_capacity(shape.len()),
        };
        let unnamed = shape.len() - named;
        for item in &self.items {
            match *item {
                IndexItem::NewAxis => selection.out.push(OutAxis::New(1)),
                IndexItem::Ellipsis => selection.push_whole(shape, unnamed),
                IndexItem::At(position) => selection.push_at(shape, position)?,
                IndexItem::Slice { start, stop, step } => {
                    let length = selection.next_length(shape)?;
                    let step = step.unwrap_or(1);
                    let axis = if self.ndarray {
                        ndarray_slice(length, start.unwrap_or(0), stop, step)?
                    } else {
                        numpy_slice(length, start, stop, step)?
                    };
                    selection.out.push(OutAxis::Axis(selection.axes.len()));
                    selection.axes.push(axis);
                }
            }
        }
        let rest = shape.len() - selection.axes.len();
        selection.push_whole(shape, rest);
        Ok(selection)
    }
}

/// The positions of `start:stop:step`: Python's `slice.indices`.
fn numpy_slice(length: u64, start: Option<i64>, stop: Option<i64>, step: i64) -> Result<Positions> {
    if step == 0 {
        return Err(Error::index("a step of 0"));
    }
    let length = length as i64;
    let (lowest, highest) = if step < 0 {
        (-1, length - 1)
    } else {
        (0, length)
    };
    let clamp = |bound: i64| {
        let from_start = if bound < 0 {
            bound.saturating_add(length)
        } else {
            bound
        };
        from_start.clamp(lowest, highest.max(lowest))
    };
    let start = start.map_or(if step < 0 { highest } else { lowest }, clamp);
    let stop = stop.map_or(if step < 0 { lowest } else { highest }, clamp);
    let distance = if step < 0 { start - stop } else { stop - start };
    let count = match u64::try_from(distance) {
        Ok(distance) => distance.div_ceil(step.unsigned_abs()),
        Err(_) => 0,
    };
    Ok(Positions {
        start: if count == 0 { 0 } else { start as u64 },
        step,
        count,
    })
}

/// ndarray's meaning: the range first, then every `|step|`-th from its start, or from its end when negative.
fn ndarray_slice(length: u64, start: i64, stop: Option<i64>, step: i64) -> Result<Positions> {
    let bound = |bound: i64| {
        let from_start = if bound < 0 {
            bound + length as i64
        } else {
            bound
        };
        u64::try_from(from_start)
            .ok()
            .filter(|&position| position <= length)
            .ok_or_else(|| {
                Error::index(format!(
                    "{bound} is out of range for an axis of length {length}"
                ))
            })
    };
    if step == 0 {
        return Err(Error::index("a step of 0"));
    }
    let start = bound(start)?;
    let stop = stop.map_or(Ok(length), bound)?;
    let count = stop.saturating_sub(start).div_ceil(step.unsigned_abs());
    let first = if step < 0 && count > 0 {
        stop - 1
    } else {
        start
    };
    Ok(Positions {
        start: if count == 0 { 0 } else { first },
        step,
        count,
    })
}

impl FromStr for Index {
    type Err = Error;

    /// Parses numpy's notation: `[..., 3]`, `10:20, ::-1`, `None`, `np.newaxis`; the brackets may be left out.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] with the part that cannot be read.
    fn from_str(text: &str) -> Result<Self, Error> {
        let trimmed = text.trim();
        let inner = match (trimmed.strip_prefix('['), trimmed.ends_with(']')) {
            (Some(rest), true) => &rest[..rest.len() - 1],
            (None, false) => trimmed,
            _ => return Err(Error::index(format!("unbalanced brackets in {text:?}"))),
        };
        let mut items = Vec::new();
        let mut parts: Vec<&str> = inner.split(',').map(str::trim).collect();
        // A comma at the end is legal, as in Python's tuples; nothing at all is not.
        if parts.len() > 1 && parts.last() == Some(&"") {
            parts.pop();
        }
        for part in parts {
            items.push(
                parse_item(part)
                    .ok_or_else(|| Error::index(format!("cannot read {part:?} in {text:?}")))?,
            );
        }
        Ok(Self::of(items))
    }
}

fn parse_item(part: &str) -> Option<IndexItem> {
    match part {
        "..." | "Ellipsis" => return Some(IndexItem::Ellipsis),
        "None" | "newaxis" | "np.newaxis" => return Some(IndexItem::NewAxis),
        _ => {}
    }
    if !part.contains(':') {
        return Some(IndexItem::At(parse_integer(part)?));
    }
    let mut bounds = part.split(':').map(|bound| match bound.trim() {
        "" | "None" => Some(None),
        number => parse_integer(number).map(Some),
    });
    let start = bounds.next()??;
    let stop = bounds.next()??;
    let step = bounds.next().unwrap_or(Some(None))?;
    if bounds.next().is_some() {
        return None;
    }
    Some(IndexItem::Slice { start, stop, step })
}

/// A Python integer: sign, digits, single underscores between them.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['-', '+']);
    let underscores_fine =
        !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    if !underscores_fine || text.len() - digits.len() > 1 {
        return None;
    }
    match text.replace('_', "").parse() {
        Ok(number) => Some(number),
        // Far out of any range either way: slices clamp it, integers refuse it.
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(i64::MAX),
        Err(error) if *error.kind() == IntErrorKind::NegOverflow => Some(i64::MIN),
        Err(_) => None,
    }
}

impl TryFrom<&str> for Index {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Index {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for Index {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl From<&Self> for Index {
    fn from(index: &Self) -> Self {
        index.clone()
    }
}

impl From<std::ops::RangeFull> for IndexItem {
    fn from(_: std::ops::RangeFull) -> Self {
        Self::Slice {
            start: None,
            stop: None,
            step: None,
        }
    }
}

/// Positions and ranges of integers of these types as items. No axis is longer than `i64::MAX`: what is above is out of
/// range there too.
macro_rules! items_of_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for IndexItem {
            fn from(position: $integer) -> Self {
                Self::At(i64::try_from(position).unwrap_or(i64::MAX))
            }
        }

        impl From<std::ops::Range<$integer>> for IndexItem {
            fn from(range: std::ops::Range<$integer>) -> Self {
                Self::Slice {
                    start: Some(i64::try_from(range.start).unwrap_or(i64::MAX)),
                    stop: Some(i64::try_from(range.end).unwrap_or(i64::MAX)),
                    step: None,
                }
            }
        }

        impl From<std::ops::RangeFrom<$integer>> for IndexItem {
            fn from(range: std::ops::RangeFrom<$integer>) -> Self {
                Self::Slice {
                    start: Some(i64::try_from(range.start).unwrap_or(i64::MAX)),
                    stop: None,
                    step: None,
                }
            }
        }

        impl From<std::ops::RangeTo<$integer>> for IndexItem {
            fn from(range: std::ops::RangeTo<$integer>) -> Self {
                Self::Slice {
                    start: None,
                    stop: Some(i64::try_from(range.end).unwrap_or(i64::MAX)),
                    step: None,
                }
            }
        }

        indices_of_items!(
            $integer,
            std::ops::Range<$integer>,
            std::ops::RangeFrom<$integer>,
            std::ops::RangeTo<$integer>
        );
    )*};
}

/// An index of one such item.
macro_rules! indices_of_items {
    ($($item:ty),*) => {$(
        impl From<$item> for Index {
            fn from(item: $item) -> Self {
                Self::of([item.into()])
            }
        }
    )*};
}

/// An index of as many items as a tuple has.
macro_rules! indices_of_tuples {
    ($(($($item:ident $value:ident),+)),* $(,)?) => {$(
        impl<$($item: Into<IndexItem>),+> From<($($item,)+)> for Index {
            fn from(($($value,)+): ($($item,)+)) -> Self {
                Self::of([$($value.into()),+])
            }
        }
    )*};
}

items_of_integers!(i32, i64, isize, usize);
indices_of_items!(IndexItem, std::ops::RangeFull);
indices_of_tuples!(
    (A a),
    (A a, B b),
    (A a, B b, C c),
    (A a, B b, C c, D d),
    (A a, B b, C c, D d, E e),
    (A a, B b, C c, D d, E e, F f),
    (A a, B b, C c, D d, E e, F f, G g),
);

impl<T: AsRef<[SliceInfoElem]>, Din: Dimension, Dout: Dimension> From<SliceInfo<T, Din, Dout>>
    for Index
{
    /// ndarray's meaning: with a negative step the range is sliced first and then reversed.
    fn from(info: SliceInfo<T, Din, Dout>) -> Self {
        Self::from(&info)
    }
}

impl<T: AsRef<[SliceInfoElem]>, Din: Dimension, Dout: Dimension> From<&SliceInfo<T, Din, Dout>>
    for Index
{
    /// ndarray's meaning: with a negative step the range is sliced first and then reversed.
    fn from(info: &SliceInfo<T, Din, Dout>) -> Self {
        let elements: &[SliceInfoElem] = info.as_ref();
        let items = elements
            .iter()
            .map(|element| match *element {
                SliceInfoElem::Slice { start, end, step } => IndexItem::Slice {
                    start: Some(start as i64),
                    stop: end.map(|end| end as i64),
                    step: Some(step as i64),
                },
                SliceInfoElem::Index(position) => IndexItem::At(position as i64),
                SliceInfoElem::NewAxis => IndexItem::NewAxis,
            })
            .collect();
        Self {
            items,
            ndarray: true,
        }
    }
}
