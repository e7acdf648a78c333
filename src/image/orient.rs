//! Slicing and reorienting images: the voxels are still read on demand, the affine follows.

use super::{DataobjImage, zooms};
use crate::core::affine::{Affine, AxisDirection, Orientation, multiply};
use crate::core::error::{Error, Result};
use crate::format::nifti::axis_order;
use crate::header::AxisKind;
use crate::plan::index::Index;
use crate::plan::selection::{OutAxis, Selection};

impl DataobjImage {
    /// The image of what an index selects; its affine follows. nibabel's `img.slicer[...]`, but lazy: voxels are read
    /// when they are asked for, and only those.
    ///
    /// The axes of space ([`crate::Header::space_axes`]) must stay: no integer is allowed there, and no new axis before the last
    /// of them. All other axes may go. nibabel uses a negative start or step as it is written; the affine here is always
    /// that of the voxels that are selected.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] for an index that does not fit the shape, drops an axis of space or adds one among them,
    /// or selects no voxels.
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

    /// The image with its axes of space in the order and direction closest to right, anterior, superior; all other axes stay
    /// in their places. Lazy as [`Self::slicer`]. nibabel's `as_closest_canonical`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] without an affine, or with one that is singular, [`crate::ErrorKind::Header`]
    /// with one that is not finite, [`crate::ErrorKind::Shape`] with fewer than three axes of space.
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

    /// The image with its first axes in another order: axis `k` of the result is axis `sources[k].axis`, backwards
    /// where that is flipped; the affine follows, further axes stay. Lazy as [`Self::slicer`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the sources are not a permutation of `0..sources.len()`.
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

    /// The image with its axes as NIfTI orders them ([`axis_order`]); `None` if that is how they are.
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

    /// Sources for axes of space as sources for all axes; the others stay.
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

    /// The affine of what is selected of this image, for its axes of space in their new order.
    fn affine_of(&self, own: &Selection) -> Option<Affine> {
        let affine = self.header.affine?;
        let space = self.header.space_axes();
        let remaining = own.out.iter().filter_map(|out| match out {
            OutAxis::Axis(axis) => space.iter().position(|space| space == axis),
            OutAxis::New(_) => None,
        });
        // From an index of the selection to one of this image.
        let mut change = [[0.0; 4]; 4];
        change[3][3] = 1.0;
        for (column, row) in remaining.enumerate() {
            change[row][column] = own.axes[space[row]].step as f64;
        }
        for (row, change) in change.iter_mut().take(3).enumerate() {
            match space.get(row) {
                Some(&axis) => change[3] = own.axes[axis].start as f64,
                // The direction across a slice.
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
