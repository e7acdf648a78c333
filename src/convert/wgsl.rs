//! The source text of all shaders: the files in `shaders/`, the constants they share with Rust, the constants set when
//! a kernel's pipeline is made, and the WGSL generated for shaders of the caller.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::Conversion;
use super::packet::{HEAD_WGSL, MAX_STEPS, STEP_KINDS_WGSL, kinds};
use crate::core::dtype::{ByteOrder, DType};
use crate::core::float::words;
use crate::core::scaling::{Factor, Step};
use crate::core::shape::sort_short;
use crate::plan::Plan;

macro_rules! file {
    ($name:literal) => {{
        const TEXT: &str = include_str!(concat!("../../shaders/", $name, ".wgsl"));
        // Without comments in browsers, which download this text before anything else.
        #[cfg(target_family = "wasm")]
        const CODE: &str = {
            const SHORT: ([u8; TEXT.len()], usize) = without_comments(TEXT.as_bytes());
            match std::str::from_utf8(SHORT.0.split_at(SHORT.1).0) {
                Ok(code) => code,
                Err(_) => TEXT,
            }
        };
        #[cfg(not(target_family = "wasm"))]
        const CODE: &str = TEXT;
        CODE
    }};
}

/// A text without comments and indentation, at the start of an array, and its length.
#[cfg(target_family = "wasm")]
const fn without_comments<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let mut short = [b' '; N];
    let (mut from, mut to) = (0, 0);
    let mut begins_line = true;
    while from < text.len() {
        if text[from] == b'/' && from + 1 < text.len() && text[from + 1] == b'/' {
            while from < text.len() && text[from] != b'\n' {
                from += 1;
            }
            continue;
        }
        if !(begins_line && text[from] == b' ') {
            begins_line = text[from] == b'\n';
            short[to] = text[from];
            to += 1;
        }
        from += 1;
    }
    (short, to)
}

/// Decoding, and double arithmetic with integers: the beginning of every shader.
static NUMBERS: LazyLock<String> =
    LazyLock::new(|| [dtypes().as_str(), file!("double"), file!("decode")].concat());

static BY_INTEGERS: LazyLock<String> =
    LazyLock::new(|| kernel(&[file!("integers"), file!("steps")]));
static BY_NATIVE_F64: LazyLock<String> =
    LazyLock::new(|| kernel(&[file!("native"), file!("steps")]));
static BY_TABLE: LazyLock<String> = LazyLock::new(|| kernel(&[file!("table")]));

/// The number of a type in the shaders.
pub(crate) fn dtype_code(dtype: DType) -> u32 {
    dtype as u32
}

/// The numbers of the types that shaders can decode, as WGSL text.
fn dtypes() -> String {
    let real = |dtype: &&DType| !dtype.is_complex() && !dtype.is_colour();
    let constant = |dtype: &DType| format!("const {dtype:?} = {}u;\n", dtype_code(*dtype));
    DType::ALL.iter().filter(real).map(constant).collect()
}

/// The kernel, with the files that define its function `answer`.
fn kernel(answers: &[&str]) -> String {
    let shared = [&NUMBERS, HEAD_WGSL, STEP_KINDS_WGSL].concat();
    shared + &answers.concat() + file!("convert")
}

/// The kernel that computes f64 arithmetic with integers.
pub(crate) fn by_integers() -> &'static str {
    &BY_INTEGERS
}

/// The kernel that uses the device's native f64.
pub(crate) fn by_native_f64() -> &'static str {
    &BY_NATIVE_F64
}

/// The kernel that looks results up in a table.
pub(crate) fn by_table() -> &'static str {
    &BY_TABLE
}

/// The shader of the statistics; `sizes` declares the sizes of its state.
pub(crate) fn statistics(sizes: &str) -> String {
    [NUMBERS.as_str(), sizes, file!("statistics")].concat()
}

/// What is fixed when a kernel's pipeline is made: the `override` constants of `convert.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Specialization {
    stored: DType,
    pub swapped: bool,
    output: DType,
    copy: bool,
    steps: [u32; MAX_STEPS],
    tables: bool,
    dense: bool,
    /// Whether texels that do not represent their value exactly are reported.
    pub watch: bool,
}

