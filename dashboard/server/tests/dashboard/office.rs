//! What tests of the office share: its people, and how they ask.

use anyhow::{Context, Result, ensure};
use bugbrother_store::{Account, ClientId, User};
use bugbrother_wire::api::{ClientSummary, ContractSummary, Role, Session};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::rig::{Rig, now};

pub const DAY: i64 = 24 * 60 * 60 * 1000;

/// Somebody at a desk.
pub struct Desk<'a> {
    pub rig: &'a Rig,
    pub token: String,
}

impl<'a> Desk<'a> {
    /// The administrator's.
    pub async fn of_administrator(rig: &'a Rig) -> Result<Self> {
        Ok(Desk { rig, token: rig.token().await? })
    }

    /// That of somebody who signs in for a client.
    pub async fn of_client(rig: &'a Rig, name: &str, client: ClientId) -> Result<Self> {
        // The administrator's password, too: hashing is slow.
        let admin = rig.store.user("admin").await?.context("there is an administrator")?;
        rig.store.add_user(&User { name: name.to_owned(), role: Role::Client, ..admin }, now()).await?;
        let account = rig.store.account(name).await?.context("it was just added")?;
        rig.store.update_account(&Account { client: Some(client), ..account }, now()).await?;
        let session: Session = rig.try_to_sign_in(name, &rig.password).await?.error_for_status()?.json().await?;
        Ok(Desk { rig, token: session.token.context("programs are given the token")? })
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response> {
        let request = self.rig.request(method, &format!("/api/frontend{path}")).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Ok(request.send().await?)
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        good(self.ask(Method::GET, path, None).await?).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T> {
        good(self.ask(Method::POST, path, Some(body)).await?).await
    }

    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T> {
        good(self.ask(Method::PUT, path, Some(body)).await?).await
    }

    /// Sends bytes as they are.
    pub async fn send(&self, path: &str, bytes: Vec<u8>) -> Result<Response> {
        let request = self.rig.request(Method::POST, &format!("/api/frontend{path}"));
        Ok(request.bearer_auth(&self.token).body(bytes).send().await?)
    }

    /// That the form is refused for this field.
    pub async fn refused(&self, method: Method, path: &str, body: Value, field: &str) -> Result<()> {
        let answer = self.ask(method, path, Some(body.clone())).await?;
        let status = answer.status();
        let problem: Value = answer.json().await?;
        let names = problem["fields"].as_object().context("a form's refusal names fields")?;
        ensure!(
            status == StatusCode::UNPROCESSABLE_ENTITY && names.contains_key(field),
            "{path} {body}: {status} {problem}"
        );
        Ok(())
    }

    pub async fn status(&self, method: Method, path: &str) -> Result<StatusCode> {
        Ok(self.ask(method, path, None).await?.status())
    }

    pub async fn client(&self, name: &str) -> Result<ClientSummary> {
        self.post("/clients", json!({ "name": name })).await
    }

    /// One that began ten days ago.
    pub async fn contract(&self, client: ClientId, ends: Option<i64>) -> Result<ContractSummary> {
        let body =
            json!({ "client": client, "title": "Tour", "starts": now() - 10 * DAY, "ends": ends, "video": true });
        self.post("/contracts", body).await
    }
}

async fn good<T: DeserializeOwned>(answer: Response) -> Result<T> {
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).with_context(|| text)
}
