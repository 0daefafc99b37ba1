//! Verb by verb: the flags on the one screen of `-h`, and the examples at the end of `--help`.
//!
//! The tests run every example in a folder with the files that it names: `snap.db` and `old.db` are two snapshots of a
//! cluster, `etcd-data` is a member's data directory, `broken.db` is damaged.

/// What is special about the help of a verb.
#[derive(Debug)]
pub struct Page {
    /// The verb, with the verb below it if it has such; empty for the program.
    pub verb: &'static str,
    /// The flags in `-h`, by their long names.
    pub common: &'static [&'static str],
    /// Two to four examples.
    pub examples: &'static [Example],
}

/// A command line that works.
#[derive(Debug)]
pub struct Example {
    /// What it does.
    pub does: &'static str,
    /// The line, as it is typed.
    pub line: &'static str,
}

const fn example(does: &'static str, line: &'static str) -> Example {
    Example { does, line }
}

/// All pages.
pub const PAGES: &[Page] = &[
    Page {
        verb: "",
        common: &[],
        examples: &[
            example(
                "What is in this file, and is it intact",
                "etcdive status snap.db",
            ),
            example(
                "The pods of a namespace",
                "etcdive get snap.db pods -n prod",
            ),
            example(
                "Who changed a deployment, and when",
                "etcdive log snap.db deploy/web -n prod",
            ),
            example(
                "What was deleted, as manifests",
                "etcdive recover snap.db -n prod -o yaml",
            ),
        ],
    },
    Page {
        verb: "status",
        common: &["output", "write-out", "style", "evidence"],
        examples: &[
            example("The state of a snapshot", "etcdive status snap.db"),
            example(
                "As etcdutl prints it, for a script",
                "etcdive status snap.db -w json",
            ),
            example(
                "With the SHA-256, for a report",
                "etcdive status snap.db --evidence",
            ),
        ],
    },
    Page {
        verb: "ls",
        common: &[
            "namespace",
            "selector",
            "at",
            "kinds",
            "namespaces",
            "match",
            "deleted",
            "sort",
            "limit",
            "output",
        ],
        examples: &[
            example(
                "How many objects of each kind there are",
                "etcdive ls snap.db --kinds",
            ),
            example(
                "The deleted keys of a namespace",
                "etcdive ls snap.db -n prod --deleted",
            ),
            example(
                "The five largest values",
                "etcdive ls snap.db --sort size --limit 5 -o jsonl",
            ),
            example(
                "The pods of all namespaces whose key contains web",
                "etcdive ls snap.db pods --match '*web*'",
            ),
        ],
    },
    Page {
        verb: "get",
        common: &[
            "namespace",
            "selector",
            "at",
            "at-time",
            "output",
            "show-labels",
            "sort-by",
            "out",
            "prefix",
            "write-out",
        ],
        examples: &[
            example(
                "The pods of a namespace, as kubectl shows them",
                "etcdive get snap.db pods -n prod -o wide",
            ),
            example(
                "An object as it was at revision 1500",
                "etcdive get snap.db deploy/web -n prod --at 1500 -o yaml",
            ),
            example(
                "One field of an object",
                "etcdive get snap.db deploy/web -n prod -o jsonpath={.spec.replicas}",
            ),
            example(
                "A raw key, as etcdctl prints it",
                "etcdive get snap.db /registry/ranges/servicenodeports -w json",
            ),
        ],
    },
    Page {
        verb: "events",
        common: &["namespace", "for", "types", "at", "output", "limit"],
        examples: &[
            example(
                "The events of a pod",
                "etcdive events snap.db --for rs/web-5dfb8fd985 -n prod",
            ),
            example(
                "The warnings of all namespaces",
                "etcdive events snap.db --types Warning",
            ),
        ],
    },
    Page {
        verb: "show",
        common: &[
            "namespace",
            "at",
            "at-time",
            "manager",
            "show-secrets",
            "output",
        ],
        examples: &[
            example(
                "Describe an object: owners, last changes, events",
                "etcdive show snap.db deploy/web -n prod",
            ),
            example(
                "An object as its third version",
                "etcdive show snap.db deploy/web@v3 -n prod",
            ),
            example(
                "Everything that one transaction wrote",
                "etcdive show snap.db 2185",
            ),
        ],
    },
    Page {
        verb: "log",
        common: &[
            "namespace",
            "selector",
            "since",
            "until",
            "op",
            "manager",
            "patch",
            "stat",
            "oneline",
            "limit",
        ],
        examples: &[
            example(
                "The history of an object, with the changed fields",
                "etcdive log snap.db deploy/web -n prod -p",
            ),
            example(
                "Everything deleted in a namespace",
                "etcdive log snap.db -n prod --op delete",
            ),
            example(
                "The changes of the last ten minutes, without events",
                "etcdive log snap.db --since 10m --exclude events",
            ),
            example(
                "When the image changed",
                "etcdive log snap.db deploy/web -n prod -G image",
            ),
        ],
    },
    Page {
        verb: "diff",
        common: &[
            "namespace",
            "since",
            "until",
            "exclude-status",
            "name-only",
            "stat",
            "show-secrets",
            "output",
        ],
        examples: &[
            example(
                "What changed between two snapshots",
                "etcdive diff old.db snap.db -n prod",
            ),
            example(
                "What two revisions changed, the names only",
                "etcdive diff snap.db 2180..2190 --name-only",
            ),
            example(
                "How a deployment differs from six minutes ago",
                "etcdive diff snap.db --since 6m deploy/web",
            ),
        ],
    },
    Page {
        verb: "blame",
        common: &[
            "namespace",
            "at",
            "at-time",
            "show-secrets",
            "carve",
            "wal",
            "output",
        ],
        examples: &[
            example(
                "Who wrote each line of a ConfigMap",
                "etcdive blame snap.db cm/app-config -n prod",
            ),
            example(
                "The same as of revision 1900",
                "etcdive blame snap.db cm/app-config -n prod --at 1900",
            ),
        ],
    },
    Page {
        verb: "grep",
        common: &[
            "namespace",
            "history",
            "fixed-strings",
            "ignore-case",
            "name-only",
            "count",
            "show-secrets",
            "output",
        ],
        examples: &[
            example(
                "Every object that mentions an image",
                "etcdive grep snap.db books/web -F --name-only",
            ),
            example(
                "When a user name was in any object, ever",
                "etcdive grep snap.db mallory --history",
            ),
            example(
                "A pattern, in ConfigMaps only",
                "etcdive grep snap.db 'mode: .*after' configmaps",
            ),
        ],
    },
    Page {
        verb: "watch",
        common: &[
            "namespace",
            "rev",
            "to",
            "since",
            "until",
            "prefix",
            "op",
            "write-out",
            "output",
        ],
        examples: &[
            example(
                "The changes of ConfigMaps from a revision on",
                "etcdive watch snap.db configmaps --rev 2180",
            ),
            example(
                "The deletions below a key, as JSON",
                "etcdive watch snap.db /registry/configmaps/ --rev 2180 --op delete -o jsonl",
            ),
        ],
    },
    Page {
        verb: "verify",
        common: &["require-sha", "max-age", "min-revision", "quiet", "output"],
        examples: &[
            example("Is this backup good?", "etcdive verify snap.db"),
            example(
                "All backups, only those that are not good",
                "etcdive verify --quiet old.db snap.db broken.db",
            ),
            example(
                "The last line of a backup job",
                "etcdive verify snap.db --require-sha --max-age 25h --now 2026-11-20T22:00:00Z",
            ),
            example(
                "For a monitoring system",
                "etcdive verify old.db snap.db -o jsonl",
            ),
        ],
    },
    Page {
        verb: "fsck",
        common: &["layer", "output", "encryption-config"],
        examples: &[
            example("Check everything", "etcdive fsck snap.db"),
            example(
                "Only the pages of a damaged file",
                "etcdive fsck broken.db --layer bbolt",
            ),
            example(
                "For a script: the verdict and each finding",
                "etcdive fsck broken.db -o json",
            ),
        ],
    },
    Page {
        verb: "explain",
        common: &[],
        examples: &[
            example(
                "What a finding of fsck means",
                "etcdive explain page-id-mismatch",
            ),
            example("All codes", "etcdive explain"),
        ],
    },
    Page {
        verb: "compare",
        common: &["rev", "limit", "output"],
        examples: &[
            example("Two members", "etcdive compare old.db snap.db"),
            example(
                "At a revision, for a script",
                "etcdive compare old.db snap.db --rev 1900 -o json",
            ),
            example(
                "A data directory and a backup of it",
                "etcdive compare etcd-data snap.db",
            ),
        ],
    },
    Page {
        verb: "hash",
        common: &["output"],
        examples: &[
            example("Both hashes of a snapshot", "etcdive hash snap.db"),
            example("For a script", "etcdive hash snap.db -o json"),
        ],
    },
    Page {
        verb: "hashkv",
        common: &["rev", "all", "write-out"],
        examples: &[
            example(
                "The hash that members are compared by",
                "etcdive hashkv snap.db",
            ),
            example(
                "At the newest revision of another member",
                "etcdive hashkv snap.db --rev 1990",
            ),
            example(
                "At every revision, for a script",
                "etcdive hashkv snap.db --all -w json",
            ),
        ],
    },
    Page {
        verb: "recover",
        common: &[
            "namespace",
            "selector",
            "at",
            "since",
            "until",
            "plan",
            "out",
            "for",
            "carve",
            "wal",
            "output",
        ],
        examples: &[
            example(
                "What was deleted in a namespace",
                "etcdive recover snap.db -n prod",
            ),
            example(
                "What would be written, and what is left out",
                "etcdive recover snap.db -n prod --plan",
            ),
            example(
                "Write one manifest for each object",
                "etcdive recover snap.db -n prod --out restored",
            ),
            example(
                "Everything that existed at revision 1500, to a cluster",
                "etcdive recover snap.db -n prod --at 1500 -o yaml | kubectl create -f -",
            ),
        ],
    },
    Page {
        verb: "restore",
        common: &[
            "out",
            "data-dir",
            "wal",
            "at",
            "at-time",
            "history",
            "prefix",
            "allow-loss",
            "carve",
            "output",
        ],
        examples: &[
            example(
                "A database as of revision 1500, for `etcdutl snapshot restore`",
                "etcdive restore snap.db --out as-of-1500.db --at 1500",
            ),
            example(
                "The newest state that can be read of a damaged file",
                "etcdive restore broken.db --out rest.db --allow-loss",
            ),
            example(
                "A data directory on which etcd starts, up to the last write in the log",
                "etcdive restore etcd-data --wal --data-dir new.etcd",
            ),
            example(
                "Only one namespace's ConfigMaps, without history",
                "etcdive restore snap.db --out part.db --prefix /registry/configmaps/prod/",
            ),
        ],
    },
    Page {
        verb: "pages",
        common: &["output"],
        examples: &[
            example(
                "All pages, with the bucket that uses each",
                "etcdive pages snap.db",
            ),
            example(
                "Byte for byte as bbolt prints them",
                "etcdive pages snap.db -o bbolt",
            ),
        ],
    },
    Page {
        verb: "page",
        common: &["values", "output"],
        examples: &[
            example("Both meta pages", "etcdive page snap.db 0 1"),
            example(
                "A page with the bytes of its values",
                "etcdive page snap.db 3 --values",
            ),
        ],
    },
    Page {
        verb: "buckets",
        common: &["output"],
        examples: &[
            example("The names", "etcdive buckets snap.db"),
            example("With sizes", "etcdive buckets snap.db -o table"),
        ],
    },
    Page {
        verb: "hexdump",
        common: &["page", "offset", "length", "output"],
        examples: &[
            example("A page", "etcdive hexdump snap.db --page 3"),
            example(
                "The first 64 bytes of the file",
                "etcdive hexdump snap.db --length 64",
            ),
        ],
    },
    Page {
        verb: "wal",
        common: &[
            "key",
            "limit",
            "values",
            "show-secrets",
            "start-index",
            "end-index",
            "output",
            "style",
        ],
        examples: &[
            example("The last ten requests", "etcdive wal etcd-data -n 10"),
            example(
                "Every request about the keys below a prefix",
                "etcdive wal etcd-data --key /registry/ --values",
            ),
            example(
                "As etcd-dump-logs prints it",
                "etcdive wal etcd-data --style etcd-dump-logs",
            ),
        ],
    },
    Page {
        verb: "extract",
        common: &[
            "file",
            "key",
            "output",
            "version",
            "revision",
            "list-versions",
            "raw",
        ],
        examples: &[
            example(
                "One object, as auger prints it",
                "etcdive extract -f snap.db -k /registry/configmaps/prod/frozen",
            ),
            example(
                "Which versions of it are retained",
                "etcdive extract -f snap.db -k /registry/configmaps/prod/frozen --list-versions",
            ),
            example(
                "The live keys with the sizes of their values",
                "etcdive extract -f snap.db --fields key,value-size",
            ),
        ],
    },
    Page {
        verb: "decode",
        common: &["file", "output", "key", "encryption-config"],
        examples: &[
            example(
                "A file with a stored value, in any form",
                "etcdive decode value.base64",
            ),
            example("As JSON", "etcdive decode value.base64 -o json"),
        ],
    },
    Page {
        verb: "du",
        common: &["by", "depth", "sort", "limit", "metadata", "output"],
        examples: &[
            example(
                "What fills the file, and what frees it",
                "etcdive du snap.db",
            ),
            example(
                "The ten largest keys, history included",
                "etcdive du snap.db --by key --limit 10",
            ),
            example(
                "The keys with the most retained revisions",
                "etcdive du snap.db --by key --sort revisions",
            ),
            example(
                "How much of the objects is managedFields",
                "etcdive du snap.db --metadata -o json",
            ),
        ],
    },
    Page {
        verb: "churn",
        common: &[
            "namespace",
            "since",
            "until",
            "by",
            "exclude",
            "limit",
            "output",
        ],
        examples: &[
            example("Who writes how much", "etcdive churn snap.db"),
            example(
                "The last ten minutes, without events",
                "etcdive churn snap.db --since 10m --exclude events",
            ),
            example(
                "Fields that two programs flip, and writes without a change",
                "etcdive churn snap.db --by fights,no-change",
            ),
            example(
                "Who writes in a namespace, between two revisions",
                "etcdive churn snap.db 1500..@ -n prod --by manager",
            ),
        ],
    },
    Page {
        verb: "analyze",
        common: &["file"],
        examples: &[
            example("Where the space goes", "etcdive analyze snap.db"),
            example("With auger's flag", "etcdive analyze -f snap.db"),
        ],
    },
    Page {
        verb: "checksum",
        common: &["file", "revision"],
        examples: &[
            example(
                "Compare the lines of two members",
                "etcdive checksum snap.db",
            ),
            example(
                "As of a revision that both have",
                "etcdive checksum snap.db -r 2190",
            ),
        ],
    },
    Page {
        verb: "dump-db",
        common: &[],
        examples: &[
            example(
                "All revisions of all keys, newest first",
                "etcdive dump-db iterate-bucket snap.db key --decode",
            ),
            example(
                "The hash that members can be compared by",
                "etcdive dump-db hash snap.db",
            ),
        ],
    },
    Page {
        verb: "dump-db list-bucket",
        common: &[],
        examples: &[
            example(
                "The buckets of a snapshot",
                "etcdive dump-db list-bucket snap.db",
            ),
            example(
                "The buckets of a damaged file",
                "etcdive dump-db list-bucket broken.db",
            ),
        ],
    },
    Page {
        verb: "dump-db iterate-bucket",
        common: &["decode", "limit", "style"],
        examples: &[
            example(
                "The five newest records, decoded",
                "etcdive dump-db iterate-bucket snap.db key --decode --limit 5",
            ),
            example(
                "The small bucket meta",
                "etcdive dump-db iterate-bucket snap.db meta --decode",
            ),
        ],
    },
    Page {
        verb: "dump-db scan-keys",
        common: &["style"],
        examples: &[
            example(
                "Records of revision 2190 and later, free pages included",
                "etcdive dump-db scan-keys snap.db 2190",
            ),
            example(
                "Every record of every page",
                "etcdive dump-db scan-keys snap.db",
            ),
        ],
    },
    Page {
        verb: "dump-db hash",
        common: &[],
        examples: &[
            example("The hash over all buckets", "etcdive dump-db hash snap.db"),
            example(
                "The hash of another snapshot",
                "etcdive dump-db hash old.db",
            ),
        ],
    },
    Page {
        verb: "help",
        common: &[],
        examples: &[
            example("How objects and keys are named", "etcdive help addresses"),
            example("The same as get --help", "etcdive help get"),
        ],
    },
    Page {
        verb: "completions",
        common: &[],
        examples: &[
            example("In ~/.bashrc", "source <(etcdive completions bash)"),
            example(
                "In ~/.zshrc, after compinit",
                "source <(etcdive completions zsh)",
            ),
            example(
                "In ~/.config/fish/config.fish",
                "etcdive completions fish | source",
            ),
        ],
    },
    Page {
        verb: "man",
        common: &["list"],
        examples: &[
            example("Read the page of a verb", "etcdive man get | man -l -"),
            example("The names of all pages", "etcdive man --list"),
        ],
    },
];
