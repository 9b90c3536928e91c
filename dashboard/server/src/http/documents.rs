//! `/api/frontend/contracts/{id}/documents`: what was signed, as files.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bugbrother_store::Document;
use bugbrother_wire::{
    ContractId, DocumentId,
    api::{ContractDocument, Right},
};
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    App,
    body::Params,
    caller::{Access, Caller},
    contracts,
    failure::Failure,
    form::{Form, PathId, PathIds, nothing_there},
    routes::Routes,
};
use crate::{
    clock,
    documents::{DocumentError, Documents},
};

/// Most documents of a contract.
const MAX_DOCUMENTS: u32 = 100;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Named {
    /// Its file name: 1 to 120 characters.
    name: Option<String>,
}

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let access = Access::May(Right::Clients);
    routes
        .post("/frontend/contracts/{id}/documents", access, add)
        .says("Add a document: the body is the file, a PDF, PNG or JPEG of up to 10 MiB")
        .asks::<Named>()
        .gives::<ContractDocument>();
    routes.get("/frontend/contracts/{id}/documents/{document}", access, fetch).says("A document, as a file");
    routes.delete("/frontend/contracts/{id}/documents/{document}", access, remove).says("Delete a document");
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    PathId(contract): PathId<ContractId>,
    Params(Named { name }): Params<Named>,
    request: Request,
) -> Result<(StatusCode, Json<ContractDocument>), Failure> {
    contracts::find(&app, contract).await?;
    let folder = folder(&app)?;
    let mut form = Form::default();
    let name = form.line("name", &name.unwrap_or_default(), 120);
    form.check("name", !name.contains(['/', '\\']), "a name without a path");
    form.done()?;
    if app.config.store.documents(contract, None, MAX_DOCUMENTS).await?.len() >= MAX_DOCUMENTS as usize {
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_documents", "a contract has up to 100 documents"));
    }
    let id = DocumentId(Uuid::now_v7());
    let written = receive(&folder, id, request.into_body()).await?;
    let document = Document {
        id,
        contract,
        name,
        media_type: written.kind.media_type().to_owned(),
        size: written.size,
        sha256: written.sha256,
        object_key: id.to_string(),
        created: clock::now(),
    };
    if let Err(error) = app.config.store.add_document(&document).await {
        // What nobody can find is not kept.
        folder.remove(&id.to_string()).await?;
        return Err(error.into());
    }
    note(&app, &caller, "document_added", &document).await?;
    Ok((StatusCode::CREATED, Json(body(document))))
}

async fn receive(folder: &Arc<Documents>, id: DocumentId, body: Body) -> Result<crate::documents::Written, Failure> {
    let files = Arc::clone(folder);
    let mut draft = spawn_blocking(move || files.begin()).await.map_err(broken)?.map_err(DocumentError::from)?;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "body_cut", "the body broke off"))?;
        draft = spawn_blocking(move || draft.write(&piece).map(|()| draft)).await.map_err(broken)??;
    }
    Ok(folder.keep(draft, &id.to_string()).await?)
}

async fn fetch(
    State(app): State<App>,
    _: Caller,
    PathIds(contract, id): PathIds<ContractId, DocumentId>,
) -> Result<Response, Failure> {
    let document = find(&app, contract, id).await?;
    let bytes = folder(&app)?.read(&document.object_key, document.size).await?;
    let bytes = bytes.ok_or_else(|| Failure::not_found("the document's file is not where this server keeps them"))?;
    let media_type = HeaderValue::from_str(&document.media_type);
    let headers = [
        (header::CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("application/octet-stream"))),
        (header::CONTENT_DISPOSITION, attachment(&document.name)),
    ];
    Ok((headers, bytes).into_response())
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    PathIds(contract, id): PathIds<ContractId, DocumentId>,
) -> Result<StatusCode, Failure> {
    let document = find(&app, contract, id).await?;
    // The file first: once the row is gone nobody knows of it, and a bucket that is away is asked again.
    folder(&app)?.remove(&document.object_key).await?;
    app.config.store.delete_document(id).await?;
    note(&app, &caller, "document_deleted", &document).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The documents of a contract, the oldest first.
pub(super) async fn of(app: &App, contract: ContractId) -> Result<Vec<ContractDocument>, Failure> {
    Ok(app.config.store.documents(contract, None, MAX_DOCUMENTS).await?.into_iter().map(body).collect())
}

async fn find(app: &App, contract: ContractId, id: DocumentId) -> Result<Document, Failure> {
    let found = app.config.store.document(id).await?;
    found.filter(|document| document.contract == contract).ok_or_else(nothing_there)
}

fn folder(app: &App) -> Result<Arc<Documents>, Failure> {
    let folder = app.config.documents.clone();
    folder.ok_or_else(|| Failure::not_found("this server keeps no documents"))
}

fn broken(error: tokio::task::JoinError) -> Failure {
    Failure::internal(&error, "the document could not be written or read; the server's log says why")
}

async fn note(app: &App, caller: &Caller, what: &str, document: &Document) -> Result<(), Failure> {
    let detail = json!({ "name": document.name, "sha256": document.sha256, "document": document.id });
    app.note(caller, what, Some(("contract", &document.contract.to_string())), detail).await
}

fn body(document: Document) -> ContractDocument {
    ContractDocument {
        id: document.id,
        name: document.name,
        media_type: document.media_type,
        size: document.size,
        sha256: document.sha256,
        created: document.created,
    }
}

/// RFC 6266: a name in ASCII for old readers, and the whole name.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') { c } else { '_' }).collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => whole.push(char::from(byte)),
            _ => whole += &format!("%{byte:02X}"),
        }
    }
    let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}");
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

impl From<DocumentError> for Failure {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Kind => Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "document_kind", error.to_string()),
            DocumentError::Size => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "document_size", error.to_string()),
            DocumentError::Disk(_) | DocumentError::Bucket(_) => {
                Failure::internal(&error, "the document could not be written or read; the server's log says why")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_any_language_is_a_header() {
        let value = attachment("Contrat été \"2026\".pdf");
        assert_eq!(
            value.to_str().unwrap(),
            "attachment; filename=\"Contrat__t___2026_.pdf\"; filename*=UTF-8''Contrat%20%C3%A9t%C3%A9%20%222026%22.pdf"
        );
    }
}
