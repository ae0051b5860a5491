//! What the recognisers' tests share.

#![allow(unreachable_pub)]

pub mod esp;
pub mod flows;
pub mod lookalikes;
pub mod mutate;
pub mod needed;
