//! Promise: what a user builds with voxload works: the program, run as it is.

#![allow(
    unreachable_pub,
    reason = "a test binary exports nothing, and its files are shared"
)]
#![cfg_attr(
    not(target_os = "linux"),
    allow(
        dead_code,
        unused_imports,
        reason = "some tests need Linux, and use these alone"
    )
)]

mod results;
mod support;
