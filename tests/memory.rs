//! Promise: nothing is allocated for a size that the file cannot hold. Run in a process of its own, whose peak of
//! address space counts whatever was asked for, touched or not.

mod beside;

use voxload::{ByteOrder, Caching, DType, DataobjImage, LoadOptions, Mmap};

use crate::support::child::{run_test, status_bytes};
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz, one, put_int, put_real, two};
use crate::support::{by_width, folder, write};

/// Far below what the files of the test lie about, far above what honest work needs.
const MOST: u64 = 256 << 20;

/// Files that claim from 2 GiB to 2^62 bytes.
fn liars() -> Vec<(String, Vec<u8>)> {
    let honest = |version| Nifti::new(DType::I16, &[8, 8, 8], vec![1; 1024]).version(version);
    let mut files = Vec::new();
    for length in [1i64 << 30, 1 << 35, 1 << 40, 1 << 60] {
        let mut bytes = honest(2).single();
        put_int(&mut bytes, two::DIM.nth(1), length, ByteOrder::Little);
        put_int(&mut bytes, two::DIM.nth(2), 1, ByteOrder::Little);
        put_int(&mut bytes, two::DIM.nth(3), 1, ByteOrder::Little);
        files.push((format!("{length} voxels"), bytes));
        let mut bytes = honest(2).single();
        put_int(&mut bytes, two::VOX_OFFSET, length, ByteOrder::Little);
        files.push((format!("offset {length}"), bytes));
    }
    let mut bytes = honest(1).single();
    for axis in 1..=3 {
        put_int(&mut bytes, one::DIM.nth(axis), 32767, ByteOrder::Little);
    }
    files.push(("32767 cubed".to_owned(), bytes));
    let mut bytes = honest(1).single();
    put_real(&mut bytes, one::VOX_OFFSET, 2e8, ByteOrder::Little);
    bytes[348] = 1;
    files.push(("extensions of 200 MB".to_owned(), bytes));
    let mut bytes = honest(1).extension(6, &[1; 100]).single();
    put_int(
        &mut bytes,
        crate::support::nifti::At(352, 4),
        0x7fff_fff0,
        ByteOrder::Little,
    );
    put_int(&mut bytes, one::DIM.nth(1), 32767, ByteOrder::Little);
    put_int(&mut bytes, one::DIM.nth(2), 32767, ByteOrder::Little);
    files.push(("an extension of 2 GiB".to_owned(), bytes));
    files
}

fn read_everything(image: &DataobjImage) -> [String; 4] {
    [
        outcome(&image.get_fdata::<f64>(Caching::Fill)),
        outcome(&image.dataobj().read::<f32>()),
        outcome(&image.dataobj().unscaled()),
        outcome(&image.get_fdata::<voxload::c128>(Caching::Unchanged)),
    ]
}

#[test]
#[ignore = "run by `lying_files_get_no_memory` in a process of its own"]
fn child_reads_lying_files() {
    // Threads and their heaps first.
    let honest = Nifti::new(DType::I16, &[256, 256, 32], vec![3; 4 << 20]).single();
    let image = DataobjImage::from_bytes(honest).expect("it loads");
    image
        .get_fdata::<f32>(Caching::Fill)
        .expect("it can be read");
    drop(image);
    let before = status_bytes("VmPeak");
    let options = [LoadOptions::new(), LoadOptions::new().mmap(Mmap::Off)];
    let mut refused = 0;
    for (what, bytes) in liars() {
        let dir = folder();
        let paths = [
            write(&dir, "a.nii", &bytes),
            write(&dir, "b.nii.gz", &gz(&bytes, 9)),
        ];
        for (path, options) in paths
            .iter()
            .flat_map(|path| options.iter().map(move |o| (path, o)))
        {
            let image = match DataobjImage::from_filename(path, options) {
                Ok(image) => image,
                failed => {
                    // The header is legal, if lengths of 64 bits are.
                    assert_eq!(outcome(&failed), by_width("Ok", "Header(dim)"), "{what}");
                    refused += 1;
                    continue;
                }
            };
            let zipped = path.extension().is_some_and(|ending| ending == "gz");
            for found in read_everything(&image) {
                let beyond_deflate = zipped && found == "Limit(inflated bytes)";
                assert!(
                    found == "Truncated(voxel data)" || beyond_deflate,
                    "{what}: {found}"
                );
            }
            refused += 1;
        }
    }
    let grown = status_bytes("VmPeak") - before;
    assert!(grown < MOST, "{grown} bytes were asked for");
    println!("refused {refused}, grown {grown}");
}

#[test]
fn lying_files_get_no_memory() {
    let text = run_test("memory::child_reads_lying_files");
    assert!(text.contains("refused 44"), "{text}");
}

/// The check above can fail: honest large output does raise the peak.
#[test]
#[ignore = "run by `honest_files_do_get_memory` in a process of its own"]
fn child_reads_an_honest_file() {
    let before = status_bytes("VmPeak");
    let voxels = 64 << 20;
    let honest = Nifti::new(DType::U8, &[1 << 10, voxels >> 10], vec![3; voxels])
        .version(2)
        .single();
    let image = DataobjImage::from_bytes(honest).expect("it loads");
    image
        .get_fdata::<f64>(Caching::Fill)
        .expect("it can be read");
    println!("grown {}", (status_bytes("VmPeak") - before) / MOST);
}

#[test]
fn honest_files_do_get_memory() {
    let text = run_test("memory::child_reads_an_honest_file");
    let grown = text
        .split("grown ")
        .nth(1)
        .and_then(|text| text.lines().next());
    let grown: u64 = grown.and_then(|n| n.parse().ok()).expect("a number");
    assert!(grown >= 2, "512 MiB of output: {grown}");
}
