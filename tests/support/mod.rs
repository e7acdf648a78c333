//! What the tests share: a writer of NIfTI files, a naive model of the values, a random generator, instruments. The tests
//! of the command and of the examples take some of these files too, each by a `support.rs` of its own.

#[cfg(feature = "gpu")]
pub mod adapter;
pub mod backend;
pub mod child;
#[cfg(feature = "gpu")]
pub mod devices;
pub mod environment;
pub mod errors;
pub mod files;
pub mod floats;
pub mod naive;
pub mod nifti;
pub mod oracle;
#[path = "../../cli/src/bench/memory.rs"]
pub mod peak;
pub mod program;
#[cfg(feature = "gpu")]
pub mod readback;
pub mod rng;
pub mod slicing;
pub mod source;
pub mod table;
pub mod types;
pub mod volumes;
#[cfg(feature = "gpu")]
pub mod ways;

use std::path::Path;

pub use files::{folder, overwrite, write};

/// What happens to an axis of 2^32 voxels or more: a machine of 32 bits has no room for its length.
pub const fn by_width(on_64_bits: &'static str, on_32_bits: &'static str) -> &'static str {
    match usize::BITS {
        64 => on_64_bits,
        _ => on_32_bits,
    }
}

/// Handles that this process holds on a file. Other tests open other files.
#[cfg(target_os = "linux")]
pub fn handles(path: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").expect("procfs");
    let target = path.canonicalize().expect("the file is there");
    let on_it = |link: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_link(link.ok()?.path())
            .ok()
            .filter(|to| *to == target)
    };
    links.filter_map(on_it).count()
}

/// Runs `work` on every item, on all cores; a panic in one is a panic here.
pub fn for_each_parallel<T: Send>(items: impl IntoIterator<Item = T>, work: impl Fn(T) + Sync) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let queue = std::sync::Mutex::new(items.into_iter().collect::<Vec<_>>());
    let next = || queue.lock().expect("no panic under the lock").pop();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = next() {
                    work(item);
                }
            });
        }
    });
}

/// A header that says what a proxy's description says.
pub fn header_of(spec: &voxload::ProxySpec) -> voxload::Header {
    let mut header = voxload::Header::new(&spec.shape, spec.dtype);
    header.byte_order = spec.byte_order;
    header.layout = spec.layout;
    header.data_offset = spec.offset;
    header.scaling = spec.scaling.clone();
    header
}
