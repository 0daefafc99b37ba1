//! The one test binary: a module a topic.
// A test that fails panics; that is what it is for.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::cast_lossless
)]

mod addresses;
mod answers;
mod arguments;
mod auger;
mod backups;
mod blame;
mod bolt_writer;
mod carve;
mod churn;
mod columns;
mod commands;
mod compare;
mod completions;
mod consistent;
mod convert;
mod custody;
mod damaged;
mod decode;
mod describe;
mod diff_objects;
mod diff_sides;
mod diff_views;
mod docs;
mod encryption;
mod etcdctl;
mod events;
mod every_verb;
mod evidence;
mod export;
mod faults;
mod foreign;
mod fsck;
mod fuzz;
mod get;
mod goquote;
mod grep;
mod growth;
mod hash;
mod help;
mod history;
mod k8s_values;
mod kubernetes;
mod layering;
mod layouts;
mod little_languages;
mod ls;
mod member;
mod memory;
mod mutate;
mod packed;
mod plumbing;
mod properties;

mod recover;
mod reference;
mod restore;
mod salvage;
mod schema_openapi;
mod secrets_damaged;
mod secrets_end_to_end;
mod secrets_masked;
mod source;
mod space;
mod support;
mod sweep;
mod synth_writer;
mod tables;
mod terminal;
mod threads;
mod timeline;
mod trailer;
mod values;
mod verb_diff;
mod verbs;
mod verdict;
mod verify;
mod wal;
mod words;
mod yaml_golden;
mod yaml_hostile;

/// Counts what runs cost; see [`sweep`].
#[global_allocator]
static ALLOCATOR: support::counted::Counting = support::counted::Counting;

/// A file under `tests/` that no module names would never run.
#[test]
fn no_test_file_is_forgotten() {
    let this = include_str!("main.rs");
    let mut files = 0;
    for entry in std::fs::read_dir(support::repository().join("tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        if module != "main" {
            assert!(
                this.contains(&format!("mod {module};")),
                "tests/{name} is in no module"
            );
            files += 1;
        }
    }
    assert!(files > 3);
}
