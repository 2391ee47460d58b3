//! Registers a search attribute (a field by which workflows can be listed) in a namespace.

use temporalio_client::{Client, grpc::OperatorService};
use temporalio_common::protos::temporal::api::{
    enums::v1::IndexedValueType,
    operatorservice::v1::{AddSearchAttributesRequest, ListSearchAttributesRequest},
};
use thiserror::Error;

use crate::{connect::once, text::reported};

/// Why a search attribute cannot be used in a namespace.
#[derive(Debug, Error)]
pub enum NoSearchAttribute {
    /// The namespace has a search attribute of this name and of another type.
    #[error("namespace {namespace:?} has a search attribute {name} that is no Keyword")]
    OtherKind {
        /// The namespace.
        namespace: String,
        /// The search attribute.
        name: String,
    },
    /// It was registered just now, and parts of the server may cache the old list for a minute.
    #[error(
        "search attribute {name} was just added to namespace {namespace:?}; the server may take up to \
         a minute to accept it"
    )]
    NotYet {
        /// The namespace.
        namespace: String,
        /// The search attribute.
        name: String,
    },
    /// The server does not let this client register it. Temporal Cloud has its own tools for that;
    /// on other servers it may take an administrator.
    #[error("search attribute {name} cannot be registered in namespace {namespace:?}: {reason}")]
    Refused {
        /// The namespace.
        namespace: String,
        /// The search attribute.
        name: String,
        /// The server's message.
        reason: String,
    },
}

/// Makes sure that the client's namespace has the search attribute `name` of type Keyword, and
/// registers it if it is missing.
///
/// # Errors
/// Returns [`NoSearchAttribute`] if the namespace does not have it now.
pub async fn ensure_keyword(client: &Client, name: &str) -> Result<(), NoSearchAttribute> {
    let namespace = client.options().namespace.clone();
    let refused = |reason: String| NoSearchAttribute::Refused {
        namespace: namespace.clone(),
        name: name.to_owned(),
        reason,
    };
    match kind(client, name).await.map_err(&refused)? {
        Some(IndexedValueType::Keyword) => return Ok(()),
        Some(_) => {
            return Err(NoSearchAttribute::OtherKind {
                namespace,
                name: name.to_owned(),
            });
        }
        None => {}
    }
    let request = AddSearchAttributesRequest {
        namespace: namespace.clone(),
        search_attributes: [(name.to_owned(), IndexedValueType::Keyword.into())].into(),
    };
    let added = OperatorService::add_search_attributes(&mut client.clone(), once(request)).await;
    match added {
        Ok(_) => Ok(()),
        // Another program may have registered it in the meantime.
        Err(status) => match kind(client, name).await {
            Ok(Some(IndexedValueType::Keyword)) => Ok(()),
            _ => Err(refused(reported(status.message()))),
        },
    }
}

async fn kind(client: &Client, name: &str) -> Result<Option<IndexedValueType>, String> {
    let request = ListSearchAttributesRequest {
        namespace: client.options().namespace.clone(),
    };
    let known = OperatorService::list_search_attributes(&mut client.clone(), once(request))
        .await
        .map_err(|status| reported(status.message()))?
        .into_inner();
    Ok(known
        .custom_attributes
        .get(name)
        .and_then(|kind| IndexedValueType::try_from(*kind).ok()))
}
