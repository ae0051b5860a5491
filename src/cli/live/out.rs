//! Where the output goes: standard output, or a file that can be begun anew (logrotate(8) and the like).

use crate::cli::exit::plain;
use crate::cli::text::escape;
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A handle to the output; all clones write to the same.
#[derive(Clone, Debug)]
pub(crate) struct Out(Rc<RefCell<To>>);

#[derive(Debug)]
enum To {
    Stdout,
    File(PathBuf, File),
}

impl Out {
    /// Standard output, or the end of a file.
    ///
    /// # Errors
    /// Those of the file system, with the file's name.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let to = match path {
            None => To::Stdout,
            Some(path) => To::File(path.to_owned(), append(path)?),
        };
        Ok(Self(Rc::new(RefCell::new(to))))
    }

    /// Opens the file anew, which another program may have moved away.
    ///
    /// # Errors
    /// Those of the file system, with the file's name.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        match &mut *self.0.borrow_mut() {
            To::Stdout => {}
            To::File(path, file) => *file = append(path)?,
        }
        Ok(())
    }

    /// Whether it is standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(&*self.0.borrow(), To::Stdout)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {}", escape(&path.display().to_string()), plain(error)))
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.borrow_mut() {
            To::Stdout => io::stdout().write(bytes),
            To::File(path, file) => file.write(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => error,
                _ => named(path, &error),
            }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut *self.0.borrow_mut() {
            To::Stdout => io::stdout().flush(),
            To::File(_, file) => file.flush(),
        }
    }
}
