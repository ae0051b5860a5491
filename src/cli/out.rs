//! The file of `--out`: written whole or not at all.

use super::exit::plain;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A file being written under another name beside its own; it is removed unless it was committed.
///
/// What exists and is no regular file (a device, a pipe) is written to directly.
#[derive(Debug)]
pub(super) struct OutFile {
    path: PathBuf,
    unfinished: Option<PathBuf>,
    file: File,
}

impl OutFile {
    /// Begins the file that is to be at `path`.
    ///
    /// # Errors
    /// When it cannot be created there.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // A symbolic link stays one: what it points to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        Self::begin(path.clone()).map_err(|error| named(&path, &error))
    }

    fn begin(path: PathBuf) -> io::Result<Self> {
        let present = fs::metadata(&path).ok();
        if present.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if present.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Self { path, unfinished: None, file });
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let unfinished = path.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        if let Some(present) = present {
            file.set_permissions(present.permissions())?;
        }
        Ok(Self { path, unfinished: Some(unfinished), file })
    }

    /// A handle to write through.
    ///
    /// # Errors
    /// When the system has none left.
    pub(super) fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Puts the file in its place, on disk. To be called when all was written.
    ///
    /// # Errors
    /// Those of the file system; what was there before then still stands.
    pub(super) fn commit(mut self) -> io::Result<()> {
        let Some(unfinished) = &self.unfinished else { return Ok(()) };
        let placed = self.file.sync_all().and_then(|()| fs::rename(unfinished, &self.path));
        placed.map_err(|error| named(&self.path, &error))?;
        self.unfinished = None;
        // The name is on disk only once the directory is. Not every file system can say so.
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all());
        Ok(())
    }

    /// An error with the file's name in it.
    pub(super) fn fault(&self, error: &io::Error) -> io::Error {
        named(&self.path, error)
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        if let Some(unfinished) = &self.unfinished {
            // Nothing can be done about a failure to remove what could not be written.
            let _ = fs::remove_file(unfinished);
        }
    }
}

/// A pipe that broke stays quiet only on standard output, so the kind is not kept.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {}", path.display().to_string().escape_debug(), plain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.csv");
        let names = || fs::read_dir(dir.path()).unwrap().count();
        let out = OutFile::create(&path).unwrap();
        out.writer().unwrap().write_all(b"first").unwrap();
        assert!(!path.exists());
        out.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let out = OutFile::create(&path).unwrap();
        out.writer().unwrap().write_all(b"second, given up").unwrap();
        drop(out);
        assert_eq!((fs::read(&path).unwrap().as_slice(), names()), (&b"first"[..], 1));
    }

    #[test]
    fn what_cannot_be_created_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = OutFile::create(&dir.path().join("missing").join("a.csv")).unwrap_err();
        assert!(error.to_string().ends_with("a.csv: No such file or directory"), "{error}");
        assert!(OutFile::create(dir.path()).is_err());
    }
}
