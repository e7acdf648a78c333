//! Promise: imports run one way. A module of the library imports only from its own layer and those below, and no two folders
//! import each other, by whatever detour. A file and its children (`x.rs` and those in `x/`) are one folder; what a module
//! imports from the modules that it is inside of counts for no circle, for these have to import it in turn.
//!
//! The modules are those that `src/lib.rs` leads to; what only tests or the documentation see is left out. Names are followed
//! through `pub use` to the file that declares them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

/// The layers, from the lowest. `lib.rs` and `guide.rs` stand above all of them.
const LAYERS: [&str; 10] = [
    "core", "source", "header", "format", "plan", "convert", "read", "device", "stream", "image",
];
const ABOVE: [&str; 2] = ["lib", "guide"];

/// Texts of Rust files by their paths from `src` on.
type Files = BTreeMap<String, String>;

/// Words, `::` and single marks, without comments, strings and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        match (at(i), at(i + 1)) {
            (c, _) if c.is_whitespace() => i += 1,
            ('/', '/') => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            ('"', _) => i = after_string(&chars, i + 1),
            // A character, or a lifetime.
            ('\'', '\\') => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            ('\'', _) => {
                i += 1;
                while is_word(at(i)) {
                    i += 1;
                }
            }
            (':', ':') => {
                found.push("::".to_owned());
                i += 2;
            }
            (c, _) if is_word(c) => {
                let start = i;
                while is_word(at(i)) {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let hashes = chars[i..].iter().take_while(|&&c| c == '#').count();
                if ["r", "br", "cr"].contains(&word.as_str()) && at(i + hashes) == '"' {
                    i = after_raw_string(&chars, i + hashes + 1, hashes);
                } else {
                    found.push(word);
                }
            }
            (c, _) => {
                found.push(c.to_string());
                i += 1;
            }
        }
    }
    found
}

fn after_string(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_raw_string(chars: &[char], mut i: usize, hashes: usize) -> usize {
    let closes = |i: usize| {
        let rest = &chars[i + 1..];
        rest.len() >= hashes && rest[..hashes].iter().all(|&c| c == '#')
    };
    while i < chars.len() && !(chars[i] == '"' && closes(i)) {
        i += 1;
    }
    i + 1 + hashes
}

/// A path, name by name: `crate`, `read`, `host`.
type Words = Vec<String>;

/// A module, in a file of its own or inside another one.
#[derive(Default)]
struct Module {
    file: String,
    /// Its names from the root on.
    names: Vec<String>,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// What is declared here.
    items: BTreeSet<String>,
    /// What is imported, by the name that it has here.
    imports: BTreeMap<String, Words>,
    /// Modules of which everything is imported.
    globs: Vec<Words>,
    /// Paths in the code, those of imports included.
    used: Vec<Words>,
}

struct Crate<'a> {
    files: &'a Files,
    modules: Vec<Module>,
}

impl<'a> Crate<'a> {
    fn read(files: &'a Files) -> Self {
        let mut read = Self {
            files,
            modules: Vec::new(),
        };
        read.modules.push(Module {
            file: "lib.rs".to_owned(),
            ..Module::default()
        });
        read.read_file(0);
        read
    }

    fn read_file(&mut self, module: usize) {
        let file = &self.modules[module].file;
        let text = self.files.get(file).unwrap_or_else(|| panic!("{file}"));
        self.read_tokens(module, &tokens(text));
    }

    /// Adds a module; one without a text of its own is in a file of that name.
    fn add(&mut self, parent: usize, name: &str, own_file: bool) -> usize {
        let mut names = self.modules[parent].names.clone();
        names.push(name.to_owned());
        let stem = names.join("/");
        let file = match own_file {
            true => [format!("{stem}.rs"), format!("{stem}/mod.rs")]
                .into_iter()
                .find(|file| self.files.contains_key(file))
                .unwrap_or_else(|| panic!("no file of the module {stem}")),
            false => self.modules[parent].file.clone(),
        };
        let module = self.modules.len();
        self.modules.push(Module {
            file,
            names,
            parent: Some(parent),
            ..Module::default()
        });
        self.modules[parent]
            .children
            .insert(name.to_owned(), module);
        module
    }

