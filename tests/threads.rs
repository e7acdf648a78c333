//! Promise: reads do their work in the pool that they were given, and rayon's global pool is not even made.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use voxload::{
    Access, ArrayProxy, ByteOrder, ByteSource, Caching, DType, DataobjImage, ErrorKind, Extra,
    FileMap, FrameOptions, Header, Index, LoadOptions, Mmap, NiftiWriter, ProxySpec, Result,
    SaveOptions, StatisticsOptions, StoredArray, TemporalAccumulator, Threads,
};

use crate::gzip::files::{bgzf, members, scan};
use crate::support::child::run_test;
use crate::support::nifti::gz;
use crate::support::{folder, write};

#[test]
fn pools_have_threads() {
    assert_eq!(Threads::new(3).expect("a pool").count(), 3);
    let error = Threads::new(0).expect_err("none");
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    let pool = Arc::new(pool.expect("a pool"));
    assert_eq!(Threads::from_pool(Arc::clone(&pool)).count(), 2);
    // Inside a pool it is that one.
    assert_eq!(pool.install(|| Threads::default().count()), 2);
    let four = Threads::new(4).expect("a pool");
    assert_eq!(four.run(|| Threads::default().count()), 4);
    assert_eq!(pool.install(|| four.count()), 4);
}

/// A source that notes which threads read it.
#[derive(Debug, Default)]
struct Noting(Mutex<BTreeSet<String>>);

const SHAPE: [usize; 4] = [128, 128, 64, 4];

impl ByteSource for Noting {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(SHAPE.iter().product::<usize>() as u64 * 2))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let thread = std::thread::current();
        let mut names = self.0.lock().expect("no panic");
        names.insert(thread.name().unwrap_or("?").to_owned());
        drop(names);
        // Long enough for others to wake up.
        std::thread::sleep(Duration::from_millis(2));
        for (at, byte) in (offset..).zip(buffer) {
            *byte = at as u8;
        }
        Ok(())
    }

    fn access(&self) -> Access {
        Access::Random
    }
}

fn proxy(source: &Arc<Noting>) -> ArrayProxy {
    let spec = ProxySpec::new(&SHAPE, DType::I16).byte_order(ByteOrder::Little);
    ArrayProxy::new(Arc::clone(source) as _, spec).expect("a proxy")
}

fn names(source: &Noting) -> BTreeSet<String> {
    std::mem::take(&mut *source.0.lock().expect("no panic"))
}

#[test]
fn a_read_is_in_its_pool() {
    let source = Arc::new(Noting::default());
    let built = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .thread_name(|i| format!("mine {i}"))
        .build();
    let pool = Arc::new(built.expect("a pool"));
    let here = std::thread::current().name().unwrap_or("?").to_owned();
    let mine = |name: &String| name.starts_with("mine");
    let given = proxy(&source).with_threads(Threads::from_pool(Arc::clone(&pool)));
    for (what, read) in [
        ("given", &given),
        ("reshaped", &given.reshape(&[-1]).expect("a shape")),
    ] {
        read.read::<f32>().expect("values");
        let names = names(&source);
        assert!(names.iter().any(mine), "{what}: {names:?}");
        assert!(
            names.iter().all(|name| mine(name) || *name == here),
            "{what}: {names:?}"
        );
    }
    // Not asked for: the pool that the caller is in.
    let inherits = proxy(&source);
    pool.install(|| inherits.read::<f32>()).expect("values");
    let within = names(&source);
    assert!(within.len() > 1 && within.iter().all(mine), "{within:?}");
    Threads::from_pool(pool)
        .run(|| inherits.read::<f32>())
        .expect("values");
    let run = names(&source);
    assert!(run.iter().any(mine), "{run:?}");
}

