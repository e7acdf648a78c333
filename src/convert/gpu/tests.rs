//! The kernel against a scalar model in native f64 arithmetic.

mod boxes;
mod choice;
mod faults;
mod loss;
mod model;
mod speed;
mod values;

use super::*;
use crate::dtype::ByteOrder;
use crate::gpu::testing::{gpu_or_skip, plain_device};
use crate::index::plan::Axis;
use crate::scaling::{Arithmetic, Factor, Scaling, Step};
