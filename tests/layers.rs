//! The direction of dependencies, as ARCHITECTURE.md draws it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

/// Each layer and the layers it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("packet", &[]),
    ("flow", &["packet"]),
    ("protocol", &["wire", "flow", "packet"]),
    ("registry", &[]),
    ("verdict", &["protocol", "registry", "packet", "flow"]),
    ("process", &["packet"]),
    ("report", &["verdict", "protocol", "packet", "process", "registry"]),
    ("view", &["report", "verdict", "protocol", "packet"]),
    ("capture", &["packet"]),
    ("sandbox", &[]),
    ("pipeline", &["capture", "flow", "packet", "protocol", "registry", "verdict"]),
];

fn sources(layer: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Ok(entries) = std::fs::read_dir(layer) {
        entries.flatten().for_each(|entry| found.extend(sources(&entry.path())));
    }
    for file in [layer.to_path_buf(), layer.with_extension("rs")] {
        if file.extension().is_some_and(|e| e == "rs") && file.is_file() {
            found.push((file.display().to_string(), std::fs::read_to_string(&file).unwrap()));
        }
    }
    found
}

#[test]
fn layers_use_only_those_below() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (layer, may_use) in MAY_USE {
        let files = sources(&src.join(layer));
        assert!(!files.is_empty(), "no sources of {layer}");
        for (name, text) in files {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for used in code.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let allowed = used == *layer || may_use.contains(&used.as_str());
                assert!(allowed, "{name} uses {used}, but {layer} may use only {may_use:?}");
            }
        }
    }
}

#[test]
fn recognisers_see_no_port_number() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for layer in ["wire", "protocol"] {
        for (name, text) in sources(&src.join(layer)) {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in ["Endpoint", "FlowKey", "packet::Packet", "crate::registry"] {
                assert!(!code.contains(word), "{name} names {word}");
            }
        }
    }
}