impl Specialization {
    /// The specialization for a conversion of boxes that are dense ([`Plan::is_dense`]) or not.
    pub(crate) fn of(conversion: &Conversion, dense: bool) -> Self {
        Self {
            stored: conversion.stored,
            swapped: conversion.order != ByteOrder::NATIVE && conversion.stored.part_bytes() > 1,
            output: conversion.output,
            copy: conversion.is_copy(),
            steps: kinds(&conversion.steps),
            tables: conversion.tables().next().is_some(),
            dense,
            watch: false,
        }
    }

    /// The constants, with their names in the shader.
    pub(crate) fn constants(&self, workgroup: u32) -> [(&'static str, f64); 12] {
        [
            ("WORKGROUP", workgroup.into()),
            ("STORED", dtype_code(self.stored).into()),
            ("SWAPPED", u32::from(self.swapped).into()),
            ("OUTPUT", dtype_code(self.output).into()),
            ("COPY", u32::from(self.copy).into()),
            ("STEP0", self.steps[0].into()),
            ("STEP1", self.steps[1].into()),
            ("STEP2", self.steps[2].into()),
            ("STEP3", self.steps[3].into()),
            ("TABLES", u32::from(self.tables).into()),
            ("DENSE", u32::from(self.dense).into()),
            ("WATCH", u32::from(self.watch).into()),
        ]
    }

    /// The entry point: it depends on the size of the output, and on `watch`.
    pub(crate) fn entry_point(&self) -> &'static str {
        match (self.output.size_bytes() < 4, self.watch) {
            (true, false) => "convert_parts",
            (false, false) => "convert_words",
            (true, true) => "watch_parts",
            (false, true) => "watch_words",
        }
    }
}

/// The binding and the names of a raw volume in a shader of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct ShaderNames {
    group: u32,
    binding: u32,
    prefix: String,
}

impl ShaderNames {
    /// Binding 0 of group 0, and no prefix.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bind group.
    pub fn group(mut self, group: u32) -> Self {
        self.group = group;
        self
    }

    /// The binding in the group: a read-only storage buffer.
    pub fn binding(mut self, binding: u32) -> Self {
        self.binding = binding;
        self
    }

    /// The start of all names, which must begin with a letter. Two volumes in one shader need two prefixes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }
}

/// What the WGSL of a raw volume depends on, apart from names.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    /// The conversion to f32 values.
    pub narrow: Conversion,
    /// The conversion to f64 values.
    pub wide: Conversion,
    /// Gives the stored position of a voxel with this number; used for tables.
    pub plan: Plan,
    /// The word of the buffer at which the tables begin.
    pub tables: u64,
}

/// The words of a conversion's tables, one after the other. In a raw volume's buffer they follow the voxels.
pub(crate) fn table_words(conversion: &Conversion) -> impl Iterator<Item = u32> {
    conversion
        .tables()
        .flat_map(|table| table.iter().flat_map(|&value| words(value)))
}

/// The number of words in [`table_words`].
pub(crate) fn table_word_count(conversion: &Conversion) -> u64 {
    conversion
        .tables()
        .map(|table| 2 * table.len() as u64)
        .sum()
}

impl Code {
    /// The WGSL, with these names.
    pub(crate) fn wgsl(&self, names: &ShaderNames) -> String {
        let p = format!("{}voxload_", names.prefix);
        let mut code = prefixed(&NUMBERS, &p);
        let ShaderNames {
            group,
            binding,
            prefix,
        } = names;
        let steps = |conversion: &Conversion| self.steps(conversion, &p);
        let f32_bits = match self.narrow.is_copy() {
            true => format!("return {p}stored(i).x;"),
            false => format!("{}    return {p}to_f32(value);", steps(&self.narrow)),
        };
        let f64_bits = format!("{}    return value;", steps(&self.wide));
        let (load, entry) = (self.load(&p), self.entry(&p));
        // Writing to a String cannot fail.
        let _ = write!(
            code,
            "
@group({group}) @binding({binding}) var<storage, read> {p}words: array<u32>;

// The bits of stored voxel i, in native order.
fn {p}stored(i: u32) -> vec2<u32> {{
{load}}}

fn {p}number(at: u32) -> vec2<u32> {{
    return vec2<u32>({p}words[at], {p}words[at + 1u]);
}}
{entry}
fn {prefix}load_voxel_bits(i: u32) -> u32 {{
    {f32_bits}
}}

fn {prefix}load_voxel_bits64(i: u32) -> vec2<u32> {{
    {f64_bits}
}}

fn {prefix}load_voxel(i: u32) -> f32 {{
    return bitcast<f32>({prefix}load_voxel_bits(i));
}}
"
        );
        code
    }

