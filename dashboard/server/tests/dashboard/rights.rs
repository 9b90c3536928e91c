//! Every route with every role, as the API's own description lists them.

use anyhow::{Context, Result, ensure};
use bugbrother_store::User;
use bugbrother_wire::api::{Right, Role, Session};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::rig::{Rig, now, vin};

/// A user of that role; a client's is one of a client without a contract.
async fn token_of(rig: &Rig, role: Role) -> Result<String> {
    if role == Role::Client {
        return rig.client_with(&[]).await;
    }
    let name = format!("a-{}", serde_json::to_value(role)?.as_str().context("a role is a word")?);
    // The administrator's password, too: hashing is slow.
    let admin = rig.store.user("admin").await?.context("there is an administrator")?;
    rig.store.add_user(&User { name: name.clone(), role, ..admin }, now()).await?;
    let session: Session = rig.try_to_sign_in(&name, &rig.password).await?.error_for_status()?.json().await?;
    session.token.context("programs are given the token")
}

#[tokio::test]
async fn every_route_lets_in_whom_its_access_says_and_nobody_else() -> Result<()> {
    let rig = Rig::start().await?;
    rig.store.name_vehicle(vin(1), "somebody else's", None, now()).await?;
    let tokens = [
        (None, String::new()),
        (Some(Role::Administrator), token_of(&rig, Role::Administrator).await?),
        (Some(Role::Operator), token_of(&rig, Role::Operator).await?),
        (Some(Role::Client), token_of(&rig, Role::Client).await?),
    ];
    let description: Value = rig.get("/api/openapi.json", "").await?.error_for_status()?.json().await?;
    let paths = description["paths"].as_object().context("a description has paths")?;
    let mut routes = 0;
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().context("a path has methods")? {
            let access = operation["x-access"].as_str().context("a route says who may")?;
            let right: Option<Right> = serde_json::from_value(access.into()).ok();
            ensure!(
                right.is_some() || ["anybody", "signed_in", "in_person", "vehicle"].contains(&access),
                "{method} {path}: {access}"
            );
            routes += 1;
            for (role, token) in &tokens {
                let method: Method = method.to_uppercase().parse()?;
                // Ending the session would end the walk.
                if method == Method::DELETE && path.contains("/session") {
                    continue;
                }
                let what = format!("{method} {path} as {role:?}");
                let url = path.replace("{vin}", vin(1).as_str());
                let request = rig.request(method.clone(), &url);
                let request = if token.is_empty() { request } else { request.bearer_auth(token) };
                let request = if method == Method::GET { request } else { request.json(&serde_json::json!({})) };
                let answer = request.send().await?;
                let status = answer.status();
                ensure!(!status.is_server_error() || access == "vehicle", "{what}: {status}");
                let may = match (access, role) {
                    ("anybody" | "vehicle", _) => continue,
                    (_, None) => {
                        ensure!(status == StatusCode::UNAUTHORIZED, "{what}: {status}");
                        continue;
                    }
                    ("signed_in" | "in_person", Some(_)) => true,
                    (_, Some(role)) => right.is_some_and(|right| role.rights().contains(&right)),
                };
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
                ensure!(may != refused, "{what}: {status}");
                if may && *role == Some(Role::Client) && path.contains("{vin}") {
                    let nobodys = rig.request(method.clone(), &path.replace("{vin}", vin(2).as_str()));
                    let nobodys = if method == Method::GET { nobodys } else { nobodys.json(&serde_json::json!({})) };
                    let nobodys = nobodys.bearer_auth(token).send().await?.status();
                    ensure!(
                        status == nobodys && !status.is_success(),
                        "{what}: {status}, of nobody's vehicle {nobodys}"
                    );
                }
            }
        }
    }
    ensure!(routes >= 10, "only {routes} routes");
    rig.stop().await
}
