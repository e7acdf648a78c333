//! Writes NIfTI-1 and NIfTI-2 files: single files and pairs, both byte orders, every type, gzipped or not.

use std::io::Write;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use voxload::{ByteOrder, DType};

/// A volume to be written. The defaults are a little-endian NIfTI-1 single file without scaling.
#[derive(Debug, Clone)]
pub struct Nifti {
    pub version: u8,
    pub order: ByteOrder,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// `scl_slope` and `scl_inter` as they stand in the header.
    pub scl: (f64, f64),
    /// Stored voxels, in `order`.
    pub data: Vec<u8>,
    /// Extensions: code and content.
    pub extensions: Vec<(i32, Vec<u8>)>,
}

/// Where a field stands in the header.
#[derive(Debug, Clone, Copy)]
pub struct At(pub usize, pub usize);

/// Offsets of NIfTI-1 fields (the second number is the field's bytes).
pub mod one {
    use super::At;
    pub const SIZEOF_HDR: At = At(0, 4);
    pub const DIM: At = At(40, 2);
    pub const DATATYPE: At = At(70, 2);
    pub const BITPIX: At = At(72, 2);
    pub const PIXDIM: At = At(76, 4);
    pub const VOX_OFFSET: At = At(108, 4);
    pub const SCL_SLOPE: At = At(112, 4);
    pub const SCL_INTER: At = At(116, 4);
    pub const GLMIN: At = At(144, 4);
    pub const QFORM_CODE: At = At(252, 2);
    pub const SFORM_CODE: At = At(254, 2);
    pub const QUATERN: At = At(256, 4);
    pub const MAGIC: usize = 344;
}

/// Offsets of NIfTI-2 fields.
pub mod two {
    use super::At;
    pub const SIZEOF_HDR: At = At(0, 4);
    pub const MAGIC: usize = 4;
    pub const EOL: usize = 8;
    pub const DATATYPE: At = At(12, 2);
    pub const BITPIX: At = At(14, 2);
    pub const DIM: At = At(16, 8);
    pub const PIXDIM: At = At(104, 8);
    pub const VOX_OFFSET: At = At(168, 8);
    pub const SCL_SLOPE: At = At(176, 8);
    pub const SCL_INTER: At = At(184, 8);
    pub const QFORM_CODE: At = At(344, 4);
    pub const SFORM_CODE: At = At(348, 4);
    pub const QUATERN: At = At(352, 8);
}

impl At {
    /// The `n`-th number of an array.
    pub const fn nth(self, n: usize) -> Self {
        Self(self.0 + n * self.1, self.1)
    }
}

/// Overwrites an integer of a header.
pub fn put_int(bytes: &mut [u8], At(offset, size): At, value: i64, order: ByteOrder) {
    let mut raw = value.to_le_bytes()[..size].to_vec();
    if order == ByteOrder::Big {
        raw.reverse();
    }
    bytes[offset..offset + size].copy_from_slice(&raw);
}

/// Overwrites a real number of a header: an f32 or f64 by the field's size.
pub fn put_real(bytes: &mut [u8], at: At, value: f64, order: ByteOrder) {
    let bits = match at.1 {
        4 => i64::from((value as f32).to_bits()),
        _ => value.to_bits() as i64,
    };
    put_int(bytes, at, bits, order);
}

pub fn code_of(dtype: DType) -> i64 {
    match dtype {
        DType::U8 => 2,
        DType::I16 => 4,
        DType::I32 => 8,
        DType::F32 => 16,
        DType::C64 => 32,
        DType::F64 => 64,
        DType::Rgb24 => 128,
        DType::I8 => 256,
        DType::U16 => 512,
        DType::U32 => 768,
        DType::I64 => 1024,
        DType::U64 => 1280,
        DType::C128 => 1792,
        DType::Rgba32 => 2304,
        DType::F16 => panic!("NIfTI has no f16"),
    }
}

impl Nifti {
    pub fn new(dtype: DType, shape: &[usize], data: Vec<u8>) -> Self {
        let voxels: usize = shape.iter().product();
        assert_eq!(data.len(), voxels * dtype.size_bytes(), "the data's length");
        Self {
            version: 1,
            order: ByteOrder::Little,
            dtype,
            shape: shape.to_vec(),
            scl: (f64::NAN, f64::NAN),
            data,
            extensions: Vec::new(),
        }
    }

    /// Signed 16-bit voxels 0, 1, 2 and so on.
    pub fn counting(shape: &[usize]) -> Self {
        let voxels: usize = shape.iter().product();
        let data = (0..voxels).flat_map(|n| (n as i16).to_le_bytes());
        Self::new(DType::I16, shape, data.collect())
    }

    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// The byte order of the header, and what the data is said to have.
    pub fn order(mut self, order: ByteOrder) -> Self {
        self.order = order;
        self
    }

