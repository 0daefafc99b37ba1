//! The steps from one list to another, for lists of lines, words or items.

use std::collections::HashMap;
use std::hash::Hash;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The steps from `old` to `new`, along a longest common subsequence. Myers' algorithm, with git's bounds on searches that
/// take too long.
///
/// Equal elements get the same number, and the numbers are compared: the algorithm is compiled once, not for every type.
#[must_use]
pub fn steps<'t, T: Eq + Hash>(old: &'t [T], new: &'t [T]) -> Vec<DiffOp> {
    let mut numbers: HashMap<&'t T, usize> = HashMap::new();
    let mut number = |items: &'t [T]| -> Vec<usize> {
        let number = |item| {
            let next = numbers.len();
            *numbers.entry(item).or_insert(next)
        };
        items.iter().map(number).collect()
    };
    let (old, new) = (number(old), number(new));
    capture_diff_slices(Algorithm::Myers, &old, &new)
}
