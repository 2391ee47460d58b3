//! Encrypts the data that the server stores, with keys that the server never sees.
//!
//! | module | what lives there |
//! |---|---|
//! | [`keys`] | the keys, each with an ID |
//! | [`args`] | the flags that name the keys |
//! | [`codec`] | encrypts and decrypts one payload |
//! | [`reading`] | decrypts messages from the server for people to read |
//! | `plain_text` | removes what the SDK would send unencrypted |

pub mod args;
pub mod codec;
pub mod keys;
mod plain_text;
pub mod reading;

use std::sync::Arc;

use codec::EncryptionCodec;
use keys::Keys;
use plain_text::WithoutPlainText;
use temporalio_client::{ClientInterceptor, ClientOptions};
use temporalio_common::data_converters::{
    DataConverter, DefaultFailureConverter, PayloadConverter,
};

use crate::telemetry::traces;

/// Options for a client that encrypts with `keys`, and that is traced if this process has traces.
///
/// With keys, the messages of failures are encrypted too, and workflows start without the summary
/// and details that the Web UI shows, because the SDK sends those unencrypted. Without keys nothing
/// is encrypted, and an encrypted payload is still recognized.
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
