//! gzip: whole reads to f32 on the host, one frame, time series; on a 4-D int16 series of 210 MB (ratio about 2) and a
//! masked one, in the page cache. libdeflate's one-shot decoding is measured in the same run.
//!
//! `cargo bench --bench gzip`, or with other files: `VOXLOAD_BENCH_GZIP=a.nii.gz,b.nii.gz`. After criterion's output it
//! prints the promised ratios, from medians of alternating runs. `benches/peers/run.sh` compares with other programs,
//! each in a separate process.

#![allow(
    unreachable_pub,
    reason = "files are shared with the tests and the command"
)]

#[path = "../cli/src/bench/memory.rs"]
mod memory;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/rng.rs"]
mod rng;
#[path = "gzip/series.rs"]
mod series;

use std::path::{Path, PathBuf};
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use libdeflater::Decompressor;
use voxload::{DataobjImage, Index, LoadOptions};

/// Alternating runs, from whose medians the ratios are computed.
const RUNS: usize = 7;

struct Subject {
    name: String,
    path: PathBuf,
    index: PathBuf,
    compressed: Vec<u8>,
    /// Number of bytes to which the file inflates.
    inflated: usize,
    frames: usize,
}

impl Subject {
    fn new(path: &Path, folder: &Path) -> Self {
        let name = path.file_name().expect("a name").to_string_lossy();
        let name = name.split('.').next().expect("a stem").to_owned();
        let index = folder.join(format!("{name}.voxgzi"));
        voxload::write_gzip_index(path, &index).expect("an index");
        let compressed = std::fs::read(path).expect("the file");
        let image = voxload::load(path).expect("a volume");
        let header = image.header();
        let inflated = header.data_offset + header.data_bytes().expect("a size");
        Self {
            name,
            path: path.to_owned(),
            index,
            compressed,
            inflated: inflated as usize,
            frames: *image.shape().last().expect("a 4-D series"),
        }
    }

    fn open(&self, indexed: bool) -> DataobjImage {
        let options = match indexed {
            true => LoadOptions::new().gzip_index(&self.index),
            false => LoadOptions::new(),
        };
        DataobjImage::from_filename(&self.path, &options).expect("a volume")
    }

    fn whole(&self, indexed: bool) -> voxload::HostArray<f32> {
        self.open(indexed).dataobj().read().expect("a read")
    }

    fn libdeflate(&self) -> Vec<u8> {
        let mut out = vec![0; self.inflated];
        let made = Decompressor::new().gzip_decompress(&self.compressed, &mut out);
        assert_eq!(made, Ok(self.inflated), "a file of one member");
        out
    }

    fn frame(&self, image: &DataobjImage) -> voxload::HostArray<f32> {
        let index: Index = format!("[..., {}]", self.frames / 2)
            .parse()
            .expect("an index");
        image.dataobj().slice(&index).expect("a frame")
    }

    /// Inflates just up to the end of the middle frame, as any reader without an index must.
    fn plain_to_frame(&self) -> Vec<u8> {
        use std::io::Read;
        let length = self.inflated / self.frames * (self.frames / 2 + 1);
        let mut decoder = flate2::read::GzDecoder::new(&self.compressed[..]);
        let mut piece = vec![0; 256 << 10];
        let mut left = length;
        while left > 0 {
            let wanted = piece.len().min(left);
            decoder
                .read_exact(&mut piece[..wanted])
                .expect("it inflates");
            left -= wanted;
        }
        piece
    }
}