/// Everything that reads, in the threads of the options.
fn read_everything(options: &LoadOptions) {
    let folder = folder();
    let nifti = scan(DType::I16, &SHAPE, 3);
    let plain = nifti.single();
    let files = [
        ("plain.nii", plain.clone()),
        ("one.nii.gz", gz(&plain, 1)),
        ("members.nii.gz", members(&plain, 1 << 20)),
        ("bgzf.nii.gz", bgzf(&plain)),
    ]
    .map(|(name, bytes)| write(&folder, name, &bytes));
    let middle: Index = "[:, 3:90, ::-1, 1:3]".parse().expect("an index");
    for path in &files {
        for mmap in [Mmap::CopyOnWrite, Mmap::Off] {
            let options = options.clone().mmap(mmap);
            let mut image = DataobjImage::from_filename(path, &options).expect("it loads");
            image.get_fdata::<f32>(Caching::Unchanged).expect("values");
            image.get_fdata::<f64>(Caching::Unchanged).expect("values");
            image.dataobj().slice::<f32>(&middle).expect("a slice");
            image.get_fdata::<f32>(Caching::Unchanged).expect("again");
            image.dataobj().check_to_end().expect("sound");
            let bins = StatisticsOptions::new().histogram(100);
            image.statistics::<f32>(&bins).expect("statistics");
            image.temporal_statistics::<f32>().expect("statistics");
            frames_of(&image);
            // Those of the cached values, too.
            image.get_fdata::<f32>(Caching::Fill).expect("values");
            frames_of(&image);
            image.uncache();
            #[cfg(feature = "gpu")]
            read_on_a_device(&image);
            let saved = folder.path().join("saved.nii.gz");
            image.to_filename(saved).expect("it saves");
        }
    }
}

fn frames_of(image: &DataobjImage) {
    let frames = image.frames::<f32>(FrameOptions::new().reverse());
    for frame in frames.expect("a stream") {
        frame.expect("a frame");
    }
}

#[cfg(feature = "gpu")]
fn read_on_a_device(image: &DataobjImage) {
    use crate::support::readback;
    use voxload::{BufferTarget, StagingOptions, StreamOptions, TextureOptions};
    if !crate::support::adapter::ready("threads of device loads") {
        return;
    }
    let gpu = crate::support::adapter::BEST
        .as_ref()
        .expect("there is one");
    image
        .get_fdata_gpu::<f32>(gpu, Caching::Unchanged)
        .expect("values");
    let load = image.get_fdata_gpu_async::<f32>(gpu, Caching::Unchanged);
    pollster::block_on(load).expect("values");
    pollster::block_on(image.get_fdata_async::<f32>(Caching::Unchanged)).expect("values");
    // The cached host array is uploaded.
    image.get_fdata::<f32>(Caching::Fill).expect("values");
    image
        .get_fdata_gpu::<f32>(gpu, Caching::Unchanged)
        .expect("values");
    image.uncache();
    let staging = StagingOptions::new().workers(4);
    gpu.traced_load::<f32>(image.dataobj(), &staging)
        .expect("values");
    let room = vec![0; image.shape().iter().product::<usize>() * 4];
    let buffer = readback::buffer_of(gpu, &room, wgpu::BufferUsages::STORAGE);
    image
        .dataobj()
        .read_into_buffer::<f32>(gpu, &BufferTarget::new(&buffer))
        .expect("values");
    image
        .statistics_gpu::<f32>(gpu, &StatisticsOptions::new())
        .expect("statistics");
    let stream = StreamOptions::new().staging(staging);
    for frame in image.stream::<f32>(gpu, stream).expect("a stream") {
        frame.expect("a frame");
    }
    let frame: Index = "[..., 0]".parse().expect("an index");
    let first = image.slicer(&frame).expect("a frame");
    first
        .texture(gpu, &TextureOptions::default())
        .expect("a texture");
}

