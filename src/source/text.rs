//! Voxels written as decimal numbers or hexadecimal bytes: NRRD's `text` and `hex`, MetaImage's `BinaryData = False`.
//!
//! The position of a voxel in a text depends on everything before it, so the first read decodes the whole text and
//! keeps the result.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::forward::SourceReader;
use super::{ByteSource, Source, memory, truncated, with_capacity};
use crate::core::dtype::DType;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::scope;

/// Largest number of characters in a number.
const MAX_CHARACTERS: usize = 4096;

/// How voxels are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Two digits per stored byte.
    Hexadecimal,
    /// Decimal numbers of this type, separated by white space or commas. Decoded in native byte order.
    Numbers(DType),
}

/// The stored bytes that a text represents.
pub(crate) struct TextSource {
    text: Source,
    notation: Notation,
    bytes: u64,
    decoded: Mutex<Option<Arc<Vec<u8>>>>,
}

impl TextSource {
    /// `bytes` is the number of bytes after decoding.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] if the text is too short to hold them, [`ErrorKind::Unsupported`] if it is in a
    /// compressed file.
    pub(crate) fn new(text: Source, notation: Notation, bytes: u64) -> Result<Self> {
        let have = text.len()?;
        let have = have.ok_or_else(|| Error::unsupported("voxels as text in a compressed file"))?;
        let need = match notation {
            Notation::Hexadecimal => bytes.saturating_mul(2),
            // At least one digit per number and one separator between two.
            Notation::Numbers(dtype) => {
                let count = bytes / dtype.size_bytes() as u64;
                count.saturating_mul(2).saturating_sub(1)
            }
        };
        if have < need {
            return Err(truncated("voxels as text", have, need));
        }
        Ok(Self {
            text,
            notation,
            bytes,
            decoded: Mutex::default(),
        })
    }

    fn decode(&self) -> Result<Vec<u8>> {
        let _kept = self.text.keep_pieces();
        let mut text = BufReader::new(SourceReader::new(self.text.clone(), 0));
        let mut decoder = Decoder {
            notation: self.notation,
            word: Vec::new(),
            out: with_capacity(self.bytes)?,
        };
        while (decoder.out.len() as u64) < self.bytes {
            scope::check()?;
            let read = text.fill_buf();
            let characters = read.map_err(Error::from)?;
            if characters.is_empty() {
                decoder.push(b' ')?;
                break;
            }
            for &character in characters {
                decoder.push(character)?;
                if decoder.out.len() as u64 == self.bytes {
                    break;
                }
            }
            let used = characters.len();
            text.consume(used);
        }
        let have = decoder.out.len() as u64;
        if have < self.bytes {
            return Err(truncated("voxels as text", have, self.bytes));
        }
        Ok(decoder.out)
    }
}

/// What has been decoded, and the word that has begun.
struct Decoder {
    notation: Notation,
    word: Vec<u8>,
    out: Vec<u8>,
}

impl Decoder {
    fn push(&mut self, character: u8) -> Result<()> {
        let between = character.is_ascii_whitespace() || character == 0x0b;
        match self.notation {
            Notation::Hexadecimal if between => Ok(()),
            Notation::Hexadecimal => {
                self.word.push(character);
                if self.word.len() == 2 {
                    let byte = self
                        .word()
                        .and_then(|word| u8::from_str_radix(word, 16).ok());
                    self.out.push(byte.ok_or_else(|| self.faulty())?);
                    self.word.clear();
                }
                Ok(())
            }
            Notation::Numbers(dtype) if between || character == b',' => {
                if !self.word.is_empty() {
                    let number = self.word().and_then(|word| stored(word, dtype));
                    self.out.extend(number.ok_or_else(|| self.faulty())?);
                    self.word.clear();
                }
                Ok(())
            }
            Notation::Numbers(_) => {
                self.word.push(character);
                match self.word.len() {
                    0..=MAX_CHARACTERS => Ok(()),
                    _ => Err(self.faulty()),
                }
            }
        }
    }

    fn word(&self) -> Option<&str> {
        let word = std::str::from_utf8(&self.word).ok();
        // Rust accepts a sign before hexadecimal digits; these formats do not.
        word.filter(|word| self.notation != Notation::Hexadecimal || !word.contains('+'))
    }

    fn faulty(&self) -> Error {
        let start = &self.word[..self.word.len().min(24)];
        let word = String::from_utf8_lossy(start);
        ErrorKind::Integrity {
            codec: "text",
            detail: format!("{word:?} among the voxels is not a number"),
        }
        .into()
    }
}

/// The bytes of a number. Integers are clamped to their type and a fraction is cut off, as teem and MetaIO do it.
fn stored(word: &str, dtype: DType) -> Option<Vec<u8>> {
    macro_rules! limited {
        ($($name:ident $type:ty;)*) => {
            match dtype {
                DType::F32 => word.parse::<f32>().ok()?.to_ne_bytes().to_vec(),
                DType::F64 => word.parse::<f64>().ok()?.to_ne_bytes().to_vec(),
                $(DType::$name => {
                    let number = whole(word)?.clamp(<$type>::MIN.into(), <$type>::MAX.into());
                    (number as $type).to_ne_bytes().to_vec()
                })*
                _ => return None,
            }
        };
    }
    Some(limited! { U8 u8; I8 i8; U16 u16; I16 i16; U32 u32; I32 i32; U64 u64; I64 i64; })
}

fn whole(word: &str) -> Option<i128> {
    if let Ok(whole) = word.parse() {
        return Some(whole);
    }
    let number: f64 = word.parse().ok()?;
    (!number.is_nan()).then_some(number as i128)
}

impl ByteSource for TextSource {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.bytes))
    }

    fn path(&self) -> Option<&Path> {
        self.text.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut decoded = scope::lock(&self.decoded)?;
        let bytes = match decoded.as_ref() {
            Some(bytes) => Arc::clone(bytes),
            None => Arc::clone(decoded.insert(Arc::new(self.decode()?))),
        };
        drop(decoded);
        memory::copy(&bytes, offset, buffer)
    }
}

impl fmt::Debug for TextSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextSource({:?}, {} bytes)", self.notation, self.bytes)
    }
}
