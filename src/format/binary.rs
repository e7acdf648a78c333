//! Binary headers: numbers and texts at fixed offsets, read and listed from one table.

use crate::dtype::ByteOrder;

/// The bytes of a header, read by offset in one byte order. Bytes that are not there count as 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub bytes: &'a [u8],
    pub order: ByteOrder,
}

impl Bytes<'_> {
    /// The bytes at an offset, least significant first.
    fn number<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut number = [0; N];
        let there = self.bytes.get(offset..).unwrap_or_default();
        for (byte, &found) in number.iter_mut().zip(there) {
            *byte = found;
        }
        if self.order == ByteOrder::Big {
            number.reverse();
        }
        number
    }

    /// A number, an array of them, or a text of at most `length` bytes.
    pub fn get<T: Field>(&self, offset: usize, length: usize) -> T {
        T::read(self, offset, length)
    }
}

/// A type that a header's field can have.
pub(super) trait Field: Sized {
    /// Bytes of it in the file; a text has as many as its place has.
    const BYTES: usize;
    fn read(bytes: &Bytes<'_>, offset: usize, length: usize) -> Self;
    fn text(&self) -> String;
}

macro_rules! number {
    ($($type:ty)*) => {$(
        impl Field for $type {
            const BYTES: usize = size_of::<$type>();
            fn read(bytes: &Bytes<'_>, offset: usize, _: usize) -> Self {
                Self::from_le_bytes(bytes.number(offset))
            }
            fn text(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

number!(u16 i16 u32 i32 u64 i64 f32 f64);

impl<T: Field, const N: usize> Field for [T; N] {
    const BYTES: usize = N * T::BYTES;
    fn read(bytes: &Bytes<'_>, offset: usize, _: usize) -> Self {
        std::array::from_fn(|i| T::read(bytes, offset + i * T::BYTES, 0))
    }
    fn text(&self) -> String {
        let texts: Vec<_> = self.iter().map(Field::text).collect();
        texts.join(" ")
    }
}

/// Latin-1, without the NULs at its end.
impl Field for String {
    const BYTES: usize = 0;
    fn read(bytes: &Bytes<'_>, offset: usize, length: usize) -> Self {
        let there = bytes.bytes.get(offset..).unwrap_or_default();
        let text: String = there.iter().take(length).map(|&b| char::from(b)).collect();
        text.trim_end_matches('\0').to_owned()
    }
    fn text(&self) -> String {
        self.clone()
    }
}

/// Declares a header's struct with how its fields are read and listed: offset, name, type, and for a text its length.
macro_rules! header {
    ($(#[$about:meta])* $header:ident {
        $($(#[$doc:meta])* $offset:literal $name:ident: $type:ty $([$length:literal])?;)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $header {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl $header {
            /// Every field with its value as text, in the order of the file.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
                use crate::format::binary::Field;
                [$((stringify!($name).trim_start_matches("r#"), self.$name.text()),)*].into_iter()
            }

            pub(in crate::format) fn read(bytes: &crate::format::binary::Bytes<'_>) -> Self {
                Self {
                    $($name: bytes.get($offset, [$($length,)? 0][0]),)*
                }
            }
        }
    };
}
pub(super) use header;
