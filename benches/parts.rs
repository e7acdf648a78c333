//! The parts of a load, measured separately: opening, kernels by stored type and output, kinds of slices and of gzip,
//! cache hits. Whole loads are in `load.rs`, streams in `stream.rs`, other programs in `peers/`.
//!
//! `cargo bench --bench parts`, or some of it: `cargo bench --bench parts -- kernel/`.

#![allow(
    unreachable_pub,
    reason = "files are shared with the tests and the command"
)]

#[path = "../cli/src/bench/phantom.rs"]
mod phantom;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/rng.rs"]
mod rng;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use half::f16;
use libdeflater::{CompressionLvl, Compressor};
use phantom::Phantom;
use voxload::{Caching, DType, DataobjImage, Float, HostArray, Index, LoadOptions, SaveOptions};

/// A group whose ids are `key=value` pairs.
type Group<'c> = BenchmarkGroup<'c, WallTime>;

fn id(pairs: String) -> BenchmarkId {
    BenchmarkId::from_parameter(pairs)
}

/// A series of 40 frames of 96 x 96 x 60 int16 voxels: 44 MB.
fn series(folder: &Path) -> PathBuf {
    let path = folder.join("series.nii");
    let phantom = Phantom::of_bytes(44_000_000, DType::I16);
    phantom.write(&path).expect("room for the phantom");
    path
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut out).expect("room");
    out.truncate(length);
    out
}

/// Latency of opening: the header is read and parsed, but no voxels.
fn open(criterion: &mut Criterion, folder: &Path, series: &Path) {
    let mut group = criterion.benchmark_group("open");
    group.throughput(Throughput::Bytes(352));
    let bytes = std::fs::read(series).expect("the series");
    let gz = folder.join("open.nii.gz");
    std::fs::write(&gz, packed(&bytes)).expect("room");
    let image = voxload::load(series).expect("a volume");
    let pair = folder.join("open.img");
    voxload::save(&image, &pair, &SaveOptions::new()).expect("room for a pair");
    for (format, path) in [("nii", series), ("nii.gz", &gz), ("hdr+img", &pair)] {
        group.bench_function(id(format!("format={format}")), |b| {
            b.iter(|| voxload::load(path).expect("a volume"));
        });
    }
    group.finish();
}

/// Voxels per kernel run: small enough that they and the output stay in the last-level cache.
const KERNEL_VOXELS: usize = 1 << 20;

/// A volume of noise in memory, of this type, with scaling.
fn in_memory(dtype: DType, big_endian: bool) -> DataobjImage {
    let mut bytes = vec![0u8; 352];
    let mut put = |at: usize, part: &[u8], width: usize| {
        for (to, from) in bytes[at..].chunks_mut(width).zip(part.chunks(width)) {
            to.copy_from_slice(from);
            if big_endian {
                to.reverse();
            }
        }
    };
    let code: i16 = match dtype {
        DType::U8 => 2,
        DType::I16 => 4,
        DType::I32 => 8,
        DType::F32 => 16,
        DType::F64 => 64,
        _ => 1024,
    };
    put(0, &348i32.to_le_bytes(), 4);
    put(40, &[3, 0, 128, 0, 128, 0, 64, 0], 2);
    put(70, &code.to_le_bytes(), 2);
    put(72, &(8 * dtype.size_bytes() as i16).to_le_bytes(), 2);
    put(108, &352f32.to_le_bytes(), 4);
    put(112, &0.075_f32.to_le_bytes(), 4);
    put(116, &3_100.7_f32.to_le_bytes(), 4);
    bytes[344..348].copy_from_slice(b"n+1\0");
    let noise = rng::Rng::new(1).bytes(KERNEL_VOXELS * dtype.size_bytes());
    // Neither NaN nor infinite in any type.
    bytes.extend(noise.into_iter().map(|byte| byte & 0x3f));
    DataobjImage::from_bytes(bytes).expect("a volume")
}

