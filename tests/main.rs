//! Every integration test in one binary: one module for each promise of the crate. Tests that compare with nibabel need the
//! files that `tests/run.sh` makes: they are ignored unless asked for (`-- --include-ignored --skip child_`; the tests whose
//! names begin with `child_` are parts of others, which run them in processes of their own).

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

mod axes;
mod bits;
mod bits_complex;
mod budget;
mod cache_walk;
mod caches;
mod cancel;
mod conditions;
mod content;
#[cfg(feature = "gpu")]
mod device_outputs;
mod entry;
mod faults;
mod files;
mod formats;
mod formats_page;
mod gzip;
mod kinds;
mod layers;
mod malformed;
mod malformed_files;
mod malformed_gzip;
mod many;
#[cfg(target_os = "linux")]
mod memory;
mod oracle_values;
mod orientation;
mod raw_files;
mod reads;
mod real_files;
mod requests;
mod slices;
mod small_devices;
mod statistics;
mod streams;
mod support;
mod sweep;
mod threads;
mod unsafe_code;
mod values_page;
mod writing;
