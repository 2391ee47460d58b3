//! All about Temporal that is not about orders.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | the flags every command takes to say which server: `--address`, `--namespace`, ... |
//! | [`settings`] | flags, environment and `temporal.toml` put together, checked before anything is sent |
//! | [`connect`](mod@connect) | connecting, at once or patiently, and what listens at an address |
//! | [`connect_error`] | why connecting failed, and what to do next |
//! | [`search_attributes`] | registering a search attribute that a namespace lacks |
//! | [`encryption`] | encrypting what the server keeps of an order |
//! | [`codec_server`] | decrypts for the Web UI and the Temporal CLI |
//! | [`renewals`] | API keys and certificates that change while the program runs |
//! | [`ui`] | addresses in Temporal's Web UI |
//! | [`cli`] | finding the Temporal CLI, or fetching it once |
//! | [`dev_server`] | the real dev server as a process: started, killed, stopped, started again |
//! | [`telemetry`] | what a process tells of itself: metrics, traces, the polls under way |
//! | [`project`] | where this project's folder is |

pub mod args;
pub mod cli;
pub mod codec_server;
pub mod connect;
pub mod connect_error;
pub mod dev_server;
pub mod encryption;
pub mod project;
pub mod renewals;
pub mod search_attributes;
pub mod settings;
pub mod telemetry;
pub mod ui;

pub use args::{ConnectArgs, Secret};
pub use cli::{CliError, CliSearch, find_or_fetch};
pub use codec_server::{CodecServer, CodecServerArgs};
pub use connect::{Listener, answers, connect, connect_patiently, what_listens};
pub use connect_error::ConnectError;
pub use dev_server::{DevServer, DevServerBuilder, DevServerError, Ended};
pub use encryption::args::EncryptionArgs;
pub use encryption::keys::{Keys, KeysError};
pub use encryption::reading::{decrypted, failure_message};
pub use project::project_dir;
pub use renewals::Renewals;
pub use search_attributes::{NoSearchAttribute, ensure_keyword};
pub use settings::Settings;
pub use ui::{UiArgs, workflow_url};
