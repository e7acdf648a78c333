//! The array proxy: a frozen description of stored voxels and the source they are read from, on demand.

use std::ops::Range;
use std::sync::Arc;

use crate::convert::Conversion;
use crate::core::array::{Buffer, Element, HostArray, StoredArray, with_dtype};
use crate::core::dtype::{ByteOrder, DType};
#[cfg(doc)]
use crate::core::error::ErrorKind;
use crate::core::error::{Error, Result};
use crate::core::float::{ComplexFloat, Float};
use crate::core::limits::{self, Limits};
use crate::core::scaling::Scaling;
use crate::core::shape::{elements, voxels};
use crate::core::threads::Threads;
use crate::header::{Header, Layout};
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::plan::selection::Selection;
use crate::read::host::{Extent, Stored, convert_into};
use crate::source::{ByteSource, Source, truncated};

/// Voxels of a slab of [`ArrayProxy::for_each_slab`].
const SLAB: u64 = 1 << 20;

/// What a proxy needs to know of stored voxels; later edits of a header do not reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxySpec {
    /// Voxels along each axis.
    pub shape: Vec<usize>,
    /// The stored voxel type.
    pub dtype: DType,
    /// The byte order of stored voxels.
    pub byte_order: ByteOrder,
    /// Which axis is stored fastest.
    pub layout: Layout,
    /// Byte of the source at which the first voxel begins.
    pub offset: u64,
    /// How stored numbers become values.
    pub scaling: Scaling,
}

impl From<&Header> for ProxySpec {
    fn from(header: &Header) -> Self {
        Self {
            shape: header.shape.clone(),
            dtype: header.dtype,
            byte_order: header.byte_order,
            layout: header.layout,
            offset: header.data_offset,
            scaling: header.scaling.clone(),
        }
    }
}

/// Voxels that are read, sliced and scaled on demand. Clones share the source.
///
/// Every read gives values: scaled by the header's rules, in the type asked for. [`Self::unscaled`] gives the
/// stored numbers. Nothing is kept: the caches belong to [`crate::DataobjImage`].
#[derive(Debug, Clone)]
pub struct ArrayProxy {
    spec: Arc<ProxySpec>,
    source: Source,
    /// What the proxy shows of the stored voxels; all of them, as they are, when absent.
    view: Option<Arc<View>>,
    limits: Limits,
    threads: Threads,
}

#[derive(Debug)]
struct View {
    selection: Selection,
    shape: Vec<usize>,
}

impl ArrayProxy {
    /// A proxy over a source of the caller's.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] when the shape's bytes do not fit in 63 bits or a scaling table does not fit the
    /// shape.
    pub fn new(source: Arc<dyn ByteSource>, spec: ProxySpec) -> Result<Self> {
        let source = Source::custom(source);
        source.release();
        Self::from_source(source, spec)
    }

    pub(crate) fn from_source(source: Source, spec: ProxySpec) -> Result<Self> {
        let count = voxels(&spec.shape)?;
        let fits = count
            .checked_mul(spec.dtype.size_bytes() as u64)
            .and_then(|bytes| bytes.checked_add(spec.offset))
            .is_some_and(|end| i64::try_from(end).is_ok());
        if !fits {
            return Err(Error::header(
                "dim",
                format!("{:?} from byte {}", spec.shape, spec.offset),
                "an end of the voxels below 2^63",
            ));
        }
        spec.scaling.validate(count)?;
        Ok(Self {
            spec: Arc::new(spec),
            source,
            view: None,
            limits: Limits::default(),
            threads: Threads::default(),
        })
    }

    /// The same proxy, with these limits on what is read through it.
    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same proxy, whose reads do their work in this pool.
    #[must_use]
    pub fn with_threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Voxels along each axis.
    pub fn shape(&self) -> &[usize] {
        match &self.view {
            Some(view) => &view.shape,
            None => &self.spec.shape,
        }
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        usize::try_from(self.voxels()).unwrap_or(usize::MAX)
    }

    /// The same, of volumes too that have more than memory has addresses.
    fn voxels(&self) -> u64 {
        // Checked when the proxy was made.
        voxels(self.shape()).unwrap_or_default()
    }

    /// Whether there are no voxels.
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// The stored voxel type.
    pub fn dtype(&self) -> DType {
        self.spec.dtype
    }

    /// The byte order of stored voxels.
    pub fn byte_order(&self) -> ByteOrder {
        self.spec.byte_order
    }

    /// Byte of the source at which the first voxel begins.
    pub fn offset(&self) -> u64 {
        self.spec.offset
    }

