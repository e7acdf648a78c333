//! Promise: damage in gzip is always found on a whole read, and legal streams load.

use voxload::{ByteOrder, Caching, DType, DataobjImage};

use crate::malformed::seed;
use crate::support::errors::outcome;
use crate::support::nifti::{Nifti, gz, gz_with_fields};
use crate::support::rng::Rng;
use crate::support::table::Row;

/// Loads and reads all; the first error, or whether the values are those of `sound`.
fn read(bytes: Vec<u8>, sound: &[f64]) -> String {
    let image = match DataobjImage::from_bytes(bytes) {
        Ok(image) => image,
        failed => return outcome(&failed),
    };
    match image.get_fdata::<f64>(Caching::Fill) {
        Ok(values) if values.as_slice() == sound => "Ok".to_owned(),
        Ok(_) => "WRONG VALUES".to_owned(),
        failed => {
            assert!(!image.in_memory(), "nothing of a failed read is kept");
            outcome(&failed)
        }
    }
}

fn values(bytes: &[u8]) -> Vec<f64> {
    let image = DataobjImage::from_bytes(bytes.to_vec()).expect("it loads");
    image
        .get_fdata::<f64>(Caching::Fill)
        .expect("a read")
        .as_slice()
        .to_vec()
}

/// A volume of random voxels: bytes and values.
fn volume(voxels: usize) -> (Vec<u8>, Vec<f64>) {
    let nifti = Nifti::new(DType::U8, &[voxels], Rng::new(4).bytes(voxels)).version(2);
    let bytes = nifti.single();
    let values = values(&bytes);
    (bytes, values)
}

#[test]
fn cut_at_every_byte() {
    let bytes = seed(1, ByteOrder::Little).single();
    let sound = values(&bytes);
    let mut cut = 0;
    for level in [0, 1, 9] {
        let zipped = gz(&bytes, level);
        for length in 2..zipped.len() {
            let found = read(zipped[..length].to_vec(), &sound);
            let expected = match length {
                length if length < 10 => "Truncated(gzip header)",
                length if length + 8 >= zipped.len() => "Truncated(gzip trailer)",
                _ => "Truncated(gzip data)",
            };
            assert_eq!(
                found,
                expected,
                "level {level}, {length} of {}",
                zipped.len()
            );
            cut += 1;
        }
        assert_eq!(read(zipped, &sound), "Ok");
    }
    assert!(cut > 500, "{cut}");
}

#[test]
fn every_flipped_bit_of_a_small_file() {
    let bytes = seed(1, ByteOrder::Little).single();
    let sound = values(&bytes);
    let (mut harmless, mut spare, mut found_out) = (0, 0, 0);
    for level in [0, 6] {
        let zipped = gz(&bytes, level);
        for bit in 0..zipped.len() * 8 {
            let mut flipped = zipped.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = read(flipped, &sound);
            assert_ne!(found, "WRONG VALUES", "level {level}, bit {bit}");
            // No reader looks at time, system, compression level, and whether it is text.
            let ignored = matches!(bit / 8, 4..=9) || bit / 8 == 3 && bit % 8 == 0;
            if ignored {
                assert_eq!(found, "Ok", "bit {bit}");
                harmless += 1;
            } else if found == "Ok" {
                spare += 1;
            } else {
                found_out += 1;
            }
        }
    }
    assert_eq!(harmless, 2 * (6 * 8 + 1));
    // Deflate itself skips a few bits to come to the next byte.
    assert!(spare <= 2 * 7, "{spare} flips went unnoticed");
    assert!(found_out > 4000, "{found_out}");
}

/// Flips among the voxels of stored blocks, which inflate whatever they hold: only the checksum can tell.
#[test]
fn silent_flips_are_found_by_the_checksum() {
    let (bytes, sound) = volume(40_000);
    let zipped = gz(&bytes, 0);
    let mut rng = Rng::new(66);
    for _ in 0..1000 {
        // After the gzip header, the block's header and the NIfTI header.
        let at = 10 + 5 + 544 + rng.below(30_000);
        let mut flipped = zipped.clone();
        flipped[at] ^= 1 << rng.below(8);
        assert_eq!(read(flipped, &sound), "Integrity(gzip)", "byte {at}");
    }
}

#[test]
fn lying_trailers() {
    let (bytes, sound) = volume(5000);
    let zipped = gz(&bytes, 6);
    let end = zipped.len();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = zipped.clone();
        change(&mut changed);
        read(changed, &sound)
    };
    assert_eq!(with(&|b| b[end - 8] ^= 1), "Integrity(gzip)", "checksum");
    assert_eq!(with(&|b| b[end - 4] ^= 1), "Integrity(gzip)", "length");
    assert_eq!(
        with(&|b| b[end - 1] ^= 0x80),
        "Integrity(gzip)",
        "length, above 2 GiB"
    );
    assert_eq!(with(&|b| b.truncate(end - 1)), "Truncated(gzip trailer)");
    assert_eq!(with(&|b| b.truncate(end - 8)), "Truncated(gzip trailer)");
    assert_eq!(with(&|b| b[2] = 7), "Integrity(gzip)", "method");
    assert_eq!(with(&|b| b[3] = 0x20), "Integrity(gzip)", "reserved flag");
    assert_eq!(with(&|_| ()), "Ok");
}