    pub fn scl(mut self, slope: f64, inter: f64) -> Self {
        self.scl = (slope, inter);
        self
    }

    pub fn extension(mut self, code: i32, content: &[u8]) -> Self {
        self.extensions.push((code, content.to_vec()));
        self
    }

    fn header_bytes(&self) -> usize {
        if self.version == 1 { 348 } else { 540 }
    }

    /// The four flag bytes after the header, and the extensions.
    fn extension_block(&self) -> Vec<u8> {
        let mut block = vec![u8::from(!self.extensions.is_empty()), 0, 0, 0];
        for (code, content) in &self.extensions {
            let size = (content.len() + 8).next_multiple_of(16);
            let start = block.len();
            block.resize(start + size, 0);
            put_int(&mut block, At(start, 4), size as i64, self.order);
            put_int(&mut block, At(start + 4, 4), i64::from(*code), self.order);
            block[start + 8..start + 8 + content.len()].copy_from_slice(content);
        }
        block
    }

    fn header(&self, magic: &[u8; 3], vox_offset: usize) -> Vec<u8> {
        let mut h = vec![0u8; self.header_bytes()];
        let order = self.order;
        let one = self.version == 1;
        let field = |v1: At, v2: At| if one { v1 } else { v2 };
        let size = self.header_bytes() as i64;
        put_int(&mut h, one::SIZEOF_HDR, size, order);
        let dim = field(one::DIM, two::DIM);
        let pixdim = field(one::PIXDIM, two::PIXDIM);
        put_int(&mut h, dim, self.shape.len() as i64, order);
        put_real(&mut h, pixdim, 1.0, order);
        for n in 1..8 {
            let length = self.shape.get(n - 1).map_or(1, |&n| n as i64);
            assert!(!one || length <= 32767, "NIfTI-1 counts voxels in 16 bits");
            put_int(&mut h, dim.nth(n), length, order);
            put_real(&mut h, pixdim.nth(n), 1.0 + n as f64 / 4.0, order);
        }
        let datatype = field(one::DATATYPE, two::DATATYPE);
        put_int(&mut h, datatype, code_of(self.dtype), order);
        let bits = 8 * self.dtype.size_bytes() as i64;
        put_int(&mut h, field(one::BITPIX, two::BITPIX), bits, order);
        if one {
            put_real(&mut h, one::VOX_OFFSET, vox_offset as f64, order);
        } else {
            put_int(&mut h, two::VOX_OFFSET, vox_offset as i64, order);
            h[two::EOL..two::EOL + 4].copy_from_slice(&[13, 10, 26, 10]);
        }
        let (slope, inter) = self.scl;
        put_real(&mut h, field(one::SCL_SLOPE, two::SCL_SLOPE), slope, order);
        put_real(&mut h, field(one::SCL_INTER, two::SCL_INTER), inter, order);
        let at = if one { one::MAGIC } else { two::MAGIC };
        h[at..at + 3].copy_from_slice(magic);
        h
    }

    /// Byte at which the voxels of the single file begin.
    pub fn data_offset(&self) -> usize {
        (self.header_bytes() + self.extension_block().len()).next_multiple_of(16)
    }

    /// Header and voxels in one file.
    pub fn single(&self) -> Vec<u8> {
        let magic = if self.version == 1 { b"n+1" } else { b"n+2" };
        let mut file = self.header(magic, self.data_offset());
        file.extend(self.extension_block());
        file.resize(self.data_offset(), 0);
        file.extend(&self.data);
        file
    }

    /// The `.hdr` and the `.img` file.
    pub fn pair(&self) -> (Vec<u8>, Vec<u8>) {
        let magic = if self.version == 1 { b"ni1" } else { b"ni2" };
        let mut header = self.header(magic, 0);
        header.extend(self.extension_block());
        (header, self.data.clone())
    }
}

/// One gzip member.
pub fn gz(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// A little-endian NIfTI-2 file of u8 up to its voxels, of which it says there are so many.
pub fn header_of_bytes(voxels: u64) -> Vec<u8> {
    let mut bytes = Nifti::new(DType::U8, &[0], Vec::new()).version(2).single();
    put_int(
        &mut bytes,
        two::DIM.nth(1),
        voxels as i64,
        ByteOrder::Little,
    );
    bytes
}

/// One gzip member with every optional header field.
pub fn gz_with_fields(bytes: &[u8]) -> Vec<u8> {
    let builder = GzBuilder::new()
        .filename("volume.nii")
        .comment("a comment")
        .extra(vec![1, 2, 3, 4, 5]);
    let mut encoder = builder.write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}
