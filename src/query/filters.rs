//! Filters that count what they remove: if nothing is left, the answer names the filter that removed the rest.

use std::cell::RefCell;

/// A filter of the command line, as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter(pub &'static str);

/// The filter that left nothing of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftNothing {
    /// The filter.
    pub filter: Filter,
    /// How many were left before it.
    pub of: usize,
}

/// One filter with what it saw.
#[derive(Debug)]
struct Stage {
    filter: Filter,
    seen: usize,
    passed: usize,
}

/// Counts what each filter sees and lets pass. Filters are tried in one order for every item, and the first that
/// fails ends the trial.
#[derive(Debug, Default)]
pub struct Filters {
    stages: RefCell<Vec<Stage>>,
}

impl Filters {
    /// Counts the result of one filter on one item, and returns it.
    pub fn test(&self, filter: Filter, passed: bool) -> bool {
        let mut stages = self.stages.borrow_mut();
        let known = stages.iter().position(|stage| stage.filter == filter);
        let index = known.unwrap_or(stages.len());
        if known.is_none() {
            stages.push(Stage {
                filter,
                seen: 0,
                passed: 0,
            });
        }
        if let Some(stage) = stages.get_mut(index) {
            stage.seen = stage.seen.saturating_add(1);
            stage.passed = stage.passed.saturating_add(usize::from(passed));
        }
        passed
    }

    /// The filter that let nothing pass, if one saw anything and let nothing pass.
    pub fn left_nothing(&self) -> Option<LeftNothing> {
        let stages = self.stages.borrow();
        let empty = stages.iter().find(|stage| stage.passed == 0)?;
        Some(LeftNothing {
            filter: empty.filter,
            of: empty.seen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_filter_that_lets_nothing_pass_is_named() {
        let filters = Filters::default();
        for number in 0..10 {
            let _ = filters.test(Filter("--op"), number % 2 == 0)
                && filters.test(Filter("-l"), number > 100)
                && filters.test(Filter("-S"), true);
        }
        let left = filters.left_nothing();
        assert_eq!(
            left,
            Some(LeftNothing {
                filter: Filter("-l"),
                of: 5
            })
        );
    }

    #[test]
    fn filters_that_let_something_pass_are_not_named() {
        let filters = Filters::default();
        assert!(filters.test(Filter("--op"), true));
        assert_eq!(filters.left_nothing(), None);
        assert_eq!(Filters::default().left_nothing(), None);
    }
}
