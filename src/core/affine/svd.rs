//! The orthogonal factor of a 3 x 3 matrix, by singular value decomposition.

/// Largest number of sweeps over all pairs of columns. Convergence is quadratic: five or six are usual.
const SWEEPS: usize = 30;

/// `P * Q` of the singular value decomposition `P * S * Q`: the closest orthogonal matrix. Singular values of up to
/// `3 * eps` times the largest count as zero and are left out, so the result can have a lower rank. Entries must be
/// finite.
///
/// One-sided Jacobi: pairs of columns are rotated until all are orthogonal. Then the accumulated rotations are Q
/// transposed, the lengths of the columns are S, and the columns divided by their lengths are P.
pub(crate) fn orthogonal_factor(matrix: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let mut columns = transposed(matrix);
    let mut rotations = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..SWEEPS {
        let mut turned = false;
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if let Some((cosine, sine)) = rotation(&columns[p], &columns[q]) {
                turn(&mut columns, p, q, cosine, sine);
                turn(&mut rotations, p, q, cosine, sine);
                turned = true;
            }
        }
        if !turned {
            break;
        }
    }

    let lengths = columns.map(|column| dot(&column, &column).sqrt());
    let largest = lengths.iter().fold(0.0, |a: f64, &b| a.max(b));
    let tolerance = largest * 3.0 * f64::EPSILON;
    let mut factor = [[0.0; 3]; 3];
    for ((column, rotation), length) in columns.iter().zip(&rotations).zip(lengths) {
        if length <= tolerance {
            continue;
        }
        for (row, left) in factor.iter_mut().zip(column) {
            for (entry, right) in row.iter_mut().zip(rotation) {
                *entry += left / length * right;
            }
        }
    }
    factor
}

/// The cosine and sine of the rotation that makes two columns orthogonal; `None` if they are already.
fn rotation(p: &[f64; 3], q: &[f64; 3]) -> Option<(f64, f64)> {
    let (pp, qq, pq) = (dot(p, p), dot(q, q), dot(p, q));
    if pq == 0.0 || pq.abs() <= f64::EPSILON * (pp * qq).sqrt() {
        return None;
    }
    let zeta = (qq - pp) / (2.0 * pq);
    let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    Some((cosine, cosine * tangent))
}

fn turn(vectors: &mut [[f64; 3]; 3], p: usize, q: usize, cosine: f64, sine: f64) {
    let (left, right) = (vectors[p], vectors[q]);
    vectors[p] = std::array::from_fn(|axis| cosine * left[axis] - sine * right[axis]);
    vectors[q] = std::array::from_fn(|axis| sine * left[axis] + cosine * right[axis]);
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn transposed(matrix: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|column| matrix.map(|row| row[column]))
}
