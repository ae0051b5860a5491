//! Which interfaces there are.

use pcap::{ConnectionStatus, Device};
use std::fs;
use std::net::IpAddr;

/// An interface that can be captured on.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// "up", "up, no carrier", "down".
    pub state: &'static str,
    /// What its frames begin with.
    pub link: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// All interfaces, as libpcap orders them, and `any`.
///
/// # Errors
/// libpcap's words.
pub fn interfaces() -> Result<Vec<Interface>, String> {
    let devices = Device::list().map_err(|error| error.to_string())?;
    let network = |device: &Device| device.name == "any" || arphrd(&device.name).is_some();
    Ok(devices.into_iter().filter(network).map(interface).collect())
}

fn interface(device: Device) -> Interface {
    let link = match arphrd(&device.name) {
        Some(number) => link(number),
        None => "linux-cooked".to_owned(),
    };
    let unplugged = device.flags.connection_status == ConnectionStatus::Disconnected;
    let state = match (device.flags.is_up(), unplugged) {
        (true, true) => "up, no carrier",
        (true, false) => "up",
        (false, _) => "down",
    };
    let addresses = device.addresses.iter().map(|address| address.addr).collect();
    Interface { name: device.name, state, link, addresses }
}

/// The kernel's number of the interface's kind (linux/if_arp.h).
fn arphrd(name: &str) -> Option<u32> {
    fs::read_to_string(format!("/sys/class/net/{name}/type")).ok()?.trim().parse().ok()
}

/// libpcap's link type for a kind of interface.
fn link(arphrd: u32) -> String {
    match arphrd {
        // Ethernet, and the loopback, which poses as such.
        1 | 772 => "ethernet".to_owned(),
        512 => "ppp".to_owned(),
        768 | 769 | 776 | 778 | 823 | 65534 => "raw-ip".to_owned(),
        801 => "802.11".to_owned(),
        802 => "802.11-prism".to_owned(),
        803 => "802.11-radiotap".to_owned(),
        other => format!("arphrd-{other}"),
    }
}
