//! Tells systemd how the program is: ready, alive, stopping (sd_notify(3)).
//!
//! The socket is connected once, at the start: later, confined, no socket can be made any more.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// The line to the service manager; a silent one where there is none.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that all is well.
    watchdog: Option<Duration>,
    told: Option<Instant>,
    status: String,
}

impl Notify {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok();
        let own = text("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let every = text("WATCHDOG_USEC").filter(|_| own).and_then(|every| every.parse().ok());
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(socket) => Self::to(&socket, every.map(Duration::from_micros)),
            None => Self::default(),
        }
    }

    /// To this socket: a path, or a name in the abstract namespace after "@".
    fn to(socket: &OsStr, watchdog: Option<Duration>) -> Self {
        let address = match socket.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(socket),
        };
        let connect = |address: SocketAddr| {
            let socket = UnixDatagram::unbound()?;
            socket.connect_addr(&address)?;
            // A manager that does not listen must not stop the capture.
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        Self { socket: address.and_then(connect).ok(), watchdog, ..Self::default() }
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // Whoever does not listen misses it; that is all there is to it.
            let _ = socket.send(text.as_bytes());
        }
    }

    /// Whether there is a manager to be told.
    pub(crate) fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// The capture is open, and confined.
    pub(crate) fn ready(&self) {
        self.send("READY=1");
    }

    /// All is well. May be called as often as one likes: it is told twice in each interval of the watchdog.
    pub(crate) fn alive(&mut self, now: Instant) {
        let Some(every) = self.watchdog else { return };
        if self.told.is_none_or(|told| now.saturating_duration_since(told) >= every / 2) {
            self.told = Some(now);
            self.send("WATCHDOG=1");
        }
    }

    /// One line of what it is doing, if that is news.
    pub(crate) fn status(&mut self, text: String) {
        if text != self.status {
            self.send(&format!("STATUS={}", text.replace('\n', " ")));
            self.status = text;
        }
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    #[test]
    fn the_manager_hears_what_it_should_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut notify = Notify::to(path.as_os_str(), Some(Duration::from_secs(10)));
        let start = Instant::now();
        notify.ready();
        (0..12).for_each(|seconds| notify.alive(start + Duration::from_secs(seconds)));
        notify.status("3 ports".to_owned());
        notify.status("3 ports".to_owned());
        notify.stopping();
        let all: Vec<String> = (0..6).map(|_| heard(&manager)).collect();
        assert_eq!(all, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STATUS=3 ports", "STOPPING=1"]);
    }

    #[test]
    fn abstract_names_begin_with_an_at_sign() {
        let name = format!("portproof-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notify::to(OsStr::new(&format!("@{name}")), None).ready();
        assert_eq!(heard(&manager), "READY=1");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let mut notify = Notify::to(OsStr::new("/nonexistent/notify"), Some(Duration::from_secs(1)));
        notify.ready();
        notify.alive(Instant::now());
        Notify::default().stopping();
    }
}
