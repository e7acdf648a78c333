//! Seek indexes from files: whatever they hold, the slices are right, or an error says why not.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use voxload::{DataobjImage, Index, LoadOptions, write_gzip_index};

use crate::nifti::{Nifti, gz};
use crate::{checked, same, take};

/// Magic and binding of an index of voxload's own.
const BOUND_BYTES: usize = 32;

struct Files {
    volume: PathBuf,
    index: PathBuf,
    values: Vec<f64>,
    /// The sound index, in voxload's own format and in indexed_gzip's.
    own: Vec<u8>,
    gzidx: Vec<u8>,
}

/// A volume of several chunks, in memory where the system has a folder for that.
static FILES: LazyLock<Files> = LazyLock::new(|| {
    let shared = Path::new("/dev/shm");
    let folder = match shared.is_dir() {
        true => shared.to_owned(),
        false => std::env::temp_dir(),
    };
    let folder = folder.join(format!("voxload-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let bytes = volume();
    let volume = folder.join("it.nii.gz");
    std::fs::write(&volume, gz(&bytes, 1)).expect("a file");
    let written = |name: &str| {
        let index = folder.join(name);
        write_gzip_index(&volume, &index).expect("an index");
        std::fs::read(&index).expect("an index")
    };
    let (own, gzidx) = (written("sound.voxgzi"), written("sound.gzidx"));
    let image = DataobjImage::from_bytes(bytes).expect("it loads");
    let values = image.dataobj().read::<f64>().expect("it reads");
    let values = values.as_slice().to_vec();
    Files {
        volume,
        index: folder.join("it.index"),
        values,
        own,
        gzidx,
    }
});

/// Three megabytes of noise and patterns.
fn volume() -> Vec<u8> {
    let mut nifti = Nifti::counting(&[1024, 512, 3]);
    let mut state = 1u32;
    for byte in &mut nifti.data {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 28) as u8;
    }
    nifti.single()
}

/// The index file as it is; changes of a sound one of either format; an own one's body; changes of a body. A body
/// stands behind a right binding and before a right checksum.
pub fn gzip_index(mut data: &[u8]) {
    let files = &*FILES;
    let kind = take(&mut data) % 5;
    let own_body = || &files.own[BOUND_BYTES..files.own.len() - 4];
    let bytes = match kind {
        0 => data.to_vec(),
        1 => changed(&files.own, data),
        2 => changed(&files.gzidx, data),
        3 => bound(&files.own, data),
        _ => bound(&files.own, &changed(own_body(), data)),
    };
    let crafted = kind >= 3;
    std::fs::write(&files.index, &bytes).expect("a write");
    let options = LoadOptions::new().gzip_index(&files.index);
    let image = DataobjImage::from_filename(&files.volume, &options).expect("it is sound");
    let voxels = files.values.len();
    for start in [0, voxels / 2, voxels - 50_000] {
        let first = (start % 1024) as i64;
        let row = (start / 1024) as i64;
        let index = Index::new()
            .slice(Some(first), Some(first + 3), None)
            .slice(Some(row % 512), Some(row % 512 + 1), None)
            .at(row / 512);
        let Some(part) = checked(image.dataobj().slice::<f64>(&index)) else {
            assert!(crafted, "a sound file is read whatever its index");
            continue;
        };
        // Whoever can write a right checksum can also write a wrong one of a chunk.
        let at = row as usize * 1024 + first as usize;
        let right = files.values[at..].iter().take(part.len()).copied();
        assert!(crafted || same(&part, right), "wrong voxels");
    }
}

/// Bytes overwritten: each change is an offset in three bytes and a value; a last byte alone cuts off as many.
fn changed(sound: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let changes = data.chunks_exact(4);
    for &cut in changes.remainder() {
        bytes.truncate(bytes.len() - usize::from(cut));
    }
    for change in changes {
        let at = u32::from_be_bytes([0, change[0], change[1], change[2]]) as usize;
        let length = bytes.len();
        bytes[at % length] = change[3];
    }
    bytes
}

/// A body with the binding of a sound index and a right checksum.
fn bound(own: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = [&own[..BOUND_BYTES], body].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&bytes);
    bytes.extend(crc.sum().to_le_bytes());
    bytes
}
