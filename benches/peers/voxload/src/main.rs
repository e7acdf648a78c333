//! Seconds of one read by voxload: `whole FILE [INDEX]`, `frame FILE T [INDEX]`, or `again FILE T [INDEX]` for the
//! second access to a frame after a read elsewhere, in one image.

use std::time::Instant;

use voxload::{DataobjImage, Index, LoadOptions};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (what, path, frame, index) = match arguments[..] {
        ["whole", path] => ("whole", path, "", None),
        ["whole", path, index] => ("whole", path, "", Some(index)),
        [what @ ("frame" | "again"), path, t] => (what, path, t, None),
        [what @ ("frame" | "again"), path, t, index] => (what, path, t, Some(index)),
        _ => panic!("whole FILE [INDEX] | frame FILE T [INDEX] | again FILE T [INDEX]"),
    };
    let options = match index {
        Some(index) => LoadOptions::new().gzip_index(index),
        None => LoadOptions::new(),
    };
    let mut start = Instant::now();
    let image = DataobjImage::from_filename(path, &options).expect("a volume");
    let read = |t: &str| {
        let index: Index = format!("[..., {t}]").parse().expect("an index");
        image.dataobj().slice::<f32>(&index).expect("a frame")
    };
    let array = match what {
        "whole" => image.dataobj().read::<f32>().expect("a read"),
        "frame" => read(frame),
        _ => {
            drop((read(frame), read("0")));
            start = Instant::now();
            read(frame)
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    drop(array);
    println!("{seconds:.6}");
}
