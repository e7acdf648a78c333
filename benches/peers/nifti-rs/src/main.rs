//! Seconds of one whole read to f32 by nifti-rs.

use std::time::Instant;

use nifti::{IntoNdArray, NiftiObject, ReaderOptions};

fn main() {
    let path = std::env::args().nth(1).expect("a file");
    let start = Instant::now();
    let object = ReaderOptions::new().read_file(path).expect("a volume");
    let array = object.into_volume().into_ndarray::<f32>().expect("values");
    println!("{:.6}", start.elapsed().as_secs_f64());
    drop(array);
}
