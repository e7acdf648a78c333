//! Volumes and gzip files of every kind: single members, several, BGZF, mgzip.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Crc;
use libdeflater::{CompressionLvl, Compressor};
use voxload::{ByteOrder, DType, DataobjImage};

use crate::support::environment::skipped;
use crate::support::nifti::{Nifti, gz};
use crate::support::rng::Rng;

/// Voxels like a scan's: smooth, noisy in places, flat in others.
pub fn scan(dtype: DType, shape: &[usize], seed: u64) -> Nifti {
    let mut rng = Rng::new(seed);
    let voxels: usize = shape.iter().product();
    let item = dtype.size_bytes();
    let mut data = Vec::with_capacity(voxels * item);
    for i in 0..voxels {
        let masked = (i / 3000) % 3 == 0;
        let value = if masked {
            0
        } else {
            (i / 50 % 3000) as i64 + rng.between(-6, 6)
        };
        match dtype {
            DType::F32 => data.extend((value as f32 / 8.0).to_le_bytes()),
            DType::F64 => data.extend((value as f64 / 8.0).to_le_bytes()),
            _ => data.extend(&value.to_le_bytes()[..item]),
        }
    }
    Nifti::new(dtype, shape, data)
        .order(ByteOrder::Little)
        .scl(0.5, 3.0)
}

/// A member as pgzip writes it: its length in an extra field of this name.
fn sized_member(bytes: &[u8], name: [u8; 2], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).expect("a level"));
    let mut body = vec![0; compressor.deflate_compress_bound(bytes.len())];
    let length = compressor.deflate_compress(bytes, &mut body).expect("room");
    body.truncate(length);
    let mut extra = name.to_vec();
    if name == *b"BC" {
        let whole = 10 + 2 + 6 + body.len() + 8;
        extra.extend([2, 0]);
        extra.extend(
            u16::try_from(whole - 1)
                .expect("a BGZF block")
                .to_le_bytes(),
        );
    } else {
        extra.extend([4, 0]);
        extra.extend((body.len() as u32).to_le_bytes());
    }
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
    member.extend((extra.len() as u16).to_le_bytes());
    member.extend(extra);
    member.extend(body);
    let mut crc = Crc::new();
    crc.update(bytes);
    member.extend(crc.sum().to_le_bytes());
    member.extend((bytes.len() as u32).to_le_bytes());
    member
}

pub fn bgzf(bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.chunks(65280).chain([&[][..]]);
    blocks
        .flat_map(|block| sized_member(block, *b"BC", 5))
        .collect()
}

pub fn mgzip(bytes: &[u8], block: usize) -> Vec<u8> {
    bytes
        .chunks(block)
        .flat_map(|block| sized_member(block, *b"IG", 5))
        .collect()
}

pub fn members(bytes: &[u8], size: usize) -> Vec<u8> {
    bytes.chunks(size).flat_map(|part| gz(part, 6)).collect()
}

pub fn libdeflate(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::new(level).expect("a level"));
    let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(bytes, &mut out).expect("room");
    out.truncate(length);
    out
}

/// What a command makes of the bytes; `None`, with a line that says so, when it is not installed.
pub fn by_tool(tool: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skipped(&format!("gzip files made by {tool}"), "it is not installed");
        return None;
    };
    let mut input = child.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes).expect("the tool reads"));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("all was written");
    assert!(output.status.success(), "{tool} {arguments:?}");
    Some(output.stdout)
}

/// Every kind of file that holds these bytes: its name and its bytes.
pub fn kinds(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut kinds: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: String, file: Vec<u8>| kinds.push((name, file));
    for level in 0..=9 {
        add(format!("zlib -{level}"), gz(bytes, level));
    }
    for level in [0, 1, 12] {
        add(format!("libdeflate -{level}"), libdeflate(bytes, level));
    }
    for size in [1 << 20, 100_003] {
        add(format!("members of {size}"), members(bytes, size));
        add(format!("mgzip of {size}"), mgzip(bytes, size));
    }
    add(
        "tiny members".into(),
        [members(&bytes[..4001], 3), gz(&bytes[4001..], 6)].concat(),
    );
    add(
        "tiny sized members".into(),
        [mgzip(&bytes[..4001], 3), mgzip(&bytes[4001..], 1 << 19)].concat(),
    );
    add("bgzf".into(), bgzf(bytes));
    add("padded".into(), [gz(bytes, 6), vec![0; 1000]].concat());
    add(
        "empty members".into(),
        [gz(b"", 6), gz(bytes, 6), gz(b"", 1)].concat(),
    );
    add("a tail".into(), gz(&[bytes, &[7; 100_000]].concat(), 6));
    add(
        "sized with a tail".into(),
        mgzip(&[bytes, &[7; 100_000]].concat(), 60_001),
    );
    for level in ["-1", "-6", "-9"] {
        if let Some(file) = by_tool("gzip", &["-c", level], bytes) {
            add(format!("gzip {level}"), file);
        }
    }
    for arguments in [
        &["-c", "-p", "4", "-b", "128"][..],
        &["-c", "-i", "-p", "2"],
        &["-c", "-11"],
    ] {
        if arguments.contains(&"-11") && bytes.len() > 1 << 20 {
            continue;
        }
        if let Some(file) = by_tool("pigz", arguments, bytes) {
            add(format!("pigz {arguments:?}"), file);
        }
    }
    if let Some(file) = by_tool("bgzip", &["-c"], bytes) {
        add("bgzip".into(), file);
    }
    kinds
}

pub fn open(path: &Path) -> DataobjImage {
    voxload::load(path).unwrap_or_else(|error| panic!("{error}"))
}
