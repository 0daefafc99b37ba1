//! What is fuzzed: `targets` are plain functions, which the tests of the tool run on every kept input;
//! `mutator` damages whole files as a hostile writer would.

pub mod mutator;
pub mod targets;

/// The independent writer of bbolt files, which also knows how to damage them.
#[path = "../../tests/support/synth/mod.rs"]
pub mod synth;
