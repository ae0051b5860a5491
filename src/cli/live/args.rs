//! What is captured and how: the arguments that all live subcommands share.

use crate::capture::live::{Live, Notice, OpenError, Settings};
use crate::cli::choose;
use crate::cli::common::{Packets, say};
use crate::pipeline::{Options, PortSet};
use crate::sandbox::Files;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

/// How often it is looked whether an interface that is waited for is there.
const WAITING: Duration = Duration::from_millis(200);

/// More bytes than any frame has.
const WHOLE: u32 = 262_144;

/// Arguments that choose interfaces and packets.
#[derive(Debug, clap::Args)]
pub(crate) struct Capturing {
    /// Interfaces to capture on: eth0, eth0,eth1, any. See portproof interfaces.
    #[arg(short = 'i', long = "interface", value_name = "NAMES", value_delimiter = ',', required = true)]
    pub(crate) interfaces: Vec<String>,
    /// Wait for interfaces that are not there, or down.
    #[arg(long)]
    wait_interface: bool,
    /// Capture what is addressed to other machines, too.
    #[arg(long)]
    promiscuous: bool,
    /// Not promiscuous, which is the default; accepted because tcpdump has it.
    #[arg(short = 'p', conflicts_with = "promiscuous")]
    not_promiscuous: bool,
    /// Bytes kept of a frame. The default holds all that recognition looks at.
    #[arg(short = 's', long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snaplen: Option<u32>,
    /// Mebibytes of the kernel's buffer for each interface.
    #[arg(short = 'B', long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=2047))]
    buffer: Option<u32>,
    /// Threads that capture; the kernel distributes the flows of each interface among them.
    #[arg(long, value_name = "N", default_value = "1")]
    fanout: NonZero<u8>,
    /// End after this many packets.
    #[arg(short = 'c', long, value_name = "N")]
    count: Option<NonZero<u64>>,
    /// End after this time: 60s, 1h.
    #[arg(long, value_name = "TIME", value_parser = choose::period)]
    duration: Option<i64>,
    #[command(flatten)]
    packets: Packets,
    /// Capture only the frames that this tcpdump expression takes.
    #[arg(help_heading = "Choosing", value_name = "EXPRESSION", trailing_var_arg = true)]
    expression: Vec<String>,
    /// Threads that recognise, beside the one that captures.
    #[arg(help_heading = "Limits", long, value_name = "N")]
    workers: Option<NonZero<u16>>,
    /// Flows kept at a time; beyond, those that were silent longest are judged early.
    ///
    /// A flow that is kept costs about 1 KiB.
    #[arg(help_heading = "Limits", long, value_name = "N", default_value = "100000")]
    max_flows: NonZero<u32>,
    /// A UDP flow is over after this silence.
    #[arg(help_heading = "Limits", long, value_name = "TIME", value_parser = choose::period, default_value = "120s")]
    udp_idle: i64,
    /// A TCP flow is over after this silence.
    #[arg(help_heading = "Limits", long, value_name = "TIME", value_parser = choose::period, default_value = "300s")]
    tcp_idle: i64,
    /// After SIGINT or SIGTERM, judge what is left as usual for this long; what is left then is only counted.
    #[arg(help_heading = "Limits", long, value_name = "TIME", value_parser = choose::period, default_value = "50ms")]
    grace: i64,
}

/// To have the defaults where there is no command line.
#[derive(clap::Parser)]
struct OnlyCapturing {
    #[command(flatten)]
    capturing: Capturing,
}

impl Capturing {
    /// What the arguments would say of a capture on a few ports for `duration` nanoseconds.
    pub(crate) fn of_ports(interfaces: &[String], ports: PortSet, duration: i64) -> Self {
        let names = interfaces.join(",");
        let parsed =
            <OnlyCapturing as clap::Parser>::try_parse_from(["portproof", "-i", &names]).map(|only| only.capturing);
        let defaults = parsed.unwrap_or_else(|error| error.exit());
        let packets = Packets { ports: Some(ports), ..defaults.packets };
        Self { packets, duration: Some(duration), ..defaults }
    }

    /// What the run is told.
    pub(crate) fn options(&self) -> Options {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut options = Options {
            workers: self.workers.map_or(cores, |n| usize::from(n.get())),
            // What waits for the workers is to be little when the run ends.
            batch: 256,
            max_flows: self.max_flows.get() as usize,
            udp_idle: self.udp_idle,
            tcp_idle: self.tcp_idle,
            grace: Duration::from_nanos(self.grace.unsigned_abs()),
            ..Options::default()
        };
        self.packets.apply(&mut options);
        options
    }

    /// The interfaces as they are named in the output.
    pub(crate) fn name(&self) -> String {
        self.interfaces.join(",")
    }

    /// What is read of files while the capture runs: the interfaces' own counters.
    pub(crate) fn files(&self) -> Files {
        let counters = |name: &String| Path::new("/sys/class/net").join(name).join("statistics");
        Files { read: self.interfaces.iter().map(counters).collect(), write: Vec::new() }
    }

    /// Begins the capture, once for each thread; of whole frames, unless told otherwise, where they are saved. The error is a line for the user.
    ///
    /// # Errors
    /// When an interface cannot be captured on.
    pub(crate) fn open(&self, whole: bool, notice: &Notice) -> Result<Vec<Live>, String> {
        let defaults = Settings::default();
        let settings = Settings {
            promiscuous: self.promiscuous,
            snaplen: self.snaplen.unwrap_or(if whole { WHOLE } else { defaults.snaplen }),
            buffer: self.buffer.map_or(defaults.buffer, |mebibytes| mebibytes << 20),
            filter: (!self.expression.is_empty()).then(|| self.expression.join(" ")),
            count: self.count.map(NonZero::get),
            threads: usize::from(self.fanout.get()),
            duration: self.duration.map(|nanoseconds| Duration::from_nanos(nanoseconds.unsigned_abs())),
        };
        let mut said = false;
        loop {
            match Live::open(&self.interfaces, &settings, notice) {
                Ok(live) => return Ok(live),
                Err(OpenError::Permission) => return Err(no_permission()),
                Err(OpenError::Missing(text)) if self.wait_interface => {
                    if !std::mem::replace(&mut said, true) {
                        say(&format!("{text}; waiting for it"));
                    }
                    std::thread::sleep(WAITING);
                }
                Err(OpenError::Missing(text)) => {
                    return Err(format!(
                        "{text}\n  portproof -D lists what there is, --wait-interface waits for what is not"
                    ));
                }
                Err(other) => return Err(other.to_string()),
            }
        }
    }
}

/// What to do without the right to capture.
fn no_permission() -> String {
    let program = std::env::current_exe().map_or_else(|_| "portproof".to_owned(), |path| path.display().to_string());
    format!(
        "capturing needs CAP_NET_RAW: run it as root, or once\n  sudo setcap cap_net_raw=ep {program}\n\
         or let tcpdump capture: sudo tcpdump -U -w - | portproof read -"
    )
}