    /// The statements that extract the stored bits of voxel `i` from the words.
    fn load(&self, p: &str) -> String {
        let swapped = self.narrow.order != ByteOrder::NATIVE;
        let swap = |value: &str| match swapped {
            true => format!("{p}swap_bytes({value})"),
            false => value.to_owned(),
        };
        match self.narrow.stored.size_bytes() {
            1 => format!(
                "    return vec2<u32>(({p}words[i >> 2u] >> (8u * (i & 3u))) & 0xffu, 0u);\n"
            ),
            2 => {
                let half = match swapped {
                    true => format!("{p}swap_bytes(half) >> 16u"),
                    false => "half".to_owned(),
                };
                format!(
                    "    let half = ({p}words[i >> 1u] >> (16u * (i & 1u))) & 0xffffu;\n    \
                     return vec2<u32>({half}, 0u);\n"
                )
            }
            4 => format!(
                "    return vec2<u32>({}, 0u);\n",
                swap(&format!("{p}words[i]"))
            ),
            _ => {
                let (low, high) = match swapped {
                    true => ("2u * i + 1u", "2u * i"),
                    false => ("2u * i", "2u * i + 1u"),
                };
                let [low, high] = [low, high].map(|at| swap(&format!("{p}words[{at}]")));
                format!("    return vec2<u32>({low}, {high});\n")
            }
        }
    }

