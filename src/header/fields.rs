//! The formats' own fields, as stored in the file. Nothing here depends on the parsers.

pub(crate) mod analyze;
pub(crate) mod binary;
pub(crate) mod mgh;
pub(crate) mod nifti;

use analyze::AnalyzeHeader;
use mgh::MghHeader;
use nifti::NiftiHeader;

use crate::core::error::{Error, Result};

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
