//! Recipes: how to use voxload for a task, or instead of another library.
//!
//! | to do | page |
//! |---|---|
//! | draw volumes and play series with wgpu | [`renderer`] |
//! | process a series that is larger than memory | [`larger_than_memory`] |
//! | read on your own threads, and stop a read | [`threads`] |
//! | write NIfTI, at once or frame by frame | [`writing`] |
//! | read over HTTP or from an archive | [`byte_source`] |
//! | process a dataset on a cluster, in Python | [`cluster`] |
//! | show a volume on a web page | [`web_page`] |
//! | move a program from nibabel | [`nibabel`] |
//! | move a program from SimpleITK | [`simpleitk`] |
//! | move a program from nifti-rs | [`nifti_rs`] |
//! | add a file format to voxload | [`adding_a_format`] |
//!
//! The pages are in the repository's folder `doc/guide`. Their examples are tests: those in Rust run as doctests, those in
//! Python in `python/tests/test_pages.py`, those in JavaScript in `web/tests/pages/guide.js`. Two whole programs are in
//! `examples/`: `viewer` shows volumes in a window, `preprocess` normalises a series that is larger than memory.

#[doc = include_str!("../doc/guide/renderer.md")]
pub mod renderer {}

#[doc = include_str!("../doc/guide/larger-than-memory.md")]
pub mod larger_than_memory {}

#[doc = include_str!("../doc/guide/threads.md")]
pub mod threads {}

#[doc = include_str!("../doc/guide/writing.md")]
pub mod writing {}

#[doc = include_str!("../doc/guide/byte-source.md")]
pub mod byte_source {}

#[doc = include_str!("../doc/guide/cluster.md")]
pub mod cluster {}

#[doc = include_str!("../doc/guide/web-page.md")]
pub mod web_page {}

#[doc = include_str!("../doc/guide/nibabel.md")]
pub mod nibabel {}

#[doc = include_str!("../doc/guide/simpleitk.md")]
pub mod simpleitk {}

#[doc = include_str!("../doc/guide/nifti-rs.md")]
pub mod nifti_rs {}

#[doc = include_str!("../doc/guide/adding-a-format.md")]
pub mod adding_a_format {}