fn criterion_lines(subjects: &[Subject]) {
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("gzip");
    for subject in subjects {
        let id = |what: &str, who: &str| {
            BenchmarkId::from_parameter(format!("file={}/read={what}/who={who}", subject.name))
        };
        group.throughput(Throughput::Bytes(subject.inflated as u64));
        group.bench_function(id("whole", "voxload"), |b| {
            b.iter_with_large_drop(|| subject.whole(false));
        });
        group.bench_function(id("whole", "voxload-index"), |b| {
            b.iter_with_large_drop(|| subject.whole(true));
        });
        group.bench_function(id("whole", "libdeflate"), |b| {
            b.iter_with_large_drop(|| subject.libdeflate());
        });
        group.throughput(Throughput::Bytes(
            (subject.inflated / subject.frames) as u64,
        ));
        group.bench_function(id("frame", "voxload-index"), |b| {
            b.iter_with_large_drop(|| subject.frame(&subject.open(true)));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// Seconds of one run, after another run that is not timed.
fn timed<T>(work: impl Fn() -> T) -> f64 {
    drop(work());
    let start = Instant::now();
    let made = work();
    let seconds = start.elapsed().as_secs_f64();
    drop(made);
    seconds
}

fn medians<const N: usize>(work: [&dyn Fn() -> f64; N]) -> [f64; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..RUNS {
        for (times, work) in times.iter_mut().zip(work) {
            times.push(work());
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// Seconds to stream the file in order through a source, in pieces of the size of a staging slot, as for a device.
fn pieces(subject: &Subject) -> f64 {
    let image = subject.open(false);
    let proxy = image.dataobj();
    let frames = subject.frames;
    let start = Instant::now();
    for t in 0..frames {
        let index: Index = format!("[..., {t}]").parse().expect("an index");
        proxy.slice::<f32>(&index).expect("a frame");
    }
    start.elapsed().as_secs_f64()
}

fn ratios(subject: &Subject) {
    let mb = |seconds: f64| subject.inflated as f64 / seconds / 1e6;
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let one = one.expect("a thread");
    let [whole, alone, indexed, floor, streamed] = medians([
        &|| timed(|| subject.whole(false)),
        &|| timed(|| one.install(|| subject.whole(false))),
        &|| timed(|| subject.whole(true)),
        &|| timed(|| subject.libdeflate()),
        &|| pieces(subject),
    ]);
    let ratio = subject.inflated as f64 / subject.compressed.len() as f64;
    println!(
        "{}: {} bytes inflated, ratio {ratio:.2}",
        subject.name, subject.inflated
    );
    println!(
        "  whole to f32: {whole:.3} s ({:.0} MB/s), on one thread {alone:.3} s ({:.0}), with index {indexed:.3} s ({:.0}), libdeflate {floor:.3} s ({:.0}), frame by frame {streamed:.3} s ({:.0})",
        mb(whole),
        mb(alone),
        mb(indexed),
        mb(floor),
        mb(streamed)
    );
    println!(
        "  libdeflate / voxload       = {:.2} (promised: at least 0.9)",
        floor / whole
    );
    println!(
        "  libdeflate / frame by frame = {:.2} (promised: at least 0.65)",
        floor / streamed
    );
    println!(
        "  libdeflate / one thread     = {:.2} (promised: at least 0.9)",
        floor / alone
    );
    println!(
        "  voxload / with index       = {:.2}; one thread / with index = {:.2} (promised: at least 1.4)",
        whole / indexed,
        alone / indexed
    );
    let [plain, first, kept] = medians([
        &|| timed(|| subject.plain_to_frame()),
        &|| timed(|| subject.frame(&subject.open(false))),
        &|| timed(|| subject.frame(&subject.open(true))),
    ]);
    println!(
        "  middle frame: first access {first:.4} s, inflating up to it {plain:.4} s, index on disk {kept:.4} s"
    );
    println!(
        "  inflating / first access   = {:.2} (promised: at least 1)",
        plain / first
    );
    time_series(subject);
    for indexed in [false, true] {
        let (peak, array) = memory::peak_of(|| subject.whole(indexed));
        let output = array.len() as u64 * 4;
        let over = peak.saturating_sub(output) as f64 / f64::from(1 << 20);
        println!("  peak anonymous memory over the output, index {indexed}: {over:.1} MiB");
    }
}

/// Reads 100 random time series of one voxel, with an index.
fn time_series(subject: &Subject) {
    let image = subject.open(true);
    let shape = image.shape().to_vec();
    let start = Instant::now();
    let mut random = rng::Rng::new(1);
    for _ in 0..100 {
        let at = [0, 1, 2].map(|axis| random.below(shape[axis]));
        let index: Index = format!("[{}, {}, {}]", at[0], at[1], at[2])
            .parse()
            .expect("an index");
        image.dataobj().slice::<f32>(&index).expect("a series");
    }
    let seconds = start.elapsed().as_secs_f64() / 100.0;
    println!("  one voxel's series: {seconds:.4} s, the whole file's chunks inflated for each");
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> = match std::env::var("VOXLOAD_BENCH_GZIP") {
        Ok(given) => given.split(',').map(PathBuf::from).collect(),
        Err(_) => series::write(folder.path()),
    };
    let subjects: Vec<_> = paths
        .iter()
        .map(|path| Subject::new(path, folder.path()))
        .collect();
    if !std::env::args().any(|argument| argument == "--ratios") {
        criterion_lines(&subjects);
    }
    subjects.iter().for_each(ratios);
}
