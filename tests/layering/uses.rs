//! Which modules a module uses: its `use` trees, and paths that begin with `crate`, `super` or `self`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::source::{Source, crate_sources};

/// A path from the root of the crate.
type Path = Vec<String>;

/// One module of the crate.
pub struct Module {
    /// Its file, below the repository.
    pub file: String,
    /// What it uses in the crate, once for each time that it is written.
    pub uses: Vec<Path>,
    /// Names that a `use` gives to paths: a module below it, or one that it re-exports to, can use them.
    aliases: BTreeMap<String, Path>,
}

/// All modules of the crate by their paths; the root is the empty path.
pub struct Modules(pub BTreeMap<Path, Module>);

impl Modules {
    /// The modules of `src`, read once.
    pub fn read() -> &'static Self {
        static MODULES: LazyLock<Modules> = LazyLock::new(|| {
            let sources = crate_sources().filter(|source| source.path != "src/main.rs");
            Modules::from_sources(&sources.collect::<Vec<_>>())
        });
        &MODULES
    }

    fn from_sources(sources: &[&Source]) -> Self {
        let paths = sources.iter().map(|source| module_path(&source.path));
        let names: BTreeSet<Path> = paths.collect();
        let modules = sources.iter().map(|source| {
            let path = module_path(&source.path);
            let module = Module::read(source, &path, &names);
            (path, module)
        });
        Self(modules.collect())
    }

    /// The module that has what a path names, through re-exports.
    pub fn module_of(&self, path: &[String]) -> Option<&Path> {
        let mut path = path.to_vec();
        // Each step follows one re-export; two that lead to each other would not compile.
        for _ in 0..10 {
            let (length, module, key) = (0..=path.len())
                .rev()
                .find_map(|length| Some((length, self.0.get_key_value(&path[..length])?)))
                .map(|(length, (key, module))| (length, module, key))?;
            let alias = path
                .get(length)
                .and_then(|name| module.aliases.get(name))
                .filter(|target| !target.starts_with(&path[..=length]));
            let Some(target) = alias else {
                return Some(key);
            };
            path = [target, &path[length + 1..]].concat();
        }
        None
    }

    /// The modules that a module uses, not itself.
    pub fn used_by(&self, path: &Path) -> BTreeSet<&Path> {
        let uses = self.0[path].uses.iter();
        uses.filter_map(|used| self.module_of(used))
            .filter(|used| *used != path)
            .collect()
    }
}

impl Module {
    fn read(source: &Source, path: &Path, names: &BTreeSet<Path>) -> Self {
        let statement = regex::Regex::new(r"\buse\s+([^;]+);").unwrap();
        let inline = regex::Regex::new(r"\b(?:crate|super|self)(?:\s*::\s*\w+)+").unwrap();
        let mut module = Self {
            file: source.path.clone(),
            uses: Vec::new(),
            aliases: BTreeMap::new(),
        };
        for tree in statement.captures_iter(&source.code) {
            for (used, alias) in leaves(&tree[1]) {
                if let Some(used) = absolute(&used, path, names) {
                    if !alias.is_empty() {
                        module.aliases.insert(alias, used.clone());
                    }
                    module.uses.push(used);
                }
            }
        }
        let rest = statement.replace_all(&source.code, "");
        for used in inline.find_iter(&rest) {
            let used: Vec<&str> = used.as_str().split("::").map(str::trim).collect();
            module.uses.extend(absolute(&used, path, names));
        }
        module
    }
}

/// `src/k8s/diff.rs` is `k8s::diff`.
fn module_path(file: &str) -> Path {
    let name = file.strip_prefix("src/").unwrap();
    let name = name.strip_suffix(".rs").unwrap();
    if name == "lib" {
        return Path::new();
    }
    name.split('/').map(str::to_owned).collect()
}

/// Each path of a `use` tree, with the name that it gets; no name for a glob.
fn leaves(tree: &str) -> Vec<(Vec<&str>, String)> {
    let mut found = Vec::new();
    for part in parts(tree) {
        if let Some(open) = part.find('{') {
            let before = part[..open].trim_end().trim_end_matches("::");
            let prefix: Vec<&str> = segments(before).collect();
            for (below, alias) in leaves(&part[open + 1..part.rfind('}').unwrap()]) {
                if below == ["self"] {
                    let own = *prefix.last().unwrap();
                    let alias = if alias == "self" { own } else { &alias };
                    found.push((prefix.clone(), alias.to_owned()));
                } else {
                    found.push(([&prefix[..], &below].concat(), alias));
                }
            }
            continue;
        }
        let (path, alias) = part.split_once(" as ").unwrap_or((part, ""));
        let mut path: Vec<&str> = segments(path).collect();
        let own = *path.last().unwrap();
        let mut alias = if alias.is_empty() { own } else { alias.trim() };
        if own == "*" {
            path.pop();
            alias = "";
        }
        found.push((path, alias.to_owned()));
    }
    found
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let segments = path.split("::").map(str::trim);
    segments.filter(|segment| !segment.is_empty())
}

/// The parts of a list between commas, not those inside of braces.
fn parts(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|part| !part.is_empty());
    found
}

/// A path as written in a module, from the root of the crate; none for another crate.
fn absolute(written: &[&str], module: &Path, names: &BTreeSet<Path>) -> Option<Path> {
    let mut base = match *written.first()? {
        "crate" => Path::new(),
        "self" | "super" => module.clone(),
        child => {
            let below = [&module[..], &[child.to_owned()]].concat();
            return names
                .contains(&below)
                .then(|| [&module[..], &owned(written)].concat());
        }
    };
    let mut rest = written;
    while let [first @ ("crate" | "self" | "super"), after @ ..] = rest {
        if *first == "super" {
            base.pop()?;
        }
        rest = after;
    }
    base.extend(owned(rest));
    Some(base)
}

fn owned(path: &[&str]) -> Path {
    path.iter().map(|segment| (*segment).to_owned()).collect()
}

/// Modules of made-up files, for tests.
pub fn modules_of(files: &[(&str, &str)]) -> Modules {
    let source = |(path, code): &(&str, &str)| Source {
        path: (*path).to_owned(),
        text: String::new(),
        untested: String::new(),
        code: (*code).to_owned(),
    };
    let sources: Vec<Source> = files.iter().map(source).collect();
    Modules::from_sources(&sources.iter().collect::<Vec<_>>())
}

#[test]
fn trees_paths_and_re_exports_lead_to_the_module() {
    let modules = modules_of(&[
        ("src/lib.rs", "mod a; mod b; mod e; pub use e::Error;"),
        ("src/e.rs", ""),
        ("src/b.rs", ""),
        (
            "src/a.rs",
            "mod x; mod y; mod z; pub use z::{Deep, Other as Named};",
        ),
        (
            "src/a/x.rs",
            "use super::{y::{self, One}, Deep};\nuse crate::{b::Two as Three};",
        ),
        (
            "src/a/y.rs",
            "fn f() -> super::Named { crate::Error::new(std::mem::take(x)) }",
        ),
        ("src/a/z.rs", "use std::io::{self, Write}; use z::Other;"),
    ]);
    let used = |path: &str| -> Vec<String> {
        let path = path.split("::").map(str::to_owned).collect();
        let used = modules.used_by(&path);
        used.into_iter().map(|path| path.join("::")).collect()
    };
    assert_eq!(used("a::x"), ["a::y", "a::z", "b"]);
    assert_eq!(used("a::y"), ["a::z", "e"]);
    assert_eq!(used("a::z"), [""; 0]);
    assert_eq!(used("a"), ["a::z"]);
}
