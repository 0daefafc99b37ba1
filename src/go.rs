//! Text exactly as Go prints it: [`quote`] is `%q` and [`unquote`] the way back, `float` the floats of `fmt`, `encoding/json` and
//! sigs.k8s.io/yaml, `value` maps and lists by `fmt.Sprint` and `encoding/json`.
//!
//! etcd, etcd-dump-db, auger and kubectl are Go programs. Their output is the expected output here,
//! byte for byte.

pub(crate) mod float;
pub mod quote;
pub mod unquote;
pub(crate) mod value;
