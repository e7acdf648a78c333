//! The direction in space that each voxel axis follows, as in nibabel's `orientations` module.

use super::{Affine, svd};
use crate::core::error::{Error, Result};

/// The letters of the two directions along each axis of space: towards lower and towards higher coordinates.
const CODES: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['I', 'S']];

/// The direction in space that a voxel axis follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AxisDirection {
    /// The axis of space: 0 for left-right, 1 for posterior-anterior, 2 for inferior-superior.
    pub axis: usize,
    /// Whether coordinates decrease as the voxel index increases.
    pub flipped: bool,
}

impl AxisDirection {
    /// The direction towards which the voxel index increases, as a letter: `R`, `A`, `S` or their opposites `L`, `P`, `I`.
    pub fn code(self) -> char {
        let ends = CODES.get(self.axis).copied().unwrap_or(['?'; 2]);
        if self.flipped { ends[0] } else { ends[1] }
    }

    /// The same in words: `right`, `anterior`, `superior` or their opposites `left`, `posterior`, `inferior`.
    pub fn name(self) -> &'static str {
        match self.code() {
            'R' => "right",
            'L' => "left",
            'A' => "anterior",
            'P' => "posterior",
            'S' => "superior",
            'I' => "inferior",
            _ => "unknown",
        }
    }
}

/// The closest direction in space for each of the three voxel axes. Each axis of space is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Orientation {
    /// For each voxel axis; `None` for an axis without direction (a zero column).
    axes: [Option<AxisDirection>; 3],
}

impl Orientation {
    /// The orientation of an affine: nibabel's `io_orientation`.
    ///
    /// If an axis lies exactly between two directions, rounding decides.
    ///
    /// # Errors
    /// [`crate::core::error::ErrorKind::Header`] when the affine's first three columns are not finite.
    pub fn of(affine: &Affine) -> Result<Self> {
        let [x, y, z, _] = *affine;
        let scaled = [x, y, z].map(|[a, b, c, _]| [a, b, c]);
        let sizes: [f64; 3] = std::array::from_fn(|column| {
            let squares: f64 = scaled.iter().map(|row| row[column] * row[column]).sum();
            let size = squares.sqrt();
            if size == 0.0 { 1.0 } else { size }
        });
        let unit = scaled.map(|row| std::array::from_fn(|column| row[column] / sizes[column]));
        if unit
            .iter()
            .any(|row: &[f64; 3]| row.iter().any(|entry| !entry.is_finite()))
        {
            return Err(Error::header(
                "affine",
                format!("{scaled:?}"),
                "finite numbers",
            ));
        }
        Ok(Self::of_rotation(svd::orthogonal_factor(unit)))
    }

    /// Assigns a direction to each voxel axis, beginning with the one that is closest to an axis of space.
    fn of_rotation(mut rotation: [[f64; 3]; 3]) -> Self {
        let mut strongest_first = [0, 1, 2];
        let strength = |column: usize| {
            let squares = rotation.map(|row| row[column] * row[column]);
            squares.iter().fold(0.0, |a: f64, &b| a.max(b))
        };
        // The sort is stable: of equal axes the earlier one comes first.
        strongest_first.sort_by(|&a, &b| strength(b).total_cmp(&strength(a)));

        let mut axes = [None; 3];
        for column in strongest_first {
            let entries = rotation.map(|row| row[column]);
            let mut axis = 0;
            for candidate in 1..3 {
                if entries[candidate].abs() > entries[axis].abs() {
                    axis = candidate;
                }
            }
            // numpy's `allclose` treats smaller values as zero.
            if entries[axis].abs() > 1e-8 {
                axes[column] = Some(AxisDirection {
                    axis,
                    flipped: entries[axis] < 0.0,
                });
                rotation[axis] = [0.0; 3];
            }
        }
        Self { axes }
    }

    /// The direction of each voxel axis.
    pub fn axes(&self) -> [Option<AxisDirection>; 3] {
        self.axes
    }

    /// The letter of the direction towards which each voxel axis points (`R`, `A`, `S` or their opposites): nibabel's
    /// `aff2axcodes`.
    pub fn codes(&self) -> [Option<char>; 3] {
        self.axes.map(|axis| axis.map(AxisDirection::code))
    }

    /// Whether the voxel axes already have the canonical order and directions (`RAS`).
    pub fn is_canonical(&self) -> bool {
        let in_place = |(index, axis): (usize, &Option<AxisDirection>)| {
            axis.is_some_and(|direction| direction.axis == index && !direction.flipped)
        };
        self.axes.iter().enumerate().all(in_place)
    }

    /// For each axis of the canonical volume, the voxel axis to read it from, and whether to read that backwards.
    ///
    /// # Errors
    /// [`crate::core::error::ErrorKind::Usage`] if a voxel axis has no direction.
    pub fn canonical_axes(&self) -> Result<[AxisDirection; 3]> {
        let mut sources = [AxisDirection {
            axis: 0,
            flipped: false,
        }; 3];
        for (index, axis) in self.axes.iter().enumerate() {
            let Some(AxisDirection { axis, flipped }) = *axis else {
                return Err(Error::usage(format!(
                    "voxel axis {index} has no direction in space: the affine is singular"
                )));
            };
            if let Some(source) = sources.get_mut(axis) {
                *source = AxisDirection {
                    axis: index,
                    flipped,
                };
            }
        }
        Ok(sources)
    }

    /// The shape of the canonical volume: the first three lengths, reordered.
    ///
    /// # Errors
    /// [`crate::core::error::ErrorKind::Usage`] if a voxel axis has no direction,
    /// [`crate::core::error::ErrorKind::Shape`] if there are fewer than three axes.
    pub fn canonical_shape(&self, shape: &[usize]) -> Result<Vec<usize>> {
        let lengths = spatial(shape)?;
        let mut canonical = shape.to_vec();
        for (length, source) in canonical.iter_mut().zip(self.canonical_axes()?) {
            *length = lengths[source.axis];
        }
        Ok(canonical)
    }

    /// Maps a voxel index of the canonical volume to one of the volume of this `shape`: nibabel's `inv_ornt_aff`.
    ///
    /// The volume's affine times this one ([`super::multiply`]) is the canonical volume's affine.
    ///
    /// # Errors
    /// Those of [`Self::canonical_shape`].
    pub fn inverse_affine(&self, shape: &[usize]) -> Result<Affine> {
        let lengths = spatial(shape)?;
        let mut affine = [[0.0; 4]; 4];
        affine[3][3] = 1.0;
        for (column, source) in self.canonical_axes()?.into_iter().enumerate() {
            let row = &mut affine[source.axis];
            row[column] = if source.flipped { -1.0 } else { 1.0 };
            // For an empty axis the middle is +0.5, as in nibabel.
            let middle = -(lengths[source.axis] as f64 - 1.0) / 2.0;
            row[3] = row[column] * middle - middle;
        }
        Ok(affine)
    }
}

fn spatial(shape: &[usize]) -> Result<[usize; 3]> {
    match shape {
        [x, y, z, ..] => Ok([*x, *y, *z]),
        _ => Err(Error::shape(shape, "at least three axes")),
    }
}
