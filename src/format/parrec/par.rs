//! The text of a `.par` file: general information by key, and one line of numbers per slice.

use crate::core::error::{Error, Result};
use crate::format::text::{number, numbers, quoted};
use crate::header::fields::TextHeader;

/// The types of the words in a slice's line: `i` integer, `f` real, `s` anything.
const V4: &str = "iiiiiiiiiiifffffffffffffiiiiffffffifiiiif";
const V4_1: &str = "iissfff";
const V4_2: &str = "i";

/// The keys of the general information in lower case, and the types of their values: `s` text, `i` integer, `f` real,
/// `3` three reals, `2` two integers, `*` any number of reals.
const KEYS: [(&str, char); 38] = [
    ("patient name", 's'),
    ("examination name", 's'),
    ("protocol name", 's'),
    ("examination date/time", 's'),
    ("series type", 's'),
    ("acquisition nr", 'i'),
    ("reconstruction nr", 'i'),
    ("scan duration [sec]", 'f'),
    ("max. number of cardiac phases", 'i'),
    ("max. number of echoes", 'i'),
    ("max. number of slices/locations", 'i'),
    ("max. number of dynamics", 'i'),
    ("max. number of mixes", 'i'),
    ("patient position", 's'),
    ("preparation direction", 's'),
    ("technique", 's'),
    ("scan resolution  (x, y)", '2'),
    ("scan mode", 's'),
    ("repetition time [ms]", '*'),
    ("fov (ap,fh,rl) [mm]", '3'),
    ("water fat shift [pixels]", 'f'),
    ("angulation midslice(ap,fh,rl)[degr]", '3'),
    ("off centre midslice(ap,fh,rl) [mm]", '3'),
    ("flow compensation <0=no 1=yes> ?", 'i'),
    ("presaturation     <0=no 1=yes> ?", 'i'),
    ("phase encoding velocity [cm/sec]", '3'),
    ("mtc               <0=no 1=yes> ?", 'i'),
    ("spir              <0=no 1=yes> ?", 'i'),
    ("epi factor        <0,1=no epi>", 'i'),
    ("dynamic scan      <0=no 1=yes> ?", 'i'),
    ("diffusion         <0=no 1=yes> ?", 'i'),
    ("diffusion echo time [ms]", 'f'),
    ("max. number of diffusion values", 'i'),
    ("max. number of gradient orients", 'i'),
    ("number of label types   <0=no asl>", 'i'),
    ("series_data_type", 's'),
    ("repetition time [msec]", '*'),
    ("diffusion echo time [msec]", 'f'),
];

/// A parsed `.par` file.
#[derive(Debug)]
pub(super) struct Par {
    /// The version, the general information, and the line of every slice.
    pub header: TextHeader,
    /// The slices, in the order of the REC file.
    pub slices: Vec<Slice>,
}

/// The parts of a slice's line that are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slice {
    pub number: i64,
    pub echo: i64,
    pub dynamic: i64,
    pub phase: i64,
    pub image_type: i64,
    pub pixel_bits: i64,
    pub resolution: [i64; 2],
    pub rescale_intercept: f64,
    pub rescale_slope: f64,
    pub scale_slope: f64,
    pub thickness: f64,
    pub gap: f64,
    pub orientation: i64,
    pub spacing: [f64; 2],
    pub b_factor: f64,
    /// Since version 4.1.
    pub b_value: Option<i64>,
    /// Since version 4.1.
    pub gradient: Option<i64>,
    /// The direction of diffusion weighting along anterior-posterior, feet-head and right-left. Since version 4.1.
    pub diffusion: Option<[f64; 3]>,
    /// Since version 4.2.
    pub label: Option<i64>,
}

/// The section of the file that a line is in.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Top,
    General,
    Comment,
    Slices,
}

