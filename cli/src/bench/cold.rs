//! A file out of the page cache, as far as a user who is not root can have it.

use std::fs::File;
use std::path::Path;

/// Places of a file that are looked at to see whether it has gone.
#[cfg(target_os = "linux")]
const PLACES: u64 = 16;

/// Asks the system to drop the file from its page cache; whether that worked. Nobody may have the file mapped.
///
/// # Errors
/// When the file cannot be opened or the system refuses.
#[cfg(target_os = "linux")]
pub fn drop_from_cache(path: &Path) -> std::io::Result<bool> {
    use rustix::fs::{Advice, fadvise};

    let file = File::open(path)?;
    // What is not on the disk yet cannot be dropped.
    file.sync_data()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    let length = file.metadata()?.len();
    Ok((0..PLACES).all(|place| !is_cached(&file, length / PLACES * place)))
}

/// Whether a read would not have to wait for the disk.
#[cfg(target_os = "linux")]
fn is_cached(file: &File, offset: u64) -> bool {
    use rustix::io::{ReadWriteFlags, preadv2};

    let mut byte = [0];
    let mut into = [std::io::IoSliceMut::new(&mut byte)];
    matches!(
        preadv2(file, &mut into, offset, ReadWriteFlags::NOWAIT),
        Ok(1)
    )
}

/// There is no way to.
///
/// # Errors
/// When the file cannot be opened.
#[cfg(not(target_os = "linux"))]
pub fn drop_from_cache(path: &Path) -> std::io::Result<bool> {
    File::open(path).map(|_| false)
}