const TYPES: [(&str, DType, bool); 7] = [
    ("u8", DType::U8, false),
    ("i16", DType::I16, false),
    ("i16be", DType::I16, true),
    ("i32", DType::I32, false),
    ("i64", DType::I64, false),
    ("f32", DType::F32, false),
    ("f64", DType::F64, false),
];

/// The CPU's kernels as the library chooses them for this machine, and a plain loop.
fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let one = one.expect("a thread");
    for (name, dtype, big) in TYPES {
        let image = in_memory(dtype, big);
        kernel::<f32>(&mut group, &one, &image, name);
        if name == "i16" {
            kernel::<f16>(&mut group, &one, &image, name);
            kernel::<f64>(&mut group, &one, &image, name);
        }
    }
    let stored = in_memory(DType::I16, false).dataobj().unscaled();
    let stored = stored.expect("voxels");
    let stored: &HostArray<i16> = stored.get().expect("int16");
    let mut out = vec![0f32; stored.len()];
    group.throughput(Throughput::Bytes(4 * out.len() as u64));
    group.bench_function(id("stored=i16/out=f32/cpu=plain-loop".to_owned()), |b| {
        b.iter(|| {
            for (out, &voxel) in out.iter_mut().zip(stored.as_slice()) {
                *out = (f64::from(voxel) * 0.075 + 3_100.7) as f32;
            }
            std::hint::black_box(&out);
        });
    });
    group.finish();
}

fn kernel<O: Float>(
    group: &mut Group,
    one: &rayon::ThreadPool,
    image: &DataobjImage,
    stored: &str,
) {
    let mut out = vec![O::from_f64(0.0); KERNEL_VOXELS];
    group.throughput(Throughput::Bytes(size_of_val(&out[..]) as u64));
    let name = |cpu| id(format!("stored={stored}/out={}/cpu={cpu}", O::DTYPE.name()));
    group.bench_function(name("1-thread"), |b| {
        b.iter(|| {
            one.install(|| image.dataobj().read_into(&mut out))
                .expect("a read")
        });
    });
    group.bench_function(name("all-threads"), |b| {
        b.iter(|| image.dataobj().read_into(&mut out).expect("a read"));
    });
}

/// Slices of a series, in numpy's notation.
const SLICES: [(&str, &str); 7] = [
    ("frame", "[..., 20]"),
    ("frames-strided", "[..., ::8]"),
    ("slab", "[:, :, 30, :]"),
    ("plane", "[48, :, :, 20]"),
    ("time-series", "[48, 48, 30, :]"),
    ("flipped", "[::-1, :, :, 20]"),
    ("voxel", "[48, 48, 30, 20]"),
];

fn slices(criterion: &mut Criterion, series: &Path) {
    let mut group = criterion.benchmark_group("slice");
    let image = voxload::load(series).expect("a volume");
    for (kind, notation) in SLICES {
        let index: Index = notation.parse().expect("an index");
        let read = || image.dataobj().slice::<f32>(&index).expect("a slice");
        group.throughput(Throughput::Bytes(read().size_bytes() as u64));
        group.bench_function(id(format!("stored=i16/out=f32/kind={kind}")), |b| {
            b.iter(read)
        });
    }
    group.finish();
}

/// Whole reads of one series, compressed in several ways.
fn packings(criterion: &mut Criterion, folder: &Path, series: &Path) {
    let bytes = std::fs::read(series).expect("the series");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).expect("room");
        path
    };
    let single = write("single.nii.gz", &packed(&bytes));
    let members: Vec<u8> = bytes.chunks(1 << 20).flat_map(packed).collect();
    let members = write("members.nii.gz", &members);
    let index = folder.join("single.voxgzi");
    voxload::write_gzip_index(&single, &index).expect("an index");
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    // Slow to write and to read, so only a part of the series is used, with a matching header.
    let part = Phantom::of_bytes(4_000_000, DType::I16);
    let small = folder.join("small.nii");
    part.write(&small).expect("room");
    bz2.write_all(&std::fs::read(&small).expect("the part"))
        .expect("memory");
    let bz2 = write("small.nii.bz2", &bz2.finish().expect("memory"));

    let mut group = criterion.benchmark_group("gzip");
    let plain = LoadOptions::new();
    let indexed = LoadOptions::new().gzip_index(&index);
    for (kind, path, options) in [
        ("single", &single, &plain),
        ("members-1MiB", &members, &plain),
        ("single-indexed", &single, &indexed),
        ("bz2", &bz2, &plain),
    ] {
        let read = || {
            let image = DataobjImage::from_filename(path, options).expect("a volume");
            image.dataobj().read::<f32>().expect("a read")
        };
        group.throughput(Throughput::Bytes(read().size_bytes() as u64 / 2));
        group.bench_function(id(format!("read=whole/kind={kind}")), |b| {
            b.iter_with_large_drop(read)
        });
    }
    group.finish();
}

