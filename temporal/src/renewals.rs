//! API keys and certificates that change while the program runs.
//!
//! What a connection is made with is read again every second: the API key's file, the certificates,
//! the encryption keys, and `temporal.toml`. What is new is tried on a connection of its own before
//! it is used, so what does not work never takes the place of what does.

use std::mem;
use std::pin::pin;
use std::time::Duration;

use temporalio_client::Client;
use temporalio_common::telemetry::metrics::TemporalMeter;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::args::ConnectArgs;
use crate::connect::{connect, connect_patiently};
use crate::connect_error::ConnectError;
use crate::settings::Settings;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A client, and what is to be done when that which it was connected with changes.
#[derive(Debug)]
pub struct Renewals {
    client: Client,
    client_name: String,
    settings: Settings,
    files: Files,
}

impl Renewals {
    pub(crate) async fn connect(
        args: &ConnectArgs,
        client_name: &str,
        meter: Option<TemporalMeter>,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Self>, ConnectError> {
        let mut files = Files::new(args, meter);
        let mut settings = files.metered(args.settings()?);
        let client = connected(&mut files, &mut settings, client_name, stop).await?;
        Ok(client.map(|client| Self {
            client,
            client_name: client_name.to_owned(),
            settings,
            files,
        }))
    }

    /// Why the server lets nobody in with what is in use, if it does not: an API key or a
    /// certificate that has expired or was taken back.
    pub async fn refusal(&self) -> Option<ConnectError> {
        connect(&self.settings, &self.client_name)
            .await
            .err()
            .filter(ConnectError::is_refusal)
    }

    /// Keeps trying to connect anew, with what the files say by then. `None` where `stop` resolves.
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

    /// The client, connected with what was found last.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The server's address, with its scheme.
    pub fn address(&self) -> String {
        self.settings.address()
    }

    /// Waits until certificates or encryption keys are new, and gives a client that is connected
    /// with them. The one before it keeps its connection for as long as the server lets it.
    ///
    /// A new API key goes to the client there is, and needs no other. What cannot be read, and what
    /// the server refuses, is logged as a warning, once, and tried again.
    ///
    /// May be dropped and called again at any time.
    pub async fn next(&mut self) -> Client {
        loop {
            let found = self.files.changed(&self.settings).await;
            match connect(&found, &self.client_name).await {
                Err(error) => self.files.complain(&error.to_string()),
                Ok(client) => {
                    let old = mem::replace(&mut self.settings, found);
                    if self.settings.is_same_material(&old) {
                        let key = self.settings.options.api_key.clone();
                        self.client.connection().set_api_key(key);
                        info!("the API key was renewed");
                    } else {
                        self.client = client;
                        return self.client.clone();
                    }
                }
            }
        }
    }
}

/// A client with `settings`, or with what the files say later: what keeps it from connecting may be
/// mended in them.
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

/// What the files say, looked at again and again.
#[derive(Debug)]
struct Files {
    args: ConnectArgs,
    /// Counts the requests of whatever is connected with what the files say.
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

    /// Waits until the files say something else than `current`.
    async fn changed(&mut self, current: &Settings) -> Settings {
        loop {
            sleep(LOOK_EVERY).await;
            let args = self.args.clone();
            // A disk may be slow, and other work goes on meanwhile.
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
            warn!("{what}. What was in use before stays in use; looking again until it works");
            self.complaint = what.to_owned();
        }
    }
}

/// Two looks running: what is seen in one only may be a certificate without its key, for two files
/// are not written at the same moment.
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
                "the settings now mean namespace \"{}\" at {}, which needs a restart",
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
