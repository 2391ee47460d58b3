//! Free ports.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// A port of this machine's loopback that is free, and that nobody else who asks is given soon.
pub(super) fn free() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    if cfg!(target_os = "linux") {
        // A connection closed from the listening side keeps the port out of the hands of whoever
        // else asks for any free one, for a minute; a server that names the port still gets it.
        // Linux hands out ports at random, so two that ask at once would now and then get the same.
        let _connecting = TcpStream::connect(address)?;
        let (accepted, _) = listener.accept()?;
        drop(accepted);
    }
    Ok(address.port())
}

/// Whether something listens on `port` already.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}