/// A second `get_fdata`, and one that must read again.
fn caches(criterion: &mut Criterion, series: &Path) {
    let mut group = criterion.benchmark_group("cache");
    let image = voxload::load(series).expect("a volume");
    let bytes = image.get_fdata::<f32>(Caching::Fill).expect("a read");
    group.throughput(Throughput::Bytes(bytes.size_bytes() as u64));
    group.bench_function(id("where=host/read=hit".to_owned()), |b| {
        b.iter(|| image.get_fdata::<f32>(Caching::Fill).expect("a read"));
    });
    image.uncache();
    group.bench_function(id("where=host/read=miss".to_owned()), |b| {
        b.iter_with_large_drop(|| image.get_fdata::<f32>(Caching::Unchanged).expect("a read"));
    });
    group.finish();
}

/// Loads of voxels in memory to a device with each of its kernels, and hits of the device's cache.
#[cfg(feature = "gpu")]
fn device(criterion: &mut Criterion) {
    use voxload::{Gpu, KernelChoice, KernelMethod};

    let Ok(gpu) = Gpu::new() else {
        println!("no adapter found: nothing is measured on a device");
        return;
    };
    println!("adapter: {gpu:?}");
    let mut group = criterion.benchmark_group("device");
    for (name, dtype, big) in TYPES {
        let image = in_memory(dtype, big);
        let header = image.header();
        let rates = gpu.kernel_rates(dtype, &header.scaling, DType::F32);
        let rates = rates.expect("a kernel").rates;
        group.throughput(Throughput::Bytes(4 * KERNEL_VOXELS as u64));
        for (kernel, method) in [
            ("soft", KernelMethod::Integers),
            ("native", KernelMethod::NativeF64),
            ("table", KernelMethod::Table),
        ] {
            let has = |rate: &&voxload::KernelRate| rate.method == method;
            if rates
                .iter()
                .find(has)
                .and_then(|rate| rate.voxels_per_second)
                .is_none()
            {
                continue;
            }
            gpu.set_kernel_choice(KernelChoice::Only(method));
            group.bench_function(id(format!("stored={name}/out=f32/kernel={kernel}")), |b| {
                b.iter_with_large_drop(|| {
                    let made = image.get_fdata_gpu::<f32>(&gpu, Caching::Unchanged);
                    made.expect("a load")
                });
            });
        }
        gpu.set_kernel_choice(KernelChoice::Fastest);
    }
    let image = in_memory(DType::I16, false);
    let _kept = image
        .get_fdata_gpu::<f32>(&gpu, Caching::Fill)
        .expect("a load");
    group.bench_function(id("where=device/read=hit".to_owned()), |b| {
        b.iter(|| {
            image
                .get_fdata_gpu::<f32>(&gpu, Caching::Fill)
                .expect("a hit")
        });
    });
    group.finish();
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let series = series(folder.path());
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    open(&mut criterion, folder.path(), &series);
    kernels(&mut criterion);
    slices(&mut criterion, &series);
    packings(&mut criterion, folder.path(), &series);
    caches(&mut criterion, &series);
    #[cfg(feature = "gpu")]
    device(&mut criterion);
    criterion.final_summary();
}
