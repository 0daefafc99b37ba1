//! The order in which YAML keys are printed: go-yaml's natural order (its `sorter.go`).
//!
//! Letters sort after other characters, runs of digits compare as numbers, and everything else by code point. So `a2`
//! comes before `a10`, and `a-b` before `ab`.
//!
//! The functions copy go-yaml exactly, including its flaws: the order is not transitive (`01` < `0b` < `1` < `01`),
//! and numbers of 19 and more digits overflow. `slice::sort_by` may panic on such an order, and keys come from the
//! file. Therefore [`sort_by`] is a merge sort that accepts any comparison.

mod characters;

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::Hash;

use foldhash::fast::RandomState;

use super::sink::Order;

/// Compares two keys as go-yaml v2 does (`keyList.Less` in `sorter.go`).
///
/// Equal only for equal texts. The order is not transitive (see the module), so never pass it to `slice::sort_by`.
#[must_use]
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let shared = shared_prefix(a, b);
    let (before, a_rest) = a.split_at(shared);
    let b_rest = b.split_at(shared).1;
    let (x, y) = match (a_rest.chars().next(), b_rest.chars().next()) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Less,
        (Some(_), None) => return Ordering::Greater,
        (Some(x), Some(y)) => (x, y),
    };
    match (is_letter(x), is_letter(y)) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero inside a number is not a leading zero. Go starts at 1 in this case, so that the zero keeps its place value.
    let inside = (x == '0' || y == '0') && ends_in_a_number(before);
    let start = i64::from(inside);
    let (a_number, a_digits) = number(a_rest, start);
    let (b_number, b_digits) = number(b_rest, start);
    a_number
        .cmp(&b_number)
        .then(a_digits.cmp(&b_digits))
        .then(x.cmp(&y))
}

/// Sorts items by their keys in natural order.
pub fn sort_naturally<T: Copy>(items: &mut [T], key: impl Fn(&T) -> &str) {
    sort_by(items, &mut |a, b| {
        natural_cmp(key(a), key(b)) == Ordering::Less
    });
}

/// Whether key `a` comes before key `b`. For `Declared`, map keys sort by bytes, as in Go's JSON.
#[must_use]
pub fn before(order: Order, a: &str, b: &str) -> bool {
    match order {
        Order::Declared | Order::Sorted => a < b,
        Order::Natural => natural_cmp(a, b) == Ordering::Less,
    }
}

/// Sorts stably by `less`, even if `less` contradicts itself. This is a merge sort, because `slice::sort_by` may panic
/// on an inconsistent order.
pub fn sort_by<T: Copy>(items: &mut [T], less: &mut impl FnMut(&T, &T) -> bool) {
    if items.windows(2).all(|w| !matches!(w, [a, b] if less(b, a))) {
        return;
    }
    let mut from = items.to_vec();
    let mut to = items.to_vec();
    let mut width = 1;
    while width < items.len() {
        let runs = from.chunks(width.saturating_mul(2));
        let places = to.chunks_mut(width.saturating_mul(2));
        for (run, place) in runs.zip(places) {
            let (left, right) = run.split_at(width.min(run.len()));
            merge(left, right, place, less);
        }
        std::mem::swap(&mut from, &mut to);
        width = width.saturating_mul(2);
    }
    items.copy_from_slice(&from);
}

/// Sorts the entries of a map by their keys and removes all but the last of equal keys. `less` compares two entries in
/// this order.
pub(super) fn sort_entries<T: Copy, K: Eq + Hash>(
    items: &mut Vec<T>,
    order: Order,
    key: impl Fn(&T) -> K,
    less: &mut impl FnMut(&T, &T) -> bool,
) {
    if order == Order::Natural {
        keep_last(items, key);
        return sort_by(items, less);
    }
    sort_by(items, less);
    // The order by bytes is consistent, so equal keys are adjacent after sorting.
    items.dedup_by(|later, kept| {
        let is_equal = key(later) == key(kept);
        if is_equal {
            *kept = *later;
        }
        is_equal
    });
}

/// Removes all but the last of equal keys. Call it before [`sort_by`]: the natural order is inconsistent for some sets
/// of keys, and then equal keys may not be adjacent after sorting.
fn keep_last<T, K: Eq + Hash>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut seen = HashSet::with_hasher(RandomState::default());
    items.reverse();
    items.retain(|item| seen.insert(key(item)));
    items.reverse();
}

/// Merges two sorted runs. Of equal items, those of the left run come first.
fn merge<T: Copy>(
    mut left: &[T],
    mut right: &[T],
    out: &mut [T],
    less: &mut impl FnMut(&T, &T) -> bool,
) {
    for place in out {
        *place = match (left, right) {
            ([l, ..], [r, rest @ ..]) if less(r, l) => {
                right = rest;
                *r
            }
            ([l, rest @ ..], _) => {
                left = rest;
                *l
            }
            ([], [r, rest @ ..]) => {
                right = rest;
                *r
            }
            ([], []) => return,
        };
    }
}

/// The length in bytes of the common prefix of both texts, in whole characters.
fn shared_prefix(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    a.floor_char_boundary(same)
}

/// Whether the text ends in digits that are not all zero.
fn ends_in_a_number(text: &str) -> bool {
    let mut digits = text.chars().rev().take_while(|&c| is_digit(c));
    digits.any(|c| c != '0')
}

