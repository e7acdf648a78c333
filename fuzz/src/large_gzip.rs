//! Files that are large enough to be inflated in parallel, damaged in some places, against flate2: sound ones must be read, and
//! what is read must be right. Files that voxload has written have a table of chunks in their header.

use std::io::Read;
use std::sync::LazyLock;

use flate2::read::MultiGzDecoder;
use voxload::{DataobjImage, FileMap, FileRole, Index, LoadOptions, Threads};

use crate::nifti::{gz, header_of_bytes};
use crate::{checked, holder, same, take, take_part};

/// Voxels of each file, one byte each.
const VOXELS: usize = 5 << 19;

/// A pool of its own, as fuzz/run.sh limits rayon's to one thread.
static THREADS: LazyLock<Threads> = LazyLock::new(|| Threads::new(3).expect("threads"));

struct Base {
    plain: Vec<u8>,
    file: Vec<u8>,
}

/// Noise, smooth values, and zeros in between, by levels with blocks of fixed and of dynamic codes.
static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let noise = voxels(0);
    let masked = voxels(3);
    let both = [
        (&noise, 1),
        (&noise, 6),
        (&masked, 1),
        (&masked, 6),
        (&masked, 9),
    ];
    let bases = both.map(|(voxels, level)| {
        let plain = [&header_of_bytes(VOXELS as u64), &voxels[..]].concat();
        let file = gz(&plain, level);
        Base { plain, file }
    });
    bases.into()
});

/// The same volumes as voxload writes them.
static SAVED: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("voxload-fuzz-{}.nii.gz", std::process::id()));
    let saved = [voxels(0), voxels(3)].map(|voxels| {
        let plain = [&header_of_bytes(VOXELS as u64), &voxels[..]].concat();
        let image = DataobjImage::from_bytes(plain).expect("a sound file");
        voxload::save(&image, &path, &voxload::SaveOptions::new()).expect("it can be written");
        let file = std::fs::read(&path).expect("it was written");
        Base {
            plain: inflated(&file).expect("it is sound"),
            file,
        }
    });
    let _ = std::fs::remove_file(&path);
    saved.into()
});

/// Noise over a slope; every `masked`-th stretch is zero.
fn voxels(masked: usize) -> Vec<u8> {
    let mut state = 1u32;
    let voxel = |at: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match masked > 0 && (at / 30_000).is_multiple_of(masked) {
            true => 0,
            false => (at / 50 % 200) as u8 + (state >> 28) as u8,
        }
    };
    (0..VOXELS).map(voxel).collect()
}

fn inflated(file: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(file).take(2 * VOXELS as u64);
    decoder.read_to_end(&mut plain).ok().map(|_| plain)
}

/// The file's number, where it ends if that is not its end, and changes: three bytes of a position, one of the bits.
pub fn gzip_parallel(mut data: &[u8]) {
    let base = &BASES[usize::from(take(&mut data)) % BASES.len()];
    let mut file = base.file.clone();
    let cut = take_part(&mut data, 1);
    if let &[a, b, c, ..] = cut {
        let end = u32::from_be_bytes([0, a, b, c]) as usize;
        file.truncate(file.len() - end % 4000);
    }
    let length = file.len();
    for change in data.chunks_exact(4) {
        let at = u32::from_be_bytes([0, change[0], change[1], change[2]]) as usize;
        file[at % length] ^= change[3];
    }
    check(&file, base);
}

/// The file's number, and changes of its header: two bytes of a position, one of the bits.
pub fn gzip_table(mut data: &[u8]) {
    let base = &SAVED[usize::from(take(&mut data)) % SAVED.len()];
    let mut file = base.file.clone();
    // The fixed fields, the length of the extra field, and the field.
    let header = 12 + usize::from(u16::from_le_bytes([file[10], file[11]]));
    for change in data.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        file[at % header] ^= change[2];
    }
    if let Some(image) = check(&file, base) {
        slices(&image, &base.plain);
    }
}

/// Returns another image of the file if it inflates to what it should.
fn check(file: &[u8], base: &Base) -> Option<DataobjImage> {
    let load = || {
        let map = FileMap::from([(FileRole::Image, holder(file))]);
        let options = LoadOptions::new().threads(THREADS.clone());
        checked(DataobjImage::from_file_map(map, &options))
    };
    let image = load();
    let values = image.and_then(|image| checked(image.dataobj().read::<f32>()));
    let right = inflated(file).filter(|plain| *plain == base.plain);
    match (values, right) {
        (Some(values), Some(plain)) => {
            let voxels = &plain[plain.len() - VOXELS..];
            assert!(same(&values, voxels.iter().map(|&byte| f32::from(byte))));
            load()
        }
        (None, Some(_)) => panic!("a sound file was not read"),
        // The damage may be after the voxels or in the header of the volume.
        (Some(values), None) => {
            let plain = inflated(file);
            let other = plain.and_then(|plain| checked(DataobjImage::from_bytes(plain)));
            let other = other.and_then(|other| checked(other.dataobj().read::<f32>()));
            if let Some(other) = other {
                assert!(same(&values, other.as_slice().iter().copied()));
            }
            None
        }
        (None, None) => None,
    }
}

/// Parts by the table, or by what is left of it.
fn slices(image: &DataobjImage, plain: &[u8]) {
    let voxels = &plain[plain.len() - VOXELS..];
    let end = VOXELS as i64;
    for range in [end / 2..end / 2 + 9, end - 1..end, 0..70_000] {
        let index = Index::new().range(range.clone());
        let part = image.dataobj().slice::<f32>(&index).expect("it was read");
        let right = &voxels[range.start as usize..range.end as usize];
        assert!(same(&part, right.iter().map(|&byte| f32::from(byte))));
    }
}
