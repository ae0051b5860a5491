//! `--metrics`: answers HTTP/1 requests for `/metrics` with the page at hand.
//!
//! One thread serves a few connections at a time and waits for none of them: whoever is slow is cut off after
//! [`PATIENCE`], and where all places are taken the oldest connection makes room for the newest. A request is a head of at
//! most [`HEAD`] bytes; every answer ends the connection (RFC 9112, section 9.6).

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at a time.
const PLACES: usize = 16;
/// Bytes of a request.
const HEAD: usize = 4096;

/// Where the page stands; whoever knows the figures puts a new one there.
pub(crate) type Page = Arc<Mutex<Arc<str>>>;

/// The server.
#[derive(Debug)]
pub(crate) struct Metrics {
    page: Page,
    listener: TcpListener,
    address: SocketAddr,
}

impl Metrics {
    /// Listens; whoever comes waits until [`Self::serve`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let page: Page = Arc::new(Mutex::new(Arc::from("")));
        Ok(Self { page, listener, address })
    }

    /// Answers from now on, in a thread that ends with the program.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn serve(&self) -> io::Result<()> {
        let (listener, page) = (self.listener.try_clone()?, Arc::clone(&self.page));
        std::thread::Builder::new().name("metrics".into()).spawn(move || serve(&listener, &page)).map(drop)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows this from now on.
    pub(crate) fn show(&self, page: String) {
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = Arc::from(page);
    }
}

/// "127.0.0.1:9464", "[::1]:9464", or a port alone, which is one of the loopback address.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into());
    }
    text.parse().map_err(|_| "say 127.0.0.1:9464, [::1]:9464, or 9464 for the loopback address".to_owned())
}

/// A connection.
struct Connection {
    stream: TcpStream,
    since: Instant,
    state: State,
}

enum State {
    /// What was read of the request.
    Reading(Vec<u8>),
    /// What is still to be sent.
    Writing(Vec<u8>),
    /// All was sent. What the client still says is read: unread, it would reset the connection, and the answer with it.
    Ending,
}

fn serve(listener: &TcpListener, page: &Page) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        wait(listener, &connections);
        // An error is the client's (it went away) or passes (no descriptor left): there is a next time for both.
        while let Ok((stream, _)) = listener.accept() {
            if connections.len() >= PLACES {
                connections.remove(0);
            }
            if stream.set_nonblocking(true).is_ok() {
                connections.push(Connection { stream, since: Instant::now(), state: State::Reading(Vec::new()) });
            }
        }
        connections.retain_mut(|connection| {
            let in_time = connection.since.elapsed() < PATIENCE;
            in_time && connection.go_on(page).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
        });
    }
}

