//! Dependencies between the modules of `shared/` point one way: the table in ARCHITECTURE.md,
//! compared with the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// The rows of the table under "## Dependencies": a module, and those that it may use.
fn documented() -> Dependencies {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let section = text.split("## Dependencies").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect::<Vec<_>>();
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        (names(cells[1]).remove(0), names(cells[2]).into_iter().collect())
    })
    .collect()
}

/// The Rust files of a module: `<module>.rs`, or those in its folder.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|entry| files(&entry)).filter(|file| file.extension().is_some_and(|kind| kind == "rs")).collect()
}

/// The modules of the crate `root` (`crate` or `mfa`) that a source text names. Tests inside it may
/// use what they like.
fn named(source: &str, root: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found = BTreeSet::new();
    for rest in code.split(&format!("{root}::")).skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(first_names(group));
        } else {
            found.insert(identifier(rest));
        }
    }
    found.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The first name of each path in `a::{b, c}, d}`: `a` and `d`.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_start) = (0_i32, Vec::new(), true);
    for (place, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && !c.is_whitespace() => {
                names.push(identifier(&group[place..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// What each module of `shared/`, the functions, the passkeys and the import use of `shared/`.
fn used() -> Dependencies {
    let source = Path::new(ROOT).join("shared/src");
    let modules = fs::read_dir(&source).expect("a folder").map(|entry| entry.expect("an entry").path());
    let modules: BTreeMap<String, PathBuf> = modules
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .filter(|(name, path)| name != "lib" && (path.is_dir() || path.extension().is_some_and(|kind| kind == "rs")))
        .collect();
    let read = |file: PathBuf| fs::read_to_string(file).expect("a source file");
    let mut used = Dependencies::new();
    for (name, path) in &modules {
        let sources = files(path).into_iter().filter(|file| !file.ends_with("tests.rs")).map(read);
        let mut found: BTreeSet<_> = sources.flat_map(|source| named(&source, "crate")).collect();
        found.remove(name);
        used.insert(name.clone(), found);
    }
    let functions = fs::read_dir(Path::new(ROOT).join("functions")).expect("a folder");
    let functions = functions.flat_map(|entry| files(&entry.expect("an entry").path().join("src"))).map(read);
    used.insert("functions".to_owned(), functions.flat_map(|source| named(&source, "mfa")).collect());
    let passkeys = files(&Path::new(ROOT).join("passkeys/src")).into_iter().map(read);
    used.insert("passkeys".to_owned(), passkeys.flat_map(|source| named(&source, "mfa")).collect());
    let import = files(&Path::new(ROOT).join("import/src")).into_iter().map(read);
    used.insert("import".to_owned(), import.flat_map(|source| named(&source, "mfa")).collect());
    // `App` is re-exported at the root.
    for uses in used.values_mut() {
        if uses.remove("App") {
            uses.insert("app".to_owned());
        }
        uses.retain(|name| modules.contains_key(name));
    }
    used.get_mut("app").expect("a module").remove("app");
    used
}

#[test]
fn modules_use_only_what_the_architecture_allows() {
    let (documented, used) = (documented(), used());
    let modules = |of: &Dependencies| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(modules(&documented), modules(&used), "every module has a row");
    for (module, uses) in &used {
        let surplus: Vec<_> = uses.difference(&documented[module]).collect();
        assert!(surplus.is_empty(), "{module} uses {surplus:?}");
    }
}

#[test]
fn the_documented_dependencies_point_one_way() {
    let mut left = documented();
    while !left.is_empty() {
        let (lowest, _) = left.iter().find(|(_, uses)| uses.is_empty()).expect("no cycle is left");
        let lowest = lowest.clone();
        left.remove(&lowest);
        for uses in left.values_mut() {
            uses.remove(&lowest);
        }
    }
}

#[test]
fn the_search_finds_single_paths_groups_and_paths_within_expressions() {
    let source = "use crate::{\n    App,\n    domain::{Policy, keys::Keys},\n    random,\n};\nuse crate::aws::x;\n\
                  // use crate::http;\nlet a = crate::clock::now();\n#[cfg(test)]\nmod tests { use
                  // crate::http; }";
    let expected = ["App", "aws", "clock", "domain", "random"].map(ToOwned::to_owned);
    assert_eq!(named(source, "crate"), BTreeSet::from(expected));
}
