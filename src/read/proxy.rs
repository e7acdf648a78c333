//! The array proxy: an immutable description of stored voxels and the source from which they are read on demand, or an
//! array in memory with the same methods.

use std::ops::Range;
use std::sync::Arc;

use crate::convert::Conversion;
use crate::core::array::{Buffer, Element, HostArray, StoredArray, with_dtype};
use crate::core::dtype::{ByteOrder, DType, c64, c128};
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Value;
use crate::core::limits::{self, Limits};
use crate::core::parallel::*;
use crate::core::scaling::Scaling;
use crate::core::scope;
use crate::core::shape::{elements, voxels};
use crate::core::threads::{self, Threads};
use crate::header::{Header, Layout};
use crate::plan::Plan;
use crate::plan::index::Index;
use crate::plan::selection::Selection;
use crate::read::host::{Extent, Stored, convert_into, copy_into};
use crate::source::{Access, ByteSource, Source, truncated};

/// Voxels of a slab of [`ArrayProxy::for_each_slab`].
const SLAB: u64 = 1 << 20;

/// Values of an array that one thread casts at a time.
const PIECE: usize = 1 << 16;

/// The description of stored voxels for a proxy. Later edits of a header do not affect it.
///
/// ```
/// use voxload::{ByteOrder, DType, ProxySpec, Scaling};
/// let spec = ProxySpec::new(&[64, 64, 30], DType::I16)
///     .offset(352)
///     .byte_order(ByteOrder::Big)
///     .scaling(Scaling::linear(0.5, -10.0));
/// assert_eq!(spec.shape, [64, 64, 30]);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct ProxySpec {
    /// Voxels along each axis.
    pub shape: Vec<usize>,
    /// The stored voxel type.
    pub dtype: DType,
    /// The byte order of stored voxels.
    pub byte_order: ByteOrder,
    /// Which axis is stored fastest.
    pub layout: Layout,
    /// Offset of the first voxel in the source, in bytes.
    pub offset: u64,
    /// How stored numbers become values.
    pub scaling: Scaling,
}

impl ProxySpec {
    /// Voxels of this shape and type: unscaled, in the machine's byte order, the first axis fastest, at offset 0.
    pub fn new(shape: &[usize], dtype: DType) -> Self {
        Self {
            shape: shape.to_vec(),
            dtype,
            byte_order: ByteOrder::NATIVE,
            layout: Layout::FirstFastest,
            offset: 0,
            scaling: Scaling::none(),
        }
    }

    /// Sets the byte order of the stored voxels.
    pub fn byte_order(mut self, byte_order: ByteOrder) -> Self {
        self.byte_order = byte_order;
        self
    }

    /// Sets which axis is stored fastest.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets the offset of the first voxel in the source, in bytes.
    pub fn offset(mut self, bytes: u64) -> Self {
        self.offset = bytes;
        self
    }

    /// Sets how stored numbers become values.
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = scaling;
        self
    }
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

