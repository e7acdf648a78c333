use super::*;
use crate::source::gzip::chunk::Inflater;
use crate::source::memory::MemorySource;
use crate::testing::Rng;

const CHUNK: usize = 1000;

/// A file of chunks of random bytes in stored blocks, and its inflated bytes.
fn file(length: usize) -> (ChunkTable, Vec<u8>, Vec<u8>) {
    let bytes = Rng::new(length as u64).bytes(length);
    let mut body = Vec::new();
    let mut entries = Vec::new();
    for chunk in bytes.chunks(CHUNK) {
        let from = body.len();
        let size = chunk.len() as u16;
        body.push(0);
        body.extend(size.to_le_bytes());
        body.extend((!size).to_le_bytes());
        body.extend(chunk);
        entries.push(Entry {
            packed: (body.len() - from) as u32,
            crc: crc32fast::hash(chunk),
        });
    }
    body.extend(LAST_BLOCK);
    body.extend(crc32fast::hash(&bytes).to_le_bytes());
    body.extend((length as u32).to_le_bytes());
    let table = ChunkTable {
        chunk: CHUNK as u32,
        length: length as u64,
        entries,
    };
    (table, body, bytes)
}

fn index(file: Vec<u8>) -> Option<Index> {
    from_header(&Source::Memory(MemorySource::new(file))).unwrap()
}

/// The bytes of all chunks, each inflated by itself; `None` if one does not have its checksum.
fn inflated(file: &[u8], index: &Index) -> Option<Vec<u8>> {
    let mut inflater = Inflater::default();
    let mut all = Vec::new();
    for chunk in &index.chunks {
        let read = |at: u64, place: &mut [u8]| {
            place.copy_from_slice(&file[at as usize..at as usize + place.len()]);
            Ok(())
        };
        all.extend(inflater.inflate(chunk, read).ok()?);
    }
    Some(all)
}

#[test]
fn a_table_is_the_index_of_its_file() {
    for length in [1, CHUNK, CHUNK + 1, 5 * CHUNK, 12_345] {
        let (table, body, bytes) = file(length);
        let file = [table.header(), body].concat();
        let index = index(file.clone()).expect("a table");
        assert!(index.complete && index.origin == Origin::Table);
        assert!(inflated(&file, &index).expect("sound chunks") == bytes);
    }
}

#[test]
fn a_name_may_follow_the_table() {
    let (table, body, bytes) = file(5555);
    let mut header = table.header();
    header[3] |= 1 << 3;
    header.extend(b"a name.nii\0");
    let file = [header, body].concat();
    let index = index(file.clone()).expect("a table");
    assert!(inflated(&file, &index).expect("sound chunks") == bytes);
}

#[test]
fn headers_have_the_room_that_was_left_for_them() {
    for count in [0, 1, 2, MAX_CHUNKS as usize] {
        let table = ChunkTable {
            chunk: 1 << 20,
            length: count as u64 * (1 << 20),
            entries: vec![Entry { packed: 5, crc: 6 }; count],
        };
        let header = table.header();
        assert!(header.len() < 64 << 10, "parallel reads look no further");
        let room = header_without_table(count);
        assert_eq!(room.len(), header.len());
        assert_eq!(room[..16], header[..16]);
        let parsed = Header::parse(&header).expect("a header");
        assert_eq!(parsed.length, header.len() as u64);
        assert_eq!(ChunkTable::parse(&header[16..]), Some(table));
        assert_eq!(ChunkTable::parse(&room[16..]), None, "zeros are no table");
    }
}

#[test]
fn chunks_are_so_long_that_all_fit() {
    assert_eq!(split(0), Some((1 << 20, 0)));
    assert_eq!(split(1), Some((1 << 20, 1)));
    assert_eq!(split(8000 << 20), Some((1 << 20, 8000)));
    assert_eq!(split((8000 << 20) + 1), Some((2 << 20, 4001)));
    assert_eq!(split(32 * (8000 << 20)), Some((32 << 20, 8000)));
    assert_eq!(split(32 * (8000 << 20) + 1), None);
    assert_eq!(split(u64::MAX), None);
}

#[test]
fn ten_thousand_flips_and_cuts_are_found() {
    let (table, body, bytes) = file(7777);
    let header = table.header();
    let mut random = Rng::new(3);
    for number in 0..10_000 {
        let mut changed = [&header[..], &body].concat();
        let at = 10 + random.below(header.len() - 10);
        match number % 5 {
            0 => changed.truncate(at),
            1 => drop(changed.remove(at)),
            2 => changed.insert(at, random.bits() as u8),
            _ => changed[at] ^= 1 << random.below(8),
        }
        // A byte of 0 may have been moved by what was inserted before it.
        let same = changed == [&header[..], &body].concat();
        let index = index(changed.clone());
        let right = index.as_ref().map(|index| inflated(&changed, index));
        assert!(
            same || right.is_none() || right == Some(Some(bytes.clone())),
            "{number}"
        );
        assert!(same || index.is_none(), "{number}");
    }
}

/// Tables whose own checksum is right, and all that they say is wrong: not used, or found out by the first chunk.
#[test]
fn ten_thousand_lies_are_found() {
    let (table, body, bytes) = file(7777);
    let mut random = Rng::new(6);
    let mut used = 0;
    for number in 0..10_000 {
        let mut lie = table.clone();
        let count = lie.entries.len();
        let one = random.below(count);
        let other = random.below(count);
        let by = 1 + random.below(60) as u32;
        match number % 7 {
            0 => lie.entries[one].crc ^= 1 << random.below(32),
            1 => lie.entries.swap(one, other),
            // The sum stays.
            2 => {
                lie.entries[one].packed += by;
                lie.entries[other].packed -= by;
            }
            3 => lie.entries[one].packed = random.bits() as u32,
            4 => {
                lie.chunk = lie
                    .chunk
                    .wrapping_add_signed(random.between(-300, 300) as i32)
            }
            5 => lie.length ^= 1 << random.below(64),
            _ => drop(lie.entries.remove(one)),
        }
        let file = [lie.header(), body.clone()].concat();
        let Some(index) = index(file.clone()) else {
            continue;
        };
        used += 1;
        let found = inflated(&file, &index);
        assert!(
            found.is_none_or(|found| found == bytes),
            "lie {number}: {lie:?}"
        );
    }
    assert!(used > 500, "some fit the file: {used}");
}

#[test]
fn other_files_have_no_table() {
    let (table, body, _) = file(3210);
    let file = [table.header(), body.clone()].concat();
    assert!(index(file.clone()).is_some());
    let mut other = table.clone();
    other.entries.truncate(2);
    for changed in [
        vec![],
        file[..11].to_vec(),
        [&PLAIN_HEADER[..], &body].concat(),
        [file.clone(), vec![0]].concat(),
        [file.clone(), file.clone()].concat(),
        [other.header(), body.clone()].concat(),
    ] {
        assert!(index(changed).is_none());
    }
    // Another trailer, another end.
    for at in 1..=LAST_BLOCK.len() + TRAILER_BYTES {
        let mut changed = file.clone();
        let length = changed.len();
        changed[length - at] ^= 1;
        assert!(index(changed).is_none(), "{at}");
    }
}
