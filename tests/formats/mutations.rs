//! Random damage to sound files: an error or an image, never a panic, and nothing that takes memory by the header's word.

use voxload::{DataobjImage, LoadOptions};

use super::seeds;

/// A generator of numbers, the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}

/// Changes some bytes of the first file, or takes or doubles some.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let end = (at + random.below(20)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *b"0129-. \n\xff\x7f".get(random.below(10)).unwrap_or(&0);
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

#[test]
fn damage_is_an_error_or_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(0x5eed);
    for seed in seeds::all() {
        let (mut loaded, mut read, total) = (0, 0, 1000);
        for k in 0..total {
            let mut damaged = seed.clone();
            // Mostly the header; sometimes a file beside it.
            let file = if k % 10 == 0 {
                random.below(damaged.files.len())
            } else {
                0
            };
            mutate(&mut damaged.files[file].1, &mut random);
            let path = damaged.write(folder.path());
            let options = LoadOptions::new()
                .permit_truncated(k % 2 == 0)
                .strict_sort(k % 3 == 0);
            let Ok(image) = DataobjImage::from_filename(&path, &options) else {
                continue;
            };
            loaded += 1;
            image.header().fields.list();
            image.notes();
            read += usize::from(image.dataobj().read::<f32>().is_ok());
        }
        println!(
            "{}: of {total}, {loaded} loaded, {read} read",
            seed.files[0].0
        );
        assert!(
            loaded > 0 && loaded < total,
            "{}: {loaded} loaded",
            seed.format
        );
    }
}

#[test]
fn seeds_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    for seed in seeds::all() {
        let image = voxload::load(seed.write(folder.path())).unwrap();
        assert_eq!(image.header().format.name(), seed.format);
        image.dataobj().read::<f64>().unwrap();
        assert!(!image.header().fields.list().is_empty());
        assert_eq!(image.notes(), [], "{}", seed.format);
    }
}
