//! Reads by voxload, and their lower bounds: see `serve.rs` and `compare.py`.

#[path = "../../../../cli/src/bench/floor.rs"]
mod floor;
mod floors;
#[path = "../../../../cli/src/bench/memory.rs"]
mod memory;
#[path = "../../serve.rs"]
mod serve;

use std::cell::RefCell;
use std::error::Error;

use floors::{Floor, copy, touch};
use libdeflater::Decompressor;
use serve::{Answer, many, seconds, serve, unknown};
use voxload::{DataobjImage, Float, HostArray, Index, LoadOptions};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn whole<T: Float>(path: &str) -> Result<HostArray<T>> {
    Ok(voxload::load(path)?.dataobj().read()?)
}

fn indexed(path: &str, index: &str) -> Result<DataobjImage> {
    let options = LoadOptions::new().gzip_index(index);
    Ok(DataobjImage::from_filename(path, &options)?)
}

fn dump<T: Float>(path: &str, out: &str) -> Answer {
    let array = whole::<T>(path)?;
    std::fs::write(out, bytemuck::cast_slice(array.as_slice()))?;
    Ok(0.0)
}

/// A buffer that is reused. If `filled`, it was written before.
fn warm(filled: &mut Vec<f32>, path: &str) -> Answer {
    let voxels = voxload::load(path)?.header().voxels()? as usize;
    if filled.len() != voxels {
        *filled = vec![1.0; voxels];
    }
    seconds(|| Ok(voxload::load(path)?.dataobj().read_into(filled)?))
}

#[expect(unsafe_code, reason = "the contract holds: the file does not change")]
fn zero_copy(path: &str) -> Answer {
    // SAFETY: compare.py makes the files before its requests, and does not change them afterwards.
    let options = unsafe { LoadOptions::new().zero_copy() };
    seconds(|| {
        Ok(DataobjImage::from_filename(path, &options)?
            .dataobj()
            .read::<f32>()?)
    })
}

/// The mean time of `count` runs of work on an increasing number.
fn average(count: usize, mut work: impl FnMut(usize) -> Result<()>) -> Answer {
    let elapsed = seconds(|| (0..count).try_for_each(&mut work))?;
    Ok(elapsed / count as f64)
}

fn frame(image: &DataobjImage, t: usize) -> Result<HostArray<f32>> {
    let index: Index = format!("[..., {t}]").parse()?;
    Ok(image.dataobj().slice(&index)?)
}

/// All files of a list, read ahead.
fn ahead(list: &str) -> Answer {
    let text = std::fs::read_to_string(list)?;
    let paths: Vec<String> = text.lines().map(str::to_owned).collect();
    seconds(|| {
        for volume in voxload::load_many(paths).read::<f32>()? {
            volume?;
        }
        Ok(())
    })
}

thread_local! {
    static INFLATED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What libdeflate alone takes of a gzip file, into a buffer that is used again.
fn inflated(path: &str) -> Result<()> {
    let packed = std::fs::read(path)?;
    let length = packed.last_chunk().ok_or("too short")?;
    let length = u32::from_le_bytes(*length) as usize;
    INFLATED.with_borrow_mut(|out| {
        out.resize(length, 0);
        Decompressor::new().gzip_decompress(&packed, out)?;
        Ok(())
    })
}

/// Frames at scattered positions in an open image.
fn frames(path: &str, count: &str) -> Answer {
    let image = voxload::load(path)?;
    let count: usize = count.parse()?;
    let all = *image.shape().last().ok_or("no axes")?;
    frame(&image, 0)?;
    average(count, |i| frame(&image, i * 37 % all).map(drop))
}

/// Time series of single voxels, whose positions are the lines of a file.
fn series(path: &str, places: &str) -> Answer {
    let image = voxload::load(path)?;
    let places: Vec<Index> = std::fs::read_to_string(places)?
        .lines()
        .map(|line| Ok(format!("[{line}, :]").parse()?))
        .collect::<Result<_>>()?;
    average(places.len(), |i| {
        image.dataobj().slice::<f32>(&places[i])?;
        Ok(())
    })
}

/// The same frame again after another read, in one image.
fn again(image: &DataobjImage, t: &str) -> Answer {
    let t: usize = t.parse()?;
    drop((frame(image, t)?, frame(image, 0)?));
    seconds(|| frame(image, t))
}

/// A frame of an image that is opened each time.
fn once(path: &str, t: &str, index: &str) -> Answer {
    let t: usize = t.parse()?;
    seconds(|| frame(&indexed(path, index)?, t))
}

/// Anonymous memory of a load beyond its output, in bytes.
fn memory_over(path: &str) -> Answer {
    let (peak, array) = memory::peak_of(|| whole::<f32>(path));
    Ok(peak as f64 - array?.size_bytes() as f64)
}

fn main() {
    let mut filled = Vec::new();
    let mut spare = Vec::new();
    serve(|words| match *words {
        ["whole", "f32", path] => seconds(|| whole::<f32>(path)),
        ["whole", "f64", path] => seconds(|| whole::<f64>(path)),
        ["whole", "f32", path, index] => {
            seconds(|| Ok(indexed(path, index)?.dataobj().read::<f32>()?))
        }
        ["dump", "f32", path, out] => dump::<f32>(path, out),
        ["dump", "f64", path, out] => dump::<f64>(path, out),
        ["warm", path] => warm(&mut filled, path),
        ["zero_copy", path] => zero_copy(path),
        ["frames", path, count] => frames(path, count),
        ["series", path, places] => series(path, places),
        ["many", "one", list] => many("one", list, whole::<f32>),
        ["many", "all", list] => ahead(list),
        ["inflated", "all", list] => many("all", list, inflated),
        ["open", path, times] => average(times.parse()?, |_| Ok(voxload::load(path).map(drop)?)),
        ["again", path, t, index] => again(&indexed(path, index)?, t),
        ["once", path, t, index] => once(path, t, index),
        ["memory", path] => memory_over(path),
        ["floor", "fresh", stored, made, path] => Floor::new(path, stored, made)?.fresh(),
        ["floor", "warm", stored, made, path] => Floor::new(path, stored, made)?.warm(&mut spare),
        ["floor", "frames", stored, made, path, voxels, count] => {
            Floor::new(path, stored, made)?.frames(voxels, count)
        }
        ["touch", bytes] => touch(bytes),
        ["copy", kind, path] => copy(kind, path, &mut spare),
        _ => unknown(words),
    });
}
