//! What these tests share with those of the library.

#![allow(dead_code, reason = "the library's tests use the rest")]

#[cfg(feature = "gpu")]
#[path = "../../tests/support/adapter.rs"]
pub mod adapter;
#[path = "../../tests/support/child.rs"]
pub mod child;
#[path = "../../tests/support/environment.rs"]
pub mod environment;
#[path = "../../tests/support/files.rs"]
pub mod files;
#[path = "../../tests/formats/manifest.rs"]
pub mod manifest;
#[path = "../../tests/support/nifti.rs"]
pub mod nifti;
#[path = "../../tests/support/program.rs"]
pub mod program;
#[path = "../../tests/formats/seeds.rs"]
pub mod seeds;
#[path = "../../tests/support/table.rs"]
pub mod table;
