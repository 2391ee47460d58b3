//! API keys and certificates that change while the program runs.
//!
//! The API key's file, the certificates, the encryption keys and `temporal.toml` are read again every
//! second. New ones are first tried on a separate connection, so that credentials that do not work
//! never replace credentials that do.

use std::{future, mem, pin::pin, time::Duration};

use temporalio_client::Client;
use temporalio_common::telemetry::metrics::TemporalMeter;
use tokio::{task::spawn_blocking, time::sleep};
use tracing::{info, warn};

use crate::{
    args::ConnectArgs,
    connect::{connect, connect_patiently},
    connect_error::ConnectError,
    settings::Settings,
};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A client, and the files with its credentials, which are watched for changes. Made by
/// [`ConnectArgs::connect_renewably`].
#[derive(Debug)]
pub struct Renewals {
    client: Client,
    client_name: String,
    settings: Settings,
    files: Files,
}

/// Why [`Renewals::next_or`] connected anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Certificates or encryption keys changed.
    Renewed,
    /// The caller asked for it.
    Asked,
}

impl ConnectArgs {
    /// Keeps trying to connect until it succeeds, or until `stop` resolves, which gives `None`. For
    /// a program that runs for a long time: flags, environment and files are read again while it
    /// tries, and later by [`Renewals`]. `meter` counts its requests.
    ///
    /// # Errors
    /// Returns [`ConnectError::Settings`] if the settings are wrong. Any other error is logged as a
    /// warning, and connecting is tried again.
    pub async fn connect_renewably(
        &self,
        client_name: &str,
        meter: Option<TemporalMeter>,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Renewals>, ConnectError> {
        let mut files = Files::new(self, meter);
        let mut settings = files.metered(self.settings()?);
        for warning in &settings.warnings {
            warn!("{warning}");
        }
        let client = connected(&mut files, &mut settings, client_name, stop).await?;
        Ok(client.map(|client| Renewals {
            client,
            client_name: client_name.to_owned(),
            settings,
            files,
        }))
    }
}

impl Renewals {
    /// Connects once more with the credentials in use, and returns the error if the server is away, or
    /// rejects them: an API key or a certificate that has expired or was revoked.
    pub async fn refusal(&self) -> Option<ConnectError> {
        connect(&self.settings, &self.client_name)
            .await
            .err()
            .filter(|error| error.is_refusal() || error.is_outage())
    }

    /// Keeps trying to connect again, with the credentials that the files hold by then, until it
    /// succeeds or `stop` resolves, which gives `None`.
    ///
    /// # Errors
    /// See [`connect_patiently`].
    pub async fn reconnect(
        &mut self,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Client>, ConnectError> {
        let (files, settings) = (&mut self.files, &mut self.settings);
        let client = connected(files, settings, &self.client_name, stop).await?;
        if let Some(client) = &client {
            self.client = client.clone();
        }
        Ok(client)
    }

    /// Returns the client, connected with the newest credentials that worked.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the server's address, with its scheme.
    pub fn address(&self) -> String {
        self.settings.address()
    }

    /// Waits until certificates or encryption keys change, and returns a client that is connected
    /// with the new ones. The previous client keeps its connection for as long as the server allows.
    ///
    /// A new API key is given to the existing client. Files that cannot be read and credentials that
    /// the server rejects are logged once as a warning, and tried again.
    ///
    /// The future may be dropped and `next` called again at any time.
    pub async fn next(&mut self) -> Client {
        self.next_or(async || future::pending().await).await.0
    }

    /// Does the same as [`Renewals::next`], and also connects anew when `asked` resolves. Returns the
    /// reason as well.
    pub async fn next_or(&mut self, asked: impl AsyncFn()) -> (Client, Reason) {
        loop {
            let (found, reason) = tokio::select! {
                found = self.files.changed(&self.settings) => (found, Reason::Renewed),
                () = asked() => (self.settings.clone(), Reason::Asked),
            };
            match connect(&found, &self.client_name).await {
                Err(error) => {
                    self.files.complain(&error.to_string());
                    sleep(LOOK_EVERY).await;
                }
                Ok(client) => {
                    let old = mem::replace(&mut self.settings, found);
                    if reason == Reason::Renewed && self.settings.is_same_material(&old) {
                        let key = self.settings.options.api_key.clone();
                        self.client.connection().set_api_key(key);
                        info!("the API key was renewed");
                    } else {
                        self.client = client;
                        return (self.client.clone(), reason);
                    }
                }
            }
        }
    }
}

/// Connects with `settings`, or with what the files hold later: the reason why it cannot connect may
/// be corrected there.
async fn connected(
    files: &mut Files,
    settings: &mut Settings,
    client_name: &str,
    stop: impl Future<Output = ()>,
) -> Result<Option<Client>, ConnectError> {
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            client = connect_patiently(settings, client_name, &mut stop) => return client,
            found = files.changed(settings) => *settings = found,
        }
    }
}

