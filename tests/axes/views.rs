//! Canonical order, slices, frames and textures of random files go by the kinds of their axes: every value and place is
//! that of the file, found by plain arithmetic.

use std::collections::{BTreeMap, BTreeSet};

use voxload::{Caching, DataobjImage, FrameOptions, Index, IndexItem};

use super::truth::{self, Truth, along, index_of, letters, place};
use crate::streams::items;
use crate::support::backend::Backend;
use crate::support::rng::Rng;
use crate::support::slicing::{positions, take};

/// What differs, in words.
type Checked = Result<(), String>;

fn ensure(is_right: bool, what: impl FnOnce() -> String) -> Checked {
    match is_right {
        true => Ok(()),
        false => Err(what()),
    }
}

/// What is made of an image, and the voxel of the file that each of its voxels is.
struct View {
    what: String,
    image: DataobjImage,
    /// Positions among the values of the file, first axis fastest.
    voxels: Vec<usize>,
}

impl View {
    fn whole(truth: &Truth) -> Self {
        Self {
            what: format!("{} {}", truth.path.display(), truth.letters),
            image: truth.load(),
            voxels: (0..truth.values.len()).collect(),
        }
    }

    /// The voxels in canonical order. Which they are is known by their places alone.
    fn canonical(&self, truth: &Truth) -> Self {
        let image = self.image.as_closest_canonical().unwrap();
        let what = format!("{}, canonical", self.what);
        assert_eq!(letters(&image), letters(&self.image), "{what}");
        let affine = *image.affine().unwrap();
        let voxels = (0..image.shape().iter().product())
            .map(|position| {
                let index = index_of(image.shape(), position);
                let axes = truth.letters.chars().zip(&index);
                let others: Vec<usize> = axes
                    .filter(|(letter, _)| *letter != 's')
                    .map(|(_, &at)| at)
                    .collect();
                let place = place(&affine, &along(&truth.letters, &index));
                let found = truth.position(place, &others);
                found.unwrap_or_else(|| panic!("{what}: no voxel at {place:?}, {index:?}"))
            })
            .collect();
        Self {
            what,
            image,
            voxels,
        }
    }

    /// What an index takes.
    fn sliced(&self, index: &Index) -> Self {
        let what = format!("{}, {:?}", self.what, index.items());
        let image = self.image.slicer(index.clone());
        let image = image.unwrap_or_else(|error| panic!("{what}: {error}"));
        let (shape, taken) = take(self.image.shape(), index.items());
        assert_eq!(image.shape(), shape, "{what}");
        let voxels = taken.into_iter().map(|at| self.voxels[at]).collect();
        Self {
            what,
            image,
            voxels,
        }
    }

    /// Whether each voxel is where it is in the file, and there once.
    fn check_places(&self, truth: &Truth) -> Checked {
        let affine = self.image.affine().unwrap();
        let letters = letters(&self.image);
        for (position, &voxel) in self.voxels.iter().enumerate() {
            let index = index_of(self.image.shape(), position);
            let (found, right) = (place(affine, &along(&letters, &index)), truth.place(voxel));
            for (found, right) in found.iter().zip(right) {
                // The affines of NIfTI files, with which some places are found, are of f32.
                let near = (found - right).abs() <= 1e-4 * right.abs().max(1.0);
                let wrong = || format!("{}: {index:?} at {found}, not {right}", self.what);
                ensure(near, wrong)?;
            }
        }
        let once: BTreeSet<_> = self.voxels.iter().collect();
        let twice = || format!("{}: voxels occur twice", self.what);
        ensure(once.len() == self.voxels.len(), twice)
    }

    fn check_values(&self, truth: &Truth, backend: Backend) -> Checked {
        let array = backend.read::<f32>(&self.image).unwrap();
        let how = format!("{backend:?}: {}", self.what);
        assert_eq!(array.shape(), self.image.shape(), "{how}");
        self.are(truth, &how, array.as_slice(), &self.voxels)
    }

    /// Whether these are the values of these voxels.
    fn are(&self, truth: &Truth, how: &str, found: &[f32], voxels: &[usize]) -> Checked {
        assert_eq!(found.len(), voxels.len(), "{how}");
        for (n, (&found, &voxel)) in found.iter().zip(voxels).enumerate() {
            // Whole numbers of the files fit into an f32.
            let right = truth.values[voxel];
            let wrong = || format!("{how}: {found} at {n}, not {right}");
            ensure(truth.has(found.into(), voxel), wrong)?;
        }
        Ok(())
    }

