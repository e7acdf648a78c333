//! A phantom: a generated 4-D series with slope and intercept.

use std::io::Write;
use std::path::Path;

use voxload::DType;

/// Its shape, stored type (u8, i16, f32 or f64), and the scaling in its header.
pub(crate) struct Phantom {
    pub shape: [usize; 4],
    pub dtype: DType,
    pub slope: f32,
    pub inter: f32,
}

impl Phantom {
    /// A series of about `bytes` stored bytes, in frames of 96 x 96 x 60 voxels.
    pub(crate) fn of_bytes(bytes: usize, dtype: DType) -> Self {
        let frame = 96 * 96 * 60 * dtype.size_bytes();
        Self {
            shape: [96, 96, 60, bytes.div_ceil(frame).max(2)],
            dtype,
            slope: 0.075_406_97,
            inter: 3_100.761_7,
        }
    }

    /// Writes it as a little-endian NIfTI-1 file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
        file.write_all(&self.header())?;
        let frame: usize = self.shape[..3].iter().product();
        let mut bytes = Vec::with_capacity(frame * self.dtype.size_bytes());
        // A smooth head with noise, which compresses about as well as real series.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let [nx, ny, nz, frames] = self.shape;
        for t in 0..frames {
            bytes.clear();
            for k in 0..nz {
                for j in 0..ny {
                    for i in 0..nx {
                        state ^= state << 13;
                        state ^= state >> 7;
                        state ^= state << 17;
                        let value = self.voxel([i, j, k, t], (state >> 58) as i16);
                        match self.dtype {
                            DType::U8 => bytes.push((value >> 2) as u8),
                            DType::F32 => bytes.extend(f32::from(value).to_le_bytes()),
                            DType::F64 => bytes.extend(f64::from(value).to_le_bytes()),
                            _ => bytes.extend(value.to_le_bytes()),
                        }
                    }
                }
            }
            file.write_all(&bytes)?;
        }
        file.flush()
    }

    fn voxel(&self, index: [usize; 4], noise: i16) -> i16 {
        let radius_squared: i32 = index[..3]
            .iter()
            .zip(&self.shape)
            .map(|(&i, &n)| {
                let centred = 2 * i as i32 - n as i32;
                centred * centred * 100 / (n * n) as i32
            })
            .sum();
        if radius_squared > 90 {
            return noise / 8;
        }
        let beat = (index[3] % 20) as i16 * 3;
        900 - (radius_squared * 6) as i16 + beat + noise
    }

    fn header(&self) -> [u8; 352] {
        let mut header = [0u8; 352];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &348i32.to_le_bytes());
        put(40, &4i16.to_le_bytes());
        for (axis, &n) in self.shape.iter().enumerate() {
            put(42 + 2 * axis, &(n as i16).to_le_bytes());
        }
        for axis in 4..7 {
            put(42 + 2 * axis, &1i16.to_le_bytes());
        }
        let code: i16 = match self.dtype {
            DType::U8 => 2,
            DType::F32 => 16,
            DType::F64 => 64,
            _ => 4,
        };
        put(70, &code.to_le_bytes());
        put(72, &(8 * self.dtype.size_bytes() as i16).to_le_bytes());
        for (axis, zoom) in [1.0f32, 2.0, 2.0, 2.0, 1.5, 1.0, 1.0, 1.0]
            .iter()
            .enumerate()
        {
            put(76 + 4 * axis, &zoom.to_le_bytes());
        }
        put(108, &352f32.to_le_bytes());
        put(112, &self.slope.to_le_bytes());
        put(116, &self.inter.to_le_bytes());
        put(123, &[10]);
        put(254, &1i16.to_le_bytes());
        for row in 0..3 {
            put(280 + 16 * row + 4 * row, &2f32.to_le_bytes());
        }
        put(344, b"n+1\0");
        header
    }
}
