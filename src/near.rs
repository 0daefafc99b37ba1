//! Which known names are near to one that does not exist.

/// How many names are suggested.
pub const SUGGESTED: usize = 3;

/// Longest name whose likeness is measured, in bytes: the measure takes time in the product of the lengths.
pub const MEASURED_BYTES: usize = 256;

/// The likeness of two names, from 0 to 1: how few characters have to be inserted, removed, replaced or swapped.
#[must_use]
pub fn likeness(wanted: &str, name: &str) -> f64 {
    if wanted.len() > MEASURED_BYTES || name.len() > MEASURED_BYTES {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(wanted, name)
}

/// The names that are at least `least` like, the most alike first, each once, at most [`SUGGESTED`].
#[must_use]
pub fn nearest(rated: impl Iterator<Item = (f64, String)>, least: f64) -> Vec<String> {
    let mut alike: Vec<(f64, String)> = rated.filter(|(likeness, _)| *likeness >= least).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut names: Vec<String> = Vec::new();
    for (_, name) in alike {
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() == SUGGESTED {
            break;
        }
    }
    names
}

/// The names near to one, of a list.
#[must_use]
pub fn near<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    /// A name less alike than this is another name.
    const ALIKE: f64 = 0.6;
    nearest(
        names.map(|name| (likeness(wanted, name), name.to_owned())),
        ALIKE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_comes_first_and_a_name_is_suggested_once() {
        let names = ["shop", "shops", "prod", "shop", "kube-system"];
        assert_eq!(near("shopp", names.into_iter()), ["shop", "shops"]);
        assert!(near("nothing-like-it", names.into_iter()).is_empty());
    }

    #[test]
    fn a_long_name_is_not_measured() {
        let long = "a".repeat(MEASURED_BYTES + 1);
        assert!(near(&long, [long.as_str()].into_iter()).is_empty());
    }
}
