//! The full-screen view of a live run: what it shows ([`Model`]), how keys change that ([`keys`]), and how it is drawn
//! ([`draw`]). It knows no terminal and no clock: whoever runs it hands in times, keys and a frame to draw on.

mod detail;
pub mod draw;
pub mod keys;
mod line;
mod model;
mod series;

pub use detail::Detail;
pub use model::{Model, Seen, Sort};
