//! Makes the embedded registry from IANA's CSV or XML:
//! `cargo run --example import-registry -- service-names-port-numbers.csv src/registry/data/iana.bin`

use std::error::Error;
use std::{env, fs};

use portproof::registry::{encode, import};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        return Err("usage: import-registry FILE OUT.bin".into());
    };
    let snapshot = import::read(&fs::read(from)?)?;
    let bytes = encode::encode(&snapshot).ok_or("too many rows")?;
    println!("{}: {} rows of {}, {} bytes", to, snapshot.entries.len(), snapshot.date, bytes.len());
    fs::write(to, bytes)?;
    Ok(())
}