    /// How stored numbers become values.
    pub fn scaling(&self) -> &Scaling {
        &self.spec.scaling
    }

    /// The slope: 1 when nothing is multiplied, `None` when it differs over the volume.
    pub fn slope(&self) -> Option<f64> {
        self.spec.scaling.slope()
    }

    /// The inter: 0 when nothing is added, `None` when it differs over the volume.
    pub fn inter(&self) -> Option<f64> {
        self.spec.scaling.inter()
    }

    /// The type of [`Self::native`]: the stored type, or f64 (complex: c128) when it is scaled.
    pub fn native_dtype(&self) -> DType {
        self.spec.scaling.native_output(self.spec.dtype)
    }

    /// The same voxels under another shape (column-major); one axis may be -1: as long as it must be.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] when the number of voxels differs, or for more than one -1; [`ErrorKind::Usage`] for
    /// a proxy that shows a part of the stored voxels or another order of them.
    pub fn reshape(&self, shape: &[isize]) -> Result<Self> {
        if self.view.is_some() {
            return Err(Error::usage(
                "a sliced or reoriented proxy cannot be reshaped",
            ));
        }
        let shape = resolve_shape(shape, self.len())?;
        let spec = ProxySpec {
            shape,
            ..ProxySpec::clone(&self.spec)
        };
        let proxy = Self::from_source(self.source.clone(), spec)?;
        Ok(proxy
            .with_limits(self.limits)
            .with_threads(self.threads.clone()))
    }

    /// All values, scaled.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for colours, [`ErrorKind::Truncated`] and [`ErrorKind::Integrity`] for damaged
    /// files, [`ErrorKind::Changed`] for files changed since they were loaded, [`ErrorKind::OutOfMemory`].
    pub fn read<T: Float>(&self) -> Result<HostArray<T>> {
        self.fetch(&self.conversion(T::DTYPE)?, &self.select(&Index::new())?)
    }

