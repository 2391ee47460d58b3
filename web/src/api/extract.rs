//! Reads what a request brings, within limits. Whatever is wrong with it becomes a problem that says so
//! and quotes no value.

use axum::{
    body::Body,
    extract::{FromRequestParts, Path, Query},
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use orders::{from_json, limits::MAX_ORDER_ID, within};
use serde::{Serialize, de::DeserializeOwned};
use temporal::http::{BodyError, BodyRoom};

use crate::problem::Problem;

/// A value as JSON.
pub(crate) struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string(&self.0) {
            Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
            Err(error) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Problem::new(status, error.to_string()).into_response()
            }
        }
    }
}

/// The order's ID in a path.
pub(crate) struct OrderId(pub String);

impl<S: Send + Sync> FromRequestParts<S> for OrderId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|error| bad(error.body_text()))?;
        within("orderID", &id, MAX_ORDER_ID).map_err(|error| bad(error.to_string()))?;
        if id.trim().is_empty() {
            return Err(bad("orderID: empty; name an order such as order-11235"));
        }
        Ok(Self(id))
    }
}

/// What stands behind the question mark.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(query)| query)
        .map_err(|error| bad(error.body_text()))
}

/// A body of JSON, which may be left out if `T` can be read from `{}`.
pub(crate) async fn body<T: DeserializeOwned>(
    room: &BodyRoom,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let held = room.receive(body).await.map_err(|error| {
        let status = match error {
            BodyError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            BodyError::CutShort => StatusCode::BAD_REQUEST,
        };
        Problem::new(status, error.to_string())
    })?;
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let media_type = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    let json = match held.bytes.as_slice() {
        [] => b"{}",
        // Browsers let any page send other types without asking first.
        _ if !media_type.trim().eq_ignore_ascii_case("application/json") => {
            let detail = "use Content-Type application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        bytes => bytes,
    };
    from_json(json).map_err(|error| bad(error.to_string()))
}

/// A problem with what was sent.
pub(crate) fn bad(detail: impl AsRef<str>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
