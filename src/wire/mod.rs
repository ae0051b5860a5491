//! Typed views over the bytes of one message, one file per format.
//!
//! A view is made by `new`, which checks once; no accessor can fail afterwards. Nothing here knows flows or protocols'
//! place in the program.

pub mod cursor;
pub mod dns;
pub mod dtls;
pub mod edp;
pub mod esp;
pub mod http2;
pub mod ike;
pub mod ntp;
pub mod openvpn;
pub mod quic;
pub mod rtcp;
pub mod rtp;
pub mod stun;
pub mod tls;
pub mod wireguard;