    /// The axis of frames: time, or if there is none the last axis that is neither of space nor of components.
    fn frame_axis(&self) -> Option<usize> {
        let letters = letters(&self.image);
        match letters.find('t') {
            Some(time) if self.image.shape()[time] != 1 => Some(time),
            time => letters.rfind('o').or(time),
        }
    }

    /// The voxels with this index along an axis, or all of them.
    fn at(&self, axis: Option<usize>, at: usize) -> Vec<usize> {
        let shape = self.image.shape();
        let numbered = self.voxels.iter().enumerate();
        let of_frame =
            numbered.filter(|(n, _)| axis.is_none_or(|axis| index_of(shape, *n)[axis] == at));
        of_frame.map(|(_, &voxel)| voxel).collect()
    }

    /// Frames one by one and in blocks of two.
    fn check_frames(&self, truth: &Truth, backend: Backend) -> Checked {
        let axis = self.frame_axis();
        let frames = axis.map_or(1, |axis| self.image.shape()[axis]);
        for block in [1, 2] {
            let options = match block {
                1 => FrameOptions::new(),
                _ => FrameOptions::new().block(block),
            };
            let how = format!("frames by {block}, {backend:?}: {}", self.what);
            let mut stream = items::<f32>(backend, &self.image, options).unwrap();
            for first in (0..frames).step_by(block) {
                let of_block = first..frames.min(first + block);
                // The frames of a block come one after another, whichever axis they are along in the file.
                let voxels: Vec<usize> = of_block.flat_map(|frame| self.at(axis, frame)).collect();
                let found = stream.next().expect("another frame");
                let found = found.map_err(|error| format!("{how}: {error}"))?;
                self.are(truth, &how, found.values(), &voxels)?;
            }
            ensure(stream.next().is_none(), || {
                format!("{how}: more than {frames}")
            })?;
        }
        Ok(())
    }

    /// Computes the values that further calls then have at hand.
    fn fill_cache(&self, backend: Backend) {
        match backend {
            Backend::Cpu => drop(self.image.get_fdata::<f32>(Caching::Fill).unwrap()),
            #[cfg(feature = "gpu")]
            Backend::Gpu(device) => {
                use crate::support::{backend::open, ways};
                let gpu = open(device);
                ways::get_fdata_gpu::<f32>(&self.image, gpu, Caching::Fill).unwrap();
            }
        }
    }

    /// Means over the frames, or over the last axis if there are none.
    fn check_means(&self, truth: &Truth, backend: Backend) -> Checked {
        let axis = self.frame_axis().unwrap_or(self.image.ndim() - 1);
        let frames = self.image.shape()[axis];
        let found = match backend {
            Backend::Cpu => self.image.temporal_statistics::<f32>().unwrap(),
            #[cfg(feature = "gpu")]
            Backend::Gpu(device) => {
                use crate::support::{backend::open, ways};
                ways::temporal_statistics::<f32>(&self.image, open(device)).unwrap()
            }
        };
        let mut sums = vec![[0.0, 0.0]; self.voxels.len() / frames];
        for frame in 0..frames {
            for ([sum, sizes], voxel) in sums.iter_mut().zip(self.at(Some(axis), frame)) {
                *sum += truth.values[voxel];
                *sizes += truth.values[voxel].abs();
            }
        }
        let found = found.mean.as_slice();
        // Of the values as f32, which may be far from 0 where their mean is not.
        let near = |(&found, [sum, sizes]): (&f32, [f64; 2])| {
            let count = frames as f64;
            (f64::from(found) - sum / count).abs() <= 1e-5 * (sizes / count).max(1.0)
        };
        let right = found.len() == sums.len() && found.iter().zip(sums).all(near);
        ensure(right, || format!("means, {backend:?}: {}", self.what))
    }

    /// The view as a NIfTI file has it, with axes in NIfTI's order: space, time or another, components, others.
    fn saved(&self) -> Self {
        let what = format!("{}, saved", self.what);
        let bytes = self.image.to_bytes();
        let bytes = bytes.unwrap_or_else(|error| panic!("{what}: {error}"));
        let letters = letters(&self.image);
        let of = |wanted| {
            let axes = letters.char_indices();
            let found = axes.filter(move |&(_, letter)| letter == wanted);
            found.map(|(axis, _)| Some(axis)).collect::<Vec<_>>()
        };
        let (mut order, others, components) = (of('s'), of('o'), of('c'));
        let fourth = of('t').first().or(others.first()).copied();
        let rest = others.into_iter().filter(|&axis| Some(axis) != fourth);
        let rest: Vec<_> = components.into_iter().chain(rest).collect();
        if fourth.is_some() || !rest.is_empty() {
            order.resize(3, None);
            order.push(fourth.flatten());
            order.extend(rest);
        }
        let shape = self.image.shape();
        let lengths: Vec<usize> = order
            .iter()
            .map(|axis| axis.map_or(1, |axis| shape[axis]))
            .collect();
        let image = DataobjImage::from_bytes(bytes).unwrap();
        assert_eq!(image.shape(), lengths, "{what}");
        let source = |position: usize| {
            let mut index = vec![0; shape.len()];
            for (axis, at) in order.iter().zip(index_of(&lengths, position)) {
                if let Some(axis) = *axis {
                    index[axis] = at;
                }
            }
            let axes = index.iter().zip(shape).rev();
            self.voxels[axes.fold(0, |position, (at, length)| position * length + at)]
        };
        let voxels = (0..self.voxels.len()).map(source).collect();
        Self {
            what,
            image,
            voxels,
        }
    }

