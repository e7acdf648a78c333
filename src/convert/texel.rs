//! Texels: the formats in which a texture holds values, and the CPU code that makes the same texels as the kernel.

use super::Conversion;
use crate::core::dtype::DType;
use crate::core::error::{Error, Result};
use crate::core::float::to_f16;
use crate::core::parallel::*;
use crate::core::{scope, threads};

/// Number of voxels that one thread narrows at a time.
const PIECE: usize = 1 << 16;

/// A range of values that is mapped to all texels of an integer format: `lo` to 0, `hi` to the largest texel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    lo: f64,
    hi: f64,
}

impl Window {
    /// The window from `lo` to `hi`, in the units of the image's values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] unless `lo < hi` and both and their difference are finite.
    pub fn new(lo: f64, hi: f64) -> Result<Self> {
        if lo < hi && lo.is_finite() && (hi - lo).is_finite() {
            return Ok(Self { lo, hi });
        }
        Err(Error::usage(format_args!(
            "window bounds must be finite with lo < hi, got {lo} and {hi}"
        )))
    }

    /// The lower end.
    pub fn lo(&self) -> f64 {
        self.lo
    }

    /// The upper end.
    pub fn hi(&self) -> f64 {
        self.hi
    }

    pub(crate) fn width(&self) -> f64 {
        self.hi - self.lo
    }

    /// `floor(clamp((value - lo) / (hi - lo), 0, 1) * largest + 0.5)`, each operation rounded to f64; 0 for NaN.
    fn texel(&self, value: f64, largest: f64) -> f64 {
        let share = (value - self.lo) / self.width();
        if share.is_nan() {
            return 0.0;
        }
        (share.clamp(0.0, 1.0) * largest + 0.5).floor()
    }

    /// The value that a texel represents.
    fn value(&self, texel: f64, largest: f64) -> f64 {
        texel * self.width() / largest + self.lo
    }
}

/// Whether texels give back the values that they were made of.
///
/// A float texel gives back itself, a unorm texel `t` gives back `t * (hi - lo) / largest + lo`, computed in f64; this is
/// compared with the value in f64, after scaling. A NaN is lost in unorm texels and only in these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fidelity {
    /// Each does.
    Exact,
    /// At least one does not.
    Rounded,
}

impl Fidelity {
    pub(crate) fn of(exact: bool) -> Self {
        match exact {
            true => Self::Exact,
            false => Self::Rounded,
        }
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self == Self::Exact
    }
}

/// What a texture holds of each voxel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Texels {
    /// The value as f16. Can be filtered on every device.
    #[default]
    R16Float,
    /// The value as f32. Can be filtered only with the feature `FLOAT32_FILTERABLE`.
    R32Float,
    /// `floor(clamp((value - lo) / (hi - lo), 0, 1) * 255 + 0.5)` in f64; 0 for NaN. Shaders read it as 0 to 1.
    R8Unorm(Window),
    /// As `R8Unorm` with 65535 instead of 255. Needs the feature `TEXTURE_FORMAT_16BIT_NORM`.
    R16Unorm(Window),
}

impl Texels {
    /// The texture format in wgpu.
    pub fn format(self) -> wgpu::TextureFormat {
        match self {
            Self::R16Float => wgpu::TextureFormat::R16Float,
            Self::R32Float => wgpu::TextureFormat::R32Float,
            Self::R8Unorm(_) => wgpu::TextureFormat::R8Unorm,
            Self::R16Unorm(_) => wgpu::TextureFormat::R16Unorm,
        }
    }

    /// Bytes of one texel.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::R8Unorm(_) => 1,
            Self::R16Float | Self::R16Unorm(_) => 2,
            Self::R32Float => 4,
        }
    }

    /// The type of the values from which texels are made: the one that nibabel would be asked for.
    pub(crate) fn values(self) -> DType {
        match self {
            Self::R16Float => DType::F16,
            Self::R32Float => DType::F32,
            Self::R8Unorm(_) | Self::R16Unorm(_) => DType::F64,
        }
    }

    /// The conversion to texels, made from the conversion to [`Self::values`].
    pub(crate) fn conversion(self, values: Conversion) -> Conversion {
        match self {
            Self::R16Float | Self::R32Float => values,
            Self::R8Unorm(window) => Conversion {
                output: DType::U8,
                window: Some(window),
                ..values
            },
            Self::R16Unorm(window) => Conversion {
                output: DType::U16,
                window: Some(window),
                ..values
            },
        }
    }

    /// The texels of these values in native byte order, as the kernel makes them. After a cancellation they are incomplete.
    pub(crate) fn narrow(self, values: &[f64]) -> (Vec<u8>, Fidelity) {
        match self {
            Self::R16Float => narrow(values, |value| {
                let texel = to_f16(value);
                (texel.to_bits().to_ne_bytes(), texel.to_f64())
            }),
            Self::R32Float => narrow(values, |value| {
                let texel = value as f32;
                (texel.to_bits().to_ne_bytes(), f64::from(texel))
            }),
            Self::R8Unorm(window) => narrow(values, |value| {
                let texel = window.texel(value, 255.0);
                ([texel as u8], window.value(texel, 255.0))
            }),
            Self::R16Unorm(window) => narrow(values, |value| {
                let texel = window.texel(value, 65535.0);
                ((texel as u16).to_ne_bytes(), window.value(texel, 65535.0))
            }),
        }
    }
}

/// Narrows values on all threads. `texel` returns a texel's bytes and the value that they represent.
fn narrow<const N: usize>(
    values: &[f64],
    texel: impl Fn(f64) -> ([u8; N], f64) + Sync,
) -> (Vec<u8>, Fidelity) {
    let mut bytes = vec![0; values.len() * N];
    let narrow_piece = |bytes: &mut [u8], values: &[f64]| {
        let mut exact = true;
        for (bytes, &value) in bytes.as_chunks_mut::<N>().0.iter_mut().zip(values) {
            let (texel, back) = texel(value);
            *bytes = texel;
            exact &= back == value || (back.is_nan() && value.is_nan());
        }
        exact
    };
    let exact = threads::parallel(|scope| {
        bytes
            .par_chunks_mut(PIECE * N)
            .zip(values.par_chunks(PIECE))
            .filter(|_| !scope.enter(scope::is_cancelled))
            .map(|(bytes, values)| narrow_piece(bytes, values))
            .reduce(|| true, |a, b| a && b)
    });
    (bytes, Fidelity::of(exact))
}
