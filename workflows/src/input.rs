//! The workflow's input: an order, or the reason why it cannot be read.

use orders::Order;
use temporalio_common::{
    data_converters::{
        GenericPayloadConverter, PayloadConversionError, SerializationContext,
        TemporalDeserializable, TemporalSerializable,
    },
    protos::temporal::api::common::v1::Payload,
};

/// The workflow's input.
///
/// If input does not decode, the SDK blames the worker and retries the workflow task for ever. But
/// an invalid order stays invalid. This type therefore decodes from anything, and the workflow itself
/// fails with the reason.
#[derive(Clone, Debug)]
pub struct OrderInput(Result<Order, String>);

impl OrderInput {
    /// Returns the order. An order without an ID takes the workflow's, as the runs of a recurring
    /// order do.
    ///
    /// # Errors
    /// Returns the reason why the order cannot be read or is invalid, with the field's name.
    pub fn order(self, workflow_id: &str) -> Result<Order, String> {
        let order = self.0?.named(workflow_id);
        order.validate().map_err(|error| error.to_string())?;
        Ok(order)
    }
}

impl From<Order> for OrderInput {
    fn from(order: Order) -> Self {
        Self(Ok(order))
    }
}

impl TemporalSerializable for OrderInput {
    fn to_payload(
        &self,
        ctx: &SerializationContext<'_>,
    ) -> Result<Payload, PayloadConversionError> {
        match &self.0 {
            Ok(order) => ctx.converter.to_payload(ctx, order),
            Err(reason) => Err(PayloadConversionError::EncodingError(reason.clone().into())),
        }
    }
}

impl TemporalDeserializable for OrderInput {
    fn from_payloads(
        _: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self(match payloads.as_slice() {
            [payload] => decode(payload),
            [] => Err("the workflow was started without an order".to_owned()),
            many => Err(format!(
                "the workflow takes one order, and was given {} inputs",
                many.len()
            )),
        }))
    }
}

fn decode(payload: &Payload) -> Result<Order, String> {
    let encoding = payload
        .metadata
        .get("encoding")
        .map(|name| String::from_utf8_lossy(name));
    match encoding.as_deref() {
        Some("json/plain") => Order::from_json(&payload.data).map_err(|error| error.to_string()),
        other => Err(format!(
            "the order is not JSON but {}",
            other.unwrap_or("of no encoding")
        )),
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
        assert!(received(None).unwrap_err().contains("without an order"));
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
}
