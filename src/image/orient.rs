//! Slicing and reorienting images. Voxels are still read on demand, and the affine is adapted.

use super::{DataobjImage, zooms};
use crate::core::affine::{Affine, AxisDirection, Orientation, multiply};
use crate::core::error::{Error, Result};
use crate::format::nifti::axis_order;
use crate::header::AxisKind;
use crate::plan::index::Index;
use crate::plan::selection::{OutAxis, Selection};

impl DataobjImage {
    /// The part of the image that an index selects, with its affine. As nibabel's `img.slicer[...]`, but lazy: voxels
    /// are read on demand, and only the selected ones.
    ///
    /// Spatial axes ([`crate::Header::space_axes`]) cannot be dropped: they accept no integer, and no new axis is
    /// allowed before the last of them. All other axes can be dropped. nibabel computes the affine from a negative
    /// start or step as it is written; here the affine is always that of the selected voxels.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] for an index that does not fit the shape, drops a spatial axis, adds an axis before
    /// the last spatial one, or selects no voxels.
    pub fn slicer(&self, index: impl TryInto<Index, Error: Into<Error>>) -> Result<Self> {
        let index = index.try_into().map_err(Into::into)?;
        let own = index.select(self.shape())?;
        for axis in self.header.space_axes() {
            let place = own.out.iter().position(|&out| out == OutAxis::Axis(axis));
            let Some(place) = place else {
                return Err(Error::index(format!(
                    "an integer is not allowed in spatial dimension {axis}: use a slice of length 1"
                )));
            };
            let before = own.out.iter().take(place);
            if before.into_iter().any(|out| matches!(out, OutAxis::New(_))) {
                return Err(Error::index(
                    "a new axis is not permitted in spatial dimensions",
                ));
            }
        }
        if own.shape().contains(&0) {
            return Err(Error::index("the index selects no voxels"));
        }
        let affine = self.affine_of(&own);
        self.with_view(&index, |selection| selection, affine)
    }

    /// The image with its spatial axes in the order and directions closest to right, anterior, superior, as nibabel's
    /// `as_closest_canonical`. All other axes keep their places. Lazy, as [`Self::slicer`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] without an affine, or with one that is singular, [`crate::ErrorKind::Header`] with
    /// one that is not finite, [`crate::ErrorKind::Shape`] with fewer than three spatial axes.
    pub fn as_closest_canonical(&self) -> Result<Self> {
        let affine = self
            .header
            .affine
            .ok_or_else(|| Error::usage("the image has no affine to orient it by"))?;
        let space = self.header.space_axes();
        let lengths: Vec<usize> = space.iter().map(|&axis| self.shape()[axis]).collect();
        if lengths.len() < 3 {
            let found = format!("{:?} with {} axes of space", self.shape(), lengths.len());
            return Err(Error::shape(found, "three axes of space"));
        }
        let orientation = Orientation::of(&affine)?;
        let inverse = orientation.inverse_affine(&lengths)?;
        let sources = self.among_all_axes(&space, &orientation.canonical_axes()?);
        self.with_view(
            &Index::new(),
            |selection| selection.reordered(&sources),
            Some(multiply(&affine, &inverse)),
        )
    }

    /// The image with its first axes in another order: axis `k` of the result is axis `sources[k].axis`, reversed if
    /// that is `flipped`. The affine is adapted; further axes keep their places. Lazy, as [`Self::slicer`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] if the sources are not a permutation of `0..sources.len()`.
    pub fn as_reoriented(&self, sources: &[AxisDirection]) -> Result<Self> {
        let permutation = (0..sources.len())
            .all(|axis| sources.iter().any(|source| source.axis == axis))
            && sources.len() <= self.ndim();
        if !permutation {
            return Err(Error::usage(format!(
                "{sources:?} is not an order of the first axes of {:?}",
                self.shape()
            )));
        }
        let own = Selection::whole(self.shape()).reordered(sources);
        let affine = self.affine_of(&own);
        self.with_view(
            &Index::new(),
            |selection| selection.reordered(sources),
            affine,
        )
    }