    /// The texels of the first volume: the axes of space, and position 0 of all others.
    fn first_volume(&self) -> Vec<usize> {
        let (shape, letters) = (self.image.shape(), letters(&self.image));
        let is_first = |n: usize| {
            let index = index_of(shape, n);
            let mut axes = letters.chars().zip(index);
            axes.all(|(letter, at)| letter == 's' || at == 0)
        };
        let numbered = self.voxels.iter().enumerate();
        numbered
            .filter(|(n, _)| is_first(*n))
            .map(|(_, &voxel)| voxel)
            .collect()
    }

    /// There are no texels without devices: the same volume by an index.
    #[cfg(not(feature = "gpu"))]
    fn check_texels(&self, truth: &Truth, _: Backend) -> Checked {
        let axes = letters(&self.image);
        let index = axes
            .chars()
            .fold(Index::new(), |index, letter| match letter {
                's' => index.all(),
                _ => index.at(0),
            });
        let found = self.image.dataobj().slice::<f32>(index).unwrap();
        let how = format!("first volume: {}", self.what);
        self.are(truth, &how, found.as_slice(), &self.first_volume())
    }

    #[cfg(feature = "gpu")]
    fn check_texels(&self, truth: &Truth, backend: Backend) -> Checked {
        use voxload::{Texels, TextureOptions};
        let options = TextureOptions::new(Texels::R32Float);
        let lengths = along(&letters(&self.image), self.image.shape());
        let how = format!("texels, {backend:?}: {}", self.what);
        let (shape, bytes) = match backend {
            Backend::Cpu => {
                let made = self.image.texels(&options).unwrap();
                (made.shape, made.bytes)
            }
            Backend::Gpu(device) => {
                use crate::support::{backend::open, readback, ways};
                let made = ways::texture(&self.image, open(device), &options).unwrap();
                (
                    made.shape,
                    readback::download_texture(open(device), &made.texture),
                )
            }
        };
        assert_eq!(shape[..lengths.len()], lengths, "{how}");
        let texels = bytes.as_chunks().0.iter();
        let found: Vec<f32> = texels.map(|&bytes| f32::from_ne_bytes(bytes)).collect();
        self.are(truth, &how, &found, &self.first_volume())
    }
}

/// A random index that leaves something of every axis of space; it may drop the others, and turn any round.
fn random_index(rng: &mut Rng, image: &DataobjImage) -> Index {
    let mut index = Index::new();
    for (letter, &length) in letters(image).chars().zip(image.shape()) {
        let length = length as i64;
        index = match rng.below(3) {
            0 => index.all(),
            1 if letter != 's' => index.at(rng.between(-length, length - 1)),
            _ => random_slice(rng, index, length),
        };
    }
    index
}

/// A slice that is not empty, forwards or backwards, with bounds beyond the axis too.
fn random_slice(rng: &mut Rng, index: Index, length: i64) -> Index {
    loop {
        let bound = |rng: &mut Rng| match rng.one_in(3) {
            true => None,
            false => Some(rng.between(-length - 1, length + 1)),
        };
        let (start, stop) = (bound(rng), bound(rng));
        let step = *rng.pick(&[1, 2, -1, -2]);
        if !positions(length as usize, start, stop, step).is_empty() {
            return index.slice(start, stop, Some(step));
        }
    }
}

/// The views of a file: all of it, in canonical order, and what random indexes take of both.
fn views(truth: &Truth, rng: &mut Rng) -> Vec<View> {
    let whole = View::whole(truth);
    assert_eq!(letters(&whole.image), truth.letters, "{}", whole.what);
    assert_eq!(whole.image.shape(), truth.shape, "{}", whole.what);
    let mut views = vec![whole.sliced(&random_index(rng, &whole.image))];
    if truth.letters.matches('s').count() == 3 {
        let canonical = whole.canonical(truth);
        views.push(canonical.sliced(&random_index(rng, &canonical.image)));
        views.push(canonical);
    }
    views.push(whole);
    views
}

