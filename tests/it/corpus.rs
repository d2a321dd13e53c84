//! Tries again the inputs that fuzzing kept, in `fuzz/corpus/<target>/`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use mfa_tests::fuzzed::TARGETS;

fn fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(path)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fuzz(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_that_was_kept_holds() {
    for (target, property) in TARGETS {
        let inputs = files(&format!("corpus/{target}"));
        assert!(!inputs.is_empty(), "{target} has no input");
        for input in inputs {
            let data = std::fs::read(&input).expect("a file");
            let outcome = std::panic::catch_unwind(|| property(&data));
            assert!(outcome.is_ok(), "{}: the panic above", input.display());
        }
    }
}

#[test]
fn every_property_has_a_target_that_is_built_and_every_target_a_property() {
    let properties: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    assert_eq!(files("fuzz_targets").into_iter().map(stem).collect::<BTreeSet<_>>(), properties);
    assert_eq!(files("corpus").into_iter().map(stem).collect::<BTreeSet<_>>(), properties);
    let manifest = std::fs::read_to_string(fuzz("Cargo.toml")).expect("a manifest");
    let built = manifest.matches("[[bin]]").count();
    assert_eq!(built, properties.len(), "targets in fuzz/Cargo.toml");
    for name in properties {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n")), "{name}");
        let target = std::fs::read_to_string(fuzz(&format!("fuzz_targets/{name}.rs"))).expect("a target");
        assert!(target.contains(&format!("mfa_tests::fuzzed::{name}(data)")), "{name}");
    }
}
