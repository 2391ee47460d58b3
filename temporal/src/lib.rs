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
//! | [`http`] | serves a router, with limits for slow clients and for many |
//! | [`renewals`] | API keys and certificates that change while the program runs |
//! | [`ui`] | addresses in Temporal's Web UI |
//! | [`telemetry`] | what a process tells of itself: metrics, traces, the polls under way |

pub mod args;
pub mod codec_server;
pub mod connect;
pub mod connect_error;
pub mod encryption;
pub mod http;
pub mod renewals;
pub mod search_attributes;
pub mod settings;
pub mod telemetry;
pub mod ui;

pub use args::{ConnectArgs, Secret};
pub use codec_server::{CodecServer, CodecServerArgs};
pub use connect::{Listener, answers, connect, connect_patiently, what_listens};
pub use connect_error::ConnectError;
pub use encryption::args::EncryptionArgs;
pub use encryption::keys::{Keys, KeysError};
pub use encryption::reading::{decrypted, failure_message};
pub use renewals::Renewals;
pub use search_attributes::{NoSearchAttribute, ensure_keyword};
pub use settings::Settings;
pub use ui::{UiArgs, workflow_url};
