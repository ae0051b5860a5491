//! How a capture on an interface is begun, and what stands in the way.

use super::{Counters, PART_FILLED, Port, State, socket};
use crate::packet::LinkType;
use pcap::{Active, Capture, Error, Precision};
use std::fmt;
use std::os::fd::AsFd;
use std::time::Duration;

/// How to capture.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Take what is addressed to others, too.
    pub promiscuous: bool,
    /// Bytes kept of a frame.
    pub snaplen: u32,
    /// Bytes of the kernel's ring for each interface.
    pub buffer: u32,
    /// The kernel takes only what this expression is true for.
    pub filter: Option<String>,
    /// End after this many frames.
    pub count: Option<u64>,
    /// End after this long.
    pub duration: Option<Duration>,
    /// Threads that capture.
    pub threads: usize,
}

impl Default for Settings {
    /// The default snaplen holds the 8 KiB that are kept of a TCP direction and all headers before them.
    fn default() -> Self {
        Self {
            promiscuous: false,
            snaplen: 8448,
            buffer: 64 << 20,
            filter: None,
            count: None,
            duration: None,
            threads: 1,
        }
    }
}

/// Why a capture cannot begin.
#[derive(Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The process may not capture.
    Permission,
    /// There is no such interface, or it is down.
    Missing(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission => f.write_str("capturing needs CAP_NET_RAW"),
            Self::Missing(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for OpenError {}

/// Begins as many captures on an interface as there are threads, among which the kernel distributes its flows.
pub(super) fn ports(name: &str, threads: usize, settings: &Settings) -> Result<Vec<Port>, OpenError> {
    if threads == 1 {
        return Ok(vec![port(name, settings)?]);
    }
    let refused = |what: &str, error: &dyn fmt::Display| {
        OpenError::Other(format!("{}: {what} {threads} threads: {error}", name.escape_debug()))
    };
    let mut ports = Vec::new();
    let mut group = None;
    for _ in 0..threads {
        let port = port(name, settings)?;
        // Until all are in the group each gets every packet; those do not count.
        socket::accept_nothing(port.capture.as_fd());
        group = Some(socket::share(port.capture.as_fd(), group).map_err(|error| refused("sharing it among", &error))?);
        ports.push(port);
    }
    for port in &mut ports {
        port.discard();
        let filter = settings.filter.as_deref().unwrap_or_default();
        port.capture.filter(filter, true).map_err(|error| refused("filtering for", &error))?;
    }
    Ok(ports)
}

/// Begins a capture on an interface.
fn port(name: &str, settings: &Settings) -> Result<Port, OpenError> {
    let shown = name.escape_debug();
    let capture = activate(name, settings).map_err(|error| {
        let text = match error {
            Error::PcapError(text) => text,
            other => other.to_string(),
        };
        if text.contains("permission") || text.contains("not permitted") {
            OpenError::Permission
        } else if text.contains("No such device") || text.contains("not up") || text.contains("is down") {
            OpenError::Missing(format!("{shown}: {text}"))
        } else {
            OpenError::Other(format!("{shown}: {text}"))
        }
    })?;
    let index = match name {
        "any" => 0,
        name => rustix::net::netdevice::name_to_index(capture.as_fd(), name)
            .map_err(|_| OpenError::Missing(format!("{shown}: the interface was deleted")))?,
    };
    let link = LinkType(match capture.get_datalink().0 {
        // DLT_RAW on Linux; files have another number (pcap-linktype(7)).
        12 => 101,
        other => u32::try_from(other).unwrap_or(u32::MAX),
    });
    Ok(Port { name: name.to_owned(), index, capture, link, taken: 0, counters: Counters::default(), state: State::Up })
}

fn activate(name: &str, settings: &Settings) -> Result<Capture<Active>, Error> {
    let int = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let mut capture = Capture::from_device(name)?
        // All interfaces together cannot be made promiscuous; asking for it would be refused.
        .promisc(settings.promiscuous && name != "any")
        .snaplen(int(settings.snaplen))
        .buffer_size(int(settings.buffer))
        .timeout(PART_FILLED.as_millis() as i32)
        .precision(Precision::Nano)
        .open()?;
    if let Some(filter) = &settings.filter {
        capture.filter(filter, true)?;
    }
    capture.setnonblock()
}
