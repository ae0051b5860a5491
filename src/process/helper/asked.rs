//! The helper, from the side of who asks.
//!
//! Whoever asks has packets to judge meanwhile, so there is a bound on every wait and on all of them together. An answer
//! that comes too late is dropped when it comes, and as long as it has not come nothing more is asked.

use super::{Attribution, Name, Question, SUBCOMMAND};
use crate::packet::{Endpoint, Transport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_millis(250);
/// What all waits may come to; a tenth of the time that passes is added.
const BUDGET: Duration = Duration::from_secs(1);
/// The longest wait for its end.
const FAREWELL: Duration = Duration::from_millis(100);
/// More than any answer has, bytes.
const LONGEST: usize = 1 << 20;

/// A running helper.
#[derive(Debug)]
pub struct Helper {
    child: Child,
    /// None once it failed.
    pipes: Option<(ChildStdin, ChildStdout)>,
    /// What was read of an answer.
    answer: Vec<u8>,
    /// An answer is owed that nobody waits for any more.
    owed: bool,
    budget: Duration,
    renewed: Instant,
}

impl Helper {
    /// Starts it, with the privileges of the caller; it gives up what it does not need by itself. `program` is this
    /// program, by whatever name, and `arguments` go to its hidden subcommand.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(SUBCOMMAND).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // The terminal's interrupt is for who started it.
        let mut child = command.process_group(0).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        if let Some((_, output)) = &pipes {
            fcntl_setfl(output, fcntl_getfl(output)? | OFlags::NONBLOCK)?;
        }
        Ok(Self { child, pipes, answer: Vec::new(), owed: false, budget: BUDGET, renewed: Instant::now() })
    }

    /// Asks who owns a flow. `None`: nobody on this machine, nobody who may be seen, or the helper is late or gone.
    pub fn ask(&mut self, transport: Transport, server: Endpoint, client: Endpoint) -> Option<Attribution> {
        let transport = match transport {
            Transport::Tcp => Name::Tcp,
            Transport::Udp => Name::Udp,
        };
        let question = Question { transport, server: server.into(), client: client.into() };
        match self.exchange(&question) {
            Ok(answer) => answer,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => {
                self.pipes = None;
                None
            }
        }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not failed.
    pub fn works(&self) -> bool {
        self.pipes.is_some()
    }

    fn exchange(&mut self, question: &Question) -> io::Result<Option<Attribution>> {
        let now = Instant::now();
        self.budget = BUDGET.min(self.budget + now.duration_since(self.renewed) / 10);
        self.renewed = now;
        if self.owed {
            self.read_line(Duration::ZERO)?;
            self.owed = false;
        }
        let patience = PATIENCE.min(self.budget);
        if patience.is_zero() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (input, _) = self.pipes.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = serde_json::to_string(question)?;
        line.push('\n');
        // One question fits into an empty pipe.
        input.write_all(line.as_bytes())?;
        self.owed = true;
        let answer = self.read_line(patience);
        self.budget = self.budget.saturating_sub(now.elapsed());
        let answer = answer?;
        self.owed = false;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Reads to the end of the line.
    ///
    /// # Errors
    /// `WouldBlock` when it has not come after this long.
    fn read_line(&mut self, patience: Duration) -> io::Result<Vec<u8>> {
        let (_, output) = self.pipes.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let until = Instant::now() + patience;
        let mut buffer = [0; 4096];
        loop {
            match output.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.answer.extend(buffer.iter().take(n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(error);
                    }
                    let left = Timespec::try_from(left).map_err(io::Error::other)?;
                    // Interrupted by a signal it is tried again.
                    let _ = poll(&mut [PollFd::new(output, PollFlags::IN)], Some(&left));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.answer.ends_with(b"\n") {
                return Ok(std::mem::take(&mut self.answer));
            }
            if self.answer.len() > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Its input ends, and it with it; should it hang, it ends with this process.
        self.pipes = None;
        let until = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Ip;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_helper_that_hangs_is_not_waited_for_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("helper");
        // It answers the first question after it was asked often, and the later ones at once.
        let gate = dir.path().join("gate");
        let script = format!(
            "#!/bin/sh\nread a; until test -e {}; do sleep 0.05; done; echo null; while read a; do echo null; done\n",
            gate.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut helper = Helper::start(&program, &[]).unwrap();
        let end = Endpoint { ip: Ip::v4([127, 0, 0, 1]), port: 1 };
        let start = Instant::now();
        (0..10_000).for_each(|_| assert_eq!(helper.ask(Transport::Udp, end, end), None));
        // Waiting for each would take more than half an hour.
        assert!(start.elapsed() < Duration::from_secs(60) && helper.owed && helper.works());
        std::fs::write(gate, "").unwrap();
        // The late answer is taken, and the next question asked.
        while helper.owed {
            std::thread::sleep(Duration::from_millis(20));
            helper.ask(Transport::Udp, end, end);
        }
        assert!(helper.works());
    }
}
