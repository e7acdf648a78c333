//! Index
pub(crate) mod plan;