    /// The function that returns the number of voxel `i`'s table entry; empty if there are no tables.
    fn entry(&self, p: &str) -> String {
        let block = self.narrow.block;
        if block == 0 {
            return String::new();
        }
        let mut axes = self.plan.axes.clone();
        sort_short(&mut axes, |axis| axis.out.unsigned_abs());
        let mut body = format!("    var stored = {}u;\n", self.plan.stored_first);
        let mut rest = "i".to_owned();
        for axis in &axes {
            let (count, stride) = (axis.count, axis.stored);
            let position = match axis.out < 0 {
                true => format!("{}u - {rest} % {count}u", count - 1),
                false => format!("{rest} % {count}u"),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(body, "    stored += ({position}) * {stride}u;");
            rest = format!("({rest} / {count}u)");
        }
        format!(
            "\n// The entry of voxel i in the scaling tables.\nfn {p}entry(i: u32) -> u32 {{\n{body}    return stored / {block}u;\n}}\n"
        )
    }

    /// The statements that compute the value of voxel `i` as a double.
    fn steps(&self, conversion: &Conversion, p: &str) -> String {
        let stored = conversion.stored;
        let mut body = format!("var value = {p}decode({p}{stored:?}, {p}stored(i));\n");
        let mut table_at = self.tables;
        let mut factor = |factor: &Factor| match factor {
            Factor::One(value) => literal(*value),
            Factor::Table(table) => {
                let at = table_at;
                table_at += 2 * table.len() as u64;
                format!("{p}number({at}u + 2u * {p}entry(i))")
            }
        };
        for step in &conversion.steps {
            let value = match step {
                Step::Multiply(by) => format!("{p}multiply(value, {}, 4u)", factor(by)),
                Step::Add(to) => format!("{p}add(value, {})", factor(to)),
                Step::Clip { lo, hi } => {
                    format!("{p}clip(value, {}, {})", literal(*lo), literal(*hi))
                }
                Step::RoundToF32 => format!("{p}from_f32({p}to_f32(value))"),
            };
            let _ = writeln!(body, "    value = {value};");
        }
        body
    }
}

fn literal(value: f64) -> String {
    let [low, high] = words(value);
    format!("vec2<u32>({low:#x}u, {high:#x}u)")
}

/// Adds a prefix to every name that WGSL code declares at its top level.
fn prefixed(code: &str, prefix: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let declared = |line: &str| {
        let name = ["fn ", "const ", "struct "]
            .iter()
            .find_map(|keyword| line.strip_prefix(keyword))?;
        name.split(|c| !is_word(c)).next().map(str::to_owned)
    };
    let names: Vec<String> = code.lines().filter_map(declared).collect();
    let mut out = String::with_capacity(code.len() * 2);
    for line in code.lines().filter(|line| !line.trim().starts_with("//")) {
        for word in line.split_inclusive(|c| !is_word(c)) {
            let name = word.trim_end_matches(|c| !is_word(c));
            if names.iter().any(|declared| declared == name) {
                out.push_str(prefix);
            }
            out.push_str(word);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::naga::{front, valid};

    /// Parses and validates a shader.
    fn compiled(text: &str) -> Result<(), String> {
        let module = front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
        valid::Validator::new(
            valid::ValidationFlags::all(),
            valid::Capabilities::FLOAT64 | valid::Capabilities::SHADER_INT64,
        )
        .validate(&module)
        .map(drop)
        .map_err(|error| error.emit_to_string(text))
    }

    /// The constants that a text declares, as `NAME = value`.
    fn declared(text: &str) -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.strip_prefix("const "))
            .map(|line| line.trim_end_matches(';'))
            .collect()
    }

    /// The lines of a shader that repeat what Rust's text declares: a declaration of a shared constant, or a word of the
    /// head by its number.
    fn repeated<'a>(text: &'a str, shared: &[&str]) -> Vec<&'a str> {
        let names: Vec<&str> = shared.iter().filter_map(|s| s.split(' ').next()).collect();
        let repeats = |line: &&str| {
            let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let declares = ["const", "override"].contains(&words.next().unwrap_or_default())
                && words.next().is_some_and(|name| names.contains(&name));
            let numbered = line
                .split("packet[")
                .skip(1)
                .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            declares || numbered
        };
        text.lines().filter(repeats).collect()
    }

    #[test]
    fn every_kernel_compiles() {
        for text in [by_integers(), by_native_f64(), by_table()] {
            compiled(text).unwrap();
        }
    }

    #[test]
    fn what_rust_and_shaders_share_is_written_once() {
        let types = dtypes();
        let shared = [&types, HEAD_WGSL, STEP_KINDS_WGSL].map(declared).concat();
        assert_eq!(shared.len(), 11 + 9 + 4, "{shared:?}");
        assert!(shared.contains(&"F64 = 10u") && shared.contains(&"AXIS = 16u"));
        let files = [
            file!("convert"),
            file!("decode"),
            file!("double"),
            file!("integers"),
            file!("native"),
            file!("steps"),
            file!("table"),
            file!("statistics"),
        ];
        for text in files {
            assert_eq!(repeated(text, &shared), [""; 0]);
        }
        for line in [
            "const DATA = 2u; // The word at which the gathered bytes begin.",
            "override I16: u32 = 3u;",
            "    let data = packet[2u];",
            "    return packet[AXIS] + packet[7];",
        ] {
            assert_eq!(repeated(line, &shared), [line]);
        }
    }

    /// The kernel gets every number from Rust's text: it does not compile if one is missing.
    #[test]
    fn the_kernel_needs_every_shared_number() {
        let mut removed = 0;
        for declaration in [HEAD_WGSL, STEP_KINDS_WGSL].map(declared).concat() {
            let line = format!("const {declaration};\n");
            let without = by_integers().replacen(&line, "", 1);
            assert_eq!(without.len() + line.len(), by_integers().len(), "{line}");
            assert!(compiled(&without).is_err(), "{line}");
            removed += 1;
        }
        assert_eq!(removed, 13);
    }

    #[test]
    fn every_declared_name_has_the_prefix() {
        let code = prefixed(&NUMBERS, "p_");
        assert!(code.contains("fn p_multiply(a: vec2<u32>, b: vec2<u32>, digits: u32)"));
        assert!(code.contains("case p_U8, p_U16, p_U32: { return p_from_u32(bits.x, 0u); }"));
        assert!(code.contains("const p_I16 = 3u;"));
        for line in code.lines() {
            for keyword in ["fn ", "const ", "struct "] {
                if let Some(name) = line.strip_prefix(keyword) {
                    assert!(name.starts_with("p_"), "{line}");
                }
            }
        }
    }
}
