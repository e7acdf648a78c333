//! What MINC1 and MINC2 share: the axes, and the real values that stored numbers stand for (spec 3.8).

use crate::affine::Affine;
use crate::core::shape::voxels;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::format::text::check_entries;
use crate::scaling::{Arithmetic, Factor, Scaling, Step};

/// An axis of the image.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::format) struct Axis {
    pub name: String,
    pub step: f64,
    pub start: f64,
    /// Where it points; by its name where nothing is said.
    pub cosines: Option<[f64; 3]>,
}

/// Direction cosines times steps, the axes in the order of the file, and the starts along them.
///
/// # Errors
/// The field, when there are not three axes in space or one points nowhere.
pub(in crate::format) fn affine(axes: &[Axis]) -> Result<Affine> {
    let spatial: Vec<_> = axes
        .iter()
        .filter(|axis| axis.name.ends_with("space"))
        .collect();
    if spatial.len() != 3 {
        let found = format!("{} axes", spatial.len());
        return Err(Error::header("image", found, "three axes in space"));
    }
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    let mut rotation = [[0.0; 3]; 3];
    let mut starts = [0.0; 3];
    for (column, axis) in spatial.into_iter().enumerate() {
        let cosines = match (axis.cosines, axis.name.as_str()) {
            (Some(cosines), _) => cosines,
            (None, "xspace") => [1.0, 0.0, 0.0],
            (None, "yspace") => [0.0, 1.0, 0.0],
            (None, "zspace") => [0.0, 0.0, 1.0],
            (None, _) => {
                return Err(Error::header("direction_cosines", "None", "three numbers"));
            }
        };
        starts[column] = axis.start;
        for (k, cosine) in cosines.into_iter().enumerate() {
            rotation[k][column] = cosine;
            affine[k][column] = cosine * axis.step;
        }
    }
    for (row, turn) in affine.iter_mut().zip(rotation) {
        // The order and the fused steps of OpenBLAS, so that the sum has numpy's bits.
        let first_two = turn[0].mul_add(starts[0], turn[1] * starts[1]);
        row[3] = turn[2].mul_add(starts[2], first_two);
    }
    Ok(affine)
}

/// An axis by its name, with its length.
pub(in crate::format) type Named = (String, u64);

/// How stored numbers become values, but for the values at the ends of the range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::format) struct Ranges {
    /// What stored numbers are limited to.
    limits: [f64; 2],
    /// Axes, the slowest, for whose indices there is a range of values each.
    pub axes: usize,
    /// How many ranges that are.
    pub entries: u64,
    /// Voxels for each.
    block: u64,
}

impl Ranges {
    /// From the range of stored numbers, where the file has one, and the axes of the image, of `image-max` and of
    /// `image-min`.
    ///
    /// # Errors
    /// The field, when the range does not fit the type or the axes do not fit each other.
    pub fn new(
        dtype: DType,
        valid_range: Option<[f64; 2]>,
        image: &[Named],
        max: &[Named],
        min: &[Named],
    ) -> Result<Self> {
        let (low, high) = dtype.integer_extremes().unwrap_or((0.0, 0.0));
        let limits = valid_range.unwrap_or([low, high]);
        if limits[0] < low || limits[1] > high {
            let found = format!("{} to {}", limits[0], limits[1]);
            return Err(Error::header(
                "valid_range",
                found,
                format!("within {dtype}"),
            ));
        }
        if max != min {
            let found = "other axes than image-max";
            return Err(Error::header("image-min", found, "the same"));
        }
        let axes = max.len();
        if axes > 2 || image.get(..axes) != Some(max) {
            let (found, expected) = (
                format!("{axes} axes"),
                "at most two, the slowest of the image",
            );
            return Err(Error::header("image-max", found, expected));
        }
        let count = |dimensions: &[Named]| {
            let lengths: Vec<usize> = dimensions.iter().map(|&(_, n)| n as usize).collect();
            voxels(&lengths)
        };
        let entries = count(max)?;
        let block = count(image.get(axes..).unwrap_or_default())?;
        check_entries(entries as usize)?;
        Ok(Self {
            limits,
            axes,
            entries,
            block,
        })
    }

    /// The scaling, from the values at the ends of each range; `narrow` where they are subtracted in f32.
    pub fn scaling(&self, max: &[f64], min: &[f64], narrow: bool) -> Scaling {
        let [low, high] = self.limits;
        let slopes = max.iter().zip(min).map(|(max, min)| {
            let difference = match narrow {
                true => f64::from((*max as f32) - (*min as f32)),
                false => max - min,
            };
            difference / (high - low)
        });
        let slopes: Vec<f64> = slopes.collect();
        let inters = min.iter().zip(&slopes);
        let inters = inters.map(|(min, slope)| min - low * slope).collect();
        let steps = vec![
            Step::Clip { lo: low, hi: high },
            Step::Multiply(Factor::over_blocks(slopes, self.block)),
            Step::Add(Factor::over_blocks(inters, self.block)),
        ];
        Scaling::new(steps, self.block, Arithmetic::F64)
    }
}
