//! One image for many threads: every slice and every read is bit-exact, and nothing waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use voxload::{Caching, DType, DataobjImage, LoadOptions, Mmap};

use super::{Row, volume};
use crate::gzip::files::{bgzf, scan};
use crate::support::backend::Backend;
use crate::support::child::{arguments, process};
use crate::support::nifti::gz;
use crate::support::rng::Rng;
use crate::support::slicing::{random_index, take};
use crate::support::{folder, write};

const THREADS: usize = 16;

/// A thread that has done nothing for so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `work` on every thread; a panic of one, or one that never ends, is a panic here.
fn on_all_threads(work: impl Fn(usize) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (work, sender) = (Arc::clone(&work), sender.clone());
            std::thread::spawn(move || {
                work(number);
                sender.send(number).expect("the test waits");
            })
        })
        .collect();
    drop(sender);
    for _ in 0..THREADS {
        match receiver.recv_timeout(PATIENCE) {
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no thread has ended in {PATIENCE:?}"),
            // One has panicked: its message follows below.
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    for thread in threads {
        thread.join().expect("no panic in a thread");
    }
}

/// A thing to do with the shared image; returns whether it was a slice.
fn something(image: &DataobjImage, whole: &[f32], backends: &[Backend], rng: &mut Rng) -> bool {
    match rng.below(100) {
        0 => {
            let values = image.get_fdata::<f32>(Caching::Fill).expect("a read");
            assert!(values.as_slice() == whole);
        }
        1 => {
            let values = image.get_fdata::<f64>(Caching::Unchanged).expect("a read");
            let narrow = values.as_slice().iter().map(|&value| value as f32);
            assert!(narrow.eq(whole.iter().copied()));
        }
        2 => image.uncache(),
        3 if rng.one_in(4) => {
            for backend in backends {
                let values = backend.read::<f32>(image).expect("a load");
                assert!(values.as_slice() == whole, "{backend:?}");
            }
        }
        _ => {
            let index = random_index(rng, image.shape());
            let slice = image.dataobj().slice::<f32>(&index).expect("a slice");
            let (shape, from) = take(image.shape(), index.items());
            assert_eq!(slice.shape(), shape);
            let right = from.iter().map(|&at| whole[at]);
            assert!(right.eq(slice.as_slice().iter().copied()), "{index:?}");
            return true;
        }
    }
    false
}

#[test]
fn sixteen_threads_on_one_image() {
    let row = Row::new("16 threads: random slices, reads, uncache, device loads on one image");
    let slices = volume(1000, 10_000);
    let folder = folder();
    let bytes = scan(DType::I16, &[24, 20, 16, 40], 5).single();
    let plain = write(&folder, "it.nii", &bytes);
    // The stream grows its index while others use it; members are there from the start.
    let zipped = write(&folder, "it.nii.gz", &gz(&bytes, 6));
    let blocks = write(&folder, "blocks.nii.gz", &bgzf(&bytes));
    let whole = voxload::load(&plain).expect("it loads");
    let whole: Arc<[f32]> = whole.dataobj().read().expect("a read").as_slice().into();
    let backends = Backend::available("faults::threads::sixteen_threads_on_one_image");
    let off = LoadOptions::new().mmap(Mmap::Off);
    let small = LoadOptions::new().gzip_cache(1 << 20);
    let images = [
        (&plain, LoadOptions::new()),
        (&plain, off),
        (&zipped, small),
        (&blocks, LoadOptions::new()),
    ];
    let done = Arc::new(AtomicUsize::new(0));
    let kinds = images.len();
    for (path, options) in images {
        let image = Arc::new(DataobjImage::from_filename(path, &options).expect("it loads"));
        let (whole, done) = (Arc::clone(&whole), Arc::clone(&done));
        let backends = backends.clone();
        on_all_threads(move |number| {
            let mut rng = Rng::new(number as u64);
            let mut sliced = 0;
            while sliced < slices / kinds {
                sliced += usize::from(something(&image, &whole, &backends, &mut rng));
            }
            done.fetch_add(sliced, Ordering::Relaxed);
        });
    }
    row.done(
        done.load(Ordering::Relaxed),
        THREADS * (slices / kinds) * kinds,
    );
}

const GZIP: &str = "VOXLOAD_TEST_GZIP";
const INDEX: &str = "VOXLOAD_TEST_INDEX";

#[test]
#[ignore = "run by `eight_processes_building_one_index` in processes of their own"]
fn child_slices_with_an_index() {
    let [path, index] = [GZIP, INDEX].map(|name| std::env::var_os(name).expect("a path"));
    let options = LoadOptions::new().gzip_index(index);
    let image = DataobjImage::from_filename(path, &options).expect("it loads");
    let slice = image.dataobj().slice::<f32>("[3, 5, :, 29]");
    println!("\nvoxels {:?}", slice.expect("a slice").as_slice());
}

#[test]
fn eight_processes_building_one_index() {
    let row = Row::new("8 processes building one index");
    let rounds = volume(5, 100);
    let folder = folder();
    let bytes = scan(DType::I16, &[64, 64, 20, 30], 6).single();
    let plain = voxload::load(write(&folder, "it.nii", &bytes)).expect("it loads");
    let right = plain.dataobj().slice::<f32>("[3, 5, :, 29]");
    let right = format!("voxels {:?}", right.expect("a slice").as_slice());
    let path = write(&folder, "it.nii.gz", &gz(&bytes, 1));
    let cache = folder.path().join("cache");
    let mut processes = 0;
    for round in 0..rounds {
        let _ = std::fs::remove_dir_all(&cache);
        std::fs::create_dir(&cache).expect("a folder");
        let name = arguments("faults::threads::child_slices_with_an_index");
        let children: Vec<_> = (0..8)
            .map(|_| {
                let mut command = process();
                command.args(name).env(GZIP, &path).env(INDEX, &cache);
                command.stdout(std::process::Stdio::piped());
                command.spawn().expect("a process")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
            assert!(text.contains(&right), "{text}");
            processes += 1;
        }
        let names = std::fs::read_dir(&cache).expect("a folder").count();
        assert_eq!(names, 1, "round {round}: one index and nothing else");
        let made = std::fs::read_dir(&cache).expect("a folder").next();
        let made = made.expect("one").expect("an entry").path();
        voxload::write_gzip_index(&path, folder.path().join("own")).expect("an index");
        let own = std::fs::read(folder.path().join("own")).expect("an index");
        assert!(std::fs::read(made).expect("an index") == own, "a whole one");
    }
    row.done(processes, 8 * rounds);
}
