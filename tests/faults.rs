//! Promise: whatever happens to a file, a read gives the right voxels or a typed error; never a panic, a signal, a hang
//! or a wrong value. One module for each row of the table of faults that is not a promise of its own elsewhere.
//!
//! `VOXLOAD_LONG=1` (`tests/long.sh`) runs every row at its full volume. Each says how many cases it ran.

#[cfg(target_os = "linux")]
mod bombs;
mod changing;
mod cuts;
mod limits;
pub mod mutations;
#[cfg(target_os = "linux")]
mod reads;
mod seek_index;
mod threads;

use crate::support::environment::volume;
use crate::support::table::Row;
