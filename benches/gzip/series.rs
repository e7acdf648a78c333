//! The series that are measured: a smooth one with noise, and the same masked to a ball.

use std::path::{Path, PathBuf};

use libdeflater::{CompressionLvl, Compressor};

use crate::rng::Rng;

const SHAPE: [usize; 4] = [96, 96, 60, 190];

/// Writes both as `.nii.gz` with one member, level 6.
pub fn write(folder: &Path) -> Vec<PathBuf> {
    [("bold", false), ("masked", true)]
        .into_iter()
        .map(|(name, masked)| {
            let bytes = series(masked);
            let level = CompressionLvl::new(6).expect("a level");
            let mut compressor = Compressor::new(level);
            let mut out = vec![0; compressor.gzip_compress_bound(bytes.len())];
            let length = compressor.gzip_compress(&bytes, &mut out).expect("room");
            let path = folder.join(format!("{name}.nii.gz"));
            std::fs::write(&path, &out[..length]).expect("room on the disk");
            path
        })
        .collect()
}

fn header() -> Vec<u8> {
    let mut header = vec![0u8; 352];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes());
    put(40, &4i16.to_le_bytes());
    for (axis, &length) in SHAPE.iter().enumerate() {
        put(42 + 2 * axis, &(length as i16).to_le_bytes());
        put(80 + 4 * axis, &2f32.to_le_bytes());
    }
    put(70, &4i16.to_le_bytes());
    put(72, &16i16.to_le_bytes());
    put(108, &352f32.to_le_bytes());
    put(112, &0.5f32.to_le_bytes());
    put(116, &3f32.to_le_bytes());
    put(344, b"n+1\0");
    header
}

fn series(masked: bool) -> Vec<u8> {
    let [nx, ny, nz, frames] = SHAPE;
    let mut base = Vec::with_capacity(nx * ny * nz);
    let place = |i: usize, n: usize| 2.0 * i as f64 / (n - 1) as f64 - 1.0;
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                let [x, y, z] = [place(x, nx), place(y, ny), place(z, nz)];
                let radius = (x * x + y * y + z * z).sqrt();
                let value = 100.0 * (-2.0 * radius * radius).exp()
                    + 25.0 * (6.0 * x).sin() * (5.0 * y).cos();
                base.push((value as i16, radius < 0.55));
            }
        }
    }
    let mut bytes = header();
    let mut random = Rng::new(1);
    for _ in 0..frames {
        for &(value, inside) in &base {
            // The sum of three dice: closer to a scanner's noise than one.
            let dice = random.bits();
            let noise = (0..3)
                .map(|die| (dice >> (8 * die)) as i16 & 7)
                .sum::<i16>();
            let value = if inside || !masked { value + noise } else { 0 };
            bytes.extend(value.to_le_bytes());
        }
    }
    bytes
}
