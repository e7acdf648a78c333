//! Promise: what a user builds with voxload works: the viewer, run as it is, also on a virtual display.

#![allow(
    unreachable_pub,
    reason = "a test binary exports nothing, and its files are shared"
)]

#[cfg(target_os = "linux")]
mod display;
mod parts;
mod pictures;
mod support;
#[cfg(target_os = "linux")]
mod window;
