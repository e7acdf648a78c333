//! Index files: bound to their file, checked as a whole, never trusted when anything is wrong.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use voxload::{DType, DataobjImage, FileHolder, FileMap, FileRole, Index, LoadOptions};

use super::damage::mutate;
use super::files::{open, scan};
use crate::support::environment::oracle_python;
use crate::support::environment::volume;
use crate::support::nifti::gz;
use crate::support::rng::Rng;
use crate::support::source::CountingSource;
use crate::support::table::Row;
use crate::support::{folder, for_each_parallel, write};

fn middle(path: &Path, index: &Path) -> Vec<f32> {
    let options = LoadOptions::new().gzip_index(index);
    let image = DataobjImage::from_filename(path, &options).expect("it loads");
    let slice: Index = "[..., 7]".parse().expect("an index");
    image
        .dataobj()
        .slice::<f32>(&slice)
        .expect("a slice")
        .as_slice()
        .to_vec()
}

#[test]
fn kept_beside_or_in_a_folder() {
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 12], 6).single();
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).expect("a folder");
    let file = folder.path().join("it.index");
    for index in [&file, &cache] {
        assert_eq!(middle(&path, index), right, "made");
        assert_eq!(middle(&path, index), right, "used");
    }
    let names = |folder: &Path| std::fs::read_dir(folder).expect("a folder").count();
    assert_eq!(names(&cache), 1, "one index, no temporary file");
    // A folder that cannot be written to: slices are as right.
    assert_eq!(middle(&path, Path::new("/nonexistent/index")), right);
}

#[test]
fn as_bytes_for_a_source_that_is_no_file() {
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 60], 6).single();
    let packed = gz(&bytes, 6);
    let path = write(&folder, "it.nii.gz", &packed);
    let other = scan(DType::I16, &[64, 64, 20, 60], 60).single();
    let other_path = write(&folder, "other.nii.gz", &gz(&other, 6));
    let index_of = |path: &Path| {
        let index = folder.path().join("an.index");
        voxload::write_gzip_index(path, &index).expect("an index");
        std::fs::read(index).expect("it is there")
    };
    let read = |options: LoadOptions| {
        let source = CountingSource::new(packed.clone());
        let holder = FileHolder::from_source(source.clone());
        let map = FileMap::from([(FileRole::Image, holder)]);
        let image = DataobjImage::from_file_map(map, &options).expect("it loads");
        let frame = image.dataobj().slice::<f32>("[..., 55]").expect("a slice");
        (frame, source.bytes_read())
    };
    let (right, all) = read(LoadOptions::new());
    let (found, few) = read(LoadOptions::new().gzip_index_bytes(index_of(&path)));
    assert_eq!(found, right);
    assert!(few * 2 < all, "{few} of {all} bytes");
    let (found, _) = read(LoadOptions::new().gzip_index_bytes(index_of(&other_path)));
    assert_eq!(found, right, "with another file's index");
    let (found, _) = read(LoadOptions::new().gzip_index_bytes(*b"no index"));
    assert_eq!(found, right, "without an index");
}

#[test]
fn stale_foreign_and_mutated_indexes_are_made_anew() {
    let folder = folder();
    let bytes = scan(DType::I16, &[32, 32, 20, 60], 6).single();
    let other = scan(DType::I16, &[32, 32, 20, 60], 60).single();
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let other_path = write(&folder, "other.nii.gz", &gz(&other, 6));
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let index = folder.path().join("it.index");
    middle(&other_path, &index);
    let foreign = std::fs::read(&index).expect("an index");
    assert_eq!(middle(&path, &index), right, "another file's");
    let own = std::fs::read(&index).expect("an index");
    assert!(own != foreign, "it was made anew");
    let file = std::fs::File::options()
        .append(true)
        .open(&path)
        .expect("it opens");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .expect("a time");
    assert_eq!(middle(&path, &index), right, "of another time");
}

#[test]
fn mutated_indexes_are_made_anew() {
    let row = Row::new("index: mutated");
    let tries = volume(2000, 100_000);
    let folder = folder();
    let bytes = scan(DType::I16, &[32, 32, 20, 40], 6).single();
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let right = middle(&write(&folder, "it.nii", &bytes), Path::new("unused"));
    let index = folder.path().join("it.index");
    middle(&path, &index);
    let own = std::fs::read(&index).expect("an index");
    let (ran, anew) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each_parallel(0..tries, |number| {
        let mut changed = own.clone();
        mutate(&mut changed, &mut Rng::new(number as u64));
        let index = write(&folder, &format!("{number}.index"), &changed);
        assert_eq!(middle(&path, &index), right, "mutation {number}");
        let left = std::fs::read(&index).expect("an index");
        assert!(left == own, "mutation {number}: a sound index is left");
        ran.fetch_add(1, Ordering::Relaxed);
        anew.fetch_add(usize::from(left != changed), Ordering::Relaxed);
        std::fs::remove_file(&index).expect("it is there");
    });
    let anew = anew.into_inner();
    assert!(anew > tries / 2, "{anew} were made anew");
    row.done(ran.into_inner(), tries);
}

/// indexed_gzip reads what voxload writes, and the other way round.
#[test]
#[ignore = "needs the oracle's Python (tests/run.sh)"]
fn indexed_gzip_both_ways() {
    let python = oracle_python().expect("VOXLOAD_ORACLE_PYTHON is set by tests/run.sh");
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 60], 6).single();
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    write(&folder, "it.nii", &bytes);
    let script = r#"
import sys, indexed_gzip
folder, what = sys.argv[1:]
f = indexed_gzip.IndexedGzipFile(folder + "/it.nii.gz", spacing=1 << 19)
if what == "export":
    f.build_full_index()
    f.export_index(folder + "/theirs.gzidx")
else:
    f.import_index(folder + "/ours.gzidx")
    plain = open(folder + "/it.nii", "rb").read()
    points = list(f.seek_points())
    assert len(points) > 5, points
    for at in [0, 5, 352, 1 << 20, len(plain) // 2, len(plain) - 9, 3 << 20, 17]:
        f.seek(at)
        assert f.read(70000) == plain[at:at + 70000], at
    assert list(f.seek_points()) == points, "nothing was built again"
"#;
    let python = |what: &str| {
        let status = Command::new(&python)
            .args(["-c", script])
            .arg(folder.path())
            .arg(what)
            .status();
        assert!(status.expect("Python runs").success(), "{what}");
    };
    voxload::write_gzip_index(&path, folder.path().join("ours.gzidx")).expect("an export");
    python("import");
    python("export");
    let theirs = folder.path().join("theirs.gzidx");
    let before = std::fs::read(&theirs).expect("an index");
    let right = middle(&folder.path().join("it.nii"), Path::new("unused"));
    assert_eq!(middle(&path, &theirs), right);
    assert!(
        std::fs::read(&theirs).expect("an index") == before,
        "it was used as it is"
    );
    // One wrong window makes it useless, and is found.
    let mut wrong = before.clone();
    let at = wrong.len() - 40_000;
    wrong[at..].fill(7);
    std::fs::write(&theirs, &wrong).expect("a write");
    assert_eq!(middle(&path, &theirs), right);
    let _ = open(&path);
}
