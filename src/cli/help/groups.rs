//! The groups of verbs in the help of the program.

/// Verbs that belong together.
#[derive(Debug)]
pub struct Group {
    /// Its name in `-h`.
    pub name: &'static str,
    /// Its name in `--help`.
    pub long_name: &'static str,
    /// Whether `-h` lists the names of the verbs only.
    pub is_named_only: bool,
    /// The verbs, the most used first.
    pub verbs: &'static [&'static str],
}

/// All verbs, in groups.
pub const GROUPS: [Group; 8] = [
    Group {
        name: "Look",
        long_name: "Look at what is stored",
        is_named_only: false,
        verbs: &["status", "ls", "get", "events", "show"],
    },
    Group {
        name: "History",
        long_name: "See what changed, when, and who changed it",
        is_named_only: false,
        verbs: &["log", "diff", "blame", "grep", "watch"],
    },
    Group {
        name: "Space",
        long_name: "See what fills the file, and who writes how much",
        is_named_only: true,
        verbs: &["du", "churn"],
    },
    Group {
        name: "Health",
        long_name: "Check the file",
        is_named_only: false,
        verbs: &["verify", "fsck", "compare"],
    },
    Group {
        name: "Bring back",
        long_name: "Bring back what was deleted",
        is_named_only: false,
        verbs: &["recover", "restore"],
    },
    Group {
        name: "Plumbing",
        long_name: "Plumbing: pages, bytes and the write-ahead log",
        is_named_only: true,
        verbs: &["pages", "page", "buckets", "hexdump", "wal"],
    },
    Group {
        name: "Compatible",
        long_name: "Compatible: the arguments and the text of auger, etcd-dump-db and etcdutl",
        is_named_only: true,
        verbs: &[
            "extract", "decode", "analyze", "checksum", "dump-db", "hash", "hashkv",
        ],
    },
    Group {
        name: "Other",
        long_name: "Help and shells",
        is_named_only: true,
        verbs: &["explain", "help", "completions", "man"],
    },
];
