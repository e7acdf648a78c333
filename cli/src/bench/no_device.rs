//! The rows of the GPU in a build without GPU support: none.

use serde_json::Value;
use voxload::HostArray;

use super::measure::{Failure, Measurement, Runs};

/// Does not exist in this build.
pub enum DeviceReport {}

impl DeviceReport {
    pub fn lines(&self) -> Vec<String> {
        match *self {}
    }

    pub fn object(&self) -> Value {
        match *self {}
    }
}

/// Notes why there is nothing to measure.
pub fn measure(
    _: &std::path::Path,
    _: &HostArray<f32>,
    _: Runs,
    measurement: &mut Measurement,
) -> Result<(), Failure> {
    measurement.adapter = "this build has no GPU support".to_owned();
    Ok(())
}