/// Voxels that are read, sliced and scaled on demand: those of a file, of the caller's own source, or of an array in
/// memory. nibabel's `img.dataobj`. Clones share the source.
///
/// [`Self::read`] returns values: scaled by the header's rules, in the requested type. [`Self::native`] returns them in
/// the type of `np.asarray(dataobj)`, [`Self::unscaled`] returns the stored numbers. [`Self::sliced`] makes a proxy of
/// a part, with the same methods. A proxy caches nothing; [`crate::DataobjImage`] does.
///
/// ```no_run
/// # fn main() -> voxload::Result<()> {
/// use voxload::{ArrayProxy, DType, HostArray};
/// let image = voxload::load("bold.nii.gz")?;
/// let frame = image.dataobj().sliced("[..., 30]")?;               // nothing is read yet
/// println!("{:?} of {}", frame.shape(), frame.native_dtype());
/// let mut values = vec![0f32; frame.shape().iter().product()];
/// frame.read_into(&mut values)?;                                  // reads this frame's bytes
/// let stored = frame.unscaled()?;
///
/// let array = ArrayProxy::from(HostArray::from_vec(&[2, 3], vec![1i16; 6])?);
/// assert_eq!(array.dtype(), DType::I16);
/// # let _ = stored;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ArrayProxy {
    spec: Arc<ProxySpec>,
    source: Source,
    /// The selected part of the stored voxels, in its order; `None` for all of them in stored order. Always `None` for
    /// an array, of which a selected part is copied.
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
    /// A proxy of voxels in the caller's own source.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] if the size in bytes does not fit in 63 bits or a scaling table does not fit the shape.
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

    /// The same proxy, with the limits and the threads of another.
    fn with_settings_of(self, other: &Self) -> Self {
        self.with_limits(other.limits)
            .with_threads(other.threads.clone())
    }

    /// The array, if this is a proxy of an array in memory. Its values are neither read nor scaled.
    #[must_use]
    pub fn as_array(&self) -> Option<&StoredArray> {
        match &self.source {
            Source::Array(array) => Some(array),
            _ => None,
        }
    }

    pub(crate) fn as_array_mut(&mut self) -> Option<&mut StoredArray> {
        match &mut self.source {
            Source::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The description of the stored voxels. Its shape is that of all stored voxels, not of a selected part.
    pub fn spec(&self) -> &ProxySpec {
        &self.spec
    }

    /// The same proxy, with reads in this thread pool.
    #[must_use]
    pub fn with_threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Voxels along each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match &self.view {
            Some(view) => &view.shape,
            None => &self.spec.shape,
        }
    }

    /// Number of voxels, which may exceed `usize`.
    pub(crate) fn voxels(&self) -> u64 {
        // Checked when the proxy was made.
        voxels(self.shape()).unwrap_or_default()
    }

    /// The stored voxel type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.spec.dtype
    }

    /// The type of [`Self::native`]: the stored type, or f64 (complex: c128) if the voxels are scaled.
    #[must_use]
    pub fn native_dtype(&self) -> DType {
        self.spec.scaling.native_output(self.spec.dtype)
    }

    /// A proxy of the voxels that an index selects. Its shape is known at once; voxels are read on demand, and only
    /// those. The part of an array is copied.
    ///
    /// # Errors
    /// [`ErrorKind::Index`] if the index does not fit the shape or cannot be parsed; [`ErrorKind::OutOfMemory`] for an
    /// array.
    pub fn sliced(&self, index: impl TryInto<Index, Error: Into<Error>>) -> Result<Self> {
        let index = index.try_into().map_err(Into::into)?;
        self.with_view(self.select(&index)?)
    }

    /// The same voxels with another shape (column-major). One axis may be -1: its length is computed.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if the number of voxels differs, or for more than one -1; [`ErrorKind::Usage`] for a sliced
    /// or reoriented proxy.
    pub fn reshape(&self, shape: &[isize]) -> Result<Self> {
        if self.view.is_some() {
            return Err(Error::usage(
                "a sliced or reoriented proxy cannot be reshaped",
            ));
        }
        let count = usize::try_from(self.voxels()).unwrap_or(usize::MAX);
        let shape = resolve_shape(shape, count)?;
        if let Some(array) = self.as_array() {
            return Ok(Self::from(array.clone().reshape(&shape)?).with_settings_of(self));
        }
        let spec = ProxySpec {
            shape,
            ..ProxySpec::clone(&self.spec)
        };
        Ok(Self::from_source(self.source.clone(), spec)?.with_settings_of(self))
    }

    /// All values, scaled, in a new array. An array in memory of this type is shared, not copied.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] for colours, [`ErrorKind::Truncated`] and [`ErrorKind::Integrity`] for damaged
    /// files, [`ErrorKind::Changed`] for files changed since they were loaded, [`ErrorKind::OutOfMemory`].
    pub fn read<T: Value>(&self) -> Result<HostArray<T>> {
        if let Some(array) = self.as_array() {
            if let Some(same) = array.get::<T>() {
                return Ok(same.clone());
            }
            if self.rounds_once(T::DTYPE) {
                let mut buffer = Buffer::zeroed(array.len())?;
                self.round_once(array, buffer.as_mut_slice()?)?;
                return HostArray::from_buffer(array.shape(), buffer);
            }
        }
        self.fetch(&self.conversion(T::DTYPE)?, &self.whole())
    }

    /// Reads all values, scaled, into the caller's buffer, the first axis fastest. Reusing a buffer can halve the time,
    /// because the first access to new memory costs as much as the conversion.
    ///
    /// # Errors
    /// As [`Self::read`], and [`ErrorKind::Shape`] if the buffer's length is not the number of voxels. After an error
    /// the buffer holds an unspecified part of the values.
    pub fn read_into<T: Value>(&self, out: &mut [T]) -> Result<()> {
        if let Some(array) = self.as_array()
            && self.rounds_once(T::DTYPE)
        {
            self.check_room(out.len())?;
            return self.round_once(array, out);
        }
        self.fill(&self.conversion(T::DTYPE)?, out)
    }

    /// The values that an index selects, scaled, in a new array; only their bytes are read. Short for [`Self::sliced`]
    /// and [`Self::read`].
    ///
    /// # Errors
    /// As [`Self::sliced`] and [`Self::read`].
    pub fn slice<T: Value>(
        &self,
        index: impl TryInto<Index, Error: Into<Error>>,
    ) -> Result<HostArray<T>> {
        let selection = self.select(&index.try_into().map_err(Into::into)?)?;
        match self.as_array() {
            Some(_) => self.with_view(selection)?.read(),
            None => self.fetch(&self.conversion(T::DTYPE)?, &selection),
        }
    }

    /// All values as `np.asarray(dataobj)` gives them: stored numbers if nothing is scaled, otherwise f64. Of type
    /// [`Self::native_dtype`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn native(&self) -> Result<StoredArray> {
        match self.as_array() {
            Some(array) => Ok(array.clone()),
            None => self.fetch_stored(&self.native_conversion(&self.spec.scaling)?, &self.whole()),
        }
    }

    /// Reads the values of [`Self::native`] into the caller's buffer, the first axis fastest.
    ///
    /// # Errors
    /// As [`Self::read_into`], and [`ErrorKind::DType`] if `T` is not [`Self::native_dtype`].
    pub fn native_into<T: Element>(&self, out: &mut [T]) -> Result<()> {
        self.check_type::<T>("native values", self.native_dtype())?;
        self.fill(&self.native_conversion(&self.spec.scaling)?, out)
    }

    /// All stored numbers, in native byte order. Of type [`Self::dtype`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn unscaled(&self) -> Result<StoredArray> {
        match self.as_array() {
            Some(array) => Ok(array.clone()),
            None => self.fetch_unscaled(&self.whole()),
        }
    }

    /// Reads the numbers of [`Self::unscaled`] into the caller's buffer, the first axis fastest.
    ///
    /// # Errors
    /// As [`Self::read_into`], and [`ErrorKind::DType`] if `T` is not [`Self::dtype`].
    pub fn unscaled_into<T: Element>(&self, out: &mut [T]) -> Result<()> {
        self.check_type::<T>("stored numbers", self.dtype())?;
        self.fill(&self.native_conversion(&Scaling::none())?, out)
    }

    /// The values of [`Self::read_into`] as bytes of this type in native byte order, for callers that know types at run time
    /// only, such as bindings to other languages.
    ///
    /// ```
    /// # fn main() -> voxload::Result<()> {
    /// use voxload::{ArrayProxy, DType, HostArray};
    /// let array = ArrayProxy::from(HostArray::from_vec(&[2], vec![1i16, -2])?);
    /// let mut values = [0f64; 2];
    /// array.read_into_bytes(DType::F64, bytemuck::cast_slice_mut(&mut values))?;
    /// assert_eq!(values, [1.0, -2.0]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Self::read_into`], and [`ErrorKind::DType`] for a type that values are not read as ([`Value`]);
    /// [`ErrorKind::Usage`] when the buffer is not whole, aligned elements.
    #[doc(hidden)]
    pub fn read_into_bytes(&self, dtype: DType, out: &mut [u8]) -> Result<()> {
        match dtype {
            DType::F16 => self.read_into(elements_of::<half::f16>(out)?),
            DType::F32 => self.read_into(elements_of::<f32>(out)?),
            DType::F64 => self.read_into(elements_of::<f64>(out)?),
            DType::C64 => self.read_into(elements_of::<c64>(out)?),
            DType::C128 => self.read_into(elements_of::<c128>(out)?),
            other => Err(ErrorKind::DType {
                stored: self.dtype().to_string(),
                wanted: other.to_string(),
            }
            .into()),
        }
    }

    /// The values of [`Self::native_into`] as bytes, in native byte order.
    ///
    /// # Errors
    /// As [`Self::native_into`]; [`ErrorKind::Usage`] when the buffer is not whole, aligned elements.
    #[doc(hidden)]
    pub fn native_into_bytes(&self, out: &mut [u8]) -> Result<()> {
        with_dtype!(self.native_dtype(), T => self.native_into(elements_of::<T>(out)?))
    }

    /// The numbers of [`Self::unscaled_into`] as bytes, in native byte order.
    ///
    /// # Errors
    /// As [`Self::unscaled_into`]; [`ErrorKind::Usage`] when the buffer is not whole, aligned elements.
    #[doc(hidden)]
    pub fn unscaled_into_bytes(&self, out: &mut [u8]) -> Result<()> {
        with_dtype!(self.dtype(), T => self.unscaled_into(elements_of::<T>(out)?))
    }

    /// Reads a compressed stream to its end and checks its checksums and length. Other sources are not read. Whole
    /// reads do this themselves.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] and [`ErrorKind::Truncated`] for a damaged stream.
    pub fn check_to_end(&self) -> Result<()> {
        let bytes = self.voxels() * self.spec.dtype.size_bytes() as u64;
        let check = || self.source.begin()?.finish(self.spec.offset + bytes);
        self.threads.run(check)
    }

    /// How the voxels' bytes are best read now: a compressed stream is read forwards, unless it has an index of all of it.
    #[doc(hidden)]
    #[must_use]
    pub fn access(&self) -> Access {
        self.source.access()
    }

    /// Checks what [`Self::read`] checks before it allocates an array of elements of so many bytes: the limits of the
    /// options, and that the source can hold the voxels. For callers that allocate the buffer of [`Self::read_into`]
    /// themselves.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`], [`ErrorKind::Truncated`], and errors of asking the source for its length.
    #[doc(hidden)]
    pub fn check_fits(&self, element_bytes: usize) -> Result<()> {
        self.check_output(&self.plan(&self.whole()), element_bytes)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The same proxy for a single reader that goes forwards ([`Source::with_own_cursor`]).
    pub(crate) fn with_own_cursor(&self) -> Self {
        Self {
            source: self.source.with_own_cursor(),
            ..self.clone()
        }
    }

    /// The same proxy for a single reader that goes forwards through all voxels: several parts of a gzip file are then inflated at
    /// a time, where it is suitable.
    pub(crate) fn for_one_pass(&self) -> Self {
        match self.source.has_parts() {
            true => self.with_own_cursor(),
            false => self.clone(),
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

    fn native_conversion(&self, scaling: &Scaling) -> Result<Conversion> {
        Conversion::native(self.spec.dtype, self.spec.byte_order, scaling)
    }

    /// Whether values of this type are rounded only once, as in numpy's casts of arrays: 64-bit integers of an array to
    /// f32. Those of a file are converted through f64.
    pub(crate) fn rounds_once(&self, output: DType) -> bool {
        let integers = matches!(self.dtype(), DType::I64 | DType::U64);
        self.as_array().is_some() && integers && output == DType::F32
    }

    /// Converts 64-bit integers to f32 with one rounding, for [`Self::rounds_once`].
    fn round_once<T: Element>(&self, array: &StoredArray, out: &mut [T]) -> Result<()> {
        let out = bytemuck::cast_slice_mut(out);
        self.threads.run(|| match array {
            StoredArray::I64(whole) => round_each(whole, out, |value| value as f32),
            StoredArray::U64(whole) => round_each(whole, out, |value| value as f32),
            _ => Ok(()),
        })
    }

    fn check_room(&self, elements: usize) -> Result<()> {
        if self.voxels() != elements as u64 {
            return Err(Error::shape(
                self.shape(),
                format_args!("{elements} elements"),
            ));
        }
        Ok(())
    }

    fn check_type<T: Element>(&self, what: &str, dtype: DType) -> Result<()> {
        if T::DTYPE != dtype {
            return Err(ErrorKind::DType {
                stored: self.dtype().to_string(),
                wanted: format!("{what} as {}: they are {dtype}", T::DTYPE),
            }
            .into());
        }
        Ok(())
    }

    /// The selection of all voxels of the proxy.
    pub(crate) fn whole(&self) -> Selection {
        match &self.view {
            Some(view) => view.selection.clone(),
            None => Selection::whole(&self.spec.shape),
        }
    }

    /// The selection of stored voxels for an index.
    pub(crate) fn select(&self, index: &Index) -> Result<Selection> {
        let selection = index.select(self.shape())?;
        Ok(match &self.view {
            Some(view) => view.selection.compose(&selection),
            None => selection,
        })
    }

    /// A proxy of a selection of the stored voxels ([`Self::select`]). The part of an array is copied.
    pub(crate) fn with_view(&self, selection: Selection) -> Result<Self> {
        if self.as_array().is_none() {
            let shape = selection.shape();
            return Ok(Self {
                view: Some(Arc::new(View { selection, shape })),
                ..self.clone()
            });
        }
        if selection == self.whole() {
            return Ok(self.clone());
        }
        let part = self.fetch_unscaled(&selection)?;
        Ok(Self::from(part).with_settings_of(self))
    }

    /// Colours as bytes, with their channels along a new last axis; an array's are copied.
    ///
    /// # Errors
    /// [`ErrorKind::DType`] if the voxels are not colours, [`ErrorKind::OutOfMemory`].
    pub(crate) fn channels(&self) -> Result<Self> {
        if self.dtype().is_colour() && self.spec.layout == Layout::FirstFastest {
            let count = self.dtype().size_bytes();
            let selection = self.whole().with_components(count as u64);
            let with_channels = |shape: &[usize]| [&[count], shape].concat();
            if let Some(array) = self.as_array() {
                let bytes: &[u8] = match array {
                    StoredArray::Rgb24(colours) => bytemuck::cast_slice(colours.as_slice()),
                    StoredArray::Rgba32(colours) => bytemuck::cast_slice(colours.as_slice()),
                    _ => &[],
                };
                let bytes = HostArray::from_vec(&with_channels(self.shape()), bytes.to_vec())?;
                let bytes = Self::from(bytes).with_settings_of(self);
                return bytes.with_view(selection);
            }
            let bytes = Self {
                spec: Arc::new(ProxySpec {
                    shape: with_channels(&self.spec.shape),
                    dtype: DType::U8,
                    ..(*self.spec).clone()
                }),
                view: None,
                ..self.clone()
            };
            return bytes.with_view(selection);
        }
        Err(ErrorKind::DType {
            stored: self.dtype().to_string(),
            wanted: "channels of a colour".to_owned(),
        }
        .into())
    }

    /// The plan to read a selection.
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
            // The length of a stream is unknown. `most` is what the best compression would give.
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

    /// The stored numbers, in native byte order.
    fn fetch_unscaled(&self, selection: &Selection) -> Result<StoredArray> {
        let conversion = self.native_conversion(&Scaling::none())?;
        let shape = selection.shape();
        let plan = self.plan(selection);
        let extent = self.extent(&plan);
        let fill = |out: &mut [u8]| {
            let copy = || copy_into(&conversion, self.stored(), &plan, extent, out);
            self.threads.run(copy)
        };
        with_dtype!(conversion.output, T => {
            let buffer = self.new_buffer::<T>(&conversion, &plan, &shape, &fill)?;
            Ok(HostArray::from_buffer(&shape, buffer)?.into())
        })
    }

    /// Reads all voxels into a buffer, whose length is checked.
    fn fill<T: Element>(&self, conversion: &Conversion, out: &mut [T]) -> Result<()> {
        self.check_room(out.len())?;
        self.fetch_into(conversion, &self.whole(), out)
    }

    pub(crate) fn fetch<T: Element>(
        &self,
        conversion: &Conversion,
        selection: &Selection,
    ) -> Result<HostArray<T>> {
        let shape = selection.shape();
        let plan = self.plan(selection);
        let buffer = self.new_buffer(conversion, &plan, &shape, |out| {
            self.convert::<T>(conversion, &plan, bytemuck::cast_slice_mut(out))
        })?;
        HostArray::from_buffer(&shape, buffer)
    }

    /// A buffer whose bytes `fill` writes, or the mapped file.
    fn new_buffer<T: Element>(
        &self,
        conversion: &Conversion,
        plan: &Plan,
        shape: &[usize],
        fill: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<Buffer<T>> {
        self.check_output(plan, size_of::<T>())?;
        if let Some(mapped) = self.mapped_buffer(conversion, plan)? {
            return Ok(mapped);
        }
        let mut buffer = Buffer::zeroed(elements::<T>(shape)?)?;
        fill(bytemuck::cast_slice_mut(buffer.as_mut_slice()?))?;
        Ok(buffer)
    }

    /// The mapped file itself as an array, if the options allow it and the stored bytes are the values.
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

    /// Converts a plan's voxels, after [`Self::check_length`].
    fn convert<T: Element>(
        &self,
        conversion: &Conversion,
        plan: &Plan,
        out: &mut [T],
    ) -> Result<()> {
        let extent = self.extent(plan);
        let convert = || convert_into(conversion, self.stored(), plan, extent, out);
        self.threads.run(convert)
    }

    fn extent(&self, plan: &Plan) -> Extent {
        match self.is_whole(plan) {
            true => Extent::Whole,
            false => Extent::Part,
        }
    }

    fn stored(&self) -> Stored<'_> {
        Stored {
            source: &self.source,
            offset: self.spec.offset,
        }
    }

    /// All voxels in stored order, in parts of at most `voxels`. The output positions of the parts follow each other
    /// without gaps.
    ///
    /// # Errors
    /// As [`Self::check_length`].
    pub(crate) fn in_stored_order(
        &self,
        voxels: u64,
    ) -> Result<impl Iterator<Item = Plan> + use<>> {
        let plan = self.plan(&self.whole());
        self.check_length(&plan)?;
        let item = self.spec.dtype.size_bytes() as u64;
        Ok(plan.in_stored_order().tiles(item, voxels, voxels))
    }

    /// Passes the values of such a part to `each`, slab by slab, in order.
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

    /// Checks the end of the stream, as a whole read does, if this proxy covers all stored voxels.
    ///
    /// # Errors
    /// As [`Self::check_to_end`].
    pub(crate) fn check_end_if_whole(&self) -> Result<()> {
        match self.is_whole(&self.plan(&self.whole())) {
            true => self.check_to_end(),
            false => Ok(()),
        }
    }
}

impl From<StoredArray> for ArrayProxy {
    fn from(array: StoredArray) -> Self {
        Self {
            spec: Arc::new(ProxySpec::new(array.shape(), array.dtype())),
            source: Source::Array(array),
            view: None,
            limits: Limits::default(),
            threads: Threads::default(),
        }
    }
}

impl<T: Element> From<HostArray<T>> for ArrayProxy {
    fn from(array: HostArray<T>) -> Self {
        Self::from(StoredArray::from(array))
    }
}

/// Converts each integer of an array to f32 with one rounding.
fn round_each<I: Element>(
    from: &HostArray<I>,
    out: &mut [f32],
    round: impl Fn(I) -> f32 + Sync,
) -> Result<()> {
    let round_piece = |out: &mut [f32], values: &[I]| {
        scope::check()?;
        for (out, &value) in out.iter_mut().zip(values) {
            *out = round(value);
        }
        Ok(())
    };
    threads::parallel(|scope| {
        let pieces = out
            .par_chunks_mut(PIECE)
            .zip(from.as_slice().par_chunks(PIECE));
        pieces.try_for_each(|(out, values)| scope.enter(|| round_piece(out, values)))
    })
}

/// A caller's bytes as the elements that they are.
fn elements_of<T: Element>(bytes: &mut [u8]) -> Result<&mut [T]> {
    // An empty buffer may have any alignment.
    if bytes.is_empty() {
        return Ok(&mut []);
    }
    let found = bytes.len();
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| {
        Error::usage(format_args!(
            "a buffer of {found} bytes is not whole, aligned elements of {}",
            T::DTYPE
        ))
    })
}

/// Replaces a -1 in a shape by the length that it must have.
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
