//! A PostgreSQL server, as a process of its own.

mod builder;
mod error;
mod family;
mod place;
mod search;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    thread,
    time::Duration,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep};

pub use builder::PostgresBuilder;
pub use error::PostgresError;
pub use search::PostgresSearch;

use family::kill_family;
use place::{Place, SUPERUSER};

use crate::{
    output::Output,
    port::ReservedPort,
    process::{Process, Request},
    project::project_dir,
};

/// A server is ready within a second. After a crash it first replays what it had logged.
const READY_LIMIT: Duration = Duration::from_secs(60);
const READY_PAUSE: Duration = Duration::from_millis(20);
/// Killed processes are gone within milliseconds, unless the disk makes them wait.
const GONE_LIMIT: Duration = Duration::from_secs(10);
const GONE_PAUSE: Duration = Duration::from_millis(5);

/// What the watchdog does. SIGQUIT makes the server end its children as well, at once. `$2` is the
/// folder, if it is a temporary one.
const ORPHANED: &str = r#"kill -QUIT "$pid"
[ -n "$2" ] || exit
i=0; while [ -e "$2/data/postmaster.pid" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
rm -rf "$2""#;

/// A PostgreSQL server that was started and may have ended since.
///
/// The server is killed when this is dropped, and also when the process that holds it is killed. A
/// temporary folder is removed then.
///
/// ```no_run
/// use servers::Postgres;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut server = Postgres::builder().max_connections(200).start().await?;
/// println!("connect to {}", server.url());
///
/// server.kill().await?; // as a power failure would
/// server.restart().await?; // on the same port, with all that was committed
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
pub struct Postgres {
    process: Process,
    output: Output,
    programs: PathBuf,
    listen: IpAddr,
    settings: Vec<(String, String)>,
    // Kept also while the server is down, so that it can be started again on the same port.
    port: ReservedPort,
    // Dropped last: the folder is removed after the server has ended.
    place: Place,
}

// Without the password.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("folder", &self.place.folder)
            .field("address", &self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

impl PostgresBuilder {
    /// Starts the server and waits until it accepts connections. Only whoever knows the password in
    /// [`Postgres::url`] can connect to its port; only this user can connect to its socket.
    ///
    /// # Errors
    /// - [`PostgresError::Nowhere`] if PostgreSQL was not found and cannot be fetched;
    /// - [`PostgresError::Folder`] if the folder cannot be prepared, and [`PostgresError::Initdb`]
    ///   if no database can be created in it;
    /// - [`PostgresError::Spawn`] if a program cannot be run, and [`PostgresError::NoUser`] if
    ///   this process is root's and there is no `nobody` to run it;
    /// - [`PostgresError::NoPort`] if no port is free;
    /// - [`PostgresError::EndedEarly`] if the server ends before it is ready, and
    ///   [`PostgresError::NotReady`] if it is not ready after 60 seconds;
    /// - [`PostgresError::Process`] if a process cannot be watched or waited for.
    pub async fn start(self) -> Result<Postgres, PostgresError> {
        let programs = match self.programs {
            Some(programs) => programs,
            None => {
                PostgresSearch::from_env(&project_dir())
                    .find_or_fetch(|_| {})
                    .await?
            }
        };
        let place = Place::prepare(self.folder.as_deref(), &programs).await?;
        let port = ReservedPort::new().map_err(PostgresError::NoPort)?;
        let (process, output) = run(
            &place,
            &programs,
            self.listen,
            port.number(),
            &self.settings,
        )
        .await?;
        let mut server = Postgres {
            process,
            output,
            programs,
            listen: self.listen,
            settings: self.settings,
            port,
            place,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }
}

async fn run(
    place: &Place,
    programs: &Path,
    listen: IpAddr,
    port: u16,
    settings: &[(String, String)],
) -> Result<(Process, Output), PostgresError> {
    let output = Output::file()?;
    let program = programs.join("postgres");
    let mut command = place.command(&program, &output)?;
    command.arg("-D").arg(place.data());
    command.arg("-k").arg(&place.folder);
    command.arg("-p").arg(port.to_string());
    command.arg("-c").arg(format!("listen_addresses={listen}"));
    command.args(["-c", "unix_socket_permissions=0700"]);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let removed = match place.is_temporary() {
        true => place.folder.as_path(),
        false => Path::new(""),
    };
    let process = Process::start(command, ORPHANED, removed)
        .await
        .map_err(|source| place.cannot_run(&program, source))?;
    Ok((process, output))
}

impl Postgres {
    /// Describes a server. By default it keeps its database in a temporary folder and listens on a
    /// free port of 127.0.0.1.
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// How to connect over TCP, such as `postgres://postgres:PASSWORD@127.0.0.1:21000/postgres`.
    pub fn url(&self) -> String {
        let password = &self.place.password;
        let address = self.address();
        format!("postgres://{SUPERUSER}:{password}@{address}/postgres")
    }

    /// How to connect over the Unix socket, such as
    /// `postgres:///postgres?host=%2Ftmp%2Fpostgres-x&port=21000&user=postgres`.
    pub fn socket_url(&self) -> String {
        let folder = self.place.folder.to_string_lossy();
        let folder = utf8_percent_encode(&folder, NON_ALPHANUMERIC);
        let port = self.port.number();
        format!("postgres:///postgres?host={folder}&port={port}&user={SUPERUSER}")
    }

    /// Where it listens. A server that listens on all addresses is reached over loopback.
    pub fn address(&self) -> SocketAddr {
        let address = match self.listen {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        SocketAddr::new(address, self.port.number())
    }

    /// Where one of PostgreSQL's programs is, such as `psql` or `pgbench`, in the server's version.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The process ID of the server. It stays the same after the server has ended.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Ends the server and its children at once with SIGKILL, as a power failure would, and waits
    /// until they are gone.
    ///
    /// # Errors
    /// Returns [`PostgresError::Process`] if a process cannot be signalled or waited for.
    pub async fn kill(&mut self) -> Result<(), PostgresError> {
        if self.exited()?.is_none() {
            let killed = kill_family(self.pid())?;
            self.process.kill().await?;
            let started = Instant::now();
            while !killed.are_gone() && started.elapsed() < GONE_LIMIT {
                sleep(GONE_PAUSE).await;
            }
        }
        Ok(())
    }

    /// Ends the server in order: it breaks off its connections and writes everything to its folder.
    /// It is killed if that takes longer than 10 seconds.
    ///
    /// # Errors
    /// Returns [`PostgresError::Process`] if the process cannot be signalled or waited for.
    pub async fn stop(&mut self) -> Result<(), PostgresError> {
        Ok(self.process.stop(Request::Interrupt).await?)
    }

    /// Starts the server again, on the same port and with the same database, and waits until it
    /// accepts connections. A server that still runs is killed first.
    ///
    /// # Errors
    /// Returns the same errors as [`PostgresBuilder::start`].
    pub async fn restart(&mut self) -> Result<(), PostgresError> {
        self.kill().await?;
        (self.process, self.output) = run(
            &self.place,
            &self.programs,
            self.listen,
            self.port.number(),
            &self.settings,
        )
        .await?;
        self.wait_until_ready().await
    }

    /// How the server ended, or `None` while it runs.
    ///
    /// # Errors
    /// Returns [`PostgresError::Process`] if the process cannot be waited for.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, PostgresError> {
        Ok(self.process.exited()?)
    }

    async fn wait_until_ready(&mut self) -> Result<(), PostgresError> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exited()? {
                return Err(PostgresError::EndedEarly {
                    folder: self.place.folder.clone(),
                    status,
                    reason: self.output.excerpt(),
                });
            }
            if self.accepts_connections().await? {
                return Ok(());
            }
            if started.elapsed() > READY_LIMIT {
                self.kill().await?;
                return Err(PostgresError::NotReady {
                    folder: self.place.folder.clone(),
                    limit: READY_LIMIT,
                    output: self.output.excerpt(),
                });
            }
            sleep(READY_PAUSE).await;
        }
    }

    async fn accepts_connections(&self) -> Result<bool, PostgresError> {
        let program = self.program("pg_isready");
        let mut check = self.place.command(&program, &Output::file()?)?;
        check.arg("-h").arg(&self.place.folder);
        check.arg("-p").arg(self.port.number().to_string());
        let status = check.kill_on_drop(true).status().await;
        let status = status.map_err(|source| self.place.cannot_run(&program, source))?;
        Ok(status.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !matches!(self.process.exited(), Ok(None)) {
            return;
        }
        let Ok(killed) = kill_family(self.pid()) else {
            return;
        };
        // The folder cannot be removed while they still write to it.
        let started = Instant::now();
        while !killed.are_gone() && started.elapsed() < GONE_LIMIT {
            thread::sleep(GONE_PAUSE);
        }
    }
}
