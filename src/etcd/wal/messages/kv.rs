//! Reads, puts, deletions and transactions.

use crate::etcd::wal::wire::{
    Field, Input, Label, Message, ReadMessage, Tag, Value, WireError, messages, open_enums,
};

use super::compare::Compare;

open_enums! {
    /// The order of what a read returns.
    SortOrder {
        NONE = 0 "NONE",
        ASCEND = 1 "ASCEND",
        DESCEND = 2 "DESCEND",
    }

    /// What a read sorts by.
    SortTarget {
        KEY = 0 "KEY",
        VERSION = 1 "VERSION",
        CREATE = 2 "CREATE",
        MOD = 3 "MOD",
        VALUE = 4 "VALUE",
    }
}

messages! {
    /// A read in a transaction.
    RangeRequest "RangeRequest" {
        1 "key" key: &'a [u8],
        2 "range_end" range_end: &'a [u8],
        3 "limit" limit: i64,
        4 "revision" revision: i64,
        5 "sort_order" sort_order: SortOrder,
        6 "sort_target" sort_target: SortTarget,
        7 "serializable" serializable: bool,
        8 "keys_only" keys_only: bool,
        9 "count_only" count_only: bool,
        10 "min_mod_revision" min_mod_revision: i64,
        11 "max_mod_revision" max_mod_revision: i64,
        12 "min_create_revision" min_create_revision: i64,
        13 "max_create_revision" max_create_revision: i64,
    }

    /// A put.
    #[derive(Copy)]
    PutRequest "PutRequest" {
        1 "key" key: &'a [u8],
        2 "value" value: &'a [u8],
        3 "lease" lease: i64,
        4 "prev_kv" prev_kv: bool,
        5 "ignore_value" ignore_value: bool,
        6 "ignore_lease" ignore_lease: bool,
    }

    /// A deletion of a key, or of all keys from it up to another.
    #[derive(Copy)]
    DeleteRangeRequest "DeleteRangeRequest" {
        1 "key" key: &'a [u8],
        2 "range_end" range_end: &'a [u8],
        3 "prev_kv" prev_kv: bool,
    }

    /// Operations that are done if all comparisons hold, and others if not.
    TxnRequest "TxnRequest" {
        1 "compare" compare: Vec<Compare<'a>>,
        2 "success" success: Vec<RequestOp<'a>>,
        3 "failure" failure: Vec<RequestOp<'a>>,
    }
}

/// One operation of a transaction; empty if it is of a kind that is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestOp<'a> {
    /// The operation.
    pub operation: Option<Operation<'a>>,
}

/// What an operation does. Boxed: a transaction may have many, and each may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation<'a> {
    /// It reads.
    Range(Box<RangeRequest<'a>>),
    /// It puts.
    Put(Box<PutRequest<'a>>),
    /// It deletes.
    DeleteRange(Box<DeleteRangeRequest<'a>>),
    /// It is a transaction itself.
    Txn(Box<TxnRequest<'a>>),
}

impl<'a> Message<'a> for RequestOp<'a> {
    fn name(&self) -> &'static str {
        "RequestOp"
    }

    fn fields(&self) -> Vec<Field<'_, 'a>> {
        let field = self.operation.as_ref().map(|operation| {
            let (name, message): (_, &dyn Message<'a>) = match operation {
                Operation::Range(range) => ("request_range", &**range),
                Operation::Put(put) => ("request_put", &**put),
                Operation::DeleteRange(delete) => ("request_delete_range", &**delete),
                Operation::Txn(txn) => ("request_txn", &**txn),
            };
            Field {
                name,
                label: Label::Choice,
                is_secret: false,
                values: vec![Value::Message(message)],
            }
        });
        field.into_iter().collect()
    }
}

fn read<'a, M: ReadMessage<'a>>(tag: Tag, input: &mut Input<'a, '_>) -> Result<Box<M>, WireError> {
    let mut message = Box::<M>::default();
    input.message(tag, &mut *message)?;
    Ok(message)
}

impl<'a> ReadMessage<'a> for RequestOp<'a> {
    const NUMBERS: &'static [u64] = &[1, 2, 3, 4];

    fn read_field(&mut self, tag: Tag, input: &mut Input<'a, '_>) -> Result<(), WireError> {
        self.operation = Some(match tag.number {
            1 => Operation::Range(read(tag, input)?),
            2 => Operation::Put(read(tag, input)?),
            3 => Operation::DeleteRange(read(tag, input)?),
            _ => Operation::Txn(read(tag, input)?),
        });
        Ok(())
    }
}

impl<'a> TxnRequest<'a> {
    /// The transactions that are operations of this one.
    pub fn nested(&self) -> impl Iterator<Item = &Self> {
        let ops = self.success.iter().chain(&self.failure);
        ops.filter_map(|op| match &op.operation {
            Some(Operation::Txn(txn)) => Some(&**txn),
            _ => None,
        })
    }
}

impl DeleteRangeRequest<'_> {
    /// Whether a key is among those to be deleted. An empty end means one key alone, a single 0 all keys from the first
    /// on.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self.range_end {
            [] => key == self.key,
            [0] => key >= self.key,
            end => key >= self.key && key < end,
        }
    }
}
