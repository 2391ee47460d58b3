//! Reading JSON that comes from outside.

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::text::{MAX_QUOTE, shortened};

/// Why a text is not the JSON of what was expected. The message names the field at fault if there
/// is one, quotes no value at length, and never quotes a payment info.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DecodeError(String);

/// Reads a value from JSON.
///
/// ```
/// let error = orders::from_json::<u32>(br#""seven""#).unwrap_err();
/// assert!(error.to_string().starts_with(r#"invalid type: string "seven", expected u32"#));
/// ```
///
/// # Errors
/// Returns a [`DecodeError`] if a field is missing or of the wrong type, or if anything follows the
/// value.
pub fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let message = match path.as_str() {
            "." => inner.to_string(),
            // The decoder's own message quotes what it found.
            field if field.eq_ignore_ascii_case("paymentInfo") => {
                format!("{field}: expected a string")
            }
            field => format!("{field}: {inner}"),
        };
        DecodeError(shortened(&message, 2 * MAX_QUOTE).into_owned())
    })?;
    deserializer
        .end()
        .map_err(|error| DecodeError(error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Paid {
        #[serde(rename = "paymentInfo", alias = "PaymentInfo")]
        _payment_info: String,
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_quoted_at_length() {
        let json = format!("\"{}\"", "x".repeat(1_000_000));
        let error = from_json::<()>(json.as_bytes()).unwrap_err().to_string();
        assert!(error.chars().count() < 3 * MAX_QUOTE, "{}", error.len());
        assert!(error.starts_with("invalid type: string"), "{error}");
        assert!(error.contains("expected unit"), "{error}");
    }

    #[test]
    fn a_payment_info_of_the_wrong_type_is_not_quoted_at_all() {
        for name in ["paymentInfo", "PaymentInfo"] {
            let json = format!(r#"{{"{name}":4111111111111111}}"#);
            let error = from_json::<Paid>(json.as_bytes()).unwrap_err().to_string();
            assert_eq!(error, format!("{name}: expected a string"));
        }
    }
}
