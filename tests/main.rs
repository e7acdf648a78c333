#[cfg(feature = "gpu")]
mod device_outputs;
