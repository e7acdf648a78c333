//! Binary headers as data: a table has the position, type and count of each field. The headers of NIfTI, Analyze, MGH
//! and ECAT are read, written and listed by such tables.

use crate::core::dtype::ByteOrder;

/// How a field's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    /// Latin-1, padded with NUL.
    Text,
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub offset: usize,
    pub name: &'static str,
    pub stored: Stored,
    /// Number of values, or of bytes of text.
    pub count: usize,
}

pub(crate) const fn field(
    offset: usize,
    name: &'static str,
    stored: Stored,
    count: usize,
) -> Field {
    Field {
        offset,
        name,
        stored,
        count,
    }
}

impl Field {
    /// The byte after the field.
    pub(crate) fn end(&self) -> usize {
        self.offset + self.count * self.stored.bytes()
    }
}

/// Number of bytes up to the end of the table's last field.
pub(crate) fn size(table: &[Field]) -> usize {
    table.iter().map(Field::end).max().unwrap_or(0)
}

/// A number of any stored type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Real(f64),
}

impl Number {
    pub(crate) fn real(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

impl Stored {
    /// Bytes of one number or one character.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Text => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Reads the number at the start of `bytes`; missing bytes count as 0.
    fn read(self, bytes: &[u8], order: ByteOrder) -> Number {
        let mut word = [0; 8];
        let (own, _) = word.split_at_mut(self.bytes());
        for (byte, &found) in own.iter_mut().zip(bytes) {
            *byte = found;
        }
        if order == ByteOrder::Big {
            own.reverse();
        }
        let bits = u64::from_le_bytes(word);
        match self {
            Self::I8 => Number::Int((bits as i8).into()),
            Self::I16 => Number::Int((bits as i16).into()),
            Self::I32 => Number::Int((bits as i32).into()),
            Self::I64 => Number::Int((bits as i64).into()),
            Self::U8 | Self::U16 | Self::U32 | Self::U64 | Self::Text => Number::Int(bits.into()),
            Self::F32 => Number::Real(f32::from_bits(bits as u32).into()),
            Self::F64 => Number::Real(f64::from_bits(bits)),
        }
    }

    /// Writes a number to the start of `bytes`; a number that does not fit is truncated as by `as`.
    fn write(self, number: Number, bytes: &mut [u8], order: ByteOrder) {
        let bits = match (self, number) {
            (Self::F32, Number::Real(value)) => (value as f32).to_bits().into(),
            (Self::F32, Number::Int(value)) => (value as f32).to_bits().into(),
            (Self::F64, number) => number.real().to_bits(),
            (_, Number::Int(value)) => value as u64,
            (_, Number::Real(value)) => value as i64 as u64,
        };
        let mut word = bits.to_le_bytes();
        let (own, _) = word.split_at_mut(self.bytes());
        if order == ByteOrder::Big {
            own.reverse();
        }
        for (byte, &stored) in bytes.iter_mut().zip(&*own) {
            *byte = stored;
        }
    }

    /// All complete numbers in `bytes`.
    pub(crate) fn numbers(
        self,
        bytes: &[u8],
        order: ByteOrder,
    ) -> impl Iterator<Item = Number> + '_ {
        let one = move |bytes| self.read(bytes, order);
        bytes.chunks_exact(self.bytes()).map(one)
    }

    /// The numbers in `bytes`, then zeros without end.
    fn endless(self, bytes: &[u8], order: ByteOrder) -> impl Iterator<Item = Number> + '_ {
        let size = self.bytes();
        (0..).map(move |k: usize| {
            let rest = bytes.get(k.saturating_mul(size)..);
            self.read(rest.unwrap_or_default(), order)
        })
    }
}

/// The first `N` numbers in `bytes`; missing ones are 0.
pub(crate) fn numbers<T: Value, const N: usize>(
    stored: Stored,
    bytes: &[u8],
    order: ByteOrder,
) -> [T; N] {
    <[T; N]>::read(&mut stored.endless(bytes, order))
}

/// The bytes of a header and the table that describes them. Fields beyond the end of the bytes are 0 or empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub table: &'static [Field],
    pub bytes: &'a [u8],
    pub order: ByteOrder,
}

impl Record<'_> {
    fn numbers(&self, field: &Field) -> impl Iterator<Item = Number> + '_ {
        let bytes = self.bytes.get(field.offset..).unwrap_or_default();
        field.stored.endless(bytes, self.order).take(field.count)
    }

    /// A field by name; 0 or empty if the table does not have it.
    pub(crate) fn get<T: Value>(&self, name: &str) -> T {
        self.next(name, &mut 0)
    }

    /// As [`Self::get`], but the search begins at row `at` of the table, which is then set to the row after the field.
    /// Headers are declared in the order of their tables, so that most searches find their row at once.
    pub(crate) fn next<T: Value>(&self, name: &str, at: &mut usize) -> T {
        let (before, after) = self.table.split_at((*at).min(self.table.len()));
        let mut rows = (*at..).zip(after).chain((0..).zip(before));
        let found = rows.find(|(_, field)| field.name == name);
        match found.map(|(row, field)| {
            *at = row + 1;
            field
        }) {
            Some(field) => T::read(&mut self.numbers(field)),
            None => T::read(&mut std::iter::empty()),
        }
    }

    /// Every field with its value as text, in the order of the table. Numbers are separated by spaces.
    pub(crate) fn list(&self) -> impl Iterator<Item = (&'static Field, String)> + '_ {
        self.table.iter().map(|field| {
            let mut numbers = self.numbers(field);
            if field.stored == Stored::Text {
                return (field, String::read(&mut numbers));
            }
            let texts = numbers.map(|number| match (number, field.stored) {
                (Number::Int(value), _) => value.to_string(),
                // Converted back to f32, because the shortest text of an f32 differs from that of the same number as an
                // f64.
                (Number::Real(value), Stored::F32) => (value as f32).to_string(),
                (Number::Real(value), _) => value.to_string(),
            });
            (field, texts.collect::<Vec<_>>().join(" "))
        })
    }
}

