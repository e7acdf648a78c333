//! Headers that are text: what their parsers share.

use crate::core::error::{Error, ErrorKind, Result};

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
/// The field, when one is, or is larger than this machine's memory can be.
pub(super) fn shape(field: &'static str, lengths: &[i64]) -> Result<Vec<usize>> {
    let checked = lengths.iter().map(|&length| usize::try_from(length));
    checked.collect::<Result<_, _>>().map_err(|_| {
        let expected = match lengths.iter().any(|&length| length < 0) {
            true => "lengths that are not negative",
            false => "lengths that this machine can address",
        };
        Error::header(field, format!("{lengths:?}"), expected)
    })
}

/// # Errors
/// [`ErrorKind::Limit`] when a table of scaling has more entries than any recording.
pub(super) fn check_entries(entries: u64) -> Result<()> {
    const MAX: u64 = 1 << 24;
    if entries > MAX {
        return Err(ErrorKind::Limit {
            what: "scaling table",
            needed: u128::from(entries) * 8,
            allowed: MAX * 8,
        }
        .into());
    }
    Ok(())
}

/// Names of files from a C pattern (`slice%03d.raw`) and the first, the last and the step of their numbers.
///
/// # Errors
/// The field, for another pattern or more than `most` files.
pub(super) fn numbered(
    field: &'static str,
    pattern: &str,
    [first, last, step]: [i64; 3],
    most: i64,
) -> Result<Vec<String>> {
    let refuse = |expected: &str| Error::header(field, quoted(pattern), expected);
    let (before, rest) = pattern.split_once('%').unwrap_or((pattern, ""));
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (width, rest) = rest.split_at(digits);
    let after = rest
        .strip_prefix('d')
        .filter(|after| !after.contains('%'))
        .ok_or_else(|| refuse("a single %d in the name"))?;
    let zeros = width.starts_with('0');
    let width: usize = match width {
        "" => 0,
        digits => digits
            .parse()
            .ok()
            .filter(|&n| n < 64)
            .ok_or_else(|| refuse("a width"))?,
    };
    let span = last.checked_sub(first).filter(|_| step != 0);
    let count = span.and_then(|span| span.checked_div(step)).unwrap_or(-1);
    if !(0..most).contains(&count) {
        return Err(refuse("numbers that lead from the first to the last"));
    }
    let name = |k: i64| match (first + k * step, zeros) {
        (number, true) => format!("{before}{number:0width$}{after}"),
        (number, false) => format!("{before}{number:width$}{after}"),
    };
    Ok((0..=count).map(name).collect())
}
