//! The environment variables of the Go demo. None of them is passed over in silence: whoever set one asked
//! for an address, for certificates or for encryption.

use std::{collections::HashMap, ffi::OsString};

use crate::connect_error::ConnectError;

/// Each variable, whether it only turns something on, and what says the same here.
const NAMES: [(&str, bool, &str); 8] = [
    ("TEMPORAL_HOST_URL", false, "TEMPORAL_ADDRESS"),
    ("TEMPORAL_TLS_CERT", false, "TEMPORAL_TLS_CLIENT_CERT_PATH"),
    ("TEMPORAL_TLS_KEY", false, "TEMPORAL_TLS_CLIENT_KEY_PATH"),
    (
        "TEMPORAL_SERVER_ROOT_CA_CERT",
        false,
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    ),
    ("TEMPORAL_SERVER_NAME", false, "TEMPORAL_TLS_SERVER_NAME"),
    ("USE_TLS", true, "TEMPORAL_TLS"),
    ("ENCRYPT_PAYLOAD", true, "TEMPORAL_ENCRYPTION_KEYS"),
    (
        "DATACONVERTER_ENCRYPTION_KEY_ID",
        false,
        "TEMPORAL_ENCRYPTION_KEYS",
    ),
];

/// Whether a variable is one of these.
pub(crate) fn is_one(name: &[u8]) -> bool {
    NAMES.iter().any(|(known, ..)| known.as_bytes() == name)
}

/// Checks that of these variables none is set, unless what it says is among what is `given` under the names
/// that it has here, be it by a flag or by a variable.
///
/// # Errors
/// Returns [`ConnectError::Settings`], which names the variable to set instead.
pub(crate) fn check(
    environment: &HashMap<String, String>,
    given: &[(&'static str, OsString)],
) -> Result<(), ConnectError> {
    for (name, is_switch, ours) in NAMES {
        let is_off = |value: &String| {
            let off = ["false", "f", "0", "no", "off"];
            value.is_empty() || is_switch && off.contains(&value.to_lowercase().as_str())
        };
        let is_set = environment.get(name).is_some_and(|value| !is_off(value));
        let is_given = given.iter().any(|(known, _)| known.starts_with(ours));
        if is_set && !is_given {
            return Err(ConnectError::settings(format!(
                "{name} is a setting of the Go demo; set {ours} instead, and see docs/from-go.md"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(set: &[(&str, &str)], given: &[&'static str]) -> Result<(), String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = set.iter().map(owned).collect();
        let given: Vec<_> = given.iter().map(|name| (*name, "set".into())).collect();
        check(&environment, &given).map_err(|error| error.to_string())
    }

    #[test]
    fn each_is_refused_with_the_name_that_it_has_here() {
        for (name, _, ours) in NAMES {
            let error = checked(&[(name, "true")], &[]).unwrap_err();
            assert!(error.contains(name) && error.contains(ours), "{error}");
            assert_eq!(checked(&[(name, "true")], &[ours]), Ok(()));
            assert_eq!(checked(&[(name, "")], &[]), Ok(()));
        }
        assert_eq!(
            checked(&[("TEMPORAL_ADDRESS", "a:1"), ("PATH", "/")], &[]),
            Ok(())
        );
    }

    #[test]
    fn what_is_turned_off_asks_for_nothing() {
        for off in ["false", "False", "0", "no"] {
            assert_eq!(
                checked(&[("ENCRYPT_PAYLOAD", off), ("USE_TLS", off)], &[]),
                Ok(())
            );
        }
        let keys = ["TEMPORAL_ENCRYPTION_KEYS_FILE"];
        assert_eq!(checked(&[("ENCRYPT_PAYLOAD", "true")], &keys), Ok(()));
    }
}