    fn read_tokens(&mut self, module: usize, all: &[String]) {
        let token = |i: usize| all.get(i).map_or("", String::as_str);
        // Modules inside this one, with the depth of braces at which each ends.
        let mut inside = vec![(module, 0)];
        let mut depth = 0;
        let mut i = 0;
        while i < all.len() {
            let (here, base) = *inside.last().expect("the file's own module");
            let is_item = depth == base;
            match token(i) {
                "#" => {
                    let open = if token(i + 1) == "!" { i + 2 } else { i + 1 };
                    let end = after_group(all, open);
                    i = match is_left_out(&all[open..end]) {
                        true => after_item(all, end),
                        false => end,
                    };
                    continue;
                }
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if depth < base {
                        inside.pop();
                    }
                }
                "mod" if token(i + 2) == ";" => {
                    let child = self.add(here, token(i + 1), true);
                    self.read_file(child);
                }
                "mod" if token(i + 2) == "{" => {
                    depth += 1;
                    inside.push((self.add(here, token(i + 1), false), depth));
                    i += 3;
                    continue;
                }
                // Not `use<..>`, which says what a type captures.
                "use" if token(i + 1) != "<" => {
                    let end = i + all[i..].iter().position(|t| t == ";").expect("an end");
                    self.add_imports(here, &[], &all[i + 1..end]);
                    i = end;
                }
                "fn" | "struct" | "enum" | "trait" | "const" | "static" | "type" if is_item => {
                    self.modules[here].items.insert(token(i + 1).to_owned());
                }
                "macro_rules" => {
                    self.modules[here].items.insert(token(i + 2).to_owned());
                }
                word if is_name(word)
                    && token(i + 1) == "::"
                    && (i == 0 || token(i - 1) != "::") =>
                {
                    let mut path = vec![word.to_owned()];
                    while token(i + 1) == "::" && is_name(token(i + 2)) {
                        path.push(token(i + 2).to_owned());
                        i += 2;
                    }
                    self.modules[here].used.push(path);
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// The imports of a `use`, whose tree goes on from `start`.
    fn add_imports(&mut self, module: usize, start: &[String], tree: &[String]) {
        let mut path = start.to_vec();
        for (i, token) in tree.iter().enumerate() {
            match token.as_str() {
                "::" => {}
                "{" => {
                    for branch in branches(&tree[i + 1..tree.len() - 1]) {
                        self.add_imports(module, &path, branch);
                    }
                    return;
                }
                "*" => {
                    self.modules[module].used.push(path.clone());
                    self.modules[module].globs.push(path);
                    return;
                }
                "as" => break,
                "self" if !path.is_empty() => {}
                name => path.push(name.to_owned()),
            }
        }
        let name = match tree {
            [.., keyword, name] if keyword == "as" => Some(name),
            _ => path.last(),
        };
        if let Some(name) = name.cloned() {
            self.modules[module].imports.insert(name, path.clone());
            self.modules[module].used.push(path);
        }
    }

    /// The module that declares what a path in a module leads to; `None` for other crates, and names that are no module's.
    fn resolve(&self, module: usize, path: &[String], detours: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let mut from = match first.as_str() {
            "crate" => return self.declares(0, rest, detours),
            "self" => return self.declares(module, rest, detours),
            "super" => self.modules[module].parent?,
            _ if self.has(module, first, detours) => return self.declares(module, path, detours),
            _ => return None,
        };
        let mut rest = rest;
        while let Some((first, more)) = rest.split_first()
            && first == "super"
        {
            (from, rest) = (self.modules[from].parent?, more);
        }
        self.declares(from, rest, detours)
    }

    /// The same for a path that begins in a module.
    fn declares(&self, module: usize, path: &[String], detours: usize) -> Option<usize> {
        let here = &self.modules[module];
        let Some((first, rest)) = path.split_first() else {
            return Some(module);
        };
        if let Some(&child) = here.children.get(first) {
            return self.declares(child, rest, detours);
        }
        if here.items.contains(first) || detours == 0 {
            return Some(module);
        }
        if let Some(import) = here.imports.get(first) {
            let path = [import, rest].concat();
            return self.resolve(module, &path, detours - 1);
        }
        for glob in &here.globs {
            if let Some(target) = self.resolve(module, glob, detours - 1)
                && self.has(target, first, detours - 1)
            {
                return self.declares(target, path, detours - 1);
            }
        }
        // Made by a macro.
        Some(module)
    }

    fn has(&self, module: usize, name: &String, detours: usize) -> bool {
        let here = &self.modules[module];
        let by_glob = |glob: &Words| {
            let target = self.resolve(module, glob, detours - 1);
            target.is_some_and(|target| target != module && self.has(target, name, detours - 1))
        };
        here.children.contains_key(name)
            || here.items.contains(name)
            || here.imports.contains_key(name)
            || (detours > 0 && here.globs.iter().any(by_glob))
    }

    /// Which file imports which.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (i, module) in self.modules.iter().enumerate() {
            let of_file = imports.entry(&module.file).or_default();
            for path in &module.used {
                if let Some(target) = self.resolve(i, path, 8)
                    && self.modules[target].file != module.file
                {
                    of_file.insert(&self.modules[target].file);
                }
            }
        }
        imports
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The position after the group that opens here.
fn after_group(all: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in all.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    all.len()
}

/// Whether an attribute leaves out what follows it, but in tests or documentation: `cfg(test)`, `cfg(all(test, ..))`.
fn is_left_out(attribute: &[String]) -> bool {
    let words: Vec<&str> = attribute.iter().map(String::as_str).collect();
    match words[..] {
        ["[", "cfg", "(", "test" | "doc", ")", "]"] => true,
        ["[", "cfg", "(", "all", "(", ref all @ .., ")", ")", "]"] => {
            all.contains(&"test") && !all.contains(&"any") && !all.contains(&"not")
        }
        _ => false,
    }
}

/// The position after the item, field, arm or statement that begins here.
fn after_item(all: &[String], mut i: usize) -> usize {
    let token = |i: usize| all.get(i).map_or("", String::as_str);
    while token(i) == "#" {
        i = after_group(all, i + 1);
    }
    let before = ["pub", "(", "crate", "super", ")", "unsafe", "async"];
    let keyword = all[i..]
        .iter()
        .find(|word| !before.contains(&word.as_str()));
    let keyword = keyword.map_or("", String::as_str);
    let is_item = ["fn", "mod", "impl", "struct", "enum", "trait"].contains(&keyword);
    let is_line = ["use", "const", "static", "type"].contains(&keyword);
    while i < all.len() {
        match token(i) {
            "{" if !is_line => return after_group(all, i),
            "{" | "(" | "[" => i = after_group(all, i),
            ";" => return i + 1,
            "," if !is_item && !is_line => return i + 1,
            "}" | ")" => return i,
            _ => i += 1,
        }
    }
    i
}

/// The branches of a `use` tree, which commas part.
fn branches(tree: &[String]) -> Vec<&[String]> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0);
    for (i, token) in tree.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 0 => {
                found.push(&tree[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    found.push(&tree[start..]);
    found.retain(|branch| !branch.is_empty());
    found
}

/// The folder that a file counts to: that of its children, where it has any.
fn folder<'f>(file: &'f str, files: &Files) -> &'f str {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let inside = format!("{stem}/");
    match stem.rsplit_once('/') {
        _ if files.keys().any(|other| other.starts_with(&inside)) => stem,
        Some((folder, _)) => folder,
        None => stem,
    }
}

/// Whether a file has the module that another one's is inside of.
fn is_around(outer: &str, file: &str) -> bool {
    let stem = outer.trim_end_matches(".rs").trim_end_matches("/mod");
    file.strip_prefix(stem)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// The height of a file's layer, `lib.rs` above all; `None` for a file of no layer.
fn height(file: &str) -> Option<usize> {
    let top = file.split('/').next()?.trim_end_matches(".rs");
    match ABOVE.contains(&top) {
        true => Some(LAYERS.len()),
        false => LAYERS.iter().position(|layer| *layer == top),
    }
}

/// What breaks the order, one line each.
fn breaches(files: &Files) -> Vec<String> {
    let read = Crate::read(files);
    let imports = read.imports();
    let mut sideways = imports.clone();
    for (file, imported) in &mut sideways {
        imported.retain(|other| !is_around(other, file));
    }
    let mut found = Vec::new();
    for (file, imported) in &imports {
        let Some(own) = height(file) else {
            found.push(format!("src/{file} is of no layer"));
            continue;
        };
        for other in imported {
            if height(other).is_some_and(|other| other > own) {
                found.push(format!("src/{file} imports src/{other}, of a layer above"));
            }
            if sideways[file].contains(other)
                && folder(file, files) != folder(other, files)
                && let Some(way) = way(&sideways, other, file)
            {
                let way = way.join(", src/");
                found.push(format!("src/{file} is in a circle: it imports src/{way}"));
            }
        }
    }
    found
}

/// The shortest way from one file to another along imports, both included.
fn way<'f>(
    imports: &BTreeMap<&'f str, BTreeSet<&'f str>>,
    from: &'f str,
    to: &str,
) -> Option<Vec<&'f str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in imports.get(last).into_iter().flatten() {
            if seen.insert(next) {
                let mut longer = way.clone();
                longer.push(next);
                ways.push_back(longer);
            }
        }
    }
    None
}