/// Waits until somebody comes, or a connection can go on, or has taken too long.
fn wait(listener: &TcpListener, connections: &[Connection]) {
    let mut waiting = vec![PollFd::new(listener, PollFlags::IN)];
    waiting.extend(connections.iter().map(|connection| {
        let writes = matches!(connection.state, State::Writing(_));
        PollFd::new(&connection.stream, if writes { PollFlags::OUT } else { PollFlags::IN })
    }));
    let oldest = connections.first().map(|connection| PATIENCE.saturating_sub(connection.since.elapsed()));
    let timeout = oldest.and_then(|left| Timespec::try_from(left + Duration::from_millis(1)).ok());
    if poll(&mut waiting, timeout.as_ref()).is_err() {
        // A signal came in between, or the kernel is short of memory.
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Connection {
    /// Reads and writes as long as there is something to read and room to write.
    ///
    /// # Errors
    /// `WouldBlock` when it has to wait. Otherwise, and without an error, the connection is over.
    fn go_on(&mut self, page: &Page) -> io::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            match &mut self.state {
                State::Reading(head) => {
                    let n = self.stream.read(&mut buffer)?;
                    head.extend(buffer.iter().take(n));
                    let whole = head.windows(4).any(|end| end == b"\r\n\r\n");
                    if !whole && n == 0 {
                        return Ok(());
                    }
                    if whole || head.len() > HEAD {
                        self.state =
                            State::Writing(if whole { answer(head, page) } else { refuse("431", "Too Large") });
                    }
                }
                State::Writing(rest) => {
                    let n = self.stream.write(rest)?;
                    rest.drain(..n);
                    if rest.is_empty() {
                        self.stream.shutdown(Shutdown::Write)?;
                        self.state = State::Ending;
                    }
                }
                State::Ending => {
                    if self.stream.read(&mut buffer)? == 0 {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// The answer to a request.
fn answer(head: &[u8], page: &Page) -> Vec<u8> {
    let line = String::from_utf8_lossy(head);
    let mut words = line.lines().next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
        return refuse("400", "Bad Request");
    }
    if !matches!(method, Some("GET" | "HEAD")) {
        return refuse("405", "Method Not Allowed");
    }
    if target.and_then(|target| target.split('?').next()) != Some("/metrics") {
        return refuse("404", "Not Found");
    }
    let page = Arc::clone(&page.lock().unwrap_or_else(PoisonError::into_inner));
    let body = if method == Some("HEAD") { "" } else { &page };
    respond("200", "OK", "text/plain; version=0.0.4; charset=utf-8", page.len(), body)
}

fn refuse(code: &str, reason: &str) -> Vec<u8> {
    let body = format!("{reason}. The figures are at /metrics.\n");
    respond(code, reason, "text/plain; charset=utf-8", body.len(), &body)
}

fn respond(code: &str, reason: &str, content: &str, length: usize, body: &str) -> Vec<u8> {
    let allow = if code == "405" { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {code} {reason}\r\nContent-Type: {content}\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_page_is_served_and_nothing_else() {
        let metrics = Metrics::bind(address("0").unwrap()).unwrap();
        metrics.serve().unwrap();
        let at = metrics.address();
        assert!(at.ip().is_loopback());
        metrics.show("portproof_flows_total 4\n".to_owned());
        let page = ask(at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(
            page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\nportproof_flows_total 4\n"),
            "{page}"
        );
        assert!(page.contains("Content-Length: 24\r\n"), "{page}");
        assert!(ask(at, "HEAD /metrics HTTP/1.0\r\n\r\n").ends_with("Connection: close\r\n\r\n"));
        assert!(ask(at, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(ask(at, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert!(ask(at, "hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
        assert!(ask(at, &"x".repeat(HEAD + 1)).starts_with("HTTP/1.1 431 "));
        // A large page does not fit into the socket's buffers and is sent bit by bit.
        metrics.show("x".repeat(8 << 20));
        assert_eq!(ask(at, "GET /metrics HTTP/1.1\r\n\r\n").split("\r\n\r\n").nth(1).unwrap().len(), 8 << 20);
    }

    #[test]
    fn slow_clients_keep_nobody_waiting() {
        let metrics = Metrics::bind(address("0").unwrap()).unwrap();
        metrics.serve().unwrap();
        let at = metrics.address();
        let mut slow: Vec<TcpStream> = (0..3 * PLACES).map(|_| TcpStream::connect(at).unwrap()).collect();
        for client in &mut slow {
            // Some are pushed out by then.
            let _ = client.write_all(b"GET /met");
        }
        assert!(ask(at, "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
        // The oldest made room; the youngest may still finish.
        let last = slow.last_mut().unwrap();
        last.write_all(b"rics HTTP/1.1\r\n\r\n").unwrap();
        let mut text = String::new();
        last.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "));
    }

    #[test]
    fn a_port_alone_is_of_the_loopback_address() {
        assert_eq!(address("9464").unwrap().to_string(), "127.0.0.1:9464");
        assert_eq!(address(":9464").unwrap().to_string(), "127.0.0.1:9464");
        assert_eq!(address("0.0.0.0:9464").unwrap().to_string(), "0.0.0.0:9464");
        assert!(address("localhost").is_err());
    }
}
