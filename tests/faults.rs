//! The proof that damage hides nothing that is left, and is reported: hundreds of corruptions of real files,
//! and the matrix of faults, a test each. Every answer is compared with the exact set of the records
//! whose bytes the fault did not touch.
//!
//! Rows 26 and 27 of the matrix are about the write-ahead log; 28, 30 and 31 about a file that changes while it is
//! read and about output: `evidence`, `source` and the tests of the views have them. Row 16 tries one byte
//! value in 67; with ETCDIVE_EXHAUSTIVE set it tries all.

mod files;
mod metas;
mod pages;
mod records;
mod row;
mod run;
mod three_hundred;
mod torn;
mod traps;
mod whole;
mod world;
