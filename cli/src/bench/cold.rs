//! Removes a file from the page cache, as far as that is possible without root privileges.

use std::fs::File;
use std::path::Path;

/// Number of positions at which the file is checked.
#[cfg(target_os = "linux")]
const PLACES: u64 = 16;

/// Asks the system to drop the file from its page cache. Returns whether that worked. The file must not be mapped.
///
/// # Errors
/// If the file cannot be opened or the system refuses.
#[cfg(target_os = "linux")]
pub(super) fn drop_from_cache(path: &Path) -> std::io::Result<bool> {
    use rustix::fs::{Advice, fadvise};

    let file = File::open(path)?;
    // Pages that are not on the disk yet cannot be dropped.
    file.sync_data()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    let length = file.metadata()?.len();
    Ok((0..PLACES).all(|place| !is_cached(&file, length / PLACES * place)))
}

/// Whether a read at this position would not have to wait for the disk.
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

/// Not supported on this system.
///
/// # Errors
/// If the file cannot be opened.
#[cfg(not(target_os = "linux"))]
pub fn drop_from_cache(path: &Path) -> std::io::Result<bool> {
    File::open(path).map(|_| false)
}
