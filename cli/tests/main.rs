//! The command's tests in one binary: what it prints, writes and draws, and how it fails.

#![allow(
    unreachable_pub,
    reason = "a test binary exports nothing, and its files are shared"
)]

mod command;
mod faults;
mod info;
mod render;
mod stats;
mod support;
mod text_headers;
mod to_nifti;
mod ways_out;
