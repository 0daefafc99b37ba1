//! One operation of a transaction.

use crate::etcd::wal::wire::{Field, Input, Label, Message, ReadMessage, Tag, Value, WireError};

use super::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest};

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
