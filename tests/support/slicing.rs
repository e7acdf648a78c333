//! numpy's basic indexing, written naively: positions listed by walking, results gathered voxel by voxel.

use voxload::{Index, IndexItem};

use super::rng::Rng;

/// The positions of `start:stop:step` on an axis, by walking as Python's documentation says.
pub fn positions(length: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> Vec<usize> {
    let length = length as i128;
    let step = i128::from(step);
    let (least, most) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let resolve = |bound: Option<i64>, absent: i128| match bound {
        None => absent,
        Some(bound) => {
            let bound = i128::from(bound);
            let bound = if bound < 0 { bound + length } else { bound };
            if bound < least {
                least
            } else if bound > most {
                most
            } else {
                bound
            }
        }
    };
    let (first, last) = if step > 0 {
        (least, most)
    } else {
        (most, least)
    };
    let mut at = resolve(start, first);
    let stop = resolve(stop, last);
    let mut positions = Vec::new();
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        positions.push(at as usize);
        at += step;
    }
    positions
}

/// What an index takes: the shape of the result, and for each of its elements, first axis fastest, the
/// position in the column-major array.
pub fn take(shape: &[usize], items: &[IndexItem]) -> (Vec<usize>, Vec<usize>) {
    let named = items
        .iter()
        .filter(|item| !matches!(item, IndexItem::Ellipsis | IndexItem::NewAxis))
        .count();
    let mut items = items.to_vec();
    if !items.contains(&IndexItem::Ellipsis) {
        items.push(IndexItem::Ellipsis);
    }
    let (mut axis, mut stride) = (0, 1);
    let mut out_shape = Vec::new();
    let mut offsets = vec![0];
    let mut spread = |list: Vec<usize>, stride: usize| {
        offsets = list
            .iter()
            .flat_map(|&at| offsets.iter().map(move |&base| base + at * stride))
            .collect();
    };
    for item in items {
        let whole = match item {
            IndexItem::Ellipsis => shape.len() - named,
            _ => 1,
        };
        for _ in 0..whole {
            let list = match item {
                IndexItem::NewAxis => {
                    out_shape.push(1);
                    continue;
                }
                IndexItem::At(at) => {
                    let at = if at < 0 { at + shape[axis] as i64 } else { at };
                    vec![usize::try_from(at).expect("a position of the axis")]
                }
                IndexItem::Slice { start, stop, step } => {
                    positions(shape[axis], start, stop, step.unwrap_or(1))
                }
                IndexItem::Ellipsis => (0..shape[axis]).collect(),
            };
            if !matches!(item, IndexItem::At(_)) {
                out_shape.push(list.len());
            }
            spread(list, stride);
            stride *= shape[axis];
            axis += 1;
        }
    }
    (out_shape, offsets)
}

/// A random shape of one to five axes; some have length 1, some 0.
pub fn random_shape(rng: &mut Rng) -> Vec<usize> {
    let axes = 1 + rng.below(5);
    let most = [60, 20, 12, 8, 6][axes - 1];
    (0..axes)
        .map(|_| match rng.below(12) {
            0 => 1,
            1 if rng.one_in(4) => 0,
            _ => 1 + rng.below(most),
        })
        .collect()
}

/// A random legal index for a shape.
pub fn random_index(rng: &mut Rng, shape: &[usize]) -> Index {
    let named = rng.below(shape.len() + 1);
    let ellipsis = if rng.one_in(2) {
        rng.below(named + 1)
    } else {
        usize::MAX
    };
    let mut index = Index::new();
    let mut axis = 0;
    for n in 0..=named {
        if rng.one_in(10) {
            index = index.new_axis();
        }
        if n == ellipsis {
            index = index.ellipsis();
            axis = shape.len() - (named - n);
        }
        if n == named {
            break;
        }
        index = push_item(rng, index, shape[axis] as i64);
        axis += 1;
    }
    index
}

fn push_item(rng: &mut Rng, index: Index, length: i64) -> Index {
    if length > 0 && rng.one_in(4) {
        return index.at(rng.between(-length, length - 1));
    }
    let mut bound = || match rng.below(8) {
        0 | 1 => None,
        2 => Some(*rng.pick(&[i64::MIN, -1_000_000, 1_000_000, i64::MAX])),
        _ => Some(rng.between(-length - 3, length + 3)),
    };
    let (start, stop) = (bound(), bound());
    let step = match rng.below(8) {
        0 | 1 => None,
        2 => Some(-1),
        3 => Some(*rng.pick(&[i64::MAX, i64::MIN + 1, 100, -100])),
        4 | 5 => Some(rng.between(1, 5)),
        _ => Some(-rng.between(1, 5)),
    };
    index.slice(start, stop, step)
}
