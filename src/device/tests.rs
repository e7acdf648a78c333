//! Tests of the kernel against a scalar model in native f64 arithmetic.

mod boxes;
mod choice;
mod faults;
mod loss;
mod model;
mod values;

use super::cut::check_convertible;
use super::kernel::Kernel;
use super::load::{Feeder, Load};
use super::testing::{IS_BROWSER_LIKE, both_ways, gpu_or_skip, plain_device, wait};
use super::*;
use crate::convert::Conversion;
use crate::core::dtype::{ByteOrder, DType};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Float;
use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
use crate::plan::{Axis, Plan};
use crate::read::tiles::TileReader;
use crate::testing::Rng;
use crate::testing::environment::volume;
