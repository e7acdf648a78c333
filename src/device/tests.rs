//! The kernel against a scalar model in native f64 arithmetic.

mod boxes;
mod choice;
mod faults;
mod loss;
mod model;
mod speed;
mod values;

use super::*;
use crate::convert::Conversion;
use crate::device::testing::{gpu_or_skip, plain_device};
use crate::device::upload::{Purpose, Ring};
use crate::dtype::{ByteOrder, DType};
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::plan::{Axis, Plan};
use crate::read::tiles::TileReader;
use crate::scaling::{Arithmetic, Factor, Scaling, Step};
