use super::*;

const OLD: &str = "old=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "new=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn codec(keys: &str) -> EncryptionCodec {
    EncryptionCodec::new(Keys::parse(keys).unwrap())
}

fn payload() -> Payload {
    Payload {
        metadata: HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]),
        data: br#"{"paymentInfo":"VISA-123456"}"#.to_vec(),
        ..Default::default()
    }
}

fn metadata<'a>(payload: &'a Payload, name: &str) -> &'a str {
    std::str::from_utf8(&payload.metadata[name]).unwrap()
}

#[test]
fn a_payload_comes_back_as_it_was_and_travels_unreadable() {
    let codec = codec(OLD);
    let sealed = codec.encrypt(payload()).unwrap();
    assert_eq!(metadata(&sealed, "encoding"), "binary/encrypted");
    assert_eq!(metadata(&sealed, "encryption-cipher"), "AES/GCM");
    assert_eq!(metadata(&sealed, "encryption-key-id"), "old");
    let travels = sealed.encode_to_vec();
    for word in ["VISA", "paymentInfo", "json/plain"] {
        let found = travels.windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!found, "{word}");
    }
    assert_eq!(codec.decrypt(sealed).unwrap(), payload());
}

#[test]
fn the_same_payload_never_looks_the_same() {
    let codec = codec(OLD);
    let (one, other) = (codec.encrypt(payload()), codec.encrypt(payload()));
    let (one, other) = (one.unwrap().data, other.unwrap().data);
    assert_ne!(one[..NONCE_LEN], other[..NONCE_LEN]);
    assert_ne!(one[NONCE_LEN..], other[NONCE_LEN..]);
}

/// Made by Go's `crypto/cipher`, with the key and in the way of the Go demo's codec, which writes no
/// cipher into the metadata.
#[test]
fn what_the_go_demo_encrypted_is_read() {
    let sealed = Payload {
        metadata: HashMap::from([
            (ENCODING.to_owned(), ENCRYPTED.to_owned()),
            (KEY_ID.to_owned(), b"test".to_vec()),
        ]),
        data: include_bytes!("by_go.bin").to_vec(),
        ..Default::default()
    };
    let key = "test=dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdCE=";
    let opened = codec(key).decrypt(sealed).unwrap();
    assert_eq!(
        String::from_utf8(opened.data).unwrap(),
        r#"{"OrderID":"order-11235","Item":"123456","Quantity":999,"PaymentInfo":"VISA-5551212"}"#
    );
}

/// Made by Python's `cryptography` from key, nonce and payload, in the way of that SDK's sample.
#[test]
fn what_another_sdk_encrypted_is_read() {
    let data = include_bytes!("by_python.bin");
    let sealed = Payload {
        metadata: HashMap::from([
            (ENCODING.to_owned(), ENCRYPTED.to_owned()),
            (KEY_ID.to_owned(), b"old".to_vec()),
        ]),
        data: data.to_vec(),
        ..Default::default()
    };
    assert_eq!(codec(OLD).decrypt(sealed).unwrap(), payload());
}

#[test]
fn a_new_key_encrypts_and_the_old_one_still_decrypts() {
    let before = codec(OLD).encrypt(payload()).unwrap();
    let both = codec(&format!("{NEW}\n{OLD}"));
    let after = both.encrypt(payload()).unwrap();
    assert_eq!(metadata(&after, "encryption-key-id"), "new");
    assert_eq!(both.decrypt(before).unwrap(), payload());
    assert_eq!(codec(NEW).decrypt(after).unwrap(), payload());
}

#[test]
fn the_key_that_is_missing_is_named() {
    let sealed = codec(OLD).encrypt(payload()).unwrap();
    let error = codec(NEW).decrypt(sealed.clone()).unwrap_err().to_string();
    assert!(error.contains("\"old\""), "{error}");
    assert!(error.contains("(new)"), "{error}");
    assert!(error.contains("TEMPORAL_ENCRYPTION_KEYS"), "{error}");

    let none = EncryptionCodec::new(Keys::default());
    let error = none.decrypt(sealed).unwrap_err();
    assert_eq!(
        error,
        EncryptionError::NoKeys {
            id: "old".to_owned()
        }
    );
}

#[test]
fn what_was_changed_or_cut_does_not_open() {
    let codec = codec(OLD);
    let sealed = codec.encrypt(payload()).unwrap();
    let last = sealed.data.len() - 1;
    let mut changed = sealed.clone();
    changed.data[last] ^= 1;
    let mut cut = sealed.clone();
    cut.data.truncate(NONCE_LEN - 1);
    let mut no_tag = sealed;
    no_tag.data.truncate(NONCE_LEN + 3);
    for payload in [changed, cut, no_tag] {
        let error = codec.decrypt(payload).unwrap_err();
        assert!(
            matches!(error, EncryptionError::DoesNotOpen { .. }),
            "{error}"
        );
    }
}

#[test]
fn another_key_of_the_same_id_does_not_open_it() {
    let sealed = codec(OLD).encrypt(payload()).unwrap();
    let other = codec(&NEW.replace("new", "old"));
    let error = other.decrypt(sealed).unwrap_err().to_string();
    assert!(error.contains("another key of the same ID"), "{error}");
}

#[test]
fn what_is_not_encrypted_is_left_alone() {
    assert_eq!(codec(OLD).decrypt(payload()).unwrap(), payload());
    let none = EncryptionCodec::new(Keys::default());
    assert_eq!(none.encrypt(payload()).unwrap(), payload());
}
