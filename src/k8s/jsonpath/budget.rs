//! Limits the work that the templates of one run may do.
//!
//! A template can multiply values: `..a..a..a` on an object that is nested a hundred levels deep visits a hundred
//! thousand values. So work is counted in steps. A step is a value that is visited, kept or sorted, or a byte that is
//! printed into a cell. An ordinary path takes about ten steps per object and never reaches a limit.
//!
//! **Which limits exist.** Steps are taken from three allowances in turn:
//! 1. Each template has some steps of its own for each object ([`Limits::path`]).
//! 2. Further steps are taken from the allowance of the object, which all templates share. It grows with the size of the
//!    object ([`Limits::object`], [`Limits::object_per_unit`]).
//! 3. The same steps are also taken from the allowance of the whole run ([`Limits::run`]), except for a part that grows
//!    with the size of the object and is free ([`Limits::free_per_unit`]). So a run over many objects is not limited by
//!    their number.
//!
//! **Example.** A typed template needs 30,000 steps on an object of 1,000 units (nodes and bytes of texts). Its own
//! allowance covers 1,024. The other 28,976 are taken from the object's allowance of 4,194,304 + 64 * 1,000. 16 * 1,000
//! of them are free, so the run pays 12,976 of its 16,777,216.
//!
//! In addition, the number of values that are kept at the same time is limited ([`MIN_KEPT`], [`KEPT_PER_UNIT`]).

use std::cell::{Cell, RefCell};

use serde_json::Value;

use super::JsonPathError;

/// The number of values that one step may return, or that all steps may keep together, for an object of any size.
const MIN_KEPT: usize = 1 << 20;

/// Further values that may be kept per unit of the object (a node or a byte of text). `..` returns one value per node, a
/// second `..` one for each pair of a node and its ancestor, and so on.
const KEPT_PER_UNIT: usize = 4;

/// The allowances of a run, in steps.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Steps of each template on each object, before other allowances are used.
    path: usize,
    /// Further steps of all templates together on one object of any size.
    object: usize,
    /// Further steps on one object per unit of its size.
    object_per_unit: usize,
    /// Steps on an object, per unit of its size, that are not taken from the allowance of the run.
    free_per_unit: usize,
    /// Further steps in the whole run.
    run: usize,
}

/// For templates from the command line: about one second beyond the cost that grows with the objects.
const TYPED: Limits = Limits {
    path: 1 << 10,
    object: 1 << 22,
    object_per_unit: 64,
    free_per_unit: 16,
    run: 1 << 24,
};

/// For templates from the file: about a tenth of that.
const FROM_DEFINITIONS: Limits = Limits {
    path: 1 << 6,
    object: 1 << 18,
    object_per_unit: 16,
    free_per_unit: 4,
    run: 1 << 22,
};

/// The steps that are left in one run.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    run: Cell<usize>,
    object: RefCell<Object>,
}

/// The steps that are left for the current object.
#[derive(Debug, Clone, Copy)]
struct Object {
    steps: usize,
    /// The part of `steps` that is not taken from the run.
    free: usize,
    /// Whether the size of the object was added to the allowances. It is measured only if it is needed.
    is_measured: bool,
}

impl Budget {
    /// A budget for templates that the user typed.
    #[must_use]
    pub fn for_typed() -> Self {
        Self::new(TYPED)
    }

    /// A budget for templates from the file: the columns of custom resources.
    #[must_use]
    pub fn for_definitions() -> Self {
        Self::new(FROM_DEFINITIONS)
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

    /// Starts with the next object: its allowance is full.
    pub fn begin_object(&self) {
        *self.object.borrow_mut() = Object {
            steps: self.limits.object,
            free: 0,
            is_measured: false,
        };
    }

    /// Takes the steps for printing `bytes` bytes that were found in `root`.
    ///
    /// # Errors
    /// There are not enough steps left.
    pub fn pay_printed(&self, bytes: usize, root: &Value) -> Result<(), JsonPathError> {
        self.pay(bytes.saturating_sub(self.limits.path), root)
    }

    /// Takes steps from the allowances of the object `root` and of the run.
    fn pay(&self, steps: usize, root: &Value) -> Result<(), JsonPathError> {
        let mut object = self.object.borrow_mut();
        if !object.is_measured && steps > object.free {
            let size = size_of(root);
            let allowance = |per_unit: usize| size.saturating_mul(per_unit);
            let Limits {
                object_per_unit,
                free_per_unit,
                ..
            } = self.limits;
            object.is_measured = true;
            object.steps = object.steps.saturating_add(allowance(object_per_unit));
            object.free = allowance(free_per_unit);
        }
        let free = steps.min(object.free);
        let run_left = self.run.get().checked_sub(steps.saturating_sub(free));
        let object_left = object.steps.checked_sub(steps);
        let (Some(run_left), Some(object_left)) = (run_left, object_left) else {
            return Err(JsonPathError::TooMuch);
        };
        object.free = object.free.saturating_sub(free);
        object.steps = object_left;
        self.run.set(run_left);
        Ok(())
    }
}

/// The budget of one template on one object.
#[derive(Debug)]
pub(super) struct TemplateBudget<'b> {
    budget: &'b Budget,
    root: &'b Value,
    own: Cell<usize>,
    /// The number of values that may still be kept.
    kept: Cell<usize>,
    is_measured: Cell<bool>,
}

impl<'b> TemplateBudget<'b> {
    pub(super) fn new(budget: &'b Budget, root: &'b Value) -> Self {
        Self {
            budget,
            root,
            own: Cell::new(budget.limits.path),
            kept: Cell::new(MIN_KEPT),
            is_measured: Cell::new(false),
        }
    }

    /// Takes steps: first the template's own, then from the run's budget.
    pub(super) fn pay(&self, steps: usize) -> Result<(), JsonPathError> {
        let own = self.own.get();
        self.own.set(own.saturating_sub(steps));
        match steps.saturating_sub(own) {
            0 => Ok(()),
            more => self.budget.pay(more, self.root),
        }
    }

    /// Reserves values that are kept until the end.
    pub(super) fn keep(&self, values: usize) -> Result<(), JsonPathError> {
        self.room_for(values)?;
        self.kept.set(self.kept.get().saturating_sub(values));
        Ok(())
    }

    /// Checks that so many values can be kept.
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

/// The size of a tree in units: its nodes plus the bytes of its texts.
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
