//! Doubles as text, and how far apart two of them are.

/// Python's `float.hex`: `-0x1.8p+3`, `0x0.0p+0`, `inf`, `nan`.
pub fn from_hex(text: &str) -> f64 {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text),
    };
    let Some(digits) = size.strip_prefix("0x") else {
        assert!(
            matches!(size, "inf" | "nan"),
            "{text} is a hexadecimal float"
        );
        return sign * size.parse::<f64>().expect("inf or nan");
    };
    let (digits, exponent) = digits.split_once('p').expect("an exponent");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significand = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("digits");
    let exponent: i32 = exponent.parse().expect("an exponent");
    let exponent = exponent - 4 * fraction.len() as i32;
    // In two steps: 2^exponent alone may be too small for f64.
    let half = exponent / 2;
    sign * significand as f64 * 2f64.powi(half) * 2f64.powi(exponent - half)
}

/// Doubles between two doubles, counted along the line of all of them; 0 for two NaN.
pub fn ulps(a: f64, b: f64) -> u64 {
    if a.is_nan() && b.is_nan() {
        return 0;
    }
    let place = |value: f64| match value.to_bits() as i64 {
        negative if negative < 0 => i64::MIN - negative,
        positive => positive,
    };
    place(a).abs_diff(place(b))
}

#[test]
fn hexadecimal_floats() {
    assert_eq!(from_hex("-0x1.8000000000000p+3"), -12.0);
    assert_eq!(from_hex("0x0.0p+0"), 0.0);
    assert_eq!(from_hex("0x0.0000000000001p-1022"), f64::from_bits(1));
    assert_eq!(from_hex("0x1.fffffffffffffp+1023"), f64::MAX);
    assert_eq!(from_hex("-inf"), f64::NEG_INFINITY);
    assert!(from_hex("nan").is_nan());
    assert_eq!(ulps(1.0, 1.0 + f64::EPSILON), 1);
    assert_eq!(ulps(-0.0, 0.0), 0);
    assert_eq!(ulps(-0.0, 5e-324), 1);
    assert_eq!(ulps(-5e-324, 5e-324), 2);
}
