//! Whole reads by medrs: see `serve.rs` and `compare.py`.

#[path = "../../serve.rs"]
mod serve;

use std::error::Error;

use ndarray::ArrayD;
use serve::{Answer, many, seconds, serve, unknown};

fn f32(path: &str) -> Result<ArrayD<f32>, Box<dyn Error>> {
    Ok(medrs::nifti::load(path)?.to_f32()?)
}

fn f64(path: &str) -> Result<ArrayD<f64>, Box<dyn Error>> {
    Ok(medrs::nifti::load(path)?.to_f64()?)
}

fn dump<T: bytemuck::Pod>(array: ArrayD<T>, out: &str) -> Answer {
    let transposed = array.t();
    match transposed.as_slice() {
        Some(elements) => std::fs::write(out, bytemuck::cast_slice(elements))?,
        None => {
            let elements: Vec<T> = transposed.iter().copied().collect();
            std::fs::write(out, bytemuck::cast_slice(&elements))?;
        }
    }
    Ok(0.0)
}

fn open(path: &str, times: &str) -> Answer {
    let times: u32 = times.parse()?;
    let elapsed = seconds(|| {
        for _ in 0..times {
            medrs::nifti::load_header(path)?;
        }
        Ok(())
    })?;
    Ok(elapsed / f64::from(times))
}

fn main() {
    serve(|words| match *words {
        ["whole", "f32", path] => seconds(|| f32(path)),
        ["whole", "f64", path] => seconds(|| f64(path)),
        ["dump", "f32", path, out] => dump(f32(path)?, out),
        ["dump", "f64", path, out] => dump(f64(path)?, out),
        ["many", how, list] => many(how, list, f32),
        ["open", path, times] => open(path, times),
        _ => unknown(words),
    });
}
