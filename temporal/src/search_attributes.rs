//! Makes sure that a namespace knows a search attribute.

use temporalio_client::{Client, grpc::OperatorService};
use temporalio_common::protos::temporal::api::{
    enums::v1::IndexedValueType,
    operatorservice::v1::{AddSearchAttributesRequest, ListSearchAttributesRequest},
};
use thiserror::Error;

use crate::connect::once;

/// Why a namespace does not know a search attribute, and was not taught it.
#[derive(Debug, Error)]
pub enum NoSearchAttribute {
    /// It has one of this name and of another kind.
    #[error("namespace {namespace:?} has a search attribute {name} that is no Keyword")]
    OtherKind {
        /// The namespace.
        namespace: String,
        /// The search attribute.
        name: String,
    },
    /// It is registered, and the server's parts remember for up to a minute what they knew.
    #[error(
        "search attribute {name} is new in namespace {namespace:?}, and the server may take a minute \
         to know it everywhere"
    )]
    NotYet {
        /// The namespace.
        namespace: String,
        /// The search attribute.
        name: String,
    },
    /// It may not be registered from here: Temporal Cloud's are made by its own tools, and elsewhere
    /// it may take an administrator.
    #[error("search attribute {name} cannot be registered in namespace {namespace:?}: {reason}")]
    Refused {
        /// The namespace.
        namespace: String,
        /// The search attribute.
        name: String,
        /// The server's words.
        reason: String,
    },
}

/// Makes sure that the client's namespace knows the search attribute `name` of kind Keyword, and
/// registers it where it does not.
///
/// # Errors
/// [`NoSearchAttribute`], where the namespace does not know it now. Nothing was changed then.
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
        // Another program may have done so in the meantime.
        Err(status) => match kind(client, name).await {
            Ok(Some(IndexedValueType::Keyword)) => Ok(()),
            _ => Err(refused(status.message().to_owned())),
        },
    }
}

async fn kind(client: &Client, name: &str) -> Result<Option<IndexedValueType>, String> {
    let request = ListSearchAttributesRequest {
        namespace: client.options().namespace.clone(),
    };
    let known = OperatorService::list_search_attributes(&mut client.clone(), once(request))
        .await
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    Ok(known
        .custom_attributes
        .get(name)
        .and_then(|kind| IndexedValueType::try_from(*kind).ok()))
}
