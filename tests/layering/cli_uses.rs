//! The command line reads a store only through `query`.

use super::uses::Modules;

const BELOW_QUERY: [&str; 3] = ["bbolt", "etcd", "k8s"];

#[test]
fn the_command_line_uses_nothing_below_query() {
    let mut uses = 0;
    let modules = Modules::read().0.iter();
    for (_, module) in modules.filter(|(path, _)| path.first().is_some_and(|name| name == "cli")) {
        for used in &module.uses {
            let layer = used.first().map_or("", String::as_str);
            assert!(
                !BELOW_QUERY.contains(&layer),
                "{} uses {}",
                module.file,
                used.join("::")
            );
            uses += 1;
        }
    }
    assert!(uses > 500, "compared {uses} uses");
}