/// The same for what has no options of its own, in the pool of the scope.
fn work_on_arrays() {
    let voxels: usize = SHAPE.iter().product();
    let values: Vec<i64> = (0..voxels as i64).collect();
    let array: StoredArray = voxload::HostArray::from_vec(&SHAPE, values)
        .expect("an array")
        .into();
    let image = DataobjImage::from_array(array, None).expect("an image");
    let floats = image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    image.get_fdata::<f64>(Caching::Unchanged).expect("values");
    image
        .statistics::<f32>(&StatisticsOptions::new())
        .expect("statistics");
    image.temporal_statistics::<f32>().expect("statistics");
    let frame = voxels / SHAPE[3];
    let mut over_time = TemporalAccumulator::new(&SHAPE[..3]).expect("room");
    over_time
        .take(&floats.as_slice()[..frame])
        .expect("a frame");
    over_time.statistics::<f32>().expect("statistics");
    let folder = folder();
    let path = folder.path().join("it.nii.gz");
    let options = SaveOptions::new().dtype(DType::F32);
    let mut writer = NiftiWriter::create(path, image.header(), &options).expect("a file");
    writer.write_values(floats.as_slice()).expect("it writes");
    writer.finish().expect("it is there");
}

/// Ends the process when its test waits for ever.
fn watch() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(240));
        eprintln!("it waits for a pool that does nothing");
        std::process::exit(3);
    });
}

/// Makes rayon's global pool one whose threads never do any work: as a forked process finds it.
fn global_pool_without_work() {
    let built = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .start_handler(|_| {
            loop {
                std::thread::park();
            }
        })
        .build_global();
    built.expect("there was none");
}

/// Arrays in memory whose proxy, and what is made of it, has the pool.
fn read_arrays(threads: &Threads) {
    let voxels: usize = SHAPE.iter().product();
    let integers = voxload::HostArray::from_vec(&SHAPE, (0..voxels as i64).collect());
    let array = ArrayProxy::from(integers.expect("it fits")).with_threads(threads.clone());
    let flat = array.reshape(&[-1]).expect("a shape");
    let part = array.sliced("[:, 3:90, ::-1, 1:3]").expect("a part");
    for array in [&array, &flat, &part] {
        array.read::<f32>().expect("values");
        array.read::<f64>().expect("values");
    }
    for array in [array, part] {
        let header = Header::new(array.shape(), array.dtype());
        let image = DataobjImage::new(array, header, Extra::new(), FileMap::new());
        let image = image.expect("an image");
        image
            .statistics::<f32>(&StatisticsOptions::new())
            .expect("statistics");
        frames_of(&image);
        #[cfg(feature = "gpu")]
        read_on_a_device(&image);
        image.to_bytes().expect("it saves");
    }
}

#[test]
#[ignore = "run by `the_global_pool_is_left_alone` in a process of its own"]
fn child_without_a_global_pool() {
    watch();
    let threads = Threads::new(2).expect("a pool");
    read_everything(&LoadOptions::new().threads(threads.clone()));
    read_arrays(&threads);
    threads.run(work_on_arrays);
    // It can still be made, so nothing has made it.
    global_pool_without_work();
}

#[test]
#[ignore = "run by `the_global_pool_is_left_alone` in a process of its own"]
fn child_with_a_dead_global_pool() {
    watch();
    global_pool_without_work();
    let threads = Threads::new(3).expect("a pool");
    read_everything(&LoadOptions::new().threads(threads.clone()));
    threads.run(work_on_arrays);
}

#[test]
#[ignore = "run by `the_global_pool_is_left_alone` in a process of its own"]
fn child_with_another_default() {
    watch();
    global_pool_without_work();
    Threads::set_default(Threads::new(2).expect("a pool"));
    assert_eq!(Threads::default().count(), 2);
    read_everything(&LoadOptions::new());
    work_on_arrays();
    // Once more, for images that are loaded already.
    let image = DataobjImage::from_bytes(scan(DType::I16, &SHAPE, 4).single()).expect("it loads");
    Threads::set_default(Threads::new(4).expect("a pool"));
    image.get_fdata::<f32>(Caching::Unchanged).expect("values");
    assert_eq!(Threads::default().count(), 4);
}

#[test]
fn the_global_pool_is_left_alone() {
    for child in [
        "threads::child_without_a_global_pool",
        "threads::child_with_a_dead_global_pool",
        "threads::child_with_another_default",
    ] {
        run_test(child);
    }
}
