//! Reading JSON that comes from outside.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::text::{MAX_QUOTE, shortened};

/// Why a text is not the JSON of what was expected. The message names the field at fault if there
/// is one, and quotes no value: it may be a payment info, in whatever field it was put.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DecodeError(String);

/// Reads a value from JSON.
///
/// ```
/// let error = orders::from_json::<u32>(br#""seven""#).unwrap_err();
/// assert_eq!(error.to_string(), "invalid type: string, expected u32 at line 1 column 7");
/// ```
///
/// # Errors
/// Returns a [`DecodeError`] if a field is missing or of the wrong type, or if anything follows the
/// value.
pub fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        let problem = without_value(&problem);
        let message = match path.as_str() {
            "." => problem.into_owned(),
            field => format!("{field}: {problem}"),
        };
        DecodeError(shortened(&message, 2 * MAX_QUOTE).into_owned())
    })?;
    deserializer
        .end()
        .map_err(|error| DecodeError(error.to_string()))?;
    Ok(value)
}

/// Takes the value out of a decoder's message, as in `invalid type: string "seven", expected u32`. The
/// value begins with a quotation mark, and `serde` writes what was expected after it.
fn without_value(problem: &str) -> Cow<'_, str> {
    if !problem.starts_with("invalid type: ") && !problem.starts_with("invalid value: ") {
        return problem.into();
    }
    let Some(at) = problem.find(['"', '`']) else {
        return problem.into();
    };
    let (found, value) = problem.split_at(at);
    let found = found.trim_end();
    match value.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{found}, expected {expected}").into(),
        None => found.into(),
    }
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
            let expected = format!("{name}: invalid type: integer, expected a string");
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