fn collect(folder: &Path, root: &Path, files: &mut Files) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, root, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).expect("inside");
            let name = name.to_str().expect("UTF-8").replace('\\', "/");
            files.insert(name, std::fs::read_to_string(&path).expect("a text"));
        }
    }
}

fn source() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Files::new();
    collect(&root, &root, &mut files);
    files
}

#[test]
fn imports_run_one_way() {
    let found = breaches(&source());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn all_of_the_library_is_read() {
    let files = source();
    let read = Crate::read(&files);
    let imports = read.imports();
    let count: usize = imports.values().map(BTreeSet::len).sum();
    assert!(imports.len() > 80, "{} files", imports.len());
    assert!(count > 5 * imports.len(), "{count} imports");
    for layer in LAYERS {
        let of_layer = imports.keys().any(|file| file.starts_with(layer));
        assert!(of_layer, "no file of the layer {layer}");
    }
}

/// Made-up files of which `lib.rs` has the modules that are named, and what they import.
fn made_up(texts: &[(&str, &str)]) -> Files {
    let files = texts
        .iter()
        .map(|(name, text)| (format!("{name}.rs"), (*text).to_owned()));
    files.collect()
}

const LIB: (&str, &str) = (
    "lib",
    "mod core; mod source; mod image; use crate::core::error; pub use image::Image; pub use error::Error;",
);
const CORE: (&str, &str) = ("core", "pub mod error; pub mod shape;");
const ERROR: (&str, &str) = (
    "core/error",
    "pub struct Error; impl Error { pub fn new() {} }",
);
const SHAPE: (&str, &str) = ("core/shape", "use super::error::Error; pub fn voxels() {}");
const SOURCE: (&str, &str) = (
    "source",
    "pub struct Source; fn f() { crate::core::shape::voxels(); }",
);
const IMAGE: (&str, &str) = (
    "image",
    "use crate::{error, source::{self, Source}}; pub struct Image;",
);

/// What is found when one of the files has another text.
fn with(changed: &[(&str, &str)]) -> Vec<String> {
    let mut files = made_up(&[LIB, CORE, ERROR, SHAPE, SOURCE, IMAGE]);
    files.extend(made_up(changed));
    breaches(&files)
}

#[test]
fn files_in_order_are_let_through() {
    assert_eq!(with(&[]), [""; 0]);
    let files = made_up(&[LIB, CORE, ERROR, SHAPE, SOURCE, IMAGE]);
    let read = Crate::read(&files);
    let imports = read.imports();
    assert_eq!(imports["image.rs"], ["core/error.rs", "source.rs"].into());
    assert_eq!(imports["core/shape.rs"], ["core/error.rs"].into());
    assert_eq!(imports["source.rs"], ["core/shape.rs"].into());
}

#[test]
fn imports_from_above_are_found() {
    for text in [
        "use crate::image::Image;",
        "use crate::{core::{error::Error, shape}, image::{Image}};",
        "use super::image::Image as Picture;",
        "use crate::image::*;",
        "pub(crate) use crate::Image;",
        "fn f() { let _ = crate::image::Image; }",
        "fn f<'a>(c: char) -> crate::image::Image { if c == '\"' { g(\"\") } }",
        "mod inner { use super::super::image; }",
        "#[cfg(any(test, feature = \"gpu\"))] use crate::image::Image;",
        "#[cfg(test)] use crate::core::error; use crate::image::Image;",
        "#[cfg(test)] fn f<A, B>(a: A) {} use crate::image::Image;",
        "struct S { #[cfg(test)] a: u8, b: crate::image::Image }",
        "/* /* */ */ use crate::image::Image; // use nothing",
        "const A: &str = r#\"\"#; use crate::image::Image;",
    ] {
        let found = with(&[("source", text)]);
        let upward = "src/source.rs imports src/image.rs, of a layer above".to_owned();
        assert!(found.contains(&upward), "{text}: {found:?}");
    }
}

#[test]
fn what_is_not_built_is_left_out() {
    for text in [
        "// use crate::image::Image;",
        "/* use crate::image::Image; /* */ crate::image::f() */",
        "/// [`crate::image::Image`]\nfn f() {}",
        "const A: &str = \"use crate::image::Image;\";",
        "const A: &str = r#\"crate::image::Image \" \"#;",
        "#[cfg(test)] use crate::image::Image;",
        "#[cfg(doc)] use crate::image::Image;",
        "#[cfg(test)] mod tests { use crate::image::Image; fn f() { { crate::image::f() } } }",
        "#[cfg(all(test, feature = \"gpu\"))] pub(crate) fn f<A, B>() { crate::image::f() }",
        "struct S { #[cfg(test)] a: crate::image::Image, b: u8 }",
        "fn image() {} fn f() { image::g() }",
        "use image::Image;",
    ] {
        assert_eq!(with(&[("source", text)]), [""; 0], "{text}");
    }
    // A file of tests.
    let found = with(&[
        ("source", "#[cfg(test)] mod tests;"),
        ("source/tests", "use crate::image::Image;"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn circles_between_folders_are_found() {
    let found = with(&[
        ("image", "mod cache; mod open; pub struct Image;"),
        (
            "image/open",
            "use super::cache::disk::Disk; pub struct Open;",
        ),
        ("image/cache", "pub mod disk;"),
        (
            "image/cache/disk",
            "use crate::image::open::Open; pub struct Disk;",
        ),
    ]);
    assert_eq!(
        found,
        [
            "src/image/cache/disk.rs is in a circle: it imports src/image/open.rs, src/image/cache/disk.rs",
            "src/image/open.rs is in a circle: it imports src/image/cache/disk.rs, src/image/open.rs",
        ]
    );
    // In one folder files may import each other, and a file and its children are one folder.
    let found = with(&[
        (
            "image",
            "mod cache; mod open; use open::Open; pub struct Image;",
        ),
        ("image/open", "use super::Image; pub struct Open;"),
        ("image/cache", "mod disk; use disk::Disk; pub struct Cache;"),
        (
            "image/cache/disk",
            "use super::Cache; use crate::image::Image; pub struct Disk;",
        ),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn files_of_no_layer_are_found() {
    let lib =
        "mod core; mod source; mod image; mod extra; use crate::core::error; pub use image::Image;";
    let found = with(&[("lib", lib), ("extra", "")]);
    assert_eq!(found, ["src/extra.rs is of no layer"]);
}