    /// The image with its axes in NIfTI's order ([`axis_order`]); `None` if they are in that order already.
    pub(super) fn in_nifti_order(&self) -> Result<Option<Self>> {
        let order = axis_order(&self.header.axes);
        if order
            .iter()
            .enumerate()
            .all(|(place, axis)| *axis == Some(place))
        {
            return Ok(None);
        }
        let affine = self.header.affine;
        let mut arranged = self.with_view(
            &Index::new(),
            |selection| selection.arranged(&order),
            affine,
        )?;
        let by_position = AxisKind::by_position(order.len());
        let axes = arranged.header.axes.iter_mut().zip(by_position);
        for ((kind, by_position), axis) in axes.zip(&order) {
            if axis.is_none() {
                *kind = by_position;
            }
        }
        Ok(Some(arranged))
    }

    /// Extends an order of the spatial axes to all axes. The others keep their places.
    fn among_all_axes(&self, space: &[usize], sources: &[AxisDirection]) -> Vec<AxisDirection> {
        let unchanged = |axis| AxisDirection {
            axis,
            flipped: false,
        };
        let mut all: Vec<_> = (0..self.ndim()).map(unchanged).collect();
        for (&place, source) in space.iter().zip(sources) {
            all[place] = AxisDirection {
                axis: space[source.axis],
                flipped: source.flipped,
            };
        }
        all
    }

    /// The affine of a selection from this image, for its spatial axes in their new order.
    fn affine_of(&self, own: &Selection) -> Option<Affine> {
        let affine = self.header.affine?;
        let space = self.header.space_axes();
        let remaining = own.out.iter().filter_map(|out| match out {
            OutAxis::Axis(axis) => space.iter().position(|space| space == axis),
            OutAxis::New(_) => None,
        });
        // Maps an index of the selection to an index of this image.
        let mut change = [[0.0; 4]; 4];
        change[3][3] = 1.0;
        for (column, row) in remaining.enumerate() {
            change[row][column] = own.axes[space[row]].step as f64;
        }
        for (row, change) in change.iter_mut().take(3).enumerate() {
            match space.get(row) {
                Some(&axis) => change[3] = own.axes[axis].start as f64,
                // With fewer than three spatial axes, the missing columns stay, such as the direction across a slice.
                None => change[row] = 1.0,
            }
        }
        Some(multiply(&affine, &change))
    }

    fn with_view(
        &self,
        index: &Index,
        change: impl Fn(Selection) -> Selection,
        affine: Option<Affine>,
    ) -> Result<Self> {
        let own = change(index.select(self.shape())?);
        let dataobj = self
            .dataobj
            .with_view(change(self.dataobj.select(index)?))?;
        let mut header = self.header.clone();
        header.affine = affine;
        header.shape = dataobj.shape().to_vec();
        let kept = |out: &OutAxis| match *out {
            OutAxis::Axis(axis) => self.header.zooms.get(axis).copied().unwrap_or(1.0),
            OutAxis::New(_) => 1.0,
        };
        header.zooms = own.out.iter().map(kept).collect();
        let kind = |out: &OutAxis| match *out {
            OutAxis::Axis(axis) => self.header.axes.get(axis).copied().unwrap_or_default(),
            OutAxis::New(_) => AxisKind::Other,
        };
        header.axes = own.out.iter().map(kind).collect();
        if affine != self.header.affine {
            let space = header.space_axes();
            let sizes = zooms(space.len(), affine.as_ref());
            for (axis, size) in space.into_iter().zip(sizes) {
                header.zooms[axis] = size;
            }
        }
        let mut image = Self::new(dataobj, header, self.extra.clone(), self.file_map.clone())?;
        image.notes.clone_from(&self.notes);
        Ok(image)
    }
}
