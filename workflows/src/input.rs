//! What comes from outside: the workflow's input, signals and updates, each readable or not.

use orders::{DecodeError, MAX_QUOTE, Order, from_json, is_spelled_as_in_go, shortened};
use serde::{Serialize, de::DeserializeOwned};
use temporalio_common::{
    data_converters::{
        GenericPayloadConverter, PayloadConversionError, SerializationContext,
        TemporalDeserializable, TemporalSerializable,
    },
    protos::temporal::api::common::v1::Payload,
};
use thiserror::Error;

/// A value from outside, or the reason why it cannot be read.
///
/// If an input does not decode, the SDK blames the worker and retries the workflow task for ever: one
/// bad signal would stop an order for good. But what does not decode today never will. This type
/// therefore decodes from anything, and the workflow itself decides what to do about it.
#[derive(Clone, Debug)]
pub struct Lenient<T>(Result<T, Unreadable>);

/// Why an input cannot be read. The message quotes nothing at length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Nothing was sent.
    #[error("it was sent without input")]
    Nothing,
    /// More than one value was sent.
    #[error("it takes one input, and was given {0}")]
    Several(usize),
    /// The value is not JSON.
    #[error("the input is not JSON but {0}")]
    Encoding(String),
    /// The value is the JSON of something else.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl<T> Lenient<T> {
    /// Returns the value.
    ///
    /// # Errors
    /// Returns the reason why it cannot be read.
    pub fn read(self) -> Result<T, Unreadable> {
        self.0
    }

    /// Returns a reference to the value.
    ///
    /// # Errors
    /// Returns the reason why it cannot be read.
    pub fn get(&self) -> Result<&T, Unreadable> {
        self.0.as_ref().map_err(Clone::clone)
    }
}

/// The workflow's input: an order, in either spelling.
#[derive(Clone, Debug)]
pub struct OrderInput {
    order: Lenient<Order>,
    in_go: bool,
}

impl OrderInput {
    /// Returns whether the order is spelled as the Go demo spells it. Whoever sent it expects that demo's
    /// answer.
    pub fn is_spelled_as_in_go(&self) -> bool {
        self.in_go
    }

    /// Returns the order. An order without an ID takes the workflow's, as the runs of a recurring
    /// order do.
    ///
    /// # Errors
    /// Returns the reason why the order cannot be read, or which field lacks its content
    /// ([`Order::check_content`]).
    pub fn order(self, workflow_id: &str) -> Result<Order, String> {
        let order = self.order.read().map_err(|error| error.to_string())?;
        let order = order.named(workflow_id);
        order.check_content().map_err(|error| error.to_string())?;
        Ok(order)
    }
}

impl From<Order> for OrderInput {
    fn from(order: Order) -> Self {
        Self {
            order: order.into(),
            in_go: false,
        }
    }
}

impl TemporalSerializable for OrderInput {
    fn to_payloads(
        &self,
        ctx: &SerializationContext<'_>,
    ) -> Result<Vec<Payload>, PayloadConversionError> {
        self.order.to_payloads(ctx)
    }
}

impl TemporalDeserializable for OrderInput {
    fn from_payloads(
        ctx: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        let first = payloads.first();
        Ok(Self {
            in_go: first.is_some_and(|payload| is_spelled_as_in_go(&payload.data)),
            order: Lenient::from_payloads(ctx, payloads)?,
        })
    }
}

impl<T> From<T> for Lenient<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

impl<T: Serialize + 'static> TemporalSerializable for Lenient<T> {
    fn to_payloads(
        &self,
        ctx: &SerializationContext<'_>,
    ) -> Result<Vec<Payload>, PayloadConversionError> {
        match &self.0 {
            Ok(value) => ctx.converter.to_payloads(ctx, value),
            Err(error) => Err(PayloadConversionError::EncodingError(error.clone().into())),
        }
    }
}

impl<T: DeserializeOwned> TemporalDeserializable for Lenient<T> {
    fn from_payloads(
        _: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self(match payloads.as_slice() {
            [payload] => decode(payload),
            // Only a type that needs no input reads it from nothing.
            [] => from_json(NULL).map_err(|_| Unreadable::Nothing),
            many => Err(Unreadable::Several(many.len())),
        }))
    }
}

const NULL: &[u8] = b"null";

fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, Unreadable> {
    let encoding = payload
        .metadata
        .get("encoding")
        .map(|name| String::from_utf8_lossy(name));
    match encoding.as_deref() {
        Some("json/plain") => Ok(from_json(&payload.data)?),
        Some("binary/null") => Ok(from_json(NULL)?),
        Some(other) => Err(Unreadable::Encoding(
            shortened(other, MAX_QUOTE).into_owned(),
        )),
        None => Err(Unreadable::Encoding("of no encoding".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::data_converters::{PayloadConverter, SerializationContextData};

    use super::*;

    fn received(json: Option<&str>) -> Result<Order, String> {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let payloads = json
            .map(|json| {
                let value: serde_json::Value = serde_json::from_str(json).unwrap();
                converter.to_payload(&context, &value).unwrap()
            })
            .into_iter()
            .collect();
        let input: OrderInput = converter.from_payloads(&context, payloads).unwrap();
        input.order("order-of-the-workflow")
    }

    #[test]
    fn both_spellings_are_one_order() {
        let own = r#"{"orderID":"order-1","item":"123456","quantity":2,"paymentInfo":"VISA-1"}"#;
        let go = r#"{"OrderID":"order-1","Item":"123456","Quantity":2,"PaymentInfo":"VISA-1"}"#;
        assert_eq!(received(Some(own)), received(Some(go)));
        assert_eq!(received(Some(own)).unwrap().quantity, 2);
    }

    #[test]
    fn what_does_not_decode_names_the_field() {
        for (json, field) in [
            (
                r#"{"orderID":"o","item":"1","paymentInfo":"V"}"#,
                "quantity",
            ),
            (
                r#"{"orderID":"o","item":"1","quantity":"two","paymentInfo":"V"}"#,
                "quantity",
            ),
            (
                r#"{"orderID":"o","item":7,"quantity":1,"paymentInfo":"V"}"#,
                "item",
            ),
            (
                r#"{"orderID":"o","item":"1","quantity":0,"paymentInfo":"V"}"#,
                "quantity",
            ),
        ] {
            let reason = received(Some(json)).unwrap_err();
            assert!(reason.contains(field), "{reason}");
        }
        assert!(received(None).unwrap_err().contains("without input"));
        assert!(received(Some("null")).is_err());
    }

    #[test]
    fn an_order_comes_back_as_it_was_sent() {
        let order = received(Some(
            r#"{"orderID":"o","item":"1","quantity":3,"paymentInfo":"V","pauseSeconds":4}"#,
        ))
        .unwrap();
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let payloads = converter
            .to_payloads(&context, &OrderInput::from(order.clone()))
            .unwrap();
        let input: OrderInput = converter.from_payloads(&context, payloads).unwrap();
        assert_eq!(input.order("other"), Ok(order));
    }

    #[test]
    fn an_order_without_an_id_takes_the_workflows() {
        let order = received(Some(r#"{"item":"1","quantity":3,"paymentInfo":"V"}"#)).unwrap();
        assert_eq!(order.order_id, "order-of-the-workflow");
    }

    fn read<T: DeserializeOwned + 'static>(payloads: Vec<Payload>) -> Result<T, Unreadable> {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let input: Lenient<T> = converter.from_payloads(&context, payloads).unwrap();
        input.read()
    }

    fn payload(encoding: Option<&str>, data: impl Into<Vec<u8>>) -> Payload {
        let named = encoding.map(|name| ("encoding".to_owned(), name.as_bytes().to_vec()));
        Payload {
            metadata: named.into_iter().collect(),
            data: data.into(),
            ..Payload::default()
        }
    }

    #[test]
    fn anything_decodes_and_what_cannot_be_read_says_why() {
        let json = Some("json/plain");
        let long = format!("\"{}\"", "x".repeat(1_000_000));
        for (payloads, reason) in [
            (vec![], "without input"),
            (vec![payload(json, "1"); 2], "given 2"),
            (vec![payload(json, "7")], "expected a string"),
            (vec![payload(json, "null")], "expected a string"),
            (vec![payload(json, "\"a")], "EOF"),
            (vec![payload(json, [0xff, 0x22])], "expected value"),
            (vec![payload(Some("binary/null"), "")], "expected a string"),
            (vec![payload(Some("binary/plain"), "x")], "binary/plain"),
            (vec![payload(Some(&"y".repeat(5_000)), "x")], "yyy"),
            (vec![payload(None, long.as_str())], "no encoding"),
        ] {
            let error = read::<String>(payloads).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(error.chars().count() < 300, "{error}");
        }
        assert_eq!(read::<String>(vec![payload(json, "\"a\"")]).unwrap(), "a");
        for nothing in [vec![], vec![payload(Some("binary/null"), "")]] {
            assert_eq!(read::<()>(nothing), Ok(()));
        }
        let error = read::<()>(vec![payload(json, long)]).unwrap_err();
        assert!(error.to_string().chars().count() < 500, "{error}");
    }
}
