//! The WGSL of a raw volume: the kernel's own arithmetic, and a few functions made for one conversion.

use std::fmt::Write as _;
use std::sync::Arc;

use super::raw::Code;
use crate::convert::Conversion;
use crate::dtype::ByteOrder;
use crate::scaling::{Factor, Step};

const ARITHMETIC: &str = concat!(
    include_str!("../../shaders/double.wgsl"),
    include_str!("../../shaders/decode.wgsl"),
);

/// How a raw volume is known in a shader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShaderNames {
    /// The bind group.
    pub group: u32,
    /// The binding in it: a read-only storage buffer.
    pub binding: u32,
    /// What all names begin with; a letter first. Two volumes in one shader need two prefixes.
    pub prefix: String,
}

/// The tables of a conversion, in the order of its steps.
pub(crate) fn tables(conversion: &Conversion) -> impl Iterator<Item = &Arc<[f64]>> {
    conversion.steps.iter().filter_map(|step| match step {
        Step::Multiply(Factor::Table(table)) | Step::Add(Factor::Table(table)) => Some(table),
        _ => None,
    })
}

/// A double as shaders have it: low word, high word.
pub(super) fn words(value: f64) -> [u32; 2] {
    let bits = value.to_bits();
    [bits as u32, (bits >> 32) as u32]
}

impl Code {
    /// All of it, under these names.
    pub fn wgsl(&self, names: &ShaderNames) -> String {
        let p = format!("{}voxload_", names.prefix);
        let mut code = prefixed(ARITHMETIC, &p);
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

    /// The statements that take the stored bits of voxel `i` out of the words.
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

    /// The function that gives the table entry of voxel `i`, when there is a table.
    fn entry(&self, p: &str) -> String {
        let block = self.narrow.block;
        if block == 0 {
            return String::new();
        }
        let mut axes = self.plan.axes.clone();
        axes.sort_by_key(|axis| axis.out.unsigned_abs());
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

    /// The statements that make the value of voxel `i` as a double.
    fn steps(&self, conversion: &Conversion, p: &str) -> String {
        let stored = conversion.stored as u32;
        let mut body = format!("var value = {p}decode({stored}u, {p}stored(i));\n");
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

/// WGSL with a prefix to every name that is declared at its top level.
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

    #[test]
    fn every_declared_name_has_the_prefix() {
        let code = prefixed(ARITHMETIC, "p_");
        assert!(code.contains("fn p_multiply(a: vec2<u32>, b: vec2<u32>, digits: u32)"));
        assert!(code.contains("case p_U8, p_U16, p_U32: { return p_from_u32(bits.x, 0u); }"));
        for line in code.lines() {
            for keyword in ["fn ", "const ", "struct "] {
                if let Some(name) = line.strip_prefix(keyword) {
                    assert!(name.starts_with("p_"), "{line}");
                }
            }
        }
    }
}
