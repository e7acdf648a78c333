//! The files of `tests/oracle/conversions.py`, and what is in them: places and values in plain arithmetic.

use std::path::PathBuf;

use voxload::{Affine, DataobjImage};

use crate::formats::LEFT_OUT;
use crate::support::environment::oracle_folder;

/// A file, and what the script that made it wrote.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Its line in the manifest.
    pub number: usize,
    pub kind: String,
    pub path: PathBuf,
    pub shape: Vec<usize>,
    /// A letter for each axis: s, t, c or o.
    pub letters: String,
    pub affine: Affine,
    /// All values, first axis fastest.
    pub values: Vec<f64>,
    /// Whether they are exact, and not scaled.
    pub exact: bool,
}

/// The folder of the files.
pub fn folder() -> PathBuf {
    oracle_folder().join("conversions")
}

/// All files of the formats that this build reads.
pub fn all() -> Vec<Truth> {
    let manifest = std::fs::read_to_string(folder().join("manifest.txt")).unwrap();
    let bytes = std::fs::read(folder().join("values.bin")).unwrap();
    let numbers = bytes.as_chunks().0.iter();
    let values: Vec<f64> = numbers.map(|&bytes| f64::from_le_bytes(bytes)).collect();
    let lines = manifest.lines().enumerate();
    let read = |(number, line)| Truth::parse(number, line, &values);
    // A kind begins with the name of its format.
    let is_read = |truth: &Truth| !LEFT_OUT.iter().any(|format| truth.kind.starts_with(format));
    lines.map(read).filter(is_read).collect()
}

impl Truth {
    fn parse(number: usize, line: &str, values: &[f64]) -> Self {
        let parts: Vec<&str> = line.split('|').collect();
        let [kind, path, shape, letters, affine, .., at, exact] = parts[..] else {
            panic!("{line}");
        };
        let lengths = shape.split(' ').map(|n| n.parse().unwrap());
        let shape: Vec<usize> = lengths.collect();
        let at: usize = at.parse().unwrap();
        let numbers = affine.split(' ');
        let numbers = numbers.map(|bits| f64::from_bits(u64::from_str_radix(bits, 16).unwrap()));
        let numbers: Vec<f64> = numbers.collect();
        Self {
            number,
            kind: kind.to_owned(),
            path: folder().join(path),
            values: values[at..at + shape.iter().product::<usize>()].to_vec(),
            shape,
            letters: letters.to_owned(),
            affine: std::array::from_fn(|row| std::array::from_fn(|n| numbers[4 * row + n])),
            exact: exact == "1",
        }
    }

    pub fn load(&self) -> DataobjImage {
        voxload::load(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// The place of the voxel at this position of the values.
    pub fn place(&self, position: usize) -> [f64; 3] {
        let index = index_of(&self.shape, position);
        place(&self.affine, &along(&self.letters, &index))
    }

    /// The position of the voxel at this place, with these indices along the axes that are not of space.
    pub fn position(&self, place: [f64; 3], others: &[usize]) -> Option<usize> {
        let voxel = inverse(&self.affine, place);
        let mut voxel = voxel.iter();
        let mut others = others.iter();
        let (mut position, mut stride) = (0, 1);
        for (letter, &length) in self.letters.chars().zip(&self.shape) {
            let at = match letter {
                's' => {
                    let at = *voxel.next()?;
                    let whole = at.round();
                    let is_voxel = (at - whole).abs() < 1e-3;
                    is_voxel.then_some(whole as i64)?.try_into().ok()?
                }
                _ => *others.next()?,
            };
            position += (at < length).then_some(at)? * stride;
            stride *= length;
        }
        Some(position)
    }

    /// Whether this is the value at a position, as a type that holds so many digits.
    pub fn has(&self, found: f64, position: usize) -> bool {
        let value = self.values[position];
        match self.exact {
            true => found == value,
            false => (found - value).abs() <= 1e-6 * value.abs().max(1.0),
        }
    }
}

/// The index of a position, first axis fastest.
pub fn index_of(shape: &[usize], position: usize) -> Vec<usize> {
    let mut rest = position;
    let lengths = shape.iter();
    lengths
        .map(|&length| {
            let at = rest % length;
            rest /= length;
            at
        })
        .collect()
}

/// The indices along the axes of space.
pub fn along(letters: &str, index: &[usize]) -> Vec<usize> {
    let axes = letters.chars().zip(index);
    axes.filter(|(letter, _)| *letter == 's')
        .map(|(_, &at)| at)
        .collect()
}

/// Where an affine puts a voxel.
pub fn place(affine: &Affine, voxel: &[usize]) -> [f64; 3] {
    std::array::from_fn(|row| {
        let columns = affine[row].iter().zip(voxel);
        columns.map(|(entry, &n)| entry * n as f64).sum::<f64>() + affine[row][3]
    })
}

/// The index that an affine puts at this place, by Cramer's rule.
fn inverse(affine: &Affine, place: [f64; 3]) -> [f64; 3] {
    let column = |n: usize| [affine[0][n], affine[1][n], affine[2][n]];
    let columns = [column(0), column(1), column(2)];
    let from_origin = std::array::from_fn(|row| place[row] - affine[row][3]);
    let volume = |[a, b, c]: [[f64; 3]; 3]| {
        a[0] * (b[1] * c[2] - b[2] * c[1])
            + a[1] * (b[2] * c[0] - b[0] * c[2])
            + a[2] * (b[0] * c[1] - b[1] * c[0])
    };
    std::array::from_fn(|n| {
        let mut replaced = columns;
        replaced[n] = from_origin;
        volume(replaced) / volume(columns)
    })
}

/// The letters of an image's axes.
pub fn letters(image: &DataobjImage) -> String {
    let axes = image.header().axes.iter();
    axes.map(|kind| &kind.name()[..1]).collect()
}
