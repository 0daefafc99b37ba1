//! Suggestions for a name that does not exist: the most similar known names.

/// How many names are suggested.
pub const SUGGESTED: usize = 3;

/// Longest name that is compared, in bytes: a comparison takes time in the product of the two lengths.
pub const MEASURED_BYTES: usize = 256;

/// The similarity of two names, from 0 to 1. It falls with each character that must be inserted, removed, replaced or
/// swapped.
#[must_use]
pub fn likeness(wanted: &str, name: &str) -> f64 {
    if wanted.len() > MEASURED_BYTES || name.len() > MEASURED_BYTES {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(wanted, name)
}

/// The names with a similarity of at least `least`, the most similar first, each once, at most [`SUGGESTED`].
#[must_use]
pub fn nearest(rated: impl Iterator<Item = (f64, String)>, least: f64) -> Vec<String> {
    first_names(rated.filter(|(likeness, _)| *likeness >= least).collect())
}

/// The names in the order of their similarity, each once, at most [`SUGGESTED`].
fn first_names(mut alike: Vec<(f64, String)>) -> Vec<String> {
    alike.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
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

/// The names of a list that are similar to `name`.
#[must_use]
pub fn near<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    /// A less similar name is not suggested.
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