fn counted(files: &[Truth]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for truth in files {
        *counts.entry(&truth.kind).or_default() += 1;
    }
    println!("{counts:?}");
    assert!(counts.values().all(|&count| count >= 200), "{counts:?}");
    assert!(counts.len() >= 11, "{counts:?}");
}

/// The seed of the indexes of a file, which is what `what` of a failure does not say.
fn rng_of(truth: &Truth) -> Rng {
    Rng::new(1000 + truth.number as u64)
}

/// Fails with the first differences that were found, and says in how many files there were any.
fn none_differ(checked: Vec<Checked>) {
    let count = checked.len();
    let wrong: Vec<String> = checked.into_iter().filter_map(Checked::err).collect();
    let first = wrong[..wrong.len().min(12)].join("\n");
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{first}",
        wrong.len()
    );
}

#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn views_have_the_values_and_places_of_the_file() {
    let files = truth::all();
    counted(&files);
    let check = |truth: &Truth| {
        for view in views(truth, &mut rng_of(truth)) {
            view.check_places(truth)?;
            view.check_values(truth, Backend::Cpu)?;
            view.check_frames(truth, Backend::Cpu)?;
            view.check_texels(truth, Backend::Cpu)?;
            view.check_means(truth, Backend::Cpu)?;
            if truth.exact {
                let saved = view.saved();
                saved.check_places(truth)?;
                saved.check_values(truth, Backend::Cpu)?;
            }
            view.fill_cache(Backend::Cpu);
            view.check_frames(truth, Backend::Cpu)?;
            view.check_means(truth, Backend::Cpu)?;
        }
        Ok(())
    };
    none_differ(files.iter().map(check).collect());
}

#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn views_on_a_device_have_the_values_of_the_file() {
    let files = truth::all();
    counted(&files);
    let devices = Backend::available("views by kinds of axes")
        .into_iter()
        .skip(1);
    for backend in devices {
        let check = |truth: &Truth| {
            // One view of each file, and of it the values and something else.
            let views = views(truth, &mut rng_of(truth));
            let view = &views[truth.number % views.len()];
            view.check_values(truth, backend)?;
            match truth.number / views.len() % 4 {
                0 => view.check_frames(truth, backend),
                1 => view.check_texels(truth, backend),
                2 => view.check_means(truth, backend),
                _ => {
                    view.fill_cache(backend);
                    view.check_frames(truth, backend)
                }
            }
        };
        none_differ(files.iter().map(check).collect());
    }
}

/// Each check finds a place or a value that is not what it should be, in every file.
#[test]
#[ignore = "needs the files of tests/oracle (tests/run.sh)"]
fn the_comparison_of_views_can_fail() {
    let mut files = truth::all();
    files.retain(|truth| truth.number % 40 == 7);
    assert!(files.len() >= 50, "{}", files.len());
    for truth in &files {
        let [mut moved, mut first, mut last] = [truth.clone(), truth.clone(), truth.clone()];
        moved.affine[1][3] += 0.05;
        let broken = |value: f64| 1.0 + 1.5 * value;
        first.values[0] = broken(first.values[0]);
        let end = last.values.len() - 1;
        last.values[end] = broken(last.values[end]);
        let view = View::whole(truth);
        let found = [
            view.check_places(&moved),
            view.check_values(&last, Backend::Cpu),
            view.check_frames(&last, Backend::Cpu),
            view.check_texels(&first, Backend::Cpu),
            view.check_means(&last, Backend::Cpu),
        ];
        assert!(found.iter().all(Result::is_err), "{}: {found:?}", view.what);
    }
}

/// An index of numpy's notation in the items of [`random_index`]: each axis of space keeps its place.
#[test]
fn random_indexes_keep_the_axes_of_space() {
    let image = DataobjImage::from_array(
        voxload::HostArray::from_vec(&[3, 4, 5, 6], vec![0f32; 360]).unwrap(),
        None,
    )
    .unwrap();
    let mut rng = Rng::new(5);
    let mut dropped = 0;
    for _ in 0..100 {
        let index = random_index(&mut rng, &image);
        let [x, y, z, time] = index.items() else {
            panic!("{index:?}")
        };
        assert!(
            [x, y, z]
                .iter()
                .all(|item| !matches!(item, IndexItem::At(_)))
        );
        dropped += usize::from(matches!(time, IndexItem::At(_)));
    }
    assert!(dropped > 20, "{dropped}");
}
