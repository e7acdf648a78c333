//! Which files belong to a name, in a folder that holds some of them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use voxload::{DataobjImage, LoadOptions};

use crate::nifti::{Nifti, gz};
use crate::{checked, look_at, seeds, small, take, take_part};

/// A folder in memory where the system has one.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let shared = Path::new("/dev/shm");
    let parent = match shared.is_dir() {
        true => shared.to_owned(),
        false => std::env::temp_dir(),
    };
    parent.join(format!("voxload-fuzz-{}", std::process::id()))
});

const ENDINGS: [&str; 16] = [
    ".hdr", ".img", ".nii", ".mat", ".HDR", ".IMG", ".par", ".rec", ".HEAD", ".BRIK", ".PAR",
    ".REC", ".nhdr", ".raw", ".mhd", "",
];
const SUFFIXES: [&str; 6] = ["", ".gz", ".GZ", ".bz2", ".zst", "."];

/// Names and contents of up to four files, then the name to load.
pub fn pairs(mut data: &[u8]) {
    let folder = &*FOLDER;
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).expect("a folder");
    let stem = take_part(&mut data, 1);
    let stem = Vec::from_iter(stem.iter().map(|&byte| match byte {
        0 | b'/' => b'.',
        other => other,
    }));
    let stem = String::from_utf8_lossy(&stem[..stem.len().min(40)]).into_owned();
    for _ in 0..take(&mut data) % 5 {
        let name = name(&stem, &mut data);
        let bytes = content(&mut data);
        // A name may be too long or a folder: then there is one file less.
        let _ = std::fs::write(folder.join(name), bytes);
    }
    let path = folder.join(name(&stem, &mut data));
    let Some(image) = checked(DataobjImage::from_filename(&path, &LoadOptions::new())) else {
        return;
    };
    look_at(&image);
    for holder in image.file_map().values() {
        let parent = holder.filename.as_ref().and_then(|path| path.parent());
        assert_eq!(parent, Some(&**folder), "files stay in their folder");
    }
    if small(&image).is_some() {
        checked(image.dataobj().read::<f32>());
    }
}

fn name(stem: &str, data: &mut &[u8]) -> String {
    let (ending, suffix) = (take(data), take(data));
    let ending = ENDINGS[usize::from(ending) % ENDINGS.len()];
    let suffix = SUFFIXES[usize::from(suffix) % SUFFIXES.len()];
    format!("{stem}{ending}{suffix}")
}

/// A half of a pair that is sound, perhaps zipped, or any bytes.
fn content(data: &mut &[u8]) -> Vec<u8> {
    let kind = take(data);
    let pair = Nifti::counting(&[4, 3, 2]).pair();
    let mut seeds = [
        seeds::analyze(),
        seeds::afni(),
        seeds::parrec(),
        seeds::nhdr(),
        seeds::mhd(),
    ];
    let seed = &mut seeds[usize::from(kind >> 4) % 5].files;
    let bytes = match kind & 7 {
        0 => pair.0,
        1 => pair.1,
        2 => seed.swap_remove(0).1,
        3 => seed.swap_remove(1).1,
        4 => Nifti::counting(&[4, 3, 2]).single(),
        _ => take_part(data, 1).to_vec(),
    };
    match kind & 8 {
        0 => bytes,
        _ => gz(&bytes, 6),
    }
}
