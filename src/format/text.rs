//! Headers that are text: what their parsers share.

use crate::error::{Error, ErrorKind, Result};

/// Keys and values, in the order of the file; a key may come more than once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextHeader(Vec<(String, String)>);

impl TextHeader {
    /// All keys with their values.
    pub fn entries(&self) -> &[(String, String)] {
        &self.0
    }

    /// The last value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut matching = self.0.iter().rev().filter(|(known, _)| known == key);
        matching.next().map(|(_, value)| value.as_str())
    }

    pub(super) fn push(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    /// The field, when there is no such key.
    pub(super) fn require(&self, key: &'static str) -> Result<&str> {
        self.get(key)
            .ok_or_else(|| Error::header(key, "nothing", "the field"))
    }
}

/// Numbers separated by white space.
///
/// # Errors
/// The field, when a word is no number of this type.
pub(super) fn numbers<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<Vec<T>> {
    text.split_whitespace()
        .map(|word| number(field, word))
        .collect()
}

/// As many numbers as wanted.
///
/// # Errors
/// The field, when there are more or fewer, or a word is no number of this type.
pub(super) fn exactly<const N: usize, T: std::str::FromStr>(
    field: &'static str,
    text: &str,
) -> Result<[T; N]> {
    let found = numbers(field, text)?;
    <[T; N]>::try_from(found)
        .map_err(|_| Error::header(field, quoted(text), format!("{N} numbers")))
}

/// One number.
///
/// # Errors
/// The field, when the text is no number of this type.
pub(super) fn number<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T> {
    let text = text.trim();
    text.parse()
        .map_err(|_| Error::header(field, quoted(text), "a number"))
}

/// A text for a message: in quotes and not too long.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    format!("{short:?}")
}

/// Axis lengths, from numbers that must not be negative.
///
/// # Errors
/// The field, when one is.
pub(super) fn shape(field: &'static str, lengths: &[i64]) -> Result<Vec<usize>> {
    lengths
        .iter()
        .map(|&length| usize::try_from(length))
        .collect::<Result<_, _>>()
        .map_err(|_| {
            Error::header(
                field,
                format!("{lengths:?}"),
                "lengths that are not negative",
            )
        })
}

/// # Errors
/// [`ErrorKind::Limit`] when a table of scaling has more entries than any recording.
pub(super) fn check_entries(entries: usize) -> Result<()> {
    const MOST: usize = 1 << 24;
    if entries > MOST {
        return Err(ErrorKind::Limit {
            what: "scaling table",
            needed: entries as u128 * 8,
            allowed: MOST as u64 * 8,
        }
        .into());
    }
    Ok(())
}
