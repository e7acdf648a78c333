//! Functions for the parsers of text headers.

use crate::core::error::{Error, ErrorKind, Result};

/// Numbers separated by white space.
///
/// # Errors
/// The field, if a word is not a number of this type.
pub(super) fn numbers<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<Vec<T>> {
    text.split_whitespace()
        .map(|word| number(field, word))
        .collect()
}

/// Exactly `N` numbers separated by white space.
///
/// # Errors
/// The field, if there are more or fewer, or a word is not a number of this type.
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
/// The field, if the text is not a number of this type.
pub(super) fn number<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T> {
    let text = text.trim();
    text.parse()
        .map_err(|_| Error::header(field, quoted(text), "a number"))
}

/// A text for a message: quoted and shortened.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    format!("{short:?}")
}

/// Axis lengths, from numbers in a header.
///
/// # Errors
/// The field, if a length is negative or does not fit in this machine's address space.
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

/// Checks the number of entries of a scaling table.
///
/// # Errors
/// [`ErrorKind::Limit`] if there are more than any recording needs.
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

/// File names from a C pattern (`slice%03d.raw`) and the first, the last and the step of their numbers.
///
/// # Errors
/// The field, for a pattern without exactly one `%d`, or more than `max` files.
pub(super) fn numbered(
    field: &'static str,
    pattern: &str,
    [first, last, step]: [i64; 3],
    max: i64,
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
        .ok_or_else(|| refuse("one %d in the name"))?;
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
    if !(0..max).contains(&count) {
        return Err(refuse("numbers that lead from the first to the last"));
    }
    let name = |k: i64| match (first + k * step, zeros) {
        (number, true) => format!("{before}{number:0width$}{after}"),
        (number, false) => format!("{before}{number:width$}{after}"),
    };
    Ok((0..=count).map(name).collect())
}
