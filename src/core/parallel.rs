//! Parallel iterators: those of rayon, and on wasm32, which has no threads, sequential ones with the same names.
//!
//! rayon works there too, in the caller's thread, but is a tenth of a program that loads volumes in a browser.

#[cfg(not(target_family = "wasm"))]
pub(crate) use rayon::prelude::*;
#[cfg(target_family = "wasm")]
pub(crate) use sequential::*;

#[cfg(target_family = "wasm")]
#[cfg_attr(
    not(feature = "gpu"),
    allow(dead_code, reason = "some are of what computes on a device alone")
)]
mod sequential {
    use std::iter::{self, Enumerate, Filter, FlatMap, Map, Take, Zip};
    use std::ops::Range;
    use std::slice;

    /// An iterator with rayon's methods. It does not have those of [`Iterator`], of which some take other arguments.
    pub(crate) struct InTurn<I>(I);

    impl<I: Iterator> InTurn<I> {
        pub(crate) fn map<R, F: FnMut(I::Item) -> R>(self, f: F) -> InTurn<Map<I, F>> {
            InTurn(self.0.map(f))
        }

        pub(crate) fn filter<F: FnMut(&I::Item) -> bool>(self, f: F) -> InTurn<Filter<I, F>> {
            InTurn(self.0.filter(f))
        }

        pub(crate) fn flat_map_iter<J: IntoIterator, F: FnMut(I::Item) -> J>(
            self,
            f: F,
        ) -> InTurn<FlatMap<I, J, F>> {
            InTurn(self.0.flat_map(f))
        }

        pub(crate) fn enumerate(self) -> InTurn<Enumerate<I>> {
            InTurn(self.0.enumerate())
        }

        pub(crate) fn take(self, count: usize) -> InTurn<Take<I>> {
            InTurn(self.0.take(count))
        }

        pub(crate) fn zip<J: IntoParallelIterator>(self, other: J) -> InTurn<Zip<I, J::Iter>> {
            InTurn(self.0.zip(other.into_par_iter().0))
        }

        pub(crate) fn map_init<S, R>(
            self,
            init: impl Fn() -> S,
            f: impl Fn(&mut S, I::Item) -> R,
        ) -> InTurn<impl Iterator<Item = R>> {
            let mut state = init();
            InTurn(self.0.map(move |item| f(&mut state, item)))
        }

        pub(crate) fn for_each(self, f: impl FnMut(I::Item)) {
            self.0.for_each(f);
        }

        pub(crate) fn try_for_each<E>(
            mut self,
            f: impl FnMut(I::Item) -> Result<(), E>,
        ) -> Result<(), E> {
            self.0.try_for_each(f)
        }

        pub(crate) fn try_for_each_init<S, E>(
            mut self,
            init: impl Fn() -> S,
            f: impl Fn(&mut S, I::Item) -> Result<(), E>,
        ) -> Result<(), E> {
            let mut state = init();
            self.0.try_for_each(|item| f(&mut state, item))
        }

        /// As rayon's: an iterator over what parts of the items were folded to, which here is one part.
        pub(crate) fn fold<S>(
            self,
            init: impl Fn() -> S,
            f: impl Fn(S, I::Item) -> S,
        ) -> InTurn<iter::Once<S>> {
            InTurn(iter::once(self.0.fold(init(), f)))
        }

        pub(crate) fn reduce(
            self,
            identity: impl Fn() -> I::Item,
            op: impl Fn(I::Item, I::Item) -> I::Item,
        ) -> I::Item {
            self.0.reduce(op).unwrap_or_else(identity)
        }

        pub(crate) fn collect<C: FromIterator<I::Item>>(self) -> C {
            self.0.collect()
        }
    }

    pub(crate) trait IntoParallelIterator {
        type Iter: Iterator;

        fn into_par_iter(self) -> InTurn<Self::Iter>;
    }

    impl<I: Iterator> IntoParallelIterator for InTurn<I> {
        type Iter = I;

        fn into_par_iter(self) -> Self {
            self
        }
    }

    impl<T> IntoParallelIterator for Vec<T> {
        type Iter = std::vec::IntoIter<T>;

        fn into_par_iter(self) -> InTurn<Self::Iter> {
            InTurn(self.into_iter())
        }
    }

    impl IntoParallelIterator for Range<usize> {
        type Iter = Self;

        fn into_par_iter(self) -> InTurn<Self> {
            InTurn(self)
        }
    }

    pub(crate) trait ParallelSlice<T> {
        fn par_iter(&self) -> InTurn<slice::Iter<'_, T>>;
        fn par_iter_mut(&mut self) -> InTurn<slice::IterMut<'_, T>>;
        fn par_chunks(&self, size: usize) -> InTurn<slice::Chunks<'_, T>>;
        fn par_chunks_exact(&self, size: usize) -> InTurn<slice::ChunksExact<'_, T>>;
        fn par_chunks_mut(&mut self, size: usize) -> InTurn<slice::ChunksMut<'_, T>>;
    }

    impl<T> ParallelSlice<T> for [T] {
        fn par_iter(&self) -> InTurn<slice::Iter<'_, T>> {
            InTurn(self.iter())
        }

        fn par_iter_mut(&mut self) -> InTurn<slice::IterMut<'_, T>> {
            InTurn(self.iter_mut())
        }

        fn par_chunks(&self, size: usize) -> InTurn<slice::Chunks<'_, T>> {
            InTurn(self.chunks(size))
        }

        fn par_chunks_exact(&self, size: usize) -> InTurn<slice::ChunksExact<'_, T>> {
            InTurn(self.chunks_exact(size))
        }

        fn par_chunks_mut(&mut self, size: usize) -> InTurn<slice::ChunksMut<'_, T>> {
            InTurn(self.chunks_mut(size))
        }
    }
}
