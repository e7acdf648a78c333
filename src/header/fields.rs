//! The formats' own fields, as stored in the file. Nothing here depends on the parsers.

pub(crate) mod analyze;
pub(crate) mod binary;
pub(crate) mod cifti;
pub(crate) mod codes;
pub(crate) mod mgh;
pub(crate) mod nifti;

use analyze::AnalyzeHeader;
use mgh::{MghFooter, MghHeader};
use nifti::NiftiHeader;

use std::str::FromStr;

use crate::core::error::{Error, Result};
use binary::{Field, Stored};

/// The value of a header field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A real number. If it is stored as f32, this is the shortest decimal number that gives the same f32.
    Real(f64),
    /// Several whole numbers.
    Integers(Vec<i64>),
    /// Several real numbers.
    Reals(Vec<f64>),
}

impl FieldValue {
    /// The value of a field of a binary header, from its text.
    fn of_field(field: &Field, text: String) -> Self {
        fn numbers<T: FromStr>(text: &str) -> Option<Vec<T>> {
            let words = text.split_whitespace();
            words.map(|word| word.parse().ok()).collect()
        }
        let value = match field.stored {
            Stored::Text => None,
            Stored::F32 | Stored::F64 => numbers(&text).map(Self::Reals),
            _ => numbers(&text).map(Self::Integers),
        };
        match value {
            Some(Self::Integers(numbers)) if field.count == 1 => {
                Self::Integer(numbers.first().copied().unwrap_or_default())
            }
            Some(Self::Reals(numbers)) if field.count == 1 => {
                Self::Real(numbers.first().copied().unwrap_or_default())
            }
            Some(value) => value,
            None => Self::Text(text),
        }
    }

    /// The value of a key of a text header: numbers if the text consists of numbers. A number with leading zeros is
    /// treated as a name, and stays text.
    fn of_text(text: &str) -> Self {
        let is_number = |word: &str| {
            let digits = word.strip_prefix('-').unwrap_or(word);
            let leading = digits.bytes().take(2).collect::<Vec<_>>();
            let named = matches!(*leading, [b'0', b'0'..=b'9'] | []);
            let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
            !named && digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(known)
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let numbers = words.iter().all(|word| is_number(word)).then_some(&words);
        let integers =
            numbers.and_then(|words| words.iter().map(|word| word.parse().ok()).collect());
        let reals = numbers.and_then(|words| words.iter().map(|word| word.parse().ok()).collect());
        match (integers, reals) {
            (Some(numbers), _) => Self::integers(numbers, text),
            (None, Some(numbers)) => Self::reals(numbers, text),
            (None, None) => Self::Text(text.to_owned()),
        }
    }

    fn integers(numbers: Vec<i64>, text: &str) -> Self {
        match numbers.as_slice() {
            [] => Self::Text(text.to_owned()),
            [one] => Self::Integer(*one),
            _ => Self::Integers(numbers),
        }
    }

    fn reals(numbers: Vec<f64>, text: &str) -> Self {
        match numbers.as_slice() {
            [] => Self::Text(text.to_owned()),
            [one] => Self::Real(*one),
            _ => Self::Reals(numbers),
        }
    }
}

/// A format's own fields.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fields {
    /// All fields of a NIfTI-1 or NIfTI-2 header, and its extensions.
    Nifti(Box<NiftiHeader>),
    /// All fields of an Analyze 7.5 header, in any of its three variants.
    Analyze(Box<AnalyzeHeader>),
    /// The header and the footer of an MGH file.
    Mgh(Box<MghHeader>),
    /// The keys and values of a header that is text, or is treated as text: AFNI, PAR/REC, ECAT, NRRD, MetaImage, MINC.
    Text(TextHeader),
    /// No fields: the image was made from an array.
    None,
}

impl Fields {
    /// Every field with its value, in the order of the file.
    pub fn values(&self) -> Vec<(String, FieldValue)> {
        fn of(fields: Vec<(&'static Field, String)>) -> Vec<(String, FieldValue)> {
            let value = |(field, text): (&Field, String)| {
                (field.name.to_owned(), FieldValue::of_field(field, text))
            };
            fields.into_iter().map(value).collect()
        }
        match self {
            Self::Nifti(nifti) => of(nifti.texts()),
            Self::Analyze(analyze) => of(analyze.texts()),
            Self::Mgh(mgh) => {
                let footer = mgh.footer().into_iter().flat_map(MghFooter::values);
                of(mgh.texts()).into_iter().chain(footer).collect()
            }
            Self::Text(text) => {
                let entries = text.entries().iter();
                let value =
                    |(key, text): &(String, String)| (key.clone(), FieldValue::of_text(text));
                entries.map(value).collect()
            }
            Self::None => Vec::new(),
        }
    }

    /// Every field with its value as text, in the order of the file.
    pub fn list(&self) -> Vec<(String, String)> {
        fn owned(fields: impl Iterator<Item = (&'static str, String)>) -> Vec<(String, String)> {
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        }
        match self {
            Self::Nifti(nifti) => owned(nifti.fields()),
            Self::Analyze(analyze) => owned(analyze.fields()),
            Self::Mgh(mgh) => owned(mgh.fields()),
            Self::Text(text) => text.entries().to_vec(),
            Self::None => Vec::new(),
        }
    }
}

/// Keys and values, in the order of the file. A key may occur more than once.
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

    pub(crate) fn push(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    /// The value of a required key.
    ///
    /// # Errors
    /// The field, if the key does not exist.
    pub(crate) fn require(&self, key: &'static str) -> Result<&str> {
        self.get(key)
            .ok_or_else(|| Error::header(key, "nothing", "the field"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_numbers_and_names_are_not() {
        use FieldValue::{Integer, Integers, Real, Reals, Text};
        for (text, expected) in [
            ("12", Integer(12)),
            ("-3", Integer(-3)),
            ("0", Integer(0)),
            ("2 3 4", Integers(vec![2, 3, 4])),
            ("2000.000", Real(2000.0)),
            ("0.5", Real(0.5)),
            ("-0.000  1e3", Reals(vec![-0.0, 1000.0])),
            ("1 0.5", Reals(vec![1.0, 0.5])),
        ] {
            assert_eq!(FieldValue::of_text(text), expected, "{text:?}");
        }
        for text in [
            "",
            " ",
            "short",
            "0042",
            "00",
            "nan",
            "inf",
            "-inf",
            "1 of 2",
            "1.2.3",
            "2001-02-03",
            "-",
            "e3",
            "+5",
            "(1,0,0)",
        ] {
            assert_eq!(FieldValue::of_text(text), Text(text.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn binary_fields_have_their_types() {
        let nifti = NiftiHeader {
            dim: [3, 2, 3, 4, 1, 1, 1, 1],
            scl_slope: f64::from(0.1f32),
            cal_max: f64::INFINITY,
            descrip: "42".to_owned(),
            ..NiftiHeader::default()
        };
        let fields = Fields::Nifti(Box::new(nifti));
        let values = fields.values();
        let get = |name: &str| {
            values
                .iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!(
            get("dim"),
            FieldValue::Integers(vec![3, 2, 3, 4, 1, 1, 1, 1])
        );
        assert_eq!(get("scl_slope"), FieldValue::Real(0.1));
        assert_eq!(get("cal_max"), FieldValue::Real(f64::INFINITY));
        assert_eq!(get("descrip"), FieldValue::Text("42".to_owned()));
        assert_eq!(get("datatype"), FieldValue::Integer(0));
        let names = fields.list().into_iter().map(|(name, _)| name);
        assert!(names.eq(values.iter().map(|(name, _)| name.clone())));
    }
}
