//! numpy's notation, parsed, and what it takes, compared with the naive model of the tests.

use std::sync::{Arc, LazyLock};

use voxload::{ArrayProxy, DType, Index, IndexItem, ProxySpec};

use crate::{Bytes, checked, same, slicing, take, take_part};

const SHAPES: [&[usize]; 6] = [
    &[7],
    &[4, 3],
    &[5, 1, 4],
    &[3, 4, 2, 5],
    &[2, 0, 3],
    &[2, 3, 1, 2, 3],
];

static PROXIES: LazyLock<Vec<ArrayProxy>> = LazyLock::new(|| {
    let proxy = |shape: &&[usize]| {
        let bytes = (0..shape.iter().product::<usize>()).map(|n| n as u8);
        let spec = ProxySpec::new(shape, DType::U8);
        ArrayProxy::new(Arc::new(Bytes(bytes.collect())), spec).expect("it fits")
    };
    SHAPES.iter().map(proxy).collect()
});

/// A shape, then the notation; or the items as numbers, so that more of them are legal.
pub fn slices(mut data: &[u8]) {
    let kind = take(&mut data);
    let proxy = &PROXIES[usize::from(kind >> 1) % SHAPES.len()];
    let index = match kind & 1 {
        0 => std::str::from_utf8(data)
            .ok()
            .and_then(|text| checked(text.parse::<Index>())),
        _ => Some(made(&mut data)),
    };
    if let Some(index) = index {
        compare(proxy, &index);
    }
}

/// Up to six items.
fn made(data: &mut &[u8]) -> Index {
    let mut index = Index::new();
    for _ in 0..take(data) % 7 {
        let kind = take(data);
        let mut bound = |bit: u8| {
            let value = match kind & 0x80 {
                0 => i64::from(take(data) as i8 / 8),
                _ => {
                    let part = take_part(data, 1);
                    let mut wide = [0; 8];
                    let length = part.len().min(8);
                    wide[..length].copy_from_slice(&part[..length]);
                    i64::from_le_bytes(wide)
                }
            };
            (kind & bit == 0).then_some(value)
        };
        index = match kind % 8 {
            0 => index.ellipsis(),
            1 => index.new_axis(),
            2 | 3 => index.at(bound(0).unwrap_or(0)),
            _ => index.slice(bound(8), bound(16), bound(32)),
        };
    }
    index
}

/// The same voxels as the naive model, or an error where it has none.
pub fn compare(proxy: &ArrayProxy, index: &Index) {
    let Some(found) = checked(proxy.slice::<f32>(index)) else {
        return assert!(!legal(proxy.shape(), index.items()), "{index:?} is legal");
    };
    assert!(
        legal(proxy.shape(), index.items()),
        "{index:?} is not legal"
    );
    let (shape, from) = slicing::take(proxy.shape(), index.items());
    assert_eq!(found.shape(), shape, "{index:?}");
    let right = from.into_iter().map(|at| at as u8 as f32);
    assert!(same(&found, right), "{index:?} of {:?}", proxy.shape());
}

/// Whether numpy takes the index.
fn legal(shape: &[usize], items: &[IndexItem]) -> bool {
    let count = |kind: fn(&IndexItem) -> bool| items.iter().filter(|&item| kind(item)).count();
    let ellipses = count(|item| matches!(item, IndexItem::Ellipsis));
    let named = count(|item| matches!(item, IndexItem::At(_) | IndexItem::Slice { .. }));
    if ellipses > 1 || named > shape.len() {
        return false;
    }
    let mut axis = 0;
    items.iter().all(|item| match *item {
        IndexItem::NewAxis => true,
        IndexItem::Ellipsis => {
            axis += shape.len() - named;
            true
        }
        IndexItem::At(at) => {
            let length = shape[axis] as i64;
            axis += 1;
            (-length..length).contains(&at)
        }
        IndexItem::Slice { step, .. } => {
            axis += 1;
            step != Some(0)
        }
    })
}
