//! The types that every other layer uses: voxel types, arrays, shapes, scaling, affines, options and errors.

pub(crate) mod affine;
pub(crate) mod array;
pub(crate) mod buffer;
pub(crate) mod cancel;
pub(crate) mod dtype;
pub(crate) mod error;
pub(crate) mod float;
pub(crate) mod format;
pub(crate) mod limits;
pub(crate) mod options;
pub(crate) mod parallel;
pub(crate) mod scaling;
pub(crate) mod scope;
pub(crate) mod shape;
pub(crate) mod threads;
