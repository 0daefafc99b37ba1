//! Every input that fuzzing found, and one of each kind, through the fuzz targets on stable Rust.

#[path = "../fuzz/src/targets.rs"]
mod targets;

use crate::support::{files_below, repository};
use targets::TARGETS;

#[test]
fn every_kept_input_of_every_fuzz_target_is_survived() {
    let kept = repository().join("fuzz/regressions");
    let mut inputs = 0;
    for (name, target) in TARGETS {
        let files = files_below(&kept.join(name));
        assert!(!files.is_empty(), "{name}: no input is kept");
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{}", file.display());
            inputs += 1;
        }
    }
    println!("{inputs} inputs of {} targets", TARGETS.len());
    assert_eq!(
        files_below(&kept).len(),
        inputs,
        "an input of no target would never run"
    );
}

#[test]
fn every_fuzz_target_is_a_program_of_the_package() {
    let manifest = std::fs::read_to_string(repository().join("fuzz/Cargo.toml")).unwrap();
    let programs = files_below(&repository().join("fuzz/fuzz_targets"));
    assert_eq!(programs.len(), TARGETS.len());
    for (name, _) in TARGETS {
        let path = format!("fuzz_targets/{name}.rs");
        let program = std::fs::read_to_string(repository().join("fuzz").join(&path)).unwrap();
        assert!(
            program.contains(&format!("targets::{name}(data)")),
            "{name}"
        );
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{path}\"")));
    }
}