    /// All values, scaled, as complex numbers.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_complex<T: ComplexFloat>(&self) -> Result<HostArray<T>> {
        self.fetch(&self.conversion(T::DTYPE)?, &self.select(&Index::new())?)
    }

    /// All values, scaled, into the caller's buffer, the first axis fastest. A buffer used before saves half
    /// the time: fresh pages cost as much as the conversion.
    ///
    /// # Errors
    /// As [`Self::read`], and [`ErrorKind::Shape`] when the buffer's length is not the number of voxels. After
    /// an error the buffer holds an unspecified part of the values.
    pub fn read_into<T: Float>(&self, out: &mut [T]) -> Result<()> {
        self.slice_into(&Index::new(), out)
    }

    /// The values that an index takes, reading only their bytes.
    ///
    /// # Errors
    /// As [`Self::read`], and [`ErrorKind::Index`] when the index does not fit the shape.
    pub fn slice<T: Float>(&self, index: &Index) -> Result<HostArray<T>> {
        self.fetch(&self.conversion(T::DTYPE)?, &self.select(index)?)
    }

    /// The values that an index takes, as complex numbers.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn slice_complex<T: ComplexFloat>(&self, index: &Index) -> Result<HostArray<T>> {
        self.fetch(&self.conversion(T::DTYPE)?, &self.select(index)?)
    }

    /// The values that an index takes, into the caller's buffer, the first axis fastest.
    ///
    /// # Errors
    /// As [`Self::slice`], and [`ErrorKind::Shape`] when the buffer's length is not the number of values.
    pub fn slice_into<T: Float>(&self, index: &Index, out: &mut [T]) -> Result<()> {
        let selection = self.select(index)?;
        let shape = selection.shape();
        if voxels(&shape)? != out.len() as u64 {
            return Err(Error::shape(&shape, format!("{} elements", out.len())));
        }
        self.fetch_into(&self.conversion(T::DTYPE)?, &selection, out)
    }

    /// All values as `np.asarray(dataobj)` gives them: stored numbers when nothing is scaled, else f64.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn native(&self) -> Result<StoredArray> {
        self.slice_native(&Index::new())
    }

    /// The values that an index takes, typed as [`Self::native`].
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn slice_native(&self, index: &Index) -> Result<StoredArray> {
        let spec = &*self.spec;
        let conversion = Conversion::native(spec.dtype, spec.byte_order, &spec.scaling)?;
        self.fetch_stored(&conversion, &self.select(index)?)
    }

    /// All stored numbers, in native byte order.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn unscaled(&self) -> Result<StoredArray> {
        self.slice_unscaled(&Index::new())
    }

    /// The stored numbers that an index takes, in native byte order.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn slice_unscaled(&self, index: &Index) -> Result<StoredArray> {
        let spec = &*self.spec;
        let conversion = Conversion::native(spec.dtype, spec.byte_order, &Scaling::none())?;
        self.fetch_stored(&conversion, &self.select(index)?)
    }

    /// Reads a compressed stream to its end and checks what only that can tell; nothing else to do for other
    /// sources. Whole reads do so themselves.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] and [`ErrorKind::Truncated`] for a damaged stream.
    pub fn check_to_end(&self) -> Result<()> {
        let bytes = self.voxels() * self.spec.dtype.size_bytes() as u64;
        let check = || self.source.begin()?.finish(self.spec.offset + bytes);
        self.threads.run(check)
    }

    #[cfg(feature = "gpu")]
    pub(crate) fn spec(&self) -> &ProxySpec {
        &self.spec
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The same voxels for one reader that goes forwards ([`Source::with_own_cursor`]).
    pub(crate) fn with_own_cursor(&self) -> Self {
        Self {
            source: self.source.with_own_cursor(),
            ..self.clone()
        }
    }

    /// The bytes of the source from the start of a plan's first voxel to the end of its last.
    pub(crate) fn byte_range(&self, plan: &Plan) -> Range<u64> {
        let item = self.spec.dtype.size_bytes() as u64;
        let start = self.spec.offset + plan.stored_first * item;
        start..start + plan.stored_span() * item
    }

    pub(crate) fn conversion(&self, output: DType) -> Result<Conversion> {
        let spec = &*self.spec;
        Conversion::new(spec.dtype, spec.byte_order, &spec.scaling, output)
    }

    /// What an index takes of the stored voxels.
    pub(crate) fn select(&self, index: &Index) -> Result<Selection> {
        let selection = index.select(self.shape())?;
        Ok(match &self.view {
            Some(view) => view.selection.compose(&selection),
            None => selection,
        })
    }

    /// A proxy that shows what a selection takes of the stored voxels ([`Self::select`]).
    pub(crate) fn with_view(&self, selection: Selection) -> Self {
        let shape = selection.shape();
        Self {
            view: Some(Arc::new(View { selection, shape })),
            ..self.clone()
        }
    }

    /// How a selection's voxels are read and where they go.
    pub(crate) fn plan(&self, selection: &Selection) -> Plan {
        selection.plan(&self.spec.shape, self.spec.layout)
    }

    /// Whether a plan reads all stored voxels.
    pub(crate) fn is_whole(&self, plan: &Plan) -> bool {
        voxels(&self.spec.shape).is_ok_and(|stored| plan.len() == stored)
    }

    /// Checks that the source can hold the bytes a plan needs, before anything is allocated for them.
    pub(crate) fn check_length(&self, plan: &Plan) -> Result<()> {
        let item = self.spec.dtype.size_bytes() as u64;
        let need = self.spec.offset + (plan.stored_first + plan.stored_span()) * item;
        let Some(most) = self.source.max_len()?.filter(|_| !plan.empty) else {
            return Ok(());
        };
        let checked = match self.source.len()? {
            Some(have) if need > have => Err(truncated("voxel data", have, need)),
            Some(_) => Ok(()),
            // Only what the compression can reach is known.
            None => limits::check("inflated bytes", need.into(), most),
        };
        checked.map_err(|error| error.at_maybe(self.source.path()))
    }

    /// Checks that an array for a plan's voxels, of elements of `item` bytes, is within the limits, and that the source
    /// can hold them.
    pub(crate) fn check_output(&self, plan: &Plan, item: usize) -> Result<()> {
        if let Some(most) = self.limits.output {
            let bytes = u128::from(plan.len()) * item as u128;
            limits::check("output bytes", bytes, most)
                .map_err(|error| error.at_maybe(self.source.path()))?;
        }
        self.check_length(plan)
    }

    pub(crate) fn fetch_stored(
        &self,
        conversion: &Conversion,
        selection: &Selection,
    ) -> Result<StoredArray> {
        with_dtype!(conversion.output, T => Ok(self.fetch::<T>(conversion, selection)?.into()))
    }

    pub(crate) fn fetch<T: Element>(
        &self,
        conversion: &Conversion,
        selection: &Selection,
    ) -> Result<HostArray<T>> {
        let shape = selection.shape();
        let plan = self.plan(selection);
        self.check_output(&plan, size_of::<T>())?;
        if let Some(mapped) = self.mapped_buffer(conversion, &plan)? {
            return HostArray::from_buffer(&shape, mapped);
        }
        let mut buffer = Buffer::zeroed(elements::<T>(&shape)?)?;
        self.convert(conversion, &plan, buffer.as_mut_slice()?)?;
        HostArray::from_buffer(&shape, buffer)
    }

    /// The mapped file itself as an array, where the options allow that and the bytes are the values.
    fn mapped_buffer<T: Element>(
        &self,
        conversion: &Conversion,
        plan: &Plan,
    ) -> Result<Option<Buffer<T>>> {
        let Source::Mapped(source) = &self.source else {
            return Ok(None);
        };
        let whole = self.is_whole(plan) && !plan.empty;
        let in_order = plan.coalesced(0).axes.iter().all(|axis| axis.out == 1);
        if !(whole && in_order && conversion.is_plain_copy()) {
            return Ok(None);
        }
        let in_memory = |at: u64| usize::try_from(at).ok();
        let range = self.byte_range(plan);
        let Some((start, end)) = in_memory(range.start).zip(in_memory(range.end)) else {
            return Ok(None);
        };
        let mapping = source.zero_copy(start..end)?;
        Ok(mapping.and_then(Buffer::from_mapping))
    }

    pub(crate) fn fetch_into<T: Element>(
        &self,
        conversion: &Conversion,
        selection: &Selection,
        out: &mut [T],
    ) -> Result<()> {
        let plan = self.plan(selection);
        self.check_length(&plan)?;
        self.convert(conversion, &plan, out)
    }

    /// Converts a plan's voxels, whose bytes have been found to be there.
    fn convert<T: Element>(
        &self,
        conversion: &Conversion,
        plan: &Plan,
        out: &mut [T],
    ) -> Result<()> {
        let extent = match self.is_whole(plan) {
            true => Extent::Whole,
            false => Extent::Part,
        };
        let convert = || convert_into(conversion, self.stored(), plan, extent, out);
        self.threads.run(convert)
    }

    fn stored(&self) -> Stored<'_> {
        Stored {
            source: &self.source,
            offset: self.spec.offset,
        }
    }

    /// All voxels in stored order, in parts of at most `voxels`: each part's places in the output go on from those of
    /// the one before, without gaps.
    ///
    /// # Errors
    /// As [`Self::check_length`].
    pub(crate) fn in_stored_order(
        &self,
        voxels: u64,
    ) -> Result<impl Iterator<Item = Plan> + use<>> {
        let plan = self.plan(&self.select(&Index::new())?);
        self.check_length(&plan)?;
        let item = self.spec.dtype.size_bytes() as u64;
        Ok(plan.in_stored_order().tiles(item, voxels, voxels))
    }

    /// Hands the values of one such part to `each`, slab by slab, in their order.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn for_each_slab<T: Element>(
        &self,
        part: &Plan,
        mut each: impl FnMut(&[T]),
    ) -> Result<()> {
        let conversion = self.conversion(T::DTYPE)?;
        let mut values = Vec::new();
        for mut slab in part.tiles(conversion.stored.size_bytes() as u64, SLAB, SLAB) {
            slab.out_first = 0;
            values.resize(slab.len() as usize, T::zeroed());
            self.threads.run(|| {
                convert_into(&conversion, self.stored(), &slab, Extent::Part, &mut values)
            })?;
            each(&values);
        }
        Ok(())
    }

    /// Does what a whole read does at its end, when this proxy shows all stored voxels.
    ///
    /// # Errors
    /// As [`Self::check_to_end`].
    pub(crate) fn check_end_if_whole(&self) -> Result<()> {
        match self.is_whole(&self.plan(&self.select(&Index::new())?)) {
            true => self.check_to_end(),
            false => Ok(()),
        }
    }
}

/// A shape with its -1, if any, worked out.
fn resolve_shape(shape: &[isize], count: usize) -> Result<Vec<usize>> {
    let refuse = || Error::shape(shape, format!("{count} voxels"));
    let unknown = shape.iter().filter(|&&n| n == -1).count();
    if unknown > 1 || shape.iter().any(|&n| n < -1) {
        return Err(refuse());
    }
    let known = shape
        .iter()
        .filter(|&&n| n != -1)
        .try_fold(1usize, |product, &n| product.checked_mul(n as usize))
        .ok_or_else(refuse)?;
    let missing = match unknown {
        1 if known == 0 => return Err(refuse()),
        1 => count / known,
        _ => 1,
    };
    if known * missing != count {
        return Err(refuse());
    }
    Ok(shape
        .iter()
        .map(|&n| if n == -1 { missing } else { n as usize })
        .collect())
}
