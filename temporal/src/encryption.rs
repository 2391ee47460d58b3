//! Encrypting what the server keeps of an order, with keys that it never sees.
//!
//! | module | what lives there |
//! |---|---|
//! | [`args`] | the flags that name the keys |
//! | [`keys`] | the keys, from a file or a text, with an ID each |
//! | [`codec`] | one payload encrypted and decrypted |
//! | [`reading`] | what came from the server as a person can read it |
//! | `plain_text` | keeps from the server what the SDK would send unencrypted |

pub mod args;
pub mod codec;
pub mod keys;
mod plain_text;
pub mod reading;

use std::sync::Arc;

use temporalio_client::{ClientInterceptor, ClientOptions};
use temporalio_common::data_converters::{
    DataConverter, DefaultFailureConverter, PayloadConverter,
};

use codec::EncryptionCodec;
use keys::Keys;
use plain_text::WithoutPlainText;

use crate::telemetry::traces;

/// The options of a client that is traced where this process is, and that encrypts with `keys`, and, where there are none, does not, but
/// still knows an encrypted payload when it sees one.
///
/// With keys, what a failure says is encrypted too, and a workflow is started without the summary
/// and details that a Web UI shows, for the SDK sends those as they are.
pub(crate) fn client_options(namespace: &str, keys: &Keys) -> ClientOptions {
    let encrypts = !keys.is_empty();
    let mut interceptors: Vec<Arc<dyn ClientInterceptor>> = Vec::new();
    if encrypts {
        interceptors.push(Arc::new(WithoutPlainText));
    }
    let converter = DataConverter::new(
        PayloadConverter::default(),
        DefaultFailureConverter::new(encrypts),
        EncryptionCodec::new(keys.clone()),
    );
    ClientOptions::new(namespace)
        .data_converter(converter)
        .client_interceptors(interceptors)
        .plugins(traces::plugin())
        .build()
}
