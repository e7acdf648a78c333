//! What these tests share with those of the library.

#![allow(dead_code, reason = "the library's tests use the rest")]

#[path = "../../../tests/support/adapter.rs"]
pub mod adapter;
#[path = "../../../tests/support/environment.rs"]
pub mod environment;
#[path = "../../../tests/support/files.rs"]
pub mod files;
#[path = "../../../tests/support/nifti.rs"]
pub mod nifti;
#[path = "../../../tests/support/program.rs"]
pub mod program;
#[path = "../../../tests/support/rng.rs"]
pub mod rng;
