use super::*;
use crate::testing::floats::from_hex;
use crate::testing::oracle_file;

const AXES: [[f64; 4]; 4] = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 1.0],
];

fn codes(affine: &Affine) -> String {
    let codes = Orientation::of(affine).unwrap().codes();
    codes.iter().map(|code| code.unwrap_or('-')).collect()
}

#[test]
fn named_orientations() {
    assert_eq!(codes(&AXES), "RAS");
    assert_eq!(codes(&[[0.0; 4]; 4]), "---");
    let mut flat = AXES;
    flat[1][1] = 0.0;
    assert_eq!(codes(&flat), "R-S");
    assert_eq!(
        codes(&[
            [0.0, 0.0, -2.0, 9.0],
            [3.0, 0.0, 0.0, 9.0],
            [0.0, -1.0, 0.0, 9.0],
            AXES[3]
        ]),
        "AIL"
    );
}

#[test]
fn what_has_no_orientation_is_an_error() {
    for wrong in [f64::NAN, f64::INFINITY] {
        let mut affine = AXES;
        affine[1][2] = wrong;
        assert!(Orientation::of(&affine).is_err());
    }
    let nowhere = Orientation::of(&[[0.0; 4]; 4]).unwrap();
    assert!(nowhere.inverse_affine(&[2, 3, 4]).is_err());
    assert!(
        Orientation::of(&AXES)
            .unwrap()
            .canonical_shape(&[2, 3])
            .is_err()
    );
}

#[test]
fn canonical_volumes_stay_where_they_are() {
    let affine = [
        [0.0, 0.0, -2.0, 9.0],
        [3.0, 0.0, 0.0, 9.0],
        [0.0, -1.0, 0.0, 9.0],
        AXES[3],
    ];
    let orientation = Orientation::of(&affine).unwrap();
    let shape = [4, 5, 6, 7];
    assert_eq!(orientation.canonical_shape(&shape).unwrap(), [6, 4, 5, 7]);
    let canonical = multiply(&affine, &orientation.inverse_affine(&shape).unwrap());
    assert_eq!(
        canonical,
        [
            [2.0, 0.0, 0.0, -1.0],
            [0.0, 3.0, 0.0, 9.0],
            [0.0, 0.0, 1.0, 5.0],
            AXES[3]
        ]
    );
    assert!(Orientation::of(&canonical).unwrap().is_canonical());
}

/// If an axis lies between two directions, rounding decides, and nibabel's result depends on the processor. The
/// oracle has no such affines; here every answer that uses each axis of space once is accepted.
#[test]
fn ties_give_one_of_the_closest_orientations() {
    let s = 0.5f64.sqrt();
    let mut singular = AXES;
    for row in &mut singular[..2] {
        row[..2].fill(s);
    }
    let found = codes(&singular);
    assert!(["RAS", "ARS"].contains(&found.as_str()), "{found}");
    let mut checked = 0;
    for order in [[0, 1, 2], [0, 2, 1], [2, 0, 1]] {
        for (x, y) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
            let turned = [[s, -s * x, 0.0, 0.0], [s * y, s * x * y, 0.0, 0.0]];
            let rows = [turned[0], turned[1], AXES[2], AXES[3]];
            let rotation: Affine = [rows[order[0]], rows[order[1]], rows[order[2]], AXES[3]];
            for zooms in [[1.0; 4], [2.0, 3.0, 4.0, 1.0]] {
                let affine =
                    rotation.map(|row| std::array::from_fn(|column| row[column] * zooms[column]));
                let axes = Orientation::of(&affine).unwrap().axes();
                let mut taken = axes.map(|axis| axis.expect("a direction").axis);
                for (column, axis) in axes.into_iter().flatten().enumerate() {
                    let cosine = rotation[axis.axis][column];
                    assert!(cosine.abs() >= s && axis.flipped == (cosine < 0.0));
                }
                taken.sort_unstable();
                assert_eq!(taken, [0, 1, 2], "{affine:?}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 24);
}

#[test]
#[ignore = "needs nibabel's results (tests/run.sh)"]
fn orientations_are_those_of_nibabel() {
    let lines = orientations();
    let (mut cases, mut failures) = (0, Vec::new());
    let matrix = |floats: &[f64]| -> Affine {
        std::array::from_fn(|row| std::array::from_fn(|column| floats[4 * row + column]))
    };
    for (line, floats, expected) in &lines {
        cases += 1;
        let affine = matrix(&floats[..16]);
        if codes(&affine) != *expected {
            failures.push(format!("codes {} of {line}", codes(&affine)));
            continue;
        }
        if expected.contains('-') {
            continue;
        }
        let inverse = Orientation::of(&affine)
            .unwrap()
            .inverse_affine(&[5, 6, 7])
            .unwrap();
        let same = inverse == matrix(&floats[16..32])
            && multiply(&affine, &inverse) == matrix(&floats[32..48]);
        if !same {
            failures.push(format!("affine of {line}"));
        }
    }
    assert!(cases >= 1000, "only {cases} affines to compare");
    assert!(
        failures.is_empty(),
        "{} of {cases} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The lines of `orientations.txt`: the line, all its floats in order, the codes.
fn orientations() -> Vec<(String, Vec<f64>, String)> {
    let text = String::from_utf8(oracle_file("orientations.txt")).unwrap();
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
    text.lines().map(line).collect()
}
