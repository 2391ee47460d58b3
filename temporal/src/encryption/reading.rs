//! Decrypts messages from the server for people to read.
//!
//! The SDK decrypts results, descriptions and a worker's tasks, but it returns a history as the
//! server stores it.

use temporalio_common::{
    data_converters::{DataConverter, SerializationContextData, WorkflowSerializationContext},
    payload_visitor::{PayloadVisitable, decode_payloads},
    protos::temporal::api::failure::v1::Failure,
};

use super::codec::key_id;

/// Decrypts all payloads in a message from the server. If one of them cannot be decrypted, returns
/// the message unchanged.
pub async fn decrypted<M>(converter: &DataConverter, message: M) -> M
where
    M: PayloadVisitable + Clone + Send,
{
    let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
    let mut readable = message.clone();
    match decode_payloads(&mut readable, converter.codec(), &context).await {
        Ok(()) => readable,
        Err(_) => message,
    }
}

/// Returns a failure's message, without its causes. If the message is still encrypted, says with
/// which key.
pub fn failure_message(failure: &Failure) -> String {
    let Some(attributes) = &failure.encoded_attributes else {
        return failure.message.clone();
    };
    if let Some(id) = key_id(attributes) {
        return format!("the reason is encrypted with key \"{id}\"");
    }
    serde_json::from_slice::<serde_json::Value>(&attributes.data)
        .ok()
        .and_then(|attributes| Some(attributes.get("message")?.as_str()?.to_owned()))
        .unwrap_or_else(|| failure.message.clone())
}

#[cfg(test)]
mod tests {
    use temporalio_common::{
        data_converters::{DefaultFailureConverter, PayloadConverter},
        error::{ApplicationFailure, OutgoingWorkflowError},
        payload_visitor::encode_payloads,
    };

    use super::*;
    use crate::encryption::{codec::EncryptionCodec, keys::Keys};

    const KEY: &str = "one=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn converter(keys: Keys) -> DataConverter {
        DataConverter::new(
            PayloadConverter::default(),
            DefaultFailureConverter::new(true),
            EncryptionCodec::new(keys),
        )
    }

    #[tokio::test]
    async fn a_failures_message_is_read_with_the_key_and_the_key_named_without_it() {
        let with_key = converter(Keys::parse(KEY).unwrap());
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let error = ApplicationFailure::builder("VISA-000000 is known to be bad".to_owned());
        let error = OutgoingWorkflowError::Application(Box::new(error.build()));
        let mut failure = with_key.to_failure(&context, error.into());
        encode_payloads(&mut failure, with_key.codec(), &context)
            .await
            .unwrap();
        assert!(!failure.message.contains("VISA"), "{failure:?}");

        let readable = decrypted(&with_key, failure.clone()).await;
        assert_eq!(failure_message(&readable), "VISA-000000 is known to be bad");

        let without = converter(Keys::default());
        let still = decrypted(&without, failure.clone()).await;
        assert_eq!(still, failure);
        assert!(failure_message(&still).contains("\"one\""));
    }

    #[test]
    fn a_failure_that_was_never_encrypted_says_what_it_says() {
        let failure = Failure {
            message: "the courier is out".to_owned(),
            ..Failure::default()
        };
        assert_eq!(failure_message(&failure), "the courier is out");
    }
}
