//! Values piece by piece in the order of the array, for callers whose array is not in this memory: that of a browser's
//! page, for instance, which WebAssembly cannot write to.

use std::ops::Range;

use crate::convert::kernels::Kernel;
use crate::core::array::Element;
use crate::core::error::Result;
use crate::core::float::Value;
use crate::plan::Plan;
use crate::read::host::{Extent, Stored, convert_into};
use crate::read::inflated::WholeRead;
use crate::read::proxy::ArrayProxy;
use crate::source::Source;

/// Values in a piece. With their stored bytes they stay in the second-level cache.
const PIECE: u64 = 64 << 10;

impl ArrayProxy {
    /// Passes all values, scaled, to `each`, the first axis fastest, in pieces that follow each other. A compressed stream of
    /// which all voxels are read is checked to its end, after the last piece.
    ///
    /// Returns `false`, without having called `each`, if the voxels are stored in another order: [`Self::read_into`] then
    /// puts each in its place.
    ///
    /// # Errors
    /// As [`Self::read`], and those of `each`. What `each` was given may then be wrong.
    #[doc(hidden)]
    pub fn for_each_piece<T: Value>(&self, each: impl FnMut(&[T]) -> Result<()>) -> Result<bool> {
        let plan = self.plan(&self.whole());
        if self.rounds_once(T::DTYPE) || !is_in_order(&plan) {
            return Ok(false);
        }
        self.check_length(&plan)?;
        self.threads().run(|| self.pieces(&plan, each))?;
        Ok(true)
    }

    /// A reader of the stored bytes of all voxels of a compressed file, step by step; `None` for other sources, and if the
    /// voxels are stored in another order.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Limit`] if the file cannot inflate to so much, and errors of asking for its length.
    #[doc(hidden)]
    pub fn stored_reader(&self) -> Result<Option<StoredReader>> {
        let plan = self.plan(&self.whole());
        if !matches!(self.source(), Source::Gzip(_)) || !self.is_whole(&plan) || !is_in_order(&plan)
        {
            return Ok(None);
        }
        self.check_length(&plan)?;
        let Range { start, end } = self.byte_range(&plan);
        Ok(Some(StoredReader {
            source: self.source().with_own_cursor(),
            at: start,
            end,
        }))
    }

    /// The same proxy for a single reader of all values in the order of the array: [`Self::for_one_pass`], if that is the stored
    /// order.
    pub(crate) fn for_one_pass_in_order(&self) -> Self {
        let plan = self.plan(&self.whole());
        match self.is_whole(&plan) && is_in_order(&plan) {
            true => self.for_one_pass(),
            false => self.clone(),
        }
    }

    fn pieces<T: Element>(
        &self,
        plan: &Plan,
        mut each: impl FnMut(&[T]) -> Result<()>,
    ) -> Result<()> {
        let conversion = self.conversion(T::DTYPE)?;
        let (source, offset) = (self.source(), self.spec().offset);
        let plan = plan.coalesced(conversion.block);
        let mut values = Vec::new();
        if let Source::Gzip(gzip) = source
            && self.is_whole(&plan)
        {
            let whole = WholeRead {
                kernel: &Kernel::new(&conversion)?,
                gzip,
                offset,
            };
            return whole.in_pieces(plan.len(), &mut values, each);
        }
        let _kept = source.keep_pieces();
        let item = conversion.stored.size_bytes() as u64;
        for mut piece in plan.tiles(item, PIECE, PIECE) {
            piece.out_first = 0;
            // At most PIECE.
            values.resize(piece.len() as usize, T::zeroed());
            let stored = Stored { source, offset };
            convert_into(&conversion, stored, &piece, Extent::Part, &mut values)?;
            each(&values)?;
        }
        self.check_end_if_whole()
    }
}

/// Reads stored bytes in order, as [`ArrayProxy::stored_reader`] makes it.
#[doc(hidden)]
#[derive(Debug)]
pub struct StoredReader {
    source: Source,
    at: u64,
    end: u64,
}

