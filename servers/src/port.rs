//! Ports that stay free between the moment they are chosen and the moment a server takes them.
//!
//! Ports collide when one process names a port that another was given: by the kernel, as the
//! source of a connection or for `bind` to port 0, or by a choice of its own. The first cannot
//! happen here, and the second cannot happen among programs that reserve their ports:
//!
//! - The kernel gives out ports of its ephemeral range only, which begins at 32768 on Linux and at
//!   49152 on macOS, unless the machine was configured otherwise. The ports here are
//!   below it.
//! - Whoever reserves a port listens on a third one, its guard, until the reservation ends. The
//!   kernel lets only one process do that, and forgets it when that process is gone, however it
//!   ended.
//!
//! The dev server has five more ports for its parts (history, matching, worker, HTTP, metrics),
//! most of which cannot be named on its command line. The Temporal CLI gets them from the kernel,
//! and closes a connection on each, which leaves the port in the state TIME_WAIT for a minute: the
//! kernel then gives it to nobody, even when it has no other port left. Only a process that names
//! that port could take it, and no dev server is given a port of the ephemeral range.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    time::Duration,
};

const FIRST_GUARD: u16 = 20_000;
/// As far apart as the Temporal CLI puts its own two default ports.
const DISTANCE: u16 = 1000;
/// Whoever listens on this machine answers at once, unless too many wait for an answer already.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);

/// A port of the loopback interface that nobody else is given until this is dropped. The port
/// 1000 above it is reserved too, for the Web UI.
///
/// ```
/// let port = servers::ReservedPort::new()?;
/// let another = servers::ReservedPort::new()?;
/// assert_ne!(port.number(), another.number());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    _guard: TcpListener,
}

impl ReservedPort {
    /// Reserves a port, and the one 1000 above it, on which nothing listens.
    ///
    /// # Errors
    /// Returns an error if all the ports that are set aside for this are in use.
    pub fn new() -> io::Result<Self> {
        // At random, so that a port is not given again as soon as it is released, while somebody
        // may still look at who listens there.
        let random = RandomState::new().build_hasher().finish();
        Self::search_from((random % u64::from(DISTANCE)) as u16)
    }

    fn search_from(start: u16) -> io::Result<Self> {
        (start..DISTANCE)
            .chain(0..start)
            .find_map(|offset| {
                let guard_port = FIRST_GUARD + offset;
                let guard = listen(guard_port).ok()?;
                let number = guard_port + DISTANCE;
                let free = !is_taken(number) && !is_taken(number + DISTANCE);
                free.then_some(Self {
                    number,
                    _guard: guard,
                })
            })
            .ok_or_else(|| {
                let last = FIRST_GUARD + 3 * DISTANCE - 1;
                let text = format!("all ports from {FIRST_GUARD} to {last} are in use");
                io::Error::new(io::ErrorKind::AddrInUse, text)
            })
    }

    /// The reserved port.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port 1000 above it.
    pub(crate) fn ui_number(&self) -> u16 {
        self.number + DISTANCE
    }
}

/// Whether something listens on `port` already.
///
/// It connects and does not try to listen. A socket that listens, if only for a moment, is copied into
/// every child process that another thread starts in that moment, and keeps the port until the child
/// runs its own program.
pub(crate) fn is_taken(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let connected = TcpStream::connect_timeout(&address, CONNECT_LIMIT);
    connected.map_or_else(
        |error| error.kind() != io::ErrorKind::ConnectionRefused,
        |_| true,
    )
}

fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    /// Children that are started meanwhile hold copies of what listens at that moment.
    #[test]
    fn a_port_that_was_looked_at_is_free_at_once() {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        Command::new("true").status().unwrap();
                    }
                });
            }
            let port = ReservedPort::new().unwrap().number();
            let taken = (0..2_000).filter(|_| is_taken(port)).count();
            done.store(true, Ordering::Relaxed);
            assert_eq!(taken, 0);
        });
    }

    #[test]
    fn a_reserved_port_is_not_given_again() {
        let first = ReservedPort::new().unwrap();
        let offset = first.number() - DISTANCE - FIRST_GUARD;
        let second = ReservedPort::search_from(offset).unwrap();
        assert_ne!(first.number(), second.number());
    }

    #[test]
    fn a_port_in_use_is_passed_over_and_so_is_one_whose_ui_port_is_in_use() {
        for above in [DISTANCE, 2 * DISTANCE] {
            let (offset, _taken) = (700..DISTANCE)
                .find_map(|offset| Some((offset, listen(FIRST_GUARD + offset + above).ok()?)))
                .unwrap();
            let found = ReservedPort::search_from(offset).unwrap();
            assert_ne!(found.number(), FIRST_GUARD + offset + DISTANCE);
        }
    }
}
