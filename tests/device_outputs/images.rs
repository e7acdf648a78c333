//! Random images of every stored type, byte order and scaling, and random selections of them.

use std::sync::Arc;

use voxload::scaling::{Arithmetic, Factor, Step};
use voxload::{
    ArrayProxy, ByteOrder, ByteSource, DType, DataobjImage, Extra, FileMap, Index, Layout,
    ProxySpec, Result, Scaling,
};

use crate::support::header_of;
use crate::support::rng::Rng;
pub use crate::support::types::REAL;

pub const ORDERS: [ByteOrder; 2] = [ByteOrder::Little, ByteOrder::Big];
pub const SCALINGS: [Kind; 5] = [Kind::None, Kind::Linear, Kind::Tables, Kind::All, Kind::Spm];

/// Kinds of scaling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    None,
    Linear,
    Tables,
    /// Clip, a table, a number.
    All,
    /// Arithmetic in f32 for some types and outputs.
    Spm,
}

/// A generator of images, on that of all tests.
pub struct Random(Rng);

impl std::ops::Deref for Random {
    type Target = Rng;

    fn deref(&self) -> &Rng {
        &self.0
    }
}

impl std::ops::DerefMut for Random {
    fn deref_mut(&mut self) -> &mut Rng {
        &mut self.0
    }
}

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Rng::new(seed))
    }

    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub fn shape(&mut self, most_axes: usize, most_voxels: usize) -> Vec<usize> {
        let axes = 1 + self.below(most_axes);
        let side = (most_voxels as f64).powf(1.0 / axes as f64) as usize;
        (0..axes).map(|_| 1 + self.below(side)).collect()
    }

    /// Slices of any start, stop and step, a few integers.
    pub fn index(&mut self, shape: &[usize]) -> Index {
        shape.iter().fold(Index::new(), |index, &count| {
            let bound = |random: &mut Self| match random.below(3) {
                0 => None,
                _ => Some(random.below(2 * count + 1) as i64 - count as i64),
            };
            match self.below(6) {
                0 => index.at(self.below(count) as i64),
                1 => index.all(),
                2 => index.slice(None, None, Some(-1)),
                _ => {
                    let step = [-3, -2, -1, 1, 1, 2, 3][self.below(7)];
                    index.slice(bound(self), bound(self), Some(step))
                }
            }
        })
    }

    fn number(&mut self) -> f64 {
        match self.below(4) {
            0 => 0.1,
            1 => -3.0,
            2 => self.bits() as i64 as f64 * 1e-18,
            _ => (self.below(2000) as f64 - 1000.0) / 8.0,
        }
    }

    fn table(&mut self, entries: usize) -> Factor {
        Factor::Table((0..entries).map(|_| self.number()).collect())
    }

    /// Scaling of this kind for a volume of this shape; tables are over the slowest axes.
    pub fn scaling(&mut self, kind: Kind, shape: &[usize]) -> Scaling {
        let voxels: usize = shape.iter().product();
        let entries: usize = shape[self.below(shape.len())..].iter().product();
        let clip = Step::Clip {
            lo: -100.0,
            hi: 1000.25,
        };
        let (steps, arithmetic) = match kind {
            Kind::None => return Scaling::none(),
            Kind::Linear => return Scaling::linear(self.number(), self.number()),
            Kind::Tables => {
                let tables = [
                    Step::Multiply(self.table(entries)),
                    Step::Add(self.table(entries)),
                ];
                (tables.to_vec(), Arithmetic::F64)
            }
            Kind::All => {
                let multiply = Step::Multiply(self.table(entries));
                let add = Step::Add(Factor::One(self.number()));
                (vec![clip, multiply, add], Arithmetic::F64)
            }
            Kind::Spm => {
                let multiply = Step::Multiply(Factor::One(self.number()));
                (vec![multiply], Arithmetic::Spm99)
            }
        };
        Scaling::new(steps, (voxels / entries) as u64, arithmetic)
    }

    /// Stored voxels: any bits, or small numbers.
    fn voxels(&mut self, dtype: DType, order: ByteOrder, count: usize) -> Vec<u8> {
        let item = dtype.size_bytes();
        let any_bits = self.below(2) == 0;
        let mut bytes = Vec::with_capacity(count * item);
        for _ in 0..count {
            let bits = match (any_bits, dtype) {
                (true, _) => self.bits(),
                (_, DType::F16) => u64::from(half::f16::from_f64(self.number()).to_bits()),
                (_, DType::F32) => u64::from((self.number() as f32).to_bits()),
                (_, DType::F64) => self.number().to_bits(),
                _ => self.number() as i64 as u64,
            };
            let mut voxel = bits.to_le_bytes()[..item].to_vec();
            if order == ByteOrder::Big {
                voxel.reverse();
            }
            bytes.extend(voxel);
        }
        bytes
    }

    /// A proxy of random voxels after a header of any length.
    pub fn proxy(&mut self, spec: &ProxySpec) -> ArrayProxy {
        let count = spec.shape.iter().product();
        let mut bytes = vec![0xaa; spec.offset as usize];
        bytes.extend(self.voxels(spec.dtype, spec.byte_order, count));
        ArrayProxy::new(Arc::new(Memory(bytes)), spec.clone()).expect("it fits")
    }

    /// Any image at all.
    pub fn image(&mut self, most_axes: usize, most_voxels: usize) -> DataobjImage {
        let shape = self.shape(most_axes, most_voxels);
        let kind = self.pick(&SCALINGS);
        let spec = ProxySpec::new(&shape, self.pick(&REAL))
            .byte_order(self.pick(&ORDERS))
            .layout(self.pick(&[Layout::FirstFastest, Layout::LastFastest]))
            .offset(self.below(9) as u64)
            // Entries follow each other in stored order.
            .scaling(self.scaling(kind, &shape));
        image_of(self.proxy(&spec), spec)
    }
}

/// An image of a proxy.
pub fn image_of(proxy: ArrayProxy, spec: ProxySpec) -> DataobjImage {
    let header = header_of(&spec);
    DataobjImage::new(proxy, header, Extra::new(), FileMap::new()).expect("it fits")
}

/// Bytes of the test's own, read by position.
#[derive(Debug)]
struct Memory(Vec<u8>);

impl ByteSource for Memory {
    fn len(&self) -> Result<Option<u64>> {
        Ok(Some(self.0.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = offset as usize;
        buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
        Ok(())
    }
}

/// An image of these stored bytes, unscaled.
pub fn from_bytes(dtype: DType, order: ByteOrder, shape: &[usize], bytes: Vec<u8>) -> DataobjImage {
    let spec = ProxySpec::new(shape, dtype).byte_order(order);
    let proxy = ArrayProxy::new(Arc::new(Memory(bytes)), spec.clone()).expect("it fits");
    image_of(proxy, spec)
}
