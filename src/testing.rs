//! What the unit tests share.

/// Numbers that are the same in every run (xorshift).
pub(crate) struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % end
    }
}

/// A file that `tests/oracle/make_all.sh` wrote into the folder that `VOXLOAD_ORACLE_DIR` names; `None` without the
/// variable: then there is nothing to compare with.
pub(crate) fn oracle_file(name: &str) -> Option<Vec<u8>> {
    let folder = std::path::PathBuf::from(std::env::var_os("VOXLOAD_ORACLE_DIR")?);
    Some(std::fs::read(folder.join(name)).expect("VOXLOAD_ORACLE_DIR has the oracle's files"))
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
