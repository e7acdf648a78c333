//! zlib, bzip2 and zstd streams, read forwards. Every checksum of these formats is verified: zlib's Adler-32, the
//! CRC-32 of bzip2's blocks and streams, the XXH64 of zstd's frames.

use std::io::{self, BufRead, BufReader, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::forward::{Codec, Decoder, ForwardSource, SourceReader};
use super::gzip::MAX_DEFLATE_RATIO;
use super::{Source, truncated};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::limits::Limits;

/// Compressed bytes per read.
const INPUT_BYTES: usize = 256 << 10;

/// Number of leading bytes by which a compression is recognised.
pub(crate) const SNIFF_BYTES: u64 = 10;

/// Whether data with these first two bytes may be bzip2 or zstd; [`ForwardCodec::sniff`] decides with [`SNIFF_BYTES`]
/// bytes.
pub(crate) fn may_begin(prefix: &[u8]) -> bool {
    matches!(prefix, [b'B', b'Z', ..] | [0x28, 0xb5, ..])
}

/// A compression that can only be read forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForwardCodec {
    /// One zlib stream (RFC 1950): MetaImage's `CompressedData`. Bytes after it are ignored.
    Zlib,
    /// bzip2 streams, one after the other.
    Bzip2,
    /// zstd frames, one after the other.
    Zstd,
}

impl ForwardCodec {
    /// The compression that data begins with. zlib has no magic number.
    pub(crate) fn sniff(prefix: &[u8]) -> Option<Self> {
        // A block begins with digits of pi; a stream without blocks ends with digits of pi's square root.
        const BLOCK: [u8; 6] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x59];
        const END: [u8; 6] = [0x17, 0x72, 0x45, 0x38, 0x50, 0x90];
        match prefix {
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
                if rest.starts_with(&BLOCK) || rest.starts_with(&END) =>
            {
                Some(Self::Bzip2)
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
        }
    }

    /// The name of a stream in the error for one that ends early.
    fn stream_name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib stream",
            Self::Bzip2 | Self::Zstd => "compressed data",
        }
    }

    /// A source of the inflated bytes of the stream that begins at byte `start` of `compressed`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if voxload was built without the codec.
    pub(crate) fn open(
        self,
        compressed: Source,
        start: u64,
        limits: Limits,
    ) -> Result<ForwardSource<Self>> {
        // The first decoder is made only to find out whether this build has the codec.
        self.decoder(&compressed, start)?;
        Ok(ForwardSource::new(self, compressed, start, limits))
    }

    fn reader(self, input: impl BufRead + Send + 'static) -> Result<Box<dyn Read + Send>> {
        match self {
            Self::Zlib => Ok(Box::new(ZlibReader::new(input))),
            #[cfg(feature = "bz2")]
            Self::Bzip2 => Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(input))),
            #[cfg(feature = "zst")]
            Self::Zstd => Ok(Box::new(zstd::FramesReader::new(input))),
            #[cfg(not(all(feature = "bz2", feature = "zst")))]
            other => Err(Error::unsupported(format!(
                "{} compression: voxload was built without it",
                other.name()
            ))),
        }
    }
}

impl Codec for ForwardCodec {
    type Decoder = ReaderDecoder;

    fn decoder(&self, compressed: &Source, start: u64) -> Result<ReaderDecoder> {
        let input = SourceReader::new(compressed.clone(), start);
        let wanted = usize::try_from(compressed.hint().min_read);
        let capacity = INPUT_BYTES.max(wanted.unwrap_or(INPUT_BYTES));
        Ok(ReaderDecoder {
            codec: *self,
            reader: self.reader(BufReader::with_capacity(capacity, input))?,
            compressed: compressed.clone(),
            position: 0,
            is_sound: true,
        })
    }

    fn max_ratio(&self) -> u64 {
        match self {
            Self::Zlib => MAX_DEFLATE_RATIO,
            // A block of 900 000 equal bytes has about 40: five bytes encode a run of up to 259 before the block is
            // compressed.
            Self::Bzip2 => 1_200_000,
            // A block of 128 KiB equal bytes has four.
            Self::Zstd => 32 << 10,
        }
    }
}

/// A decoder on top of a reader of inflated bytes, whose errors it converts to voxload's.
pub(crate) struct ReaderDecoder {
    codec: ForwardCodec,
    reader: Box<dyn Read + Send>,
    compressed: Source,
    position: u64,
    is_sound: bool,
}

impl ReaderDecoder {
    /// Converts a reader's error: voxload's own (from reading the file), an early end, or damage.
    fn error(&self, error: io::Error) -> Error {
        let codec = self.codec.name();
        let early_end = error.kind() == io::ErrorKind::UnexpectedEof;
        let detail = error.to_string();
        match error.downcast::<Error>() {
            Ok(own) => own,
            Err(_) if early_end => {
                let have = self.compressed.len().ok().flatten().unwrap_or_default();
                truncated(self.codec.stream_name(), have, have.saturating_add(1))
            }
            Err(_) => ErrorKind::Integrity { codec, detail }.into(),
        }
    }
}

