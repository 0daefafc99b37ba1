//! Writes many live objects on all cores, each to a sink of its own.

use rayon::prelude::*;
use serde_json::Value;

use crate::etcd::PlacedRecord;
use crate::k8s::decode::{Decoder, Note, Options};
use crate::k8s::envelope::PROTOBUF_MAGIC;
use crate::k8s::object::{as_kubectl_shows, is_object, tree_with};
use crate::k8s::shown::ShownSink;
use crate::k8s::sink::{Order, Sink};

use super::super::value_reader::ValueReader;
use super::LiveObjects;

/// How an object is written.
pub struct Writing<'w, S> {
    /// The order of its fields.
    pub order: Order,
    /// Whether managedFields are written.
    pub managed_fields: bool,
    /// An empty sink for a value of this length in bytes.
    pub sink: &'w (dyn Fn(usize) -> S + Sync),
    /// Writes a tree to a sink, its keys in the order.
    pub tree: &'w (dyn Fn(&Value, &mut S) + Sync),
}

/// An object that was written to a sink, with what the reader of it should know.
pub type Written<S> = (S, Vec<Note>);

impl LiveObjects<'_, '_> {
    /// Writes the objects of a batch, in its order. None for a record that has to be written alone: a selector has to
    /// look into it, it is no object, or something about it has to be reported.
    pub fn write_batch<S: Sink + Send>(
        &self,
        batch: &[PlacedRecord<'_>],
        writing: &Writing<'_, S>,
    ) -> Vec<Option<Written<S>>> {
        if self.has_selectors() || self.filters.release.is_some() {
            return batch.iter().map(|_| None).collect();
        }
        let objects = self.question.objects();
        let writer = Writer {
            reader: objects.values(),
            as_served: self.filters.as_served,
            writing,
        };
        let written = batch
            .par_iter()
            .map_init(Default::default, |(decoder, buffer), placed| {
                writer.write(placed, decoder, buffer)
            });
        let written = written.collect();
        objects.forget_read(batch.len());
        written
    }
}

/// Writes objects, from any thread.
struct Writer<'w, S> {
    reader: ValueReader<'w>,
    as_served: bool,
    writing: &'w Writing<'w, S>,
}

impl<S: Sink> Writer<'_, S> {
    fn write(
        &self,
        placed: &PlacedRecord<'_>,
        decoder: &mut Decoder,
        buffer: &mut Vec<u8>,
    ) -> Option<Written<S>> {
        // Keys are in another order than their records in the file.
        let record = placed.copy(self.reader.source, buffer)?;
        let writing = self.writing;
        let value = self.reader.decrypt(&record).ok()?;
        let mut sink = (writing.sink)(value.len());
        if !value.starts_with(PROTOBUF_MAGIC) {
            let (mut tree, notes) = tree_with(&value, self.options(Order::Declared)).ok()?;
            if !is_object(&tree) || !notes.is_empty() {
                return None;
            }
            as_kubectl_shows(&mut tree, record.mod_revision, writing.managed_fields);
            (writing.tree)(&tree, &mut sink);
            return Some((sink, notes));
        }
        let (order, revision) = (writing.order, record.mod_revision);
        let mut shown = ShownSink::new(&mut sink, order, revision, writing.managed_fields);
        let decoded = decoder.decode(&value, self.options(order), &mut shown);
        let notes = decoded.ok()?.notes;
        Some((sink, notes))
    }

    fn options(&self, order: Order) -> Options {
        Options {
            order,
            as_served: self.as_served,
        }
    }
}
