//! Finding a deflate block in the middle of a stream (RFC 1951 section 3.2.7).
//!
//! Nothing marks the start of a block, but few bit patterns can be the header of a block with dynamic codes, because
//! each of its three sets of code lengths has to describe a complete code. Candidates that pass this test are
//! inflated for a while.
//!
//! Fast compressors write long blocks with fixed codes. There a place between two codes is found instead: codes that are
//! read from any bit on soon agree with those that were written, because they differ in length. Stored blocks are not
//! searched for; in a file that has only those, nothing is found.

use std::collections::BTreeSet;

use zlib_rs::{Inflate, InflateFlush, Status};

use super::chunk::{WINDOW_BYTES, stream_from};
use super::codes::{HEAD_BITS, Lengths, word};
use super::walk::Codes;

/// Bytes whose bits are tested together. From each of their bits, the next 13 bits lie in one 64-bit word.
const STEP_BYTES: usize = 6;

/// Compressed bytes that are inflated as a test of a candidate.
pub(super) const TRIAL_BYTES: usize = 8 << 10;

/// The first bit within the first `searched` bytes at which a non-final block with dynamic codes seems to begin. If
/// `bytes` has [`TRIAL_BYTES`] more than that, false candidates near the end are rejected too.
pub(super) fn find_block(bytes: &[u8], searched: usize) -> Option<usize> {
    let starts = (0..bytes.len().min(searched)).step_by(STEP_BYTES);
    starts.flat_map(|byte| heads(bytes, byte)).find(|&at| {
        at < 8 * searched
            && is_complete_at(bytes, at)
            && Lengths::read(bytes, at).is_some_and(|(lengths, _)| lengths.are_complete())
            && inflates(bytes, at)
    })
}

/// The bits among the next [`STEP_BYTES`] bytes at which a non-final block of type 2 (dynamic codes) with a valid
/// number of codes may begin.
fn heads(bytes: &[u8], byte: usize) -> impl Iterator<Item = usize> {
    let word = word(bytes, 8 * byte).unwrap_or_default();
    let bit = |n: u32| word >> n;
    let kind = !bit(0) & !bit(1) & bit(2);
    // Counts of 30 and 31, which are invalid, have their four high bits set.
    let too_many = bit(4) & bit(5) & bit(6) & bit(7) | bit(9) & bit(10) & bit(11) & bit(12);
    let mut found = kind & !too_many & ((1 << (8 * STEP_BYTES)) - 1);
    std::iter::from_fn(move || {
        let at = (found != 0).then(|| 8 * byte + found.trailing_zeros() as usize);
        found &= found.wrapping_sub(1);
        at
    })
}

/// Whether the code lengths of the code length alphabet describe a complete code: a fast test that few positions
/// pass.
fn is_complete_at(bytes: &[u8], at: usize) -> bool {
    let (Some(head), Some(written)) = (word(bytes, at), word(bytes, at + HEAD_BITS)) else {
        return false;
    };
    let given = 4 + (head >> 13 & 15);
    let mut left = written & ((1 << (3 * given)) - 1);
    let mut taken = 0;
    while left != 0 {
        taken += u32::from(SPACE_OF_TWO[(left & 63) as usize]);
        left >>= 6;
    }
    taken == 1 << 7
}

/// The code space used by two codes, in 128ths, indexed by their two 3-bit lengths.
const SPACE_OF_TWO: [u8; 64] = {
    let mut table = [0; 64];
    let mut i = 0;
    while i < 64 {
        let (a, b) = (i & 7, i >> 3);
        table[i] = if a == 0 { 0 } else { 128 >> a } + if b == 0 { 0 } else { 128 >> b };
        i += 1;
    }
    table
};

