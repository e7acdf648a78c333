//! Promise: the numbers that doc/VALUES.md works out are those that voxload gives.

use voxload::scaling::{Arithmetic, Factor, Step};
use voxload::{ArrayProxy, ByteOrder, DType, Error, ProxySpec, Scaling};

use crate::support::source::CountingSource;

const PAGE: &str = include_str!("../doc/VALUES.md");

/// The rows of the page's table that begins with this row, cell by cell.
fn table<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let cells = |line: &'a str| line.trim_matches('|').split('|').map(str::trim).collect();
    let rows = page.lines().skip_while(|line| *line != head).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(cells)
        .collect()
}

fn numbers(words: &[&str]) -> Vec<f64> {
    let number = |word: &&str| word.parse().unwrap_or_else(|_| panic!("a number: {word}"));
    words.iter().map(number).collect()
}

/// The scaling that a list of steps in the page's words is.
fn scaling(steps: &str) -> Scaling {
    let factor = |words: &[&str]| match numbers(words)[..] {
        [one] => Factor::One(one),
        ref table => Factor::Table(table.into()),
    };
    let mut arithmetic = Arithmetic::F64;
    let mut list = Vec::new();
    for step in steps.split(", ") {
        let words: Vec<&str> = step.split(' ').collect();
        match (words[0], &words[1..]) {
            ("multiply", rest) => list.push(Step::Multiply(factor(rest))),
            ("add", rest) => list.push(Step::Add(factor(rest))),
            ("clip", rest) => {
                let [lo, hi] = numbers(rest)[..] else {
                    panic!("two limits: {step}")
                };
                list.push(Step::Clip { lo, hi });
            }
            // The arithmetic of SPM99 adds the step by itself.
            ("to", ["f32"]) => arithmetic = Arithmetic::Spm99,
            _ => panic!("a step: {step}"),
        }
    }
    let has_table = |step: &Step| {
        matches!(
            step,
            Step::Multiply(Factor::Table(_)) | Step::Add(Factor::Table(_))
        )
    };
    let block = u64::from(list.iter().any(has_table));
    Scaling::new(list, block, arithmetic)
}

fn proxy(stored: &[i16], scaling: Scaling) -> Result<ArrayProxy, Error> {
    let bytes: Vec<u8> = stored.iter().flat_map(|n| n.to_be_bytes()).collect();
    let spec = ProxySpec::new(&[stored.len()], DType::I16)
        .byte_order(ByteOrder::Big)
        .scaling(scaling);
    ArrayProxy::new(CountingSource::new(bytes), spec)
}

/// What the page gets wrong, and how many results it has.
fn wrong(page: &str) -> (Vec<String>, usize) {
    let scalings = table(page, "| | where from | steps |");
    let results = table(page, "| stored | A | B | C | D | E |");
    let stored: Vec<i16> = results.iter().map(|row| row[0].parse().unwrap()).collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (column, row) in scalings.iter().enumerate() {
        let values = proxy(&stored, scaling(row[2]))
            .unwrap()
            .read::<f32>()
            .unwrap();
        for (value, row) in values.as_slice().iter().zip(&results) {
            let cell = row[column + 1];
            let (decimal, bits) = cell.split_once(' ').unwrap();
            let decimal: f32 = decimal.parse().unwrap();
            let bits = u32::from_str_radix(bits.trim_matches('`'), 16).unwrap();
            if value.to_bits() != bits || decimal.to_bits() != bits {
                wrong.push(format!(
                    "{}, {}: {cell} is {value}",
                    row[0], scalings[column][0]
                ));
            }
            count += 1;
        }
    }
    (wrong, count)
}

#[test]
fn the_worked_examples_are_right() {
    assert_eq!(wrong(PAGE), (Vec::new(), 25));
}

#[test]
fn a_wrong_example_is_found() {
    for (right, other) in [
        ("-0.7 `bf333333` | 2.6", "-0.7 `bf333334` | 2.6"),
        ("-0.7 `bf333333` | 2.6", "-0.71 `bf333333` | 2.6"),
        ("clip 0 255", "clip 0 254"),
        ("add -3 |", "add -3.0000001 |"),
    ] {
        assert_eq!(PAGE.matches(right).count(), 1, "{right}");
        let (wrong, _) = wrong(&PAGE.replace(right, other));
        assert!(!wrong.is_empty(), "{other}");
    }
}

/// What the text says beside the tables.
#[test]
fn what_is_said_of_23_is_so() {
    let f32_slope = f64::from(0.1f32);
    let multiply = |factor| vec![Step::Multiply(Factor::One(factor))];
    let spm99 = Scaling::new(multiply(f32_slope), 0, Arithmetic::Spm99);
    let proxy_of = |scaling| proxy(&[23], scaling).unwrap();
    let wide = |scaling| proxy_of(scaling).read::<f64>().unwrap().as_slice()[0];
    assert_eq!(wide(Scaling::linear(f32_slope, -3.0)), -0.6999999657273293);
    assert_eq!(wide(spm99.clone()), 2.3000000342726707);
    assert_eq!(proxy_of(spm99).native().unwrap().dtype(), DType::F32);
    let afni = Scaling::new(multiply(1.0), 0, Arithmetic::F64);
    assert_eq!(proxy_of(afni).native().unwrap().dtype(), DType::F64);
    let nifti = Scaling::linear(1.0, 0.0);
    assert_eq!(proxy_of(nifti).native().unwrap().dtype(), DType::I16);
}
