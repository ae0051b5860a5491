//! Where an updated registry is kept: `portproof/registry.bin` in the user's data directory (XDG Base Directory
//! Specification 0.8).
//!
//! ```text
//! magic "PPUSER\0\x01" | kept although older than the embedded one, u8 | SHA-256 of what follows | compact form
//! ```
//! A file that does not check is not used, and that is said.

use std::borrow::Cow;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cli::common::say;
use crate::cli::exit::plain;
use crate::cli::out::OutFile;
use crate::registry::Registry;

const MAGIC: &[u8; 8] = b"PPUSER\0\x01";
const HEADER: usize = 8 + 1 + 32;
const NAME: &str = "registry.bin";

/// The registry to use.
#[derive(Debug)]
pub struct Loaded {
    /// The registry.
    pub registry: Cow<'static, Registry>,
    /// Where it came from.
    pub origin: Origin,
    /// A line to print on stderr: why the user's file is not used.
    pub warning: Option<String>,
}

impl Loaded {
    /// The registry, after the warning was said.
    pub(crate) fn said(self) -> Cow<'static, Registry> {
        if let Some(warning) = &self.warning {
            say(warning);
        }
        self.registry
    }
}

/// Where a registry came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It came with the program.
    Embedded,
    /// The user's file.
    User(PathBuf),
}

/// The registry to use: the user's if there is a sound one, else the embedded one.
pub fn load() -> Loaded {
    load_from(data_dir().as_deref())
}

/// The directory for the program's data. A relative `XDG_DATA_HOME` is ignored, as the specification demands.
pub fn data_dir() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("portproof"))
}

/// The registry to use, with the user's file looked for in `dir`.
pub fn load_from(dir: Option<&Path>) -> Loaded {
    let embedded =
        |warning| Loaded { registry: Cow::Borrowed(Registry::embedded()), origin: Origin::Embedded, warning };
    let Some(path) = dir.map(|dir| dir.join(NAME)) else { return embedded(None) };
    let shown = super::escape(&path.display().to_string()).into_owned();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return embedded(None);
        }
        Err(err) => {
            return embedded(Some(format!(
                "warning: {shown}: {}; using the registry that came with the program",
                plain(&err)
            )));
        }
    };
    let Some((registry, older)) = decode(&bytes) else {
        return embedded(Some(format!("warning: {shown} is damaged; using the registry that came with the program")));
    };
    if !older && registry.date() < Registry::embedded().date() {
        let date = registry.date();
        return embedded(Some(format!(
            "warning: {shown} is of {date}, older than the registry that came with the program, which is used; \
             `portproof registry reset` removes it"
        )));
    }
    Loaded { registry: Cow::Owned(registry), origin: Origin::User(path), warning: None }
}

/// Keeps a registry, whole or not at all; `older` says that it is to be used although the embedded one is newer.
///
/// # Errors
/// Those of the file system; then what was kept before still stands.
pub fn save(dir: &Path, registry: &Registry, older: bool) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let path = dir.join(NAME);
    let file = OutFile::create(&path)?;
    let mut out = file.writer()?;
    out.write_all(MAGIC)?;
    out.write_all(&[u8::from(older)])?;
    out.write_all(&Sha256::digest(registry.as_bytes()))?;
    out.write_all(registry.as_bytes())?;
    file.commit()?;
    Ok(path)
}

/// The registry in a file's bytes, and whether it was kept although older.
fn decode(bytes: &[u8]) -> Option<(Registry, bool)> {
    let (header, compact) = bytes.split_at_checked(HEADER)?;
    let (older, digest) = header.strip_prefix(MAGIC)?.split_first()?;
    let sound = Sha256::digest(compact).as_slice() == digest;
    Registry::from_bytes(Cow::Owned(compact.to_vec())).filter(|_| sound).map(|registry| (registry, *older == 1))
}

/// Removes the user's registry; the result is whether there was one.
///
/// # Errors
/// Those of the file system.
pub fn remove(dir: &Path) -> io::Result<bool> {
    match fs::remove_file(dir.join(NAME)) {
        Ok(()) => Ok(true),
        Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(err) => Err(err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_what_is_damaged_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("portproof");
        assert_eq!(load_from(Some(&dir)).origin, Origin::Embedded);
        let path = save(&dir, Registry::embedded(), false).unwrap();
        let loaded = load_from(Some(&dir));
        assert_eq!((loaded.origin, loaded.warning), (Origin::User(path.clone()), None));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left over");

        let whole = fs::read(&path).unwrap();
        for at in [0, 9, HEADER, HEADER + 60, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            let loaded = load_from(Some(&dir));
            assert_eq!(loaded.origin, Origin::Embedded, "byte {at}");
            assert!(loaded.warning.unwrap().contains("is damaged"), "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(load_from(Some(&dir)).origin, Origin::Embedded);

        assert!(remove(&dir).unwrap());
        assert!(!remove(&dir).unwrap());
        assert_eq!(load_from(Some(&dir)).warning, None);
    }
}
