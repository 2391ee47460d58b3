//! The client side of Temporal, whatever the workflows are about: connecting, credentials, encryption,
//! telemetry, and serving Nexus operations.
//!
//! Each module uses only modules above it.
//!
//! | module | what lives there |
//! |---|---|
//! | [`text`] | texts from outside, made fit for a terminal, a log line and a shell |
//! | [`names`] | names that a Temporal server takes |
//! | [`http`] | serves a router, with limits for slow clients and for many |
//! | [`hosts`] | the names that a server answers to |
//! | [`ui`] | links to Temporal's Web UI |
//! | `secret` | a text that is never printed |
//! | [`connect_error`] | why connecting failed, and what to do next |
//! | [`telemetry`] | metrics, traces, and the polls under way |
//! | [`encryption`] | encrypts the data that the server stores |
//! | [`codec_server`] | decrypts payloads for the Web UI and the Temporal CLI |
//! | `go_names` | the Go demo's environment variables, and what to set instead |
//! | `config_file` | reads and checks `temporal.toml` |
//! | [`settings`] | the checked settings of a connection |
//! | [`args`] | the flags `--address`, `--namespace`, ...; makes settings from flags, environment and file |
//! | [`connect`](mod@connect) | connects, once or until it works |
//! | [`renewals`] | API keys and certificates that change while a program runs |
//! | [`search_attributes`] | registers a search attribute |
//! | [`nexus`] | serves Nexus operations, which the SDK cannot |

pub mod args;
pub mod codec_server;
mod config_file;
pub mod connect;
pub mod connect_error;
pub mod encryption;
mod go_names;
pub mod hosts;
pub mod http;
pub mod names;
pub mod nexus;
pub mod renewals;
pub mod search_attributes;
mod secret;
pub mod settings;
pub mod telemetry;
pub mod text;
pub mod ui;

pub use args::ConnectArgs;
pub use codec_server::{CodecServer, CodecServerArgs};
pub use connect::{Listener, answers, connect, connect_patiently, identity, what_listens};
pub use connect_error::ConnectError;
pub use encryption::args::EncryptionArgs;
pub use encryption::keys::{Keys, KeysError};
pub use encryption::reading::{decrypted, failure_message};
pub use names::task_queue;
pub use renewals::Renewals;
pub use search_attributes::{NoSearchAttribute, ensure_keyword};
pub use secret::Secret;
pub use settings::Settings;
pub use text::{excerpt, printable, printable_lines, reported, shell_word};
pub use ui::{UI_PORT_OFFSET, UiArgs, workflow_url, workflows_url};
