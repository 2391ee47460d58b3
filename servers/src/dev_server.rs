//! The Temporal dev server, `temporal server start-dev`, as a process of its own.

mod builder;
mod error;
mod readiness;

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use tokio::time::{Instant, sleep};

pub use builder::DevServerBuilder;
pub use error::DevServerError;

use builder::HOST;

use crate::{
    output::Output,
    port::{ReservedPort, is_taken},
    process::{Process, Request, asked_to_stop},
};

/// A server is ready within a second; on a busy machine it takes much longer.
const READY_LIMIT: Duration = Duration::from_secs(60);
const READY_PAUSE: Duration = Duration::from_millis(50);

/// How [`DevServer::run_until_stopped`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By Ctrl-C, SIGTERM or a closed terminal, upon which the server was stopped.
    Asked,
    /// The server ended by itself, with this status.
    ByItself(ExitStatus),
}

/// A Temporal dev server that was started and may have ended since.
///
/// The server is killed when this is dropped, and also when the process that holds it is killed.
///
/// ```no_run
/// use servers::{CliSearch, DevServer, project_dir};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let cli = CliSearch::from_env(&project_dir())
///     .find_or_fetch(|line| println!("{line}"))
///     .await?;
/// let mut server = DevServer::builder(cli)
///     .db_file("state/dev-server.db")
///     .start()
///     .await?;
/// println!("the server listens at {}", server.address());
///
/// server.kill().await?; // as a crash would
/// server.restart().await?; // at the same address, with the same state
/// server.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct DevServer {
    process: Process,
    output: Output,
    builder: DevServerBuilder,
    port: u16,
    ui_port: Option<u16>,
    // Kept also while the server is down, so that it can be started again on the same ports.
    _reserved: ReservedPort,
}

impl DevServerBuilder {
    /// Starts the server and waits until it can be used, with its namespace and its search
    /// attributes.
    ///
    /// # Errors
    /// - [`DevServerError::PortInUse`] if something listens on a port that was chosen, and
    ///   [`DevServerError::NoPort`] if none is free;
    /// - [`DevServerError::Spawn`] if the Temporal CLI cannot be run, and
    ///   [`DevServerError::DbFolder`] if the folder of the database file cannot be created;
    /// - [`DevServerError::EndedEarly`] if the server ends before it is ready;
    /// - [`DevServerError::NotReady`] if it is not ready after 60 seconds;
    /// - [`DevServerError::Process`] if its process cannot be watched or waited for.
    pub async fn start(self) -> Result<DevServer, DevServerError> {
        let reserved = ReservedPort::new().map_err(DevServerError::NoPort)?;
        let (port, ui_port) = self.ports(&reserved);
        let (process, output) = run(&self, port, ui_port).await?;
        let mut server = DevServer {
            process,
            output,
            builder: self,
            port,
            ui_port,
            _reserved: reserved,
        };
        server.wait_until_ready().await?;
        Ok(server)
    }
}

async fn run(
    builder: &DevServerBuilder,
    port: u16,
    ui_port: Option<u16>,
) -> Result<(Process, Output), DevServerError> {
    // The server would say so too, but only after the program that listens there has answered in
    // its place.
    for port in [Some(port), ui_port].into_iter().flatten() {
        if is_taken(port) {
            return Err(DevServerError::PortInUse { port });
        }
    }
    builder.create_db_folder()?;
    let output = builder.open_output()?;
    let command = builder.command(port, ui_port, &output)?;
    let cli = command.as_std().get_program().into();
    let process = Process::start(command, "kill -KILL \"$pid\"", Path::new(""))
        .await
        .map_err(|source| DevServerError::Spawn { cli, source })?;
    Ok((process, output))
}

impl DevServer {
    /// Describes a server that the Temporal CLI at `cli` will run. By default it keeps its state
    /// in memory, listens on a free port and has no Web UI.
    pub fn builder(cli: impl Into<PathBuf>) -> DevServerBuilder {
        DevServerBuilder::new(cli.into())
    }

    /// Where it listens, such as `127.0.0.1:7233`.
    pub fn address(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    /// Where its Web UI is, such as `http://127.0.0.1:8233`, if it has one.
    pub fn ui_address(&self) -> Option<String> {
        let port = self.ui_port?;
        Some(format!("http://{HOST}:{port}"))
    }

    /// The namespace it was started with.
    pub fn namespace(&self) -> &str {
        &self.builder.namespace
    }

    /// The process ID of the server. It stays the same after the server has ended.
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Ends the server at once with SIGKILL, as a crash would, and waits until it is gone.
    ///
    /// # Errors
    /// Returns [`DevServerError::Process`] if the process cannot be signalled or waited for.
    pub async fn kill(&mut self) -> Result<(), DevServerError> {
        Ok(self.process.kill().await?)
    }

    /// Ends the server with SIGTERM, or with SIGKILL if that takes longer than 10 seconds, and
    /// waits until it is gone.
    ///
    /// # Errors
    /// Returns [`DevServerError::Process`] if the process cannot be signalled or waited for.
    pub async fn stop(&mut self) -> Result<(), DevServerError> {
        Ok(self.process.stop(Request::Terminate).await?)
    }

    /// Starts the server again, on the same ports and with the same database file, and waits until
    /// it is ready. A server that still runs is killed first.
    ///
    /// # Errors
    /// Returns the same errors as [`DevServerBuilder::start`].
    pub async fn restart(&mut self) -> Result<(), DevServerError> {
        self.kill().await?;
        (self.process, self.output) = run(&self.builder, self.port, self.ui_port).await?;
        self.wait_until_ready().await
    }

    /// How the server ended, or `None` while it runs.
    ///
    /// # Errors
    /// Returns [`DevServerError::Process`] if the process cannot be waited for.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>, DevServerError> {
        Ok(self.process.exited()?)
    }

    /// Waits for Ctrl-C, SIGTERM or a closed terminal, and then stops the server; or until the
    /// server ends by itself.
    ///
    /// # Errors
    /// Returns [`DevServerError::Process`] if the process cannot be signalled or waited for.
    pub async fn run_until_stopped(&mut self) -> Result<Ended, DevServerError> {
        let asked = asked_to_stop()?;
        tokio::select! {
            ended = self.process.child.wait() => return Ok(Ended::ByItself(ended?)),
            () = asked => {}
        }
        self.stop().await?;
        Ok(Ended::Asked)
    }

    async fn wait_until_ready(&mut self) -> Result<(), DevServerError> {
        let started = Instant::now();
        let address = self.address();
        loop {
            let namespace = &self.builder.namespace;
            let attributes = &self.builder.search_attributes;
            let readiness = readiness::check(&address, namespace, attributes).await;
            // Looked at also when the server seems ready: another server may have answered.
            if let Some(status) = self.exited()? {
                return Err(DevServerError::EndedEarly {
                    address,
                    status,
                    reason: self.output.excerpt(),
                });
            }
            let Err(reason) = readiness else {
                return Ok(());
            };
            if started.elapsed() > READY_LIMIT {
                self.kill().await?;
                return Err(DevServerError::NotReady {
                    address,
                    limit: READY_LIMIT,
                    reason,
                    output: self.output.excerpt(),
                });
            }
            sleep(READY_PAUSE).await;
        }
    }
}
