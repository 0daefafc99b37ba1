//! Questions and their answers as data: which store, which revision, which objects, what was found, and everything
//! that the answer has to admit. No sentence is made here: `view` words notices and failures.

pub mod address;
pub mod all_evidence;
pub mod catalog;
pub mod check;
pub mod compare;
pub mod deletions;
pub mod diff;
pub mod event_log;
pub mod evidence;
pub mod file_status;
pub mod filters;
pub mod glob;
pub mod key_list;
pub mod live_objects;
pub mod logs;
pub mod no_answer;
pub mod not_found;
pub mod notice;
pub mod object_check;
pub mod objects;
pub mod origins;
pub mod page_layout;
pub mod question;
pub mod recovery;
pub mod recovery_notice;
pub mod resolve;
pub mod revision;
pub mod search;
pub mod select;
pub mod sort_key;
pub mod tally;
pub mod timeline;
pub mod writers;

pub use evidence::Evidence;
pub use no_answer::NoAnswer;
pub use notice::{Notice, Notices};
pub use origins::Origins;
pub use question::{Answer, Question};
