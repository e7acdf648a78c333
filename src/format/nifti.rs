//! NIfTI

/// NIfTI header.
#[derive(Debug, Clone, PartialEq)]
pub struct NiftiHeader {}