/// A member with these flags, header fields and deflated data after them, and a trailer that would fit.
fn framed(flags: u8, fields: &[u8], deflated: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    member.extend([fields, deflated].concat());
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    member.extend(crc.sum().to_le_bytes());
    member.extend((bytes.len() as u32).to_le_bytes());
    member
}

#[test]
fn framing_by_name() {
    let timed = Row::new("malformed gzip framing");
    let (bytes, sound) = volume(300);
    let zipped = gz(&bytes, 6);
    let deflated = &zipped[10..zipped.len() - 8];
    let member = |flags: u8, fields: &[u8]| framed(flags, fields, deflated, &bytes);
    let data = |deflated: &[u8]| framed(0, &[], deflated, &bytes);
    let length = bytes.len() as u16;
    let stored = |header: u8, length: u16, complement: u16| {
        let head = [
            &[header][..],
            &length.to_le_bytes(),
            &complement.to_le_bytes(),
        ]
        .concat();
        data(&[&head[..], &bytes].concat())
    };
    let two = |second: Vec<u8>| [zipped.clone(), second].concat();
    let mut table: Vec<(String, Vec<u8>, &str)> = Vec::new();
    let mut row =
        |name: &str, file: Vec<u8>, expected| table.push((name.to_owned(), file, expected));
    row("as it is", member(0, &[]), "Ok");
    row("text", member(1, &[]), "Ok");
    row("extra field", member(4, &[3, 0, 7, 7, 7]), "Ok");
    row("empty extra field", member(4, &[0, 0]), "Ok");
    row(
        "extra field to the end",
        member(4, &[0xff, 0xff]),
        "Truncated(gzip header)",
    );
    row("name", member(8, b"a\0"), "Ok");
    row("empty name", member(8, b"\0"), "Ok");
    row(
        "name of 1 MB",
        member(8, &[vec![b'n'; 1 << 20], vec![0]].concat()),
        "Ok",
    );
    row("comment", member(16, b"a\0"), "Ok");
    row("all fields", member(1 | 4 | 8 | 16, b"\x01\0xn\0c\0"), "Ok");
    row(
        "endless name",
        framed(8, &vec![b'n'; 5000], &[], b"nnnn")[..5000].to_vec(),
        "Truncated(gzip header)",
    );
    row(
        "endless comment",
        framed(16, &vec![b'n'; 5000], &[], b"nnnn")[..5000].to_vec(),
        "Truncated(gzip header)",
    );
    for flag in [0x20, 0x40, 0x80, 0xe0] {
        row(
            &format!("reserved flag {flag:#x}"),
            member(flag, &[]),
            "Integrity(gzip)",
        );
    }
    for method in [0, 1, 7, 9, 255] {
        let mut file = member(0, &[]);
        file[2] = method;
        row(&format!("method {method}"), file, "Integrity(gzip)");
    }
    row("stored", stored(1, length, !length), "Ok");
    row("stored, spare bits", stored(0xf9, length, !length), "Ok");
    row(
        "stored, wrong complement",
        stored(1, length, length),
        "Integrity(gzip)",
    );
    row(
        "stored, too short",
        stored(1, length - 1, !(length - 1)),
        "Integrity(gzip)",
    );
    row(
        "stored, not the last",
        stored(0, length, !length),
        "Integrity(gzip)",
    );
    row("block of type 3", data(&[7]), "Integrity(gzip)");
    row(
        "block of type 3, not the last",
        data(&[6]),
        "Integrity(gzip)",
    );
    row("no data", data(&[]), "Integrity(gzip)");
    row("zeros for data", data(&[0; 64]), "Integrity(gzip)");
    row("ones for data", data(&[0xff; 64]), "Integrity(gzip)");
    row(
        "a distance before the start",
        data(&[0x4b, 0x04, 0x13, 0x00, 0xff]),
        "Integrity(gzip)",
    );
    row(
        "too many lengths",
        data(&[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        "Integrity(gzip)",
    );
    row("two members of it", two(zipped.clone()), "Ok");
    row("an empty member after it", two(gz(b"", 6)), "Ok");
    row("zeros after it", two(vec![0; 77]), "Ok");
    row("text after it", two(b"behind".to_vec()), "Ok");
    row(
        "a magic after it",
        two(vec![0x1f, 0x8b]),
        "Truncated(gzip header)",
    );
    row(
        "half a header after it",
        two(zipped[..7].to_vec()),
        "Truncated(gzip header)",
    );
    row(
        "half a member after it",
        two(zipped[..60].to_vec()),
        "Truncated(gzip data)",
    );
    row(
        "a member without its trailer after it",
        two(zipped[..zipped.len() - 8].to_vec()),
        "Truncated(gzip trailer)",
    );
    for (name, at) in [("method", 2), ("flags", 3)] {
        let mut second = zipped.clone();
        second[at] = 0xff;
        row(
            &format!("a member of a wrong {name} after it"),
            two(second),
            "Integrity(gzip)",
        );
    }
    for (name, back) in [("checksum", 8), ("length", 4)] {
        for (whose, first) in [("first", true), ("second", false)] {
            let mut damaged = zipped.clone();
            let at = damaged.len() - back;
            damaged[at] ^= 1;
            let file = match first {
                true => [damaged, zipped.clone()].concat(),
                false => two(damaged),
            };
            row(
                &format!("{name} of the {whose} of two"),
                file,
                "Integrity(gzip)",
            );
        }
    }
    for length in [0u32, 1, 1 << 31, u32::MAX] {
        let mut file = zipped.clone();
        let at = file.len() - 4;
        file[at..].copy_from_slice(&length.to_le_bytes());
        row(&format!("length {length}"), file, "Integrity(gzip)");
    }
    let wrong: Vec<String> = table
        .iter()
        .map(|(name, file, expected)| (name, read(file.clone(), &sound), expected))
        .filter(|(_, found, expected)| found != *expected)
        .map(|(name, found, expected)| format!("{name}: {found}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    timed.done_at_least(table.len(), 50);
}

/// A volume cut short inside an honest stream.
#[test]
fn honest_streams_of_too_few_voxels() {
    let (bytes, sound) = volume(5000);
    for length in [544, 545, 600, 5000, bytes.len() - 1] {
        let zipped = gz(&bytes[..length], 6);
        assert_eq!(read(zipped, &sound), "Truncated(voxel data)", "{length}");
    }
    for length in [1, 100, 539] {
        assert_eq!(read(gz(&bytes[..length], 6), &sound), "Truncated(header)");
    }
}

#[test]
fn legal_streams() {
    let (bytes, sound) = volume(5000);
    let members = |cuts: &[usize]| -> Vec<u8> {
        let mut all = Vec::new();
        let mut from = 0;
        for &to in cuts.iter().chain([&bytes.len()]) {
            all.extend(gz(&bytes[from..to], 6));
            from = to;
        }
        all
    };
    let padded = |n: usize| [gz(&bytes, 6), vec![0; n]].concat();
    let empty = gz(b"", 6);
    let legal = [
        gz_with_fields(&bytes),
        members(&[]),
        members(&[1]),
        members(&[100, 544, 4000]),
        members(&[10, 10, 10, 540, 540]),
        [empty.clone(), gz(&bytes, 6)].concat(),
        [empty.clone(), gz(&bytes, 6), empty.clone()].concat(),
        padded(1),
        padded(511),
        padded(1 << 20),
        [empty.repeat(20_000), gz(&bytes, 6)].concat(),
    ];
    for (n, zipped) in legal.into_iter().enumerate() {
        let image = DataobjImage::from_bytes(zipped.clone()).expect("it loads");
        assert_eq!(read(zipped, &sound), "Ok", "stream {n}");
        image.get_fdata::<f32>(Caching::Fill).expect("a read");
        assert_eq!(image.notes(), [], "stream {n}");
    }
    let header_crc = {
        let mut zipped = gz(&bytes, 6);
        zipped[3] = 2;
        zipped.splice(10..10, [0x12, 0x34]);
        zipped
    };
    assert_eq!(read(header_crc, &sound), "Ok");
}

/// "other trailing bytes are a warning"
#[test]
fn garbage_after_the_stream_is_noted() {
    let (bytes, sound) = volume(5000);
    for garbage in [&b"garbage"[..], &[1], &[0x1f, 0x00], &[0, 0, 7, 7]] {
        let zipped = [gz(&bytes, 6), garbage.to_vec()].concat();
        let image = DataobjImage::from_bytes(zipped.clone()).expect("it loads");
        assert_eq!(read(zipped, &sound), "Ok");
        image.get_fdata::<f32>(Caching::Fill).expect("a read");
        let notes = image.notes();
        assert_eq!(notes.len(), 1, "{garbage:?}: {notes:?}");
        assert_eq!(notes[0].field, "gzip");
    }
    let half_a_member = [gz(&bytes, 6), gz(&bytes, 6)[..40].to_vec()].concat();
    assert!(read(half_a_member, &sound).starts_with("Truncated(gzip"));
}

/// A damaged file stays damaged however often it is asked, and its sound beginning can be sliced.
#[test]
fn errors_repeat_and_early_slices_work() {
    let (bytes, _) = volume(2 << 20);
    let mut zipped = gz(&bytes, 1);
    let last = zipped.len() - 5;
    zipped[last] ^= 1;
    let image = DataobjImage::from_bytes(zipped).expect("the header is sound");
    for _ in 0..3 {
        assert_eq!(
            outcome(&image.get_fdata::<f32>(Caching::Fill)),
            "Integrity(gzip)"
        );
        let early = image.dataobj().slice::<f64>("[:10]");
        let expected: Vec<f64> = bytes[544..554].iter().map(|&b| f64::from(b)).collect();
        assert_eq!(early.expect("the beginning").as_slice(), expected);
        assert!(!image.in_memory());
    }
}
