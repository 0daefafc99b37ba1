//! How much work the templates of one run may do.
//!
//! A template multiplies: `..a..a..a` on an object that is nested a hundred levels deep looks at a hundred
//! thousand values. So each run has a budget, in steps: a value that is looked at, kept or sorted, or a
//! byte that is printed into a cell. An ordinary path takes some ten, and never comes to the limits.

use std::cell::{Cell, RefCell};

use serde_json::Value;

use super::JsonPathError;

/// What one step may give, or all steps together keep, whatever the size of the object, in values.
const MIN_KEPT: usize = 1 << 20;

/// The same for each byte and node of the object: `..` gives one value a node, a second `..` one for
/// each pair of a node and one above it, and so on without end.
const KEPT_PER_UNIT: usize = 4;

/// How far the work of one run may go.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Steps that each template may take on each object whatever the others took.
    path: usize,
    /// Steps that all templates together may take on one object, beside those.
    object: usize,
    /// The same, for each byte and node of the object.
    object_per_unit: usize,
    /// Steps for each byte and node of an object that are not taken from those of the run.
    free_per_unit: usize,
    /// Steps of the run beyond all these.
    run: usize,
}

/// Templates of the command line: a second beyond what the objects explain.
const TYPED: Limits = Limits {
    path: 1 << 10,
    object: 1 << 22,
    object_per_unit: 64,
    free_per_unit: 16,
    run: 1 << 24,
};

/// Templates of the file: a tenth of that.
const OF_DEFINITIONS: Limits = Limits {
    path: 1 << 6,
    object: 1 << 18,
    object_per_unit: 16,
    free_per_unit: 4,
    run: 1 << 22,
};

/// The steps of one run that are left.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    run: Cell<usize>,
    object: RefCell<Object>,
}

/// What is left for the object at hand.
#[derive(Debug, Clone, Copy)]
struct Object {
    steps: usize,
    /// Those of `steps` that are not taken from the run's.
    free: usize,
    is_measured: bool,
}

impl Budget {
    /// For templates that were typed.
    #[must_use]
    pub fn for_typed() -> Self {
        Self::new(TYPED)
    }

    /// For templates that come from the file: the columns of custom resources.
    #[must_use]
    pub fn for_definitions() -> Self {
        Self::new(OF_DEFINITIONS)
    }

    fn new(limits: Limits) -> Self {
        let budget = Self {
            limits,
            run: Cell::new(limits.run),
            object: RefCell::new(Object {
                steps: 0,
                free: 0,
                is_measured: false,
            }),
        };
        budget.begin_object();
        budget
    }

    /// From here on steps are those on another object.
    pub fn begin_object(&self) {
        *self.object.borrow_mut() = Object {
            steps: self.limits.object,
            free: 0,
            is_measured: false,
        };
    }

    /// Takes the steps of printing so many bytes of something found in `root`.
    ///
    /// # Errors
    /// There are not so many left.
    pub fn pay_printed(&self, bytes: usize, root: &Value) -> Result<(), JsonPathError> {
        self.pay(bytes.saturating_sub(self.limits.path), root)
    }

    fn pay(&self, steps: usize, root: &Value) -> Result<(), JsonPathError> {
        let mut object = self.object.borrow_mut();
        if !object.is_measured && steps > object.free {
            let size = size_of(root);
            let of_size = |per_unit: usize| size.saturating_mul(per_unit);
            let Limits {
                object_per_unit,
                free_per_unit,
                ..
            } = self.limits;
            object.is_measured = true;
            object.steps = object.steps.saturating_add(of_size(object_per_unit));
            object.free = of_size(free_per_unit);
        }
        let free = steps.min(object.free);
        let of_run = self.run.get().checked_sub(steps.saturating_sub(free));
        let of_object = object.steps.checked_sub(steps);
        let (Some(of_run), Some(of_object)) = (of_run, of_object) else {
            return Err(JsonPathError::TooMuch);
        };
        object.free = object.free.saturating_sub(free);
        object.steps = of_object;
        self.run.set(of_run);
        Ok(())
    }
}

/// What one template may still do on one object.
#[derive(Debug)]
pub(super) struct Purse<'b> {
    budget: &'b Budget,
    root: &'b Value,
    own: Cell<usize>,
    /// Values that may still be kept.
    kept: Cell<usize>,
    is_measured: Cell<bool>,
}

impl<'b> Purse<'b> {
    pub(super) fn new(budget: &'b Budget, root: &'b Value) -> Self {
        Self {
            budget,
            root,
            own: Cell::new(budget.limits.path),
            kept: Cell::new(MIN_KEPT),
            is_measured: Cell::new(false),
        }
    }

    /// Takes so many steps.
    pub(super) fn pay(&self, steps: usize) -> Result<(), JsonPathError> {
        let own = self.own.get();
        self.own.set(own.saturating_sub(steps));
        match steps.saturating_sub(own) {
            0 => Ok(()),
            more => self.budget.pay(more, self.root),
        }
    }

    /// Keeps so many values for good.
    pub(super) fn keep(&self, values: usize) -> Result<(), JsonPathError> {
        self.room_for(values)?;
        self.kept.set(self.kept.get().saturating_sub(values));
        Ok(())
    }

    /// Whether so many values can be kept.
    pub(super) fn room_for(&self, values: usize) -> Result<(), JsonPathError> {
        if self.kept.get() < values && !self.is_measured.replace(true) {
            let more = size_of(self.root).saturating_mul(KEPT_PER_UNIT);
            self.kept.set(self.kept.get().saturating_add(more));
        }
        if self.kept.get() < values {
            return Err(JsonPathError::TooMuch);
        }
        Ok(())
    }
}

/// Nodes of a tree, and bytes of its texts.
fn size_of(root: &Value) -> usize {
    let mut size = 0_usize;
    let mut waiting = vec![root];
    while let Some(value) = waiting.pop() {
        size = size.saturating_add(1);
        match value {
            Value::String(text) => size = size.saturating_add(text.len()),
            Value::Array(list) => waiting.extend(list),
            Value::Object(map) => waiting.extend(map.values()),
            _ => {}
        }
    }
    size
}
