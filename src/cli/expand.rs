//! Directories among the inputs: what lies in them, however deep, in sorted order.

use super::exit::plain;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The inputs with directories replaced by the files in them.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    /// Files, in the order of the arguments, within a directory sorted by name.
    pub files: Vec<PathBuf>,
    /// Those that were found in a directory and not named.
    pub found: HashSet<PathBuf>,
    /// What could not be looked into, in words.
    pub faults: Vec<String>,
    /// Directories being looked into or done with, by their real names: a symbolic link may lead back.
    visited: HashSet<PathBuf>,
}

/// Replaces directories by the regular files in them.
pub(super) fn expand(inputs: Vec<PathBuf>) -> Expanded {
    let mut expanded = Expanded::default();
    let mut named = HashSet::new();
    for input in inputs {
        if input.as_os_str() != "-" && input.is_dir() {
            // Named twice, it is read twice, as a file would be.
            expanded.visited.clear();
            expanded.directory(&input);
        } else {
            named.insert(input.clone());
            expanded.files.push(input);
        }
    }
    expanded.found.retain(|path| !named.contains(path));
    expanded
}

impl Expanded {
    fn directory(&mut self, path: &Path) {
        let entries = fs::canonicalize(path).and_then(|real| match self.visited.insert(real) {
            true => fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>(),
            false => Ok(Vec::new()),
        });
        let mut entries = entries.unwrap_or_else(|error| {
            let name = path.display().to_string();
            self.faults.push(format!("{}: cannot be looked into: {}", name.escape_debug(), plain(&error)));
            Vec::new()
        });
        entries.sort();
        for entry in entries {
            // Pipes and devices are left alone: opening one may block, or do something. A dangling link is nothing.
            match fs::metadata(&entry) {
                Ok(metadata) if metadata.is_dir() => self.directory(&entry),
                Ok(metadata) if metadata.is_file() => {
                    self.found.insert(entry.clone());
                    self.files.push(entry);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_walked_in_order_and_loops_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        for name in ["z", "a", "b/2", "b/1", "b/c/x"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), at("b/c/loop")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let named = at("a");
        let expanded = expand(vec![named.clone(), dir.path().to_path_buf(), "-".into()]);
        let expected = [named, at("a"), at("b/1"), at("b/2"), at("b/c/x"), at("z"), "-".into()];
        assert_eq!(expanded.files, expected);
        assert_eq!((expanded.found.len(), expanded.faults.len()), (4, 0), "what is named is not found");
    }
}
