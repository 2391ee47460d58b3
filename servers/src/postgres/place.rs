//! The folder of a PostgreSQL server: its database, its password and its Unix socket.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::unistd::{User, geteuid};
use tokio::process::Command;

use super::error::PostgresError;
use crate::output::Output;

/// The superuser of the database.
pub(super) const SUPERUSER: &str = "postgres";

#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) password: String,
    user: Option<User>,
    // Removes the folder, if it is a temporary one.
    temporary: Option<tempfile::TempDir>,
}

impl Place {
    /// Prepares `given`, or a temporary folder, and creates a database in it if it has none.
    pub(super) async fn prepare(
        given: Option<&Path>,
        programs: &Path,
    ) -> Result<Self, PostgresError> {
        let user = other_user()?;
        let (folder, temporary) = match given {
            Some(given) => (given.to_owned(), None),
            None => {
                let made = tempfile::Builder::new()
                    .prefix("postgres-")
                    .permissions(fs::Permissions::from_mode(0o700))
                    .tempdir();
                let made = made.map_err(|source| PostgresError::Folder {
                    folder: env::temp_dir(),
                    source,
                })?;
                (made.path().to_owned(), Some(made))
            }
        };
        let in_folder = |source| PostgresError::Folder {
            folder: folder.clone(),
            source,
        };
        // The socket's folder is named on command lines of programs that run elsewhere.
        let folder = std::path::absolute(&folder).map_err(in_folder)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .and_then(|()| give(&folder, user.as_ref()))
            .map_err(in_folder)?;
        let password = password(&folder, user.as_ref()).map_err(in_folder)?;
        let place = Self {
            folder,
            password,
            user,
            temporary,
        };
        if !place.data().join("PG_VERSION").exists() {
            place.create_database(programs).await?;
        }
        Ok(place)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// One of PostgreSQL's programs, run under another user if this process is root's.
    pub(super) fn command(&self, program: &Path, output: &Output) -> io::Result<Command> {
        let mut command = Command::new(program);
        // Where the other user can be.
        command.current_dir(&self.folder);
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        // PGPORT, PGHOSTADDR and others, which are about another server.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").stdin(Stdio::null());
        command.stdout(output.stdio()?).stderr(output.stdio()?);
        Ok(command)
    }

    pub(super) fn cannot_run(&self, program: &Path, source: io::Error) -> PostgresError {
        let as_user = match (&self.user, source.kind()) {
            (Some(user), io::ErrorKind::PermissionDenied) => format!(
                " as the user {}, because PostgreSQL refuses to run as root. That user must be \
                 able to enter each folder above it and above {}",
                user.name,
                self.folder.display()
            ),
            _ => String::new(),
        };
        PostgresError::Spawn {
            program: program.to_owned(),
            as_user,
            source,
        }
    }

    async fn create_database(&self, programs: &Path) -> Result<(), PostgresError> {
        let failed = |reason| PostgresError::Initdb {
            folder: self.folder.clone(),
            reason,
        };
        let output = Output::file()?;
        let program = programs.join("initdb");
        let mut initdb = self.command(&program, &output)?;
        initdb
            .arg("--pgdata")
            .arg(self.data())
            .args(["--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C"])
            // Only the owner can reach the socket. A TCP port can be reached by everybody on this
            // machine, and a superuser of the database can run programs.
            .args(["--auth-local", "trust", "--auth-host", "scram-sha-256"])
            .arg("--pwfile")
            .arg(password_file(&self.folder))
            .kill_on_drop(true);
        if self.is_temporary() {
            // Such a folder does not outlive a power failure anyway.
            initdb.arg("--no-sync");
        }
        let status = initdb
            .status()
            .await
            .map_err(|source| self.cannot_run(&program, source))?;
        if !status.success() {
            return Err(failed(output.excerpt()));
        }
        // `initdb` lets in connections from this machine only; which addresses are listened on is
        // decided when the server starts.
        let rules = self.data().join("pg_hba.conf");
        fs::OpenOptions::new()
            .append(true)
            .open(rules)
            .and_then(|mut file| {
                io::Write::write_all(&mut file, b"host all all all scram-sha-256\n")
            })
            .map_err(|error| failed(error.to_string()))
    }
}

/// PostgreSQL refuses to run as root: `nobody` takes its place.
fn other_user() -> Result<Option<User>, PostgresError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    match User::from_name("nobody") {
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => Err(PostgresError::NoUser("it does not exist".to_owned())),
        Err(error) => Err(PostgresError::NoUser(error.to_string())),
    }
}

fn give(path: &Path, user: Option<&User>) -> io::Result<()> {
    match user {
        Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())),
        None => Ok(()),
    }
}

fn password_file(folder: &Path) -> PathBuf {
    folder.join("password")
}

/// The superuser's password: the one in the folder, or else a new one, which is kept there.
fn password(folder: &Path, user: Option<&User>) -> io::Result<String> {
    let path = password_file(folder);
    if path.exists() {
        return fs::read_to_string(path);
    }
    let password = format!("{:032x}", rand::random::<u128>());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    io::Write::write_all(&mut file, password.as_bytes())?;
    give(&path, user)?;
    Ok(password)
}
