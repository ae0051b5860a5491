//! `-w`: which packets are saved, and where.

use crate::capture::{Rotation, Saver};
use crate::packet::Time;
use crate::pipeline::{Keeping, Wanted};
use clap::ValueEnum;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};

/// Arguments about saved packets.
#[derive(Debug, clap::Args)]
pub(crate) struct Saving {
    /// Save packets to this file, as pcapng; those that decided have a comment that says what.
    #[arg(help_heading = "Saving packets", short = 'w', long = "write", value_name = "FILE", value_parser = named)]
    file: Option<PathBuf>,
    /// Which packets are saved: those of flows that turn out to be this, from the first on, or all.
    #[arg(
        help_heading = "Saving packets",
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        default_value = "mismatch,unknown",
        requires = "file"
    )]
    write_what: Vec<What>,
    /// Begin a new file after this many million bytes, as tcpdump does: FILE, FILE1, FILE2 …
    #[arg(help_heading = "Saving packets", short = 'C', value_name = "MEGABYTES", requires = "file")]
    megabytes: Option<NonZero<u32>>,
    /// Begin a new file after this many seconds; FILE is a format of strftime, in UTC: trace-%H%M%S.pcapng.
    #[arg(help_heading = "Saving packets", short = 'G', value_name = "SECONDS", requires = "file")]
    seconds: Option<NonZero<u32>>,
    /// With -C: so many files in turn. With -G: end after so many.
    #[arg(help_heading = "Saving packets", short = 'W', value_name = "FILES", requires = "file")]
    files: Option<NonZero<u32>>,
    /// Mebibytes of packets held of flows that are not judged yet.
    #[arg(help_heading = "Saving packets", long, value_name = "MIB", default_value = "64", requires = "file")]
    hold: NonZero<u32>,
}

/// The name of a file.
fn named(text: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Err("standard output is for the verdicts; name a file".to_owned()),
        name => Ok(PathBuf::from(name)),
    }
}

/// Which packets are saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Every packet.
    All,
    /// Flows that are not what their port is assigned to.
    Mismatch,
    /// Flows that nobody recognised.
    Unknown,
}

impl Saving {
    /// What is saved; `None`: nothing.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        let has = |what| self.write_what.contains(&what);
        self.file.as_ref().map(|_| Wanted {
            all: has(What::All),
            mismatch: has(What::Mismatch),
            unknown: has(What::Unknown),
        })
    }

    /// The directory that files are made in.
    pub(crate) fn directory(&self) -> Option<PathBuf> {
        let parent = self.file.as_deref()?.parent().filter(|parent| !parent.as_os_str().is_empty());
        Some(parent.unwrap_or(Path::new(".")).to_path_buf())
    }

    /// Begins the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn begin(&self) -> io::Result<Option<Keeping>> {
        let (Some(file), Some(wanted)) = (&self.file, self.wanted()) else { return Ok(None) };
        let rotation = Rotation {
            bytes: self.megabytes.map(|n| u64::from(n.get()) * 1_000_000),
            age: self.seconds.map(|n| i64::from(n.get()) * 1_000_000_000),
            files: self.files.map(NonZero::get),
        };
        let now = Time(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0));
        let saver = Saver::create(file, rotation, now)?;
        Ok(Some(Keeping::new(saver, wanted, (self.hold.get() as usize) << 20)))
    }

    /// The file as it was named.
    pub(crate) fn name(&self) -> Option<String> {
        self.file.as_ref().map(|file| file.display().to_string())
    }
}