impl Par {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut header = TextHeader::default();
        let (mut version, mut lines) = ("", Vec::new());
        let mut part = Part::Top;
        let all = text.split(['\n', '\r']).map(str::trim);
        for line in all.filter(|line| !line.is_empty()) {
            if part == Part::Top {
                if !line.starts_with('#') {
                    part = Part::General;
                } else if line.contains("image export tool") {
                    version = line.split_whitespace().last().unwrap_or_default();
                    header.push("version", version);
                }
            }
            if part == Part::General {
                match line.strip_prefix('.') {
                    Some(entry) => general(entry, &mut header)?,
                    None => part = Part::Comment,
                }
            }
            if part == Part::Comment && !line.starts_with('#') {
                part = Part::Slices;
            }
            if part == Part::Slices {
                if line.starts_with('#') {
                    break;
                }
                lines.push(line);
            }
        }
        let words = words(version)?;
        let slices: Vec<Slice> = lines
            .iter()
            .map(|line| Slice::parse(line, &words))
            .collect::<Result<_>>()?;
        if slices.is_empty() {
            return Err(Error::header("slice number", "no slice", "slices"));
        }
        for line in lines {
            header.push("slice", line);
        }
        Ok(Self { header, slices })
    }

    /// The text of a `.par` file that was parsed before, from its header.
    pub(super) fn from_header(header: &TextHeader) -> Result<Self> {
        let words = words(header.get("version").unwrap_or_default())?;
        let lines = header.entries().iter().filter(|(key, _)| key == "slice");
        Ok(Self {
            slices: lines
                .map(|(_, line)| Slice::parse(line, &words))
                .collect::<Result<_>>()?,
            header: header.clone(),
        })
    }

    /// A value of the general information. `key` is written as in nibabel; case does not matter.
    fn general(&self, key: &str) -> Option<&str> {
        let mut entries = self.header.entries().iter().rev();
        let found = entries.find(|(known, _)| known.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>> {
        let value = self.general(key);
        value
            .map(|text| number("general information", text))
            .transpose()
    }

    pub(super) fn reals(&self, key: &str) -> Result<Option<Vec<f64>>> {
        let value = self.general(key);
        value
            .map(|text| numbers("general information", text))
            .transpose()
    }

    /// The largest slice number.
    pub(super) fn max_slice_number(&self) -> Result<i64> {
        const KEY: &str = "Max. number of slices/locations";
        self.integer(KEY)?
            .ok_or_else(|| Error::header(KEY, "nothing", "the field"))
    }

    /// A value that all slices must have in common.
    ///
    /// # Errors
    /// The field, if two slices differ.
    pub(super) fn same<T: PartialEq + Copy + std::fmt::Debug>(
        &self,
        field: &'static str,
        of: impl Fn(&Slice) -> T,
    ) -> Result<T> {
        let mut values = self.slices.iter().map(of);
        let Some(first) = values.next() else {
            return Err(Error::header(field, "no slice", "slices"));
        };
        match values.find(|value| *value != first) {
            None => Ok(first),
            Some(other) => Err(Error::header(
                field,
                format!("{first:?} and {other:?}"),
                "the same for all slices",
            )),
        }
    }
}

/// Adds a line of general information, without its leading dot.
fn general(entry: &str, header: &mut TextHeader) -> Result<()> {
    const FIELD: &str = "general information";
    let Some((key, value)) = entry.split_once(':') else {
        return Err(Error::header(
            FIELD,
            quoted(entry),
            "a key, a colon and a value",
        ));
    };
    let (key, value) = (key.trim(), value.trim());
    let lower = key.to_ascii_lowercase();
    let kind = KEYS.iter().find(|(known, _)| *known == lower);
    let count = match kind {
        None => return Err(Error::header(FIELD, quoted(key), "a known key")),
        Some((_, 'i')) => return number::<i64>(FIELD, value).map(|_| header.push(key, value)),
        Some((_, 'f')) => return number::<f64>(FIELD, value).map(|_| header.push(key, value)),
        Some((_, '2')) => Some(2),
        Some((_, '3')) => Some(3),
        Some((_, '*')) => None,
        Some(_) => {
            header.push(key, value);
            return Ok(());
        }
    };
    let found = numbers::<f64>(FIELD, value)?.len();
    match count {
        Some(count) if count != found => {
            let expected = format!("{count} numbers");
            Err(Error::header(
                FIELD,
                format!("{key}: {}", quoted(value)),
                expected,
            ))
        }
        _ => {
            header.push(key, value);
            Ok(())
        }
    }
}

/// The types of the words in a slice's line in this version.
fn words(version: &str) -> Result<String> {
    match version {
        "V4" => Ok(V4.to_owned()),
        "V4.1" => Ok([V4, V4_1].concat()),
        "V4.2" => Ok([V4, V4_1, V4_2].concat()),
        other => Err(Error::header("version", quoted(other), "V4, V4.1 or V4.2")),
    }
}

impl Slice {
    fn parse(line: &str, kinds: &str) -> Result<Self> {
        const FIELD: &str = "image information";
        let found: Vec<&str> = line.split_whitespace().collect();
        if found.len() < kinds.len() {
            let expected = format!("{} words", kinds.len());
            return Err(Error::header(FIELD, quoted(line), expected));
        }
        // All numbers are read as reals; those that must be integers are checked.
        let mut values = Vec::with_capacity(kinds.len());
        for (word, kind) in found.iter().zip(kinds.chars()) {
            values.push(match kind {
                'i' => number::<i64>(FIELD, word)? as f64,
                'f' => number(FIELD, word)?,
                _ => 0.0,
            });
        }
        let real = |k: usize| values.get(k).copied();
        let given = |k: usize| real(k).unwrap_or_default();
        let whole = |k: usize| given(k) as i64;
        Ok(Self {
            number: whole(0),
            echo: whole(1),
            dynamic: whole(2),
            phase: whole(3),
            image_type: whole(4),
            pixel_bits: whole(7),
            resolution: [whole(9), whole(10)],
            rescale_intercept: given(11),
            rescale_slope: given(12),
            scale_slope: given(13),
            thickness: given(22),
            gap: given(23),
            orientation: whole(25),
            spacing: [given(28), given(29)],
            b_factor: given(33),
            b_value: real(41).map(|value| value as i64),
            gradient: real(42).map(|value| value as i64),
            diffusion: real(45).map(|first| [first, given(46), given(47)]),
            label: real(48).map(|value| value as i64),
        })
    }
}
