//! Compares with what nibabel made of random headers: `tests/oracle/nifti_headers.py` writes them into the folder that
//! `VOXLOAD_ORACLE_DIR` names. Without the variable there is nothing to compare with.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::format::Fields;

fn file(name: &str) -> Option<Vec<u8>> {
    let folder = PathBuf::from(std::env::var_os("VOXLOAD_ORACLE_DIR")?);
    Some(std::fs::read(folder.join(name)).expect("VOXLOAD_ORACLE_DIR has the oracle's files"))
}

/// A line of expectations in the words of the script.
fn told(parsed: &Parsed) -> Vec<String> {
    let header = &parsed.header;
    let Fields::Nifti(nifti) = &header.fields else {
        panic!("a NIfTI header has NIfTI's fields");
    };
    let joined = |texts: Vec<String>| texts.join(" ");
    // nibabel has no note of an extension that does not fit: it fails.
    let notes = parsed.notes.iter().map(|note| note.field);
    let repaired: BTreeSet<_> = notes.filter(|&field| field != "esize").collect();
    let bits = |values: &[f64]| joined(values.iter().map(|&value| hex(value)).collect());
    let slope_inter = [
        header.scaling.slope().unwrap(),
        header.scaling.inter().unwrap(),
    ];
    vec![
        "ok".to_owned(),
        joined(header.shape.iter().map(usize::to_string).collect()),
        bits(&header.zooms),
        bits(header.affine.unwrap().as_flattened()),
        header.data_offset.to_string(),
        bits(&slope_inter),
        header.dtype.to_string(),
        header.byte_order.to_string(),
        joined(repaired.into_iter().map(str::to_owned).collect()),
        joined(
            nifti
                .extensions
                .iter()
                .map(|e| format!("{}:{}", e.code, e.content.len()))
                .collect(),
        ),
    ]
}

fn hex(value: f64) -> String {
    if value.is_nan() {
        "nan".to_owned()
    } else {
        format!("{:016x}", value.to_bits())
    }
}

/// Python's `float.hex` texts as bits.
fn bits_of(texts: &str) -> String {
    let values = texts.split_whitespace().map(|text| hex(from_hex(text)));
    values.collect::<Vec<_>>().join(" ")
}

/// Python's `float.hex`: `-0x1.8p+3`, `0x0.0p+0`, `inf`, `nan`.
pub(crate) fn from_hex(text: &str) -> f64 {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text),
    };
    let Some(digits) = size.strip_prefix("0x") else {
        return sign * size.parse::<f64>().unwrap();
    };
    let (mantissa, exponent) = digits.split_once('p').unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let integer = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap() as f64;
    let exponent = exponent.parse::<i32>().unwrap() - 4 * fraction.len() as i32;
    // In two steps: 2^exponent alone may be too small for f64.
    sign * integer * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2)
}

#[test]
fn headers_are_read_as_nibabel_reads_them() {
    let Some(binary) = file("nifti_headers.bin") else {
        return;
    };
    let text = String::from_utf8(file("nifti_headers.txt").unwrap()).unwrap();
    let mut rest = binary.as_slice();
    let (mut cases, mut failures) = (0, Vec::new());
    for line in text.lines() {
        let mut parts = line.split('|');
        let words: Vec<_> = parts.next().unwrap().split(' ').collect();
        let version = if words[0] == "1" {
            Version::One
        } else {
            Version::Two
        };
        let container = if words[1] == "single" {
            Container::Single
        } else {
            Container::Pair
        };
        let (bytes, behind) = rest.split_at(words[2].parse().unwrap());
        rest = behind;
        cases += 1;

        let mut expected: Vec<_> = parts.map(str::to_owned).collect();
        let result = parse(bytes, version, container);
        let mut found = match &result {
            Ok(parsed) => told(parsed),
            Err(_) => vec!["error".to_owned()],
        };
        for index in [2, 3, 5] {
            if let Some(floats) = expected.get_mut(index) {
                *floats = bits_of(floats);
            }
        }
        if expected.last().is_some_and(|extensions| extensions == "*") {
            expected.pop();
            found.pop();
        }
        if found != expected {
            failures.push(format!(
                "case {cases}: {line}\n  found    {found:?}\n  expected {expected:?}"
            ));
        }
    }
    assert!(cases >= 1000, "only {cases} headers to compare");
    assert!(rest.is_empty(), "expectations for all headers");
    assert!(
        failures.is_empty(),
        "{} of {cases} differ:\n{}",
        failures.len(),
        failures[..failures.len().min(5)].join("\n")
    );
}

/// The lines of `orientations.txt`: the line, all its floats in order, the codes.
pub(crate) fn orientations() -> Option<Vec<(String, Vec<f64>, String)>> {
    let text = String::from_utf8(file("orientations.txt")?).unwrap();
    let line = |line: &str| {
        let parts: Vec<_> = line.split('|').collect();
        let floats =
            [parts[0], parts[2], parts[3]].map(|part| part.split_whitespace().map(from_hex));
        (
            line.to_owned(),
            floats.into_iter().flatten().collect(),
            parts[1].to_owned(),
        )
    };
    Some(text.lines().map(line).collect())
}
