//! The flags of a run as a hint repeats them: a hint that drops one leads back to where the user was.

use crate::view::command::quoted;

use super::{Args, HistoryArg, Output};

/// A flag with its value, as a shell reads it.
pub(super) fn with_value(flag: &str, value: &str) -> String {
    match value.starts_with('-') {
        true => format!("{flag}={}", quoted(value)),
        false => format!("{flag} {}", quoted(value)),
    }
}

/// All flags that were typed, apart from those with their default.
pub(super) fn flags(args: &Args) -> Vec<String> {
    let mut flags = target(args);
    let mut add = |flag: &str, value: Option<String>| {
        flags.extend(value.map(|value| with_value(flag, &value)));
    };
    add("--at", args.at.map(|at| at.to_string()));
    add("--at-time", args.at_time.clone());
    let history = args.history.map(|history| match history {
        HistoryArg::All => "all",
        HistoryArg::None => "none",
    });
    add("--history", history.map(str::to_owned));
    for (flag, keys) in [("--prefix", &args.prefix), ("--exclude", &args.exclude)] {
        for key in keys {
            add(flag, Some(key.to_string_lossy().into_owned()));
        }
    }
    let ttl = (args.lease_ttl != 3600).then(|| args.lease_ttl.to_string());
    add("--lease-ttl", ttl);
    add("--auth", args.auth.map(|_| "off".to_owned()));
    let is_json = args.output == Output::Json;
    add("--output", is_json.then(|| "json".to_owned()));
    let switches = [
        ("--allow-loss", args.allow_loss),
        ("--drop-corrupt-alarm", args.drop_corrupt_alarm),
        ("--skip-hash-check", args.member.skip_hash_check),
        ("--carve", args.carve),
    ];
    let switches = switches.into_iter().filter(|(_, is_on)| *is_on);
    flags.extend(switches.map(|(flag, _)| flag.to_owned()));
    flags
}

/// The target and the log.
fn target(args: &Args) -> Vec<String> {
    let mut flags = match &args.out {
        Some(out) => vec![with_value("--out", &out.display().to_string())],
        None => args.member.typed(),
    };
    match &args.log.wal {
        Some(Some(dir)) => flags.push(format!("--wal={}", quoted(&dir.to_string_lossy()))),
        Some(None) => flags.push("--wal".to_owned()),
        None => {}
    }
    if args.log.committed_only {
        flags.push("--committed-only".to_owned());
    }
    flags
}
