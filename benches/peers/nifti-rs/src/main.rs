//! Whole reads by nifti-rs: see `serve.rs` and `compare.py`.

#[path = "../../serve.rs"]
mod serve;

use std::error::Error;

use ndarray::ArrayD;
use nifti::{DataElement, IntoNdArray, NiftiHeader, NiftiObject, ReaderOptions};
use serve::{Answer, many, seconds, serve, unknown};

fn read<T: DataElement>(path: &str) -> Result<ArrayD<T>, Box<dyn Error>> {
    let object = ReaderOptions::new().read_file(path)?;
    Ok(object.into_volume().into_ndarray::<T>()?)
}

fn dump<T: DataElement + bytemuck::Pod>(path: &str, out: &str) -> Answer {
    let array = read::<T>(path)?;
    let transposed = array.t();
    let elements = transposed.as_slice().ok_or("not column-major")?;
    std::fs::write(out, bytemuck::cast_slice(elements))?;
    Ok(0.0)
}

fn open(path: &str, times: &str) -> Answer {
    let times: u32 = times.parse()?;
    let elapsed = seconds(|| {
        for _ in 0..times {
            NiftiHeader::from_file(path)?;
        }
        Ok(())
    })?;
    Ok(elapsed / f64::from(times))
}

fn main() {
    serve(|words| match *words {
        ["whole", "f32", path] => seconds(|| read::<f32>(path)),
        ["whole", "f64", path] => seconds(|| read::<f64>(path)),
        ["dump", "f32", path, out] => dump::<f32>(path, out),
        ["dump", "f64", path, out] => dump::<f64>(path, out),
        ["many", how, list] => many(how, list, read::<f32>),
        ["open", path, times] => open(path, times),
        _ => unknown(words),
    });
}
