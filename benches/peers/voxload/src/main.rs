//! Seconds of one read by voxload: `whole FILE [INDEX]`, or `frame FILE T [INDEX]`.

use std::time::Instant;

use voxload::{DataobjImage, Index, LoadOptions};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (path, frame, index) = match arguments[..] {
        ["whole", path] => (path, None, None),
        ["whole", path, index] => (path, None, Some(index)),
        ["frame", path, t] => (path, Some(t), None),
        ["frame", path, t, index] => (path, Some(t), Some(index)),
        _ => panic!("whole FILE [INDEX] | frame FILE T [INDEX]"),
    };
    let options = match index {
        Some(index) => LoadOptions::new().gzip_index(index),
        None => LoadOptions::new(),
    };
    let start = Instant::now();
    let image = DataobjImage::from_filename(path, &options).expect("a volume");
    let seconds = match frame {
        None => {
            let array = image.dataobj().read::<f32>().expect("a read");
            let seconds = start.elapsed().as_secs_f64();
            drop(array);
            seconds
        }
        Some(t) => {
            let index: Index = format!("[..., {t}]").parse().expect("an index");
            let frame = image.dataobj().slice::<f32>(&index).expect("a frame");
            let seconds = start.elapsed().as_secs_f64();
            drop(frame);
            seconds
        }
    };
    println!("{seconds:.6}");
}
