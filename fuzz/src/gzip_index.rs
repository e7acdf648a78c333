//! Seek indexes from files: whatever they hold, the slices are right, or an error says why not.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use voxload::{DataobjImage, Index, LoadOptions, write_gzip_index};

use crate::nifti::{Nifti, gz};
use crate::{checked, same, take};

/// Magic and binding of an index of voxload's own.
const BOUND_BYTES: usize = 32;

const ROW: usize = 1024;

struct Files {
    volume: PathBuf,
    index: PathBuf,
    values: Vec<f64>,
    /// The sound index, in voxload's own format and in indexed_gzip's.
    own: Vec<u8>,
    gzidx: Vec<u8>,
}

/// A small volume of several members, and one whose member has two chunks.
static FILES: LazyLock<[Files; 2]> = LazyLock::new(|| {
    let members = |bytes: &[u8]| bytes.chunks(5000).flat_map(|part| gz(part, 6)).collect();
    [
        files("members", &volume(10), members),
        files("member", &volume(550), |bytes| gz(bytes, 1)),
    ]
});

/// Written to memory where the system has a folder for that.
fn files(name: &str, bytes: &[u8], zip: impl Fn(&[u8]) -> Vec<u8>) -> Files {
    let shared = Path::new("/dev/shm");
    let folder = match shared.is_dir() {
        true => shared.to_owned(),
        false => std::env::temp_dir(),
    };
    let folder = folder.join(format!("voxload-fuzz-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let volume = folder.join("it.nii.gz");
    std::fs::write(&volume, zip(bytes)).expect("a file");
    let written = |name: &str| {
        let index = folder.join(name);
        write_gzip_index(&volume, &index).expect("an index");
        std::fs::read(&index).expect("an index")
    };
    let own = written("sound.voxgzi");
    // indexed_gzip has none for several members.
    let gzidx = match name {
        "member" => written("sound.gzidx"),
        _ => Vec::new(),
    };
    let image = DataobjImage::from_bytes(bytes.to_vec()).expect("it loads");
    let values = image.dataobj().read::<f64>().expect("it reads");
    let values = values.as_slice().to_vec();
    Files {
        volume,
        index: folder.join("it.index"),
        values,
        own,
        gzidx,
    }
}

/// Rows of 1024 voxels of noise.
fn volume(rows: usize) -> Vec<u8> {
    let mut nifti = Nifti::counting(&[ROW, rows]);
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
    let kind = take(&mut data) % 8;
    // Making the index anew, for the larger one, is slow.
    let files = &FILES[usize::from(matches!(kind, 2 | 4))];
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
    let rows = files.values.len() / ROW;
    for row in [0, rows / 2, rows - 1] {
        let index = Index::new().slice(Some(7), Some(10), None).at(row as i64);
        let Some(part) = checked(image.dataobj().slice::<f64>(&index)) else {
            assert!(crafted, "a sound file is read whatever its index");
            continue;
        };
        // Whoever can write a right checksum can also write a wrong one of a chunk.
        let at = row * ROW + 7;
        let right = files.values[at..at + 3].iter().copied();
        assert!(crafted || same(&part, right), "wrong voxels");
    }
}

/// Bytes overwritten: each change is an offset in three bytes and a value; a last byte alone cuts off as many.
fn changed(sound: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let changes = data.chunks_exact(4);
    for &cut in changes.remainder() {
        bytes.truncate(bytes.len().saturating_sub(cut.into()).max(1));
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