/// Whether the data that begins at bit `at` can be inflated for [`TRIAL_BYTES`].
fn inflates(bytes: &[u8], at: usize) -> bool {
    let end = bytes.len().min(at / 8 + TRIAL_BYTES);
    let bytes = bytes.get(at / 8..end).unwrap_or_default();
    let input = stream_from((at % 8) as u32, bytes);
    let mut inflate = Inflate::new(false, 15);
    if inflate.set_dictionary(&[0; WINDOW_BYTES]).is_err() {
        return false;
    }
    let mut out = vec![0; 64 << 10];
    loop {
        let taken = inflate.total_in();
        let left = input.get(taken as usize..).unwrap_or_default();
        if left.is_empty() {
            return true;
        }
        match inflate.decompress(left, &mut out, InflateFlush::NoFlush) {
            Ok(Status::StreamEnd) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// The most bits of a literal or a match in a block with fixed codes. Among as many neighbouring bits one begins.
const MAX_FIXED_BITS: usize = 8 + 5 + 5 + 13;

/// A bit within the first `searched` bytes, or [`TRIAL_BYTES`] after them, at which a literal or a match of a block with
/// fixed codes begins, if these bytes seem to be in one.
pub(super) fn find_fixed(bytes: &[u8], searched: usize) -> Option<usize> {
    let codes = Codes::fixed();
    let mut starts = (0..bytes.len().min(searched)).step_by(TRIAL_BYTES);
    starts.find_map(|byte| agreed(&codes, bytes, 8 * byte))
}

/// Reads codes from each of the next bits on for [`TRIAL_BYTES`]. Returns the bit at which all readings then are that met
/// nothing invalid and no end; `None` if there are none, or they do not agree.
fn agreed(codes: &Codes, bytes: &[u8], at: usize) -> Option<usize> {
    let mut reached: BTreeSet<usize> = (at..at + MAX_FIXED_BITS).collect();
    while let Some(first) = reached.pop_first() {
        if first >= at + 8 * TRIAL_BYTES {
            return reached.is_empty().then_some(first);
        }
        reached.extend(codes.skip(bytes, first));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{lead_in_fixed, merge_first};
    use super::*;
    use crate::testing::Rng;
    use flate2::{Compress, Compression, FlushCompress};

    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut random = Rng::new(seed);
        (0..length).map(|_| random.below_u64(23) as u8).collect()
    }

    fn deflated(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1000);
        let mut state = Compress::new(Compression::new(level), false);
        let status = state.compress_vec(bytes, &mut out, FlushCompress::Finish);
        assert_eq!(status.unwrap(), flate2::Status::StreamEnd);
        out
    }

    /// A full flush ends a block at a whole byte, so the position of the next one is known.
    #[test]
    fn a_block_after_a_flush_is_found() {
        for shift in 0..40 {
            let mut state = Compress::new(Compression::new(6), false);
            let mut out = Vec::with_capacity(1 << 20);
            let first = noise(100_000 + 7 * shift, 5 + shift as u64);
            state
                .compress_vec(&first, &mut out, FlushCompress::Full)
                .unwrap();
            let flushed = out.len();
            state
                .compress_vec(&noise(100_000, 77), &mut out, FlushCompress::Full)
                .unwrap();
            // The search begins inside the block before it, which has no other end in this range.
            assert_eq!(find_block(&out[flushed - 2000..], 4000), Some(2000 * 8));
        }
    }

    #[test]
    fn every_block_found_begins_one() {
        // Level 1 writes no blocks with dynamic codes.
        for level in 2..=9 {
            let bytes = noise(600_000, level.into());
            let stream = deflated(&bytes, level);
            let mut found = 0;
            for from in (40_000..stream.len().saturating_sub(100_000)).step_by(20_000) {
                let Some(bit) = find_block(&stream[from..], 80_000) else {
                    continue;
                };
                found += 1;
                check_tail(
                    &stream_from((bit % 8) as u32, &stream[from + bit / 8..]),
                    &bytes,
                );
            }
            assert!(found > 3, "level {level}: {found}");
        }
    }

    /// Inflated after the right window, a stream must give the end of the original bytes.
    fn check_tail(stream: &[u8], bytes: &[u8]) {
        let length = inflated(stream, &[0; WINDOW_BYTES]).len();
        let (before, tail) = bytes.split_at(bytes.len() - length);
        let window = &before[before.len().saturating_sub(WINDOW_BYTES)..];
        assert!(inflated(stream, window) == tail, "{length} bytes");
    }

    fn inflated(stream: &[u8], window: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 8 << 20];
        let mut inflate = Inflate::new(false, 15);
        inflate.set_dictionary(window).unwrap();
        let status = inflate.decompress(stream, &mut out, InflateFlush::NoFlush);
        assert_eq!(status, Ok(Status::StreamEnd));
        out.truncate(inflate.total_out() as usize);
        out
    }

    /// Level 1 writes one block with fixed codes: what follows a bit that was found must be the end of the original bytes.
    #[test]
    fn every_place_found_in_a_block_is_between_codes() {
        let run = |byte: u8| vec![byte; 300];
        let runs = noise(20_000, 3).into_iter().flat_map(run).collect();
        for bytes in [noise(900_000, 8), runs] {
            let stream = deflated(&bytes, 1);
            assert_eq!(find_block(&stream, stream.len()), None);
            let mut found = 0;
            for from in (0..stream.len().saturating_sub(2 * TRIAL_BYTES)).step_by(1999) {
                let Some(bit) = find_fixed(&stream[from..], TRIAL_BYTES) else {
                    continue;
                };
                found += 1;
                let shift = (bit % 8) as u32;
                let mut input = Vec::new();
                let low = lead_in_fixed(shift, true, &mut input);
                let start = input.len();
                input.extend(&stream[from + bit / 8..]);
                merge_first(&mut input[start..], low, shift);
                check_tail(&input, &bytes);
            }
            let most = stream.len() / 1999;
            assert!(found > 0 && found + 20 > most, "{found} of {most}");
        }
    }

    #[test]
    fn noise_holds_no_blocks() {
        let mut random = Rng::new(9);
        let bytes: Vec<u8> = (0..1 << 20).map(|_| random.below_u64(256) as u8).collect();
        assert_eq!(find_block(&bytes, bytes.len()), None);
        assert_eq!(find_fixed(&bytes, bytes.len()), None);
        assert_eq!(find_fixed(&deflated(&noise(600_000, 3), 6), 600_000), None);
        assert_eq!(find_fixed(&[], 9), None);
        assert_eq!(find_block(&[], 9), None);
        assert_eq!(find_block(&[0b100; 7], 7), None);
    }
}
