//! Indexes from numpy's notation and from ndarray's `s![]`.

use std::num::IntErrorKind;
use std::str::FromStr;

use ndarray::{Dimension, SliceInfo, SliceInfoElem};

use super::{Index, IndexItem};
use crate::error::Error;

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
        Ok(Self {
            items,
            ndarray: false,
        })
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

impl<T: AsRef<[SliceInfoElem]>, Din: Dimension, Dout: Dimension> From<SliceInfo<T, Din, Dout>>
    for Index
{
    /// ndarray's meaning: a negative step takes the range first and reverses it.
    fn from(info: SliceInfo<T, Din, Dout>) -> Self {
        Self::from(&info)
    }
}

impl<T: AsRef<[SliceInfoElem]>, Din: Dimension, Dout: Dimension> From<&SliceInfo<T, Din, Dout>>
    for Index
{
    /// ndarray's meaning: a negative step takes the range first and reverses it.
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