impl Decoder for ReaderDecoder {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        self.is_sound = false;
        loop {
            match self.reader.read(out) {
                Ok(read) => {
                    self.is_sound = true;
                    self.position += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn is_sound(&self) -> bool {
        self.is_sound
    }
}

/// One zlib stream, inflated and checked by flate2. [`flate2::bufread::ZlibDecoder`] accepts the end of the input as
/// the end of the stream; here it is an error.
struct ZlibReader<R> {
    input: R,
    state: Decompress,
    ended: bool,
}

impl<R: BufRead> ZlibReader<R> {
    fn new(input: R) -> Self {
        let with_zlib_header = true;
        Self {
            input,
            state: Decompress::new(with_zlib_header),
            ended: false,
        }
    }
}

impl<R: BufRead> Read for ZlibReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !out.is_empty() {
            let input = self.input.fill_buf()?;
            let no_more = input.is_empty();
            let (taken, made) = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(input, out, FlushDecompress::None)
                .map_err(|error| io::Error::other(error.to_string()))?;
            let taken = self.state.total_in() - taken;
            let made = self.state.total_out() - made;
            self.input.consume(taken as usize);
            self.ended = status == Status::StreamEnd;
            if made > 0 {
                return Ok(made as usize);
            }
            if no_more && !self.ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

#[cfg(feature = "zst")]
mod zstd {
    //! zstd frames, decoded by ruzstd.

    use std::io::{self, BufRead, Read};

    use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
    use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

    /// The inflated bytes of all frames of a file. Checksums are verified.
    pub(super) struct FramesReader<R> {
        input: R,
        decoder: FrameDecoder,
        /// Whether a frame has begun and not ended.
        inside: bool,
    }

    impl<R: BufRead> FramesReader<R> {
        pub(super) fn new(input: R) -> Self {
            Self {
                input,
                decoder: FrameDecoder::new(),
                inside: false,
            }
        }

        /// Begins the next frame, or skips a frame without data; `false` at the end of the file.
        fn begin(&mut self) -> io::Result<bool> {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => self.inside = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.input).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(self.error(error)),
            }
            Ok(true)
        }

        /// Ends a frame when all its bytes have been read.
        fn end(&mut self) -> io::Result<()> {
            self.inside = false;
            match self.decoder.get_checksum_from_data() {
                Some(stored) if Some(stored) != self.decoder.get_calculated_checksum() => {
                    Err(io::Error::other("the checksum of a frame is wrong"))
                }
                _ => Ok(()),
            }
        }

        /// If the decoder fails at the end of the file, the file is too short.
        fn error(&mut self, error: FrameDecoderError) -> io::Error {
            match self.input.fill_buf() {
                Ok([]) => io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => io::Error::other(error.to_string()),
                Err(error) => error,
            }
        }
    }

    impl<R: BufRead> Read for FramesReader<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            while !buffer.is_empty() && (self.inside || self.begin()?) {
                if !self.inside {
                    continue;
                }
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let block = BlockDecodingStrategy::UptoBlocks(1);
                    if let Err(error) = self.decoder.decode_blocks(&mut self.input, block) {
                        return Err(self.error(error));
                    }
                }
                match self.decoder.read(buffer)? {
                    0 => self.end()?,
                    read => return Ok(read),
                }
            }
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;
    use crate::source::ByteSource;
    use crate::source::memory::MemorySource;
    use crate::testing::Rng;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn open(file: Vec<u8>, start: u64) -> ForwardSource<ForwardCodec> {
        let source = Source::Memory(MemorySource::new(file));
        ForwardCodec::Zlib
            .open(source, start, Limits::new())
            .unwrap()
    }

    /// All bytes of a stream with `length` inflated bytes, checked to its end.
    fn read(file: Vec<u8>, length: usize) -> Result<Vec<u8>> {
        let source = open(file, 0);
        let mut bytes = vec![0; length];
        source.read_at(0, &mut bytes)?;
        source.finish(length as u64)?;
        Ok(bytes)
    }

    #[test]
    fn zlib_is_read_by_position() {
        let mut random = Rng::new(3);
        let bytes: Vec<u8> = (0..700_000).map(|_| random.below_u64(50) as u8).collect();
        let file = [b"header".as_slice(), &compressed(&bytes), b"more"].concat();
        let source = open(file, 6);
        assert_eq!(source.len().unwrap(), None);
        for _ in 0..30 {
            let at = random.below(bytes.len());
            let length = random.below(bytes.len() - at + 1);
            let mut part = vec![0; length];
            source.read_at(at as u64, &mut part).unwrap();
            assert!(part == bytes[at..at + length], "{length} bytes at {at}");
            source.finish(bytes.len() as u64).unwrap();
        }
        let beyond = source.read_at(bytes.len() as u64 + 9, &mut [0; 2]);
        let expected = truncated("voxel data", 700_000, 700_011);
        assert_eq!(beyond.unwrap_err().kind(), expected.kind());
    }

    #[test]
    fn zlib_cut_anywhere_is_truncated() {
        let bytes: Vec<u8> = (0..3000).map(|i| (i / 7) as u8).collect();
        let file = compressed(&bytes);
        for have in 0..file.len() {
            let error = read(file[..have].to_vec(), bytes.len()).unwrap_err();
            let expected = truncated("zlib stream", have as u64, have as u64 + 1);
            assert_eq!(error.kind(), expected.kind());
        }
        assert_eq!(read(file, bytes.len()).unwrap(), bytes);
    }

    #[test]
    fn damage_in_zlib_is_found() {
        let bytes: Vec<u8> = (0..3000).map(|i| (i % 251 * i) as u8).collect();
        let file = compressed(&bytes);
        let mut harmless = 0;
        for bit in 0..8 * file.len() {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let in_checksum = bit / 8 >= file.len() - 4;
            match read(damaged, bytes.len()) {
                Ok(found) => {
                    assert!(found == bytes && !in_checksum, "bit {bit}");
                    harmless += 1;
                }
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::Integrity { codec: "zlib", .. } | ErrorKind::Truncated { .. }
                    ),
                    "bit {bit}: {error}"
                ),
            }
        }
        // Bits of padding before the checksum.
        assert!(harmless < 8, "{harmless}");
    }
}