impl StoredReader {
    /// Reads the next bytes, as many as there are and fit; 0 at the end, when the file has been checked to its own end.
    ///
    /// # Errors
    /// As [`ArrayProxy::read`]. What was read before may then be wrong.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let left = self.end - self.at;
        let count = left.min(out.len() as u64) as usize;
        let session = self.source.begin()?;
        if left == 0 {
            session.finish(self.end)?;
            return Ok(0);
        }
        session.read_at(self.at, out.get_mut(..count).unwrap_or_default())?;
        session.end()?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Whether voxels go to the output in stored order.
fn is_in_order(plan: &Plan) -> bool {
    plan.out_first == 0 && plan.in_stored_order().axes == plan.axes
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;
    use crate::core::dtype::DType;
    use crate::core::error::ErrorKind;
    use crate::core::limits::Limits;
    use crate::core::scaling::{Arithmetic, Factor, Scaling, Step};
    use crate::read::proxy::ProxySpec;
    use crate::source::gzip::GzipSource;
    use crate::source::memory::MemorySource;

    const SHAPE: [usize; 3] = [70, 50, 60];
    const OFFSET: usize = 352;

    fn bytes() -> Vec<u8> {
        let voxels = (0..SHAPE.iter().product::<usize>() as i64)
            .map(|n| (n * 7919 % 65_521 - 32_768) as i16)
            .flat_map(i16::to_ne_bytes);
        [0; OFFSET].into_iter().chain(voxels).collect()
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(file: Vec<u8>) -> Source {
        let file = Source::Memory(MemorySource::new(file));
        Source::Gzip(Arc::new(GzipSource::new(
            file,
            None,
            None,
            Limits::default(),
        )))
    }

    /// A proxy with another slope for each slice.
    fn proxy(source: Source) -> ArrayProxy {
        let slopes: Vec<f64> = (0..SHAPE[2]).map(|k| 0.1 + k as f64).collect();
        let steps = vec![Step::Multiply(Factor::Table(slopes.into()))];
        let block = (SHAPE[0] * SHAPE[1]) as u64;
        let spec = ProxySpec::new(&SHAPE, DType::I16)
            .offset(OFFSET as u64)
            .scaling(Scaling::new(steps, block, Arithmetic::F64));
        ArrayProxy::from_source(source, spec).unwrap()
    }

    fn in_pieces(proxy: &ArrayProxy) -> Result<Option<Vec<f32>>> {
        let mut all = Vec::new();
        let is_in_order = proxy.for_each_piece(|values: &[f32]| {
            all.extend_from_slice(values);
            Ok(())
        })?;
        Ok(is_in_order.then_some(all))
    }

    #[test]
    fn pieces_are_the_values_in_order() {
        let plain = proxy(Source::Memory(MemorySource::new(bytes())));
        let want = plain.read::<f32>().unwrap();
        assert_eq!(in_pieces(&plain).unwrap().unwrap(), want.as_slice());
        let packed = proxy(gzip(gzipped(&bytes())));
        assert_eq!(in_pieces(&packed).unwrap().unwrap(), want.as_slice());

        for index in ["[..., 7:31]", "[:, 3:9, 20]", "[..., ::3]"] {
            for whole in [&plain, &packed] {
                let part = whole.sliced(index).unwrap();
                let want = part.read::<f32>().unwrap();
                assert_eq!(
                    in_pieces(&part).unwrap().unwrap(),
                    want.as_slice(),
                    "{index}"
                );
            }
        }
        let reversed = plain.sliced("[..., ::-1]").unwrap();
        assert!(in_pieces(&reversed).unwrap().is_none());
    }

    fn stored(proxy: &ArrayProxy) -> Result<Vec<u8>> {
        let mut reader = proxy.stored_reader()?.expect("a gzip file");
        let (mut all, mut piece) = (Vec::new(), vec![0; 10_000]);
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(all),
                read => all.extend_from_slice(&piece[..read]),
            }
        }
    }

    #[test]
    fn stored_bytes_are_read_step_by_step() {
        let packed = proxy(gzip(gzipped(&bytes())));
        assert!(stored(&packed).unwrap() == bytes()[OFFSET..]);
        let part = packed.sliced("[..., 3:]").unwrap();
        assert!(part.stored_reader().unwrap().is_none());
        let plain = proxy(Source::Memory(MemorySource::new(bytes())));
        assert!(plain.stored_reader().unwrap().is_none());
    }

    #[test]
    fn damage_is_found_at_the_end() {
        let mut file = gzipped(&bytes());
        let crc = file.len() - 8;
        file[crc] ^= 1;
        for error in [
            in_pieces(&proxy(gzip(file.clone()))).unwrap_err(),
            stored(&proxy(gzip(file))).unwrap_err(),
        ] {
            assert!(
                matches!(error.kind(), ErrorKind::Integrity { .. }),
                "{error}"
            );
        }
    }
}
