//! Makes a large etcd store for benchmarks:
//! `cargo run --release --example generate_store -- OUT.db 200MB [SEED]`,
//! or one of a special shape: `... -- OUT.db one-key`.

#[path = "../benches/support/special.rs"]
mod special;
#[path = "../benches/support/store.rs"]
mod store;
#[path = "../tests/support/synth/mod.rs"]
mod synth;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [out, shape] = arguments.as_slice()
        && let Some(shape) = special::Shape::named(shape)
    {
        return report(out, special::generate(Path::new(out), shape));
    }
    let parsed = match arguments.as_slice() {
        [out, size] => Some((out, store::parse_size(size), Some(1))),
        [out, size, seed] => Some((out, store::parse_size(size), seed.parse().ok())),
        _ => None,
    };
    let Some((out, Some(size), Some(seed))) = parsed else {
        let shapes = special::Shape::ALL.map(|(name, _)| name).join(", ");
        eprintln!("usage: generate_store OUT.db SIZE(200MB, 2GB) [SEED]");
        eprintln!("       generate_store OUT.db SHAPE({shapes})");
        return ExitCode::from(2);
    };
    report(out, store::generate(Path::new(out), size, seed))
}

/// Prints what was generated.
fn report(out: &str, generated: std::io::Result<store::Summary>) -> ExitCode {
    match generated {
        Ok(summary) => {
            println!("{summary:#?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{out}: {error}");
            ExitCode::from(2)
        }
    }
}
