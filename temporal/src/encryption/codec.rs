//! Encrypts and decrypts one payload.
//!
//! The format is that of the encryption samples for Temporal's other SDKs, so programs in other
//! languages can read it. The metadata names the encoding and the key; the data is a nonce, the
//! ciphertext of the payload in protobuf form, and the tag of AES-GCM.

use std::collections::HashMap;

use futures::{
    FutureExt,
    future::{self, BoxFuture},
};
use prost::Message;
use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    rand::{SecureRandom, SystemRandom},
};
use temporalio_common::{
    data_converters::{PayloadCodec, PayloadConversionError, SerializationContextData},
    protos::temporal::api::common::v1::Payload,
};

use super::keys::Keys;

const ENCODING: &str = "encoding";
const ENCRYPTED: &[u8] = b"binary/encrypted";
const CIPHER: &str = "encryption-cipher";
const AES_GCM: &[u8] = b"AES/GCM";
const KEY_ID: &str = "encryption-key-id";

/// Why a payload cannot be encrypted or decrypted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptionError {
    /// The payload is encrypted, and no keys were given.
    #[error(
        "it is encrypted with key \"{id}\", and no keys were given. Give them with \
         --encryption-keys-file (TEMPORAL_ENCRYPTION_KEYS_FILE) or TEMPORAL_ENCRYPTION_KEYS"
    )]
    NoKeys {
        /// The key's ID.
        id: String,
    },
    /// The payload is encrypted with a key that is not among those given.
    #[error(
        "it is encrypted with key \"{id}\", which is not among the keys given ({given}). Add it to \
         --encryption-keys-file (TEMPORAL_ENCRYPTION_KEYS_FILE) or TEMPORAL_ENCRYPTION_KEYS"
    )]
    UnknownKey {
        /// The key's ID.
        id: String,
        /// The IDs of the keys given.
        given: String,
    },
    /// The key of that ID does not decrypt the payload.
    #[error(
        "it is encrypted with key \"{id}\", and the key of that ID does not decrypt it: \
         either it was encrypted with another key of the same ID, or it was changed since"
    )]
    DoesNotOpen {
        /// The key's ID.
        id: String,
    },
    /// The operating system gave no random bytes, or the payload is too long for the cipher.
    #[error("it cannot be encrypted")]
    DoesNotSeal,
}

impl From<EncryptionError> for PayloadConversionError {
    fn from(error: EncryptionError) -> Self {
        Self::EncodingError(error.into())
    }
}

/// Encrypts each payload on its way to the server, and decrypts it on its way back.
///
/// Unencrypted payloads are accepted as they are, so orders that were placed before encryption was
/// turned on continue. Without keys nothing is encrypted, and an encrypted payload is an error.
#[derive(Clone, Debug)]
pub struct EncryptionCodec {
    keys: Keys,
    random: SystemRandom,
}

impl EncryptionCodec {
    /// Creates a codec. `keys` may be empty.
    pub fn new(keys: Keys) -> Self {
        Self {
            keys,
            random: SystemRandom::new(),
        }
    }

    /// Encrypts a payload with the first key. Without keys it is returned unchanged.
    ///
    /// # Errors
    /// Returns [`EncryptionError::DoesNotSeal`].
    pub fn encrypt(&self, payload: Payload) -> Result<Payload, EncryptionError> {
        let Some(key) = self.keys.first() else {
            return Ok(payload);
        };
        // With random nonces a key is good for 2^32 payloads (NIST SP 800-38D, 8.3).
        let mut nonce = [0; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .map_err(|_| EncryptionError::DoesNotSeal)?;
        let mut sealed = payload.encode_to_vec();
        key.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .map_err(|_| EncryptionError::DoesNotSeal)?;
        Ok(Payload {
            metadata: HashMap::from([
                (ENCODING.to_owned(), ENCRYPTED.to_owned()),
                (CIPHER.to_owned(), AES_GCM.to_owned()),
                (KEY_ID.to_owned(), key.id.clone().into_bytes()),
            ]),
            data: [&nonce[..], &sealed].concat(),
            ..Default::default()
        })
    }

    /// Decrypts a payload with the key that it names. An unencrypted one is returned unchanged.
    ///
    /// # Errors
    /// Returns an error if that key was not given or does not decrypt it.
    pub fn decrypt(&self, payload: Payload) -> Result<Payload, EncryptionError> {
        let Some(id) = key_id(&payload) else {
            return Ok(payload);
        };
        let Some(key) = self.keys.find(&id) else {
            return Err(if self.keys.is_empty() {
                EncryptionError::NoKeys { id }
            } else {
                let given = self.keys.ids().collect::<Vec<_>>().join(", ");
                EncryptionError::UnknownKey { id, given }
            });
        };
        let open = || {
            let (nonce, sealed) = payload.data.split_first_chunk::<NONCE_LEN>()?;
            let mut sealed = sealed.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let opened = key.cipher.open_in_place(nonce, Aad::empty(), &mut sealed);
            Payload::decode(&*opened.ok()?).ok()
        };
        open().ok_or(EncryptionError::DoesNotOpen { id })
    }

    fn all(
        payloads: Vec<Payload>,
        one: impl Fn(Payload) -> Result<Payload, EncryptionError>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        let all: Result<Vec<_>, _> = payloads.into_iter().map(one).collect();
        future::ready(all.map_err(Into::into)).boxed()
    }
}

/// The ID of the key that encrypts a payload, or `None` if it is not encrypted.
pub(crate) fn key_id(payload: &Payload) -> Option<String> {
    if payload.metadata.get(ENCODING).map(Vec::as_slice) != Some(ENCRYPTED) {
        return None;
    }
    let id = payload.metadata.get(KEY_ID).map(Vec::as_slice);
    Some(String::from_utf8_lossy(id.unwrap_or_default()).into_owned())
}

impl PayloadCodec for EncryptionCodec {
    fn encode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        Self::all(payloads, |payload| self.encrypt(payload))
    }

    fn decode(
        &self,
        _: &SerializationContextData,
        payloads: Vec<Payload>,
    ) -> BoxFuture<'static, Result<Vec<Payload>, PayloadConversionError>> {
        Self::all(payloads, |payload| self.decrypt(payload))
    }
}

#[cfg(test)]
mod tests;