/// A header that is being written.
#[derive(Debug)]
pub(crate) struct RecordMut {
    pub table: &'static [Field],
    pub bytes: Vec<u8>,
    pub order: ByteOrder,
}

impl RecordMut {
    /// A header of zeros.
    pub(crate) fn new(table: &'static [Field], order: ByteOrder) -> Self {
        let bytes = vec![0; size(table)];
        Self {
            table,
            bytes,
            order,
        }
    }

    /// Writes a field, if the table has it. A number that does not fit is truncated as by `as`, a text at the end of
    /// the field.
    pub(crate) fn set(&mut self, name: &str, value: &impl Value) {
        let Some(field) = self.table.iter().find(|field| field.name == name) else {
            return;
        };
        let mut numbers = Vec::with_capacity(field.count);
        value.write(&mut numbers);
        let bytes = self.bytes.get_mut(field.offset..field.end());
        let cells = bytes.unwrap_or_default();
        for (cell, number) in cells.chunks_exact_mut(field.stored.bytes()).zip(numbers) {
            field.stored.write(number, cell, self.order);
        }
    }

    pub(crate) fn as_record(&self) -> Record<'_> {
        Record {
            table: self.table,
            bytes: &self.bytes,
            order: self.order,
        }
    }
}

/// A type of a field in memory: a number, an array of numbers, or a text (whose characters are stored as numbers too).
pub(crate) trait Value {
    /// Reads as many numbers as it needs; missing ones are 0.
    fn read(numbers: &mut dyn Iterator<Item = Number>) -> Self;
    fn write(&self, numbers: &mut Vec<Number>);
}

macro_rules! numbers {
    ($($type:ty: $kind:ident;)*) => {$(
        impl Value for $type {
            fn read(numbers: &mut dyn Iterator<Item = Number>) -> Self {
                match numbers.next() {
                    Some(Number::Int(value)) => value as $type,
                    Some(Number::Real(value)) => value as $type,
                    None => <$type>::default(),
                }
            }
            fn write(&self, numbers: &mut Vec<Number>) {
                numbers.push(Number::$kind((*self).into()));
            }
        }
    )*};
}

numbers! {
    i16: Int; u16: Int; i32: Int; u32: Int; i64: Int; f32: Real; f64: Real;
}

impl<T: Value, const N: usize> Value for [T; N] {
    fn read(numbers: &mut dyn Iterator<Item = Number>) -> Self {
        std::array::from_fn(|_| T::read(numbers))
    }
    fn write(&self, numbers: &mut Vec<Number>) {
        for value in self {
            value.write(numbers);
        }
    }
}

impl Value for String {
    fn read(numbers: &mut dyn Iterator<Item = Number>) -> Self {
        let letter = |number| match number {
            Number::Int(letter) => letter as u8,
            Number::Real(letter) => letter as u8,
        };
        let letters: Vec<u8> = numbers.map(letter).collect();
        latin1(&letters)
    }
    fn write(&self, numbers: &mut Vec<Number>) {
        let letters = self.chars().map(|c| u8::try_from(c).unwrap_or(b'?'));
        numbers.extend(letters.map(|letter| Number::Int(letter.into())));
    }
}

/// Decodes Latin-1, without trailing NULs.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&byte| byte != 0);
    let letters = bytes.iter().take(end.map_or(0, |last| last + 1));
    letters.map(|&byte| char::from(byte)).collect()
}

/// Declares a header's struct: members that are not fields, then the fields, which are read and written by their names
/// in a table.
macro_rules! header {
    (
        $(#[$about:meta])*
        pub struct $header:ident {
            $($(#[$own_doc:meta])* $own_visible:vis $own:ident: $own_type:ty,)*
        } and fields {
            $($(#[$doc:meta])* pub $name:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $header {
            $($(#[$own_doc])* $own_visible $own: $own_type,)*
            $($(#[$doc])* pub $name: $type,)*
        }

        impl $header {
            /// Reads every field that the record's table has; the others become 0 or empty.
            fn fill(&mut self, record: &$crate::header::fields::binary::Record<'_>) {
                let mut row = 0;
                $(self.$name = record.next(stringify!($name).trim_start_matches("r#"), &mut row);)*
            }

            /// The reverse of [`Self::fill`].
            fn store(&self, record: &mut $crate::header::fields::binary::RecordMut) {
                $(record.set(stringify!($name).trim_start_matches("r#"), &self.$name);)*
            }

            /// Every field of a table with its value as text.
            fn list(
                &self,
                table: &'static [$crate::header::fields::binary::Field],
            ) -> Vec<(&'static $crate::header::fields::binary::Field, String)> {
                let order = $crate::core::dtype::ByteOrder::NATIVE;
                let mut record = $crate::header::fields::binary::RecordMut::new(table, order);
                self.store(&mut record);
                record.as_record().list().collect()
            }

            #[cfg(test)]
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];
        }
    };
}
pub(crate) use header;