/// The files with the credentials, read again and again.
#[derive(Debug)]
struct Files {
    args: ConnectArgs,
    /// Counts the requests of each client connected with these files.
    meter: Option<TemporalMeter>,
    looks: Looks,
    complaint: String,
}

impl Files {
    fn new(args: &ConnectArgs, meter: Option<TemporalMeter>) -> Self {
        Self {
            args: args.clone(),
            meter,
            looks: Looks::default(),
            complaint: String::new(),
        }
    }

    /// Waits until the files differ from `current`.
    async fn changed(&mut self, current: &Settings) -> Settings {
        loop {
            sleep(LOOK_EVERY).await;
            let args = self.args.clone();
            // A slow disk must not hold up other work.
            let Ok(found) = spawn_blocking(move || args.settings()).await else {
                continue;
            };
            match self.looks.look(found, current) {
                Look::AsBefore => self.complaint.clear(),
                Look::Unsettled => {}
                Look::Wrong(error) => self.complain(&error),
                Look::New(found) => return self.metered(*found),
            }
        }
    }

    fn metered(&self, mut settings: Settings) -> Settings {
        settings.options.metrics_meter = self.meter.clone();
        settings
    }

    fn complain(&mut self, what: &str) {
        if self.complaint != what {
            warn!(
                "{what}. What was in use before stays in use; reading the files again until they work"
            );
            self.complaint = what.to_owned();
        }
    }
}

/// A change counts only if two looks in a row see it: a certificate and its key are two files, and
/// one look may come between the writing of the first and the second.
#[derive(Debug, Default)]
struct Looks {
    last: Option<Result<Settings, String>>,
}

#[derive(Debug)]
enum Look {
    AsBefore,
    Unsettled,
    Wrong(String),
    New(Box<Settings>),
}

impl Looks {
    fn look(&mut self, found: Result<Settings, ConnectError>, current: &Settings) -> Look {
        let found = found.map_err(|error| error.to_string()).and_then(|found| {
            if found.is_same_place(current) {
                return Ok(found);
            }
            Err(format!(
                "the settings now name namespace \"{}\" at {}, which needs a restart",
                found.namespace,
                found.address()
            ))
        });
        let last = self.last.take();
        match (found, last) {
            (Ok(found), _) if is_same(&found, current) => Look::AsBefore,
            (Ok(found), Some(Ok(last))) if is_same(&found, &last) => Look::New(Box::new(found)),
            (Err(error), Some(Err(last))) if error == last => {
                self.last = Some(Err(last));
                Look::Wrong(error)
            }
            (found, _) => {
                self.last = Some(found);
                Look::Unsettled
            }
        }
    }
}

fn is_same(one: &Settings, other: &Settings) -> bool {
    one.is_same_api_key(other) && one.is_same_material(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(key: &str) -> Result<Settings, ConnectError> {
        let mut settings = Settings::plain("server:7233", "orders")?;
        settings.options.api_key = Some(key.to_owned());
        Ok(settings)
    }

    fn wrong() -> Result<Settings, ConnectError> {
        Err(ConnectError::Settings("half a file".to_owned()))
    }

    #[test]
    fn what_is_new_is_taken_when_it_stays() {
        let (current, mut looks) = (with_key("old").unwrap(), Looks::default());
        let mut look = |found| looks.look(found, &current);
        assert!(matches!(look(with_key("old")), Look::AsBefore));
        assert!(matches!(look(with_key("half")), Look::Unsettled));
        assert!(matches!(look(with_key("new")), Look::Unsettled));
        assert!(matches!(look(with_key("new")), Look::New(_)));
    }

    #[test]
    fn what_is_wrong_is_told_when_it_stays() {
        let (current, mut looks) = (with_key("old").unwrap(), Looks::default());
        let mut look = |found| looks.look(found, &current);
        assert!(matches!(look(wrong()), Look::Unsettled));
        assert!(matches!(look(with_key("old")), Look::AsBefore));
        assert!(matches!(look(wrong()), Look::Unsettled));
        assert!(matches!(look(wrong()), Look::Wrong(_)));
    }

    #[test]
    fn another_server_is_not_moved_to() {
        let (current, mut looks) = (with_key("old").unwrap(), Looks::default());
        let elsewhere = || Settings::plain("server:7234", "orders");
        looks.look(elsewhere(), &current);
        let Look::Wrong(text) = looks.look(elsewhere(), &current) else {
            panic!("moved");
        };
        assert!(text.contains("needs a restart"), "{text}");
    }
}