/// The number at the start of the text, with the overflow of Go's int64, and its count of digits.
fn number(text: &str, start: i64) -> (i64, usize) {
    let mut value = start;
    let mut digits = 0_usize;
    for c in text.chars().take_while(|&c| is_digit(c)) {
        // Go subtracts '0' from digits of other scripts too.
        let digit = i64::from(u32::from(c)) - i64::from(u32::from('0'));
        value = value.wrapping_mul(10).wrapping_add(digit);
        digits = digits.saturating_add(1);
    }
    (value, digits)
}

fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    is_within(c, characters::LETTERS)
}

fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    is_within(c, characters::DIGITS)
}

fn is_within(c: char, ranges: &[(u32, u32)]) -> bool {
    let code = u32::from(c);
    let place = |&(first, last): &(u32, u32)| {
        if last < code {
            Ordering::Less
        } else if first > code {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    };
    ranges.binary_search_by(place).is_ok()
}

#[cfg(test)]
mod tests {

    #![allow(clippy::cast_possible_truncation)]
    use super::*;

    /// Smaller key first; each pair in the order in which go-yaml v2 printed it.
    const PAIRS: &[(&str, &str)] = &[
        ("a2", "a10"),
        ("a-b", "ab"),
        ("a1", "ab"),
        ("a", "a1"),
        ("A", "a"),
        ("", "."),
        (".", "f:a"),
        ("a1", "a01"),
        ("a01", "a2"),
        ("1-", "10"),
        ("100", "1000"),
        ("101", "110"),
        ("10", "11"),
        ("01", "0b"),
        ("0b", "1"),
        ("1", "01"),
        ("9999999999999999999", "5"),
        ("1\u{0660}", "15999"),
        ("5", "\u{0660}"),
        ("\u{2160}", "a"),
        ("z", "\u{e9}"),
        ("-", "\u{1d7ce}"),
        ("a\u{e8}", "a\u{e9}"),
    ];

    #[test]
    fn pairs_compare_as_go_yaml_printed_them() {
        for &(a, b) in PAIRS {
            assert_eq!(natural_cmp(a, b), Ordering::Less, "{a:?} {b:?}");
            assert_eq!(natural_cmp(b, a), Ordering::Greater, "{b:?} {a:?}");
            assert_eq!(natural_cmp(a, a), Ordering::Equal, "{a:?}");
        }
    }

    #[test]
    fn sorting_gives_the_natural_order_whatever_the_length() {
        for count in [2_usize, 11, 13, 100, 1000] {
            let wanted: Vec<String> = (1..=count).map(|n| format!("key{n}")).collect();
            let mut keys: Vec<&str> = wanted.iter().map(String::as_str).collect();
            keys.sort();
            keys.reverse();
            sort_naturally(&mut keys, |key| key);
            assert_eq!(keys, wanted);
        }
    }

    #[test]
    fn sorting_keys_whose_order_contradicts_itself_loses_none() {
        let parts = ["0", "1", "01", "0b", "9999999999999999999", "-"];
        let mut keys: Vec<String> = Vec::new();
        for a in parts {
            for b in parts {
                for c in parts {
                    keys.push(format!("{a}{b}{c}"));
                }
            }
        }
        let mut sorted: Vec<&str> = keys.iter().map(String::as_str).collect();
        sort_naturally(&mut sorted, |key| key);
        sorted.sort_unstable();
        let mut all: Vec<&str> = keys.iter().map(String::as_str).collect();
        all.sort_unstable();
        assert_eq!(sorted, all);
    }

    #[test]
    fn the_tables_are_sorted_and_do_not_overlap() {
        for table in [characters::LETTERS, characters::DIGITS] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|w| w[0].1 < w[1].0));
        }
        assert!(is_letter('\u{e9}') && is_letter('\u{4e2d}') && !is_letter('\u{2160}'));
        assert!(is_digit('\u{0660}') && !is_digit('\u{b2}'));
    }

    #[test]
    fn sorting_is_stable_and_survives_an_order_that_contradicts_itself() {
        let mut items: Vec<(u32, usize)> = (0..1000_u32)
            .map(|i| (i.wrapping_mul(7919) % 13, i as usize))
            .collect();
        sort_by(&mut items, &mut |a, b| a.0 < b.0);
        assert!(items.is_sorted());
        let mut calls = 0_u32;
        sort_by(&mut items, &mut |_, _| {
            calls = calls.wrapping_add(1);
            calls.is_multiple_of(3)
        });
        items.sort_unstable_by_key(|i| i.1);
        assert!(items.iter().map(|i| i.1).eq(0..1000));
    }

    #[test]
    fn the_last_of_equal_keys_is_kept_in_every_order() {
        for order in [Order::Sorted, Order::Natural] {
            let mut entries = vec![("a10", 1), ("b", 2), ("a2", 3), ("b", 4), ("a10", 5)];
            let mut less = |a: &(&str, i32), b: &(&str, i32)| before(order, a.0, b.0);
            sort_entries(&mut entries, order, |entry| entry.0, &mut less);
            let wanted = match order {
                Order::Natural => [("a2", 3), ("a10", 5), ("b", 4)],
                _ => [("a10", 5), ("a2", 3), ("b", 4)],
            };
            assert_eq!(entries, wanted);
        }
    }
}
