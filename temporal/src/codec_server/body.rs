//! Payloads as JSON, by protobuf's JSON mapping: bytes are base64.

use std::collections::HashMap;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// Protobuf's mapping requires readers to accept base64 with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Body {
    payloads: Vec<JsonPayload>,
}

/// An unknown field would be lost on the way back, so it is an error.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct JsonPayload {
    #[serde(default)]
    metadata: HashMap<String, Base64>,
    #[serde(default)]
    data: Base64,
}

#[derive(Default)]
struct Base64(Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // It also requires the URL-safe alphabet.
        let text = String::deserialize(deserializer)?
            .replace('-', "+")
            .replace('_', "/");
        // The decoder's own error quotes a part of the text, which may be secret.
        let bytes = BASE64.decode(text);
        bytes
            .map(Self)
            .map_err(|_| de::Error::custom("invalid base64"))
    }
}

pub(super) fn read(json: &[u8]) -> Result<Vec<Payload>, serde_json::Error> {
    let body: Body = serde_json::from_slice(json)?;
    let payload = |json: JsonPayload| {
        let metadata = json.metadata.into_iter();
        Payload {
            metadata: metadata.map(|(name, value)| (name, value.0)).collect(),
            data: json.data.0,
            ..Payload::default()
        }
    };
    Ok(body.payloads.into_iter().map(payload).collect())
}

pub(super) fn write(payloads: Vec<Payload>) -> Result<Vec<u8>, serde_json::Error> {
    let json = |payload: Payload| {
        let metadata = payload.metadata.into_iter();
        JsonPayload {
            metadata: metadata
                .map(|(name, value)| (name, Base64(value)))
                .collect(),
            data: Base64(payload.data),
        }
    };
    let payloads = payloads.into_iter().map(json).collect();
    serde_json::to_vec(&Body { payloads })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_back_as_they_were() {
        let json = br#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"IjEi"}]}"#;
        let payloads = read(json).unwrap();
        assert_eq!(payloads[0].metadata["encoding"], b"json/plain");
        assert_eq!(payloads[0].data, b"\"1\"");
        assert_eq!(write(payloads).unwrap(), json);
    }

    #[test]
    fn base64_is_read_in_each_of_its_forms() {
        for form in ["+/8=", "+/8", "-_8=", "-_8"] {
            let json = format!(r#"{{"payloads":[{{"data":"{form}"}}]}}"#);
            assert_eq!(read(json.as_bytes()).unwrap()[0].data, [0xfb, 0xff]);
        }
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        for json in [
            r#"{"payloads":[{"data":"","externalPayloads":[{"sizeBytes":"1"}]}]}"#,
            r#"{"payloads":[],"more":1}"#,
            r#"{}"#,
            r#"{"payloads":[{"data":"no base64"}]}"#,
            "",
        ] {
            assert!(read(json.as_bytes()).is_err(), "{json}");
        }
    }
}
