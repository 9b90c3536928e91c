//! Users, invitations, forgotten passwords, preferences and the audit log.

use anyhow::{Context, Result, ensure};
use bugbrother_kit::wait;
use bugbrother_store::Client;
use bugbrother_wire::{
    ClientId,
    api::{AddedUser, AuditList, InvitationLink, OpenInvitation, Preferences, Role, RoleList, UserList, UserSummary},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    rig::{LIMIT, Rig, expect_refusal, now},
    viewer::Viewer,
};

const USERS: &str = "/api/frontend/users";
const PASSWORD: &str = "correct horse battery";

async fn add(rig: &Rig, token: &str, body: &Value) -> Result<AddedUser> {
    Ok(rig.post(USERS, token, body).await?.error_for_status()?.json().await?)
}

fn api_of(link: &InvitationLink) -> Result<String> {
    let token = link.path.strip_prefix("/invitation/").context("the link is a page of the app")?;
    Ok(format!("/api/frontend/invitations/{token}"))
}

async fn accept(rig: &Rig, link: &InvitationLink, password: &str) -> Result<Response> {
    let request = rig.request(Method::POST, &api_of(link)?);
    Ok(request.json(&json!({ "password": password })).send().await?)
}

async fn user(rig: &Rig, token: &str, name: &str) -> Result<UserSummary> {
    Ok(rig.get(&format!("{USERS}/{name}"), token).await?.error_for_status()?.json().await?)
}

#[tokio::test]
async fn an_invited_user_sets_a_password_by_a_link_that_is_good_once() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    let body = json!({ "name": "ada", "role": "operator", "display_name": " Ada L. ", "email": "ada@example.org" });
    let added = add(&rig, &admin, &body).await?;
    assert_eq!(added.user.display_name.as_deref(), Some("Ada L."));
    assert!(!added.user.has_password && added.user.invited == Some(added.invitation.expires));
    for password in ["", PASSWORD] {
        let answer = rig.try_to_sign_in("ada", password).await?;
        expect_refusal(answer, StatusCode::UNAUTHORIZED, "wrong_credentials").await?;
    }
    let shown = rig.request(Method::GET, &api_of(&added.invitation)?).send().await?.error_for_status()?;
    let open: OpenInvitation = shown.json().await?;
    assert_eq!((open.name.as_str(), open.has_password), ("ada", false));
    let short = accept(&rig, &added.invitation, "short").await?;
    let problem = expect_refusal(short, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    ensure!(problem.fields.contains_key("password"));
    assert_eq!(accept(&rig, &added.invitation, PASSWORD).await?.status(), StatusCode::NO_CONTENT);
    let again = accept(&rig, &added.invitation, "another password").await?;
    expect_refusal(again, StatusCode::NOT_FOUND, "not_found").await?;
    rig.sign_in("ada", PASSWORD).await?;
    let now_known = user(&rig, &admin, "ada").await?;
    assert!(now_known.has_password && now_known.invited.is_none() && now_known.signed_in.is_some());
    for bad in ["x", "%07", &"x".repeat(5000)] {
        let answer = rig.request(Method::GET, &format!("/api/frontend/invitations/{bad}")).send().await?;
        expect_refusal(answer, StatusCode::NOT_FOUND, "not_found").await?;
    }
    rig.stop().await
}

#[tokio::test]
async fn whoever_has_forgotten_the_password_asks_and_gets_a_link_that_ends_the_sessions() -> Result<()> {
    let rig = Rig::start().await?;
    let (admin, ada) = (rig.token().await?, rig.user("ada", Role::Operator).await?);
    let viewer = Viewer::join(&rig, &ada).await?;
    let forgotten = |name: &str| {
        let request = rig.request(Method::POST, "/api/frontend/password/forgotten");
        request.json(&json!({ "name": name })).send()
    };
    for name in ["ada", "nobody", "", &"x".repeat(5000)] {
        let answer = forgotten(name).await?;
        assert_eq!((answer.status(), answer.content_length()), (StatusCode::ACCEPTED, Some(0)), "{name}");
    }
    wait::until("the administrators see it", LIMIT, async || user(&rig, &admin, "ada").await.ok()?.asks.map(drop))
        .await?;
    let answer = rig.post(&format!("{USERS}/ada/invitation"), &admin, &json!({})).await?.error_for_status()?;
    let void: InvitationLink = answer.json().await?;
    let answer = rig.post(&format!("{USERS}/ada/invitation"), &admin, &json!({})).await?.error_for_status()?;
    let link: InvitationLink = answer.json().await?;
    assert!(user(&rig, &admin, "ada").await?.asks.is_none());
    expect_refusal(accept(&rig, &void, PASSWORD).await?, StatusCode::NOT_FOUND, "not_found").await?;
    rig.get("/api/frontend/session", &ada).await?.error_for_status()?;
    assert_eq!(accept(&rig, &link, PASSWORD).await?.status(), StatusCode::NO_CONTENT);
    assert_eq!(viewer.close_code().await?, 4401);
    let answer = rig.get("/api/frontend/session", &ada).await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "token_invalid").await?;
    rig.sign_in("ada", PASSWORD).await?;
    let mut refused = false;
    for _ in 0..5 {
        refused |= forgotten("ada").await?.status() == StatusCode::TOO_MANY_REQUESTS;
    }
    assert!(refused, "nobody can have administrators be asked without end");
    rig.stop().await
}

#[tokio::test]
async fn a_link_of_a_user_who_was_disabled_or_deleted_is_void_and_guesses_are_counted() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    for (name, end) in [("ada", "disable"), ("bob", "delete")] {
        let added = add(&rig, &admin, &json!({ "name": name, "role": "operator" })).await?;
        match end {
            "disable" => {
                rig.post(&format!("{USERS}/{name}/disable"), &admin, &json!({})).await?.error_for_status()?;
                let answer = rig.post(&format!("{USERS}/{name}/invitation"), &admin, &json!({})).await?;
                expect_refusal(answer, StatusCode::NOT_FOUND, "not_found").await?;
            }
            _ => {
                rig.delete(&format!("{USERS}/{name}"), &admin).await?.error_for_status()?;
            }
        }
        expect_refusal(accept(&rig, &added.invitation, PASSWORD).await?, StatusCode::NOT_FOUND, "not_found").await?;
    }
    for _ in 0..60 {
        let answer = rig.request(Method::GET, "/api/frontend/invitations/guess").send().await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            return rig.stop().await;
        }
    }
    anyhow::bail!("60 guesses were heard");
}

#[tokio::test]
async fn the_form_of_a_user_says_what_is_wrong_beside_each_field() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    let nobody = ClientId(uuid::Uuid::now_v7());
    for (body, fields) in [
        (
            json!({ "name": "ada", "role": "client", "email": "nowhere", "display_name": "\u{7}" }),
            "client display_name email",
        ),
        (json!({ "name": "ada", "role": "client", "client": nobody }), "client"),
        (json!({ "name": "Ada L.", "role": "operator" }), "name"),
        (json!({ "name": "admin", "role": "operator" }), "name"),
    ] {
        let answer = rig.post(USERS, &admin, &body).await?;
        let problem = expect_refusal(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
        assert_eq!(problem.fields.into_keys().collect::<Vec<_>>().join(" "), fields);
    }
    for body in [json!({}), json!({ "name": "ada", "role": "emperor" }), json!([])] {
        expect_refusal(rig.post(USERS, &admin, &body).await?, StatusCode::BAD_REQUEST, "invalid_body").await?;
    }
    let list: UserList = rig.get(USERS, &admin).await?.json().await?;
    assert_eq!(list.users.len(), 1);
    rig.stop().await
}

#[tokio::test]
async fn another_role_a_disabling_and_a_deletion_end_what_the_user_has_open() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    let over = async |token: &str, viewer: Viewer| -> Result<()> {
        assert_eq!(viewer.close_code().await?, 4401);
        let answer = rig.get("/api/frontend/session", token).await?;
        expect_refusal(answer, StatusCode::UNAUTHORIZED, "token_invalid").await?;
        Ok(())
    };
    let ada = rig.user("ada", Role::Operator).await?;
    let viewer = Viewer::join(&rig, &ada).await?;
    let details = json!({ "role": "administrator", "language": "fr" });
    let put = rig.request(Method::PUT, &format!("{USERS}/ada")).bearer_auth(&admin).json(&details).send().await?;
    let changed: UserSummary = put.error_for_status()?.json().await?;
    assert_eq!(changed.role, Role::Administrator);
    over(&ada, viewer).await?;

    let ada = rig.sign_in("ada", &rig.password).await?.token.unwrap_or_default();
    let viewer = Viewer::join(&rig, &ada).await?;
    let disabled = rig.post(&format!("{USERS}/ada/disable"), &admin, &json!({})).await?.error_for_status()?;
    assert!(disabled.json::<UserSummary>().await?.disabled.is_some());
    over(&ada, viewer).await?;
    let answer = rig.try_to_sign_in("ada", &rig.password).await?;
    expect_refusal(answer, StatusCode::UNAUTHORIZED, "wrong_credentials").await?;
    rig.post(&format!("{USERS}/ada/enable"), &admin, &json!({})).await?.error_for_status()?;

    let ada = rig.sign_in("ada", &rig.password).await?.token.unwrap_or_default();
    let viewer = Viewer::join(&rig, &ada).await?;
    rig.delete(&format!("{USERS}/ada/sessions"), &admin).await?.error_for_status()?;
    over(&ada, viewer).await?;

    let ada = rig.sign_in("ada", &rig.password).await?.token.unwrap_or_default();
    let viewer = Viewer::join(&rig, &ada).await?;
    assert_eq!(rig.delete(&format!("{USERS}/ada"), &admin).await?.status(), StatusCode::NO_CONTENT);
    over(&ada, viewer).await?;
    expect_refusal(rig.delete(&format!("{USERS}/ada"), &admin).await?, StatusCode::NOT_FOUND, "not_found").await?;
    rig.stop().await
}

#[tokio::test]
async fn nobody_locks_the_last_administrator_or_oneself_out() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    for answer in [
        rig.delete(&format!("{USERS}/admin"), &admin).await?,
        rig.post(&format!("{USERS}/admin/disable"), &admin, &json!({})).await?,
    ] {
        expect_refusal(answer, StatusCode::CONFLICT, "own_account").await?;
    }
    let operator = json!({ "role": "operator" });
    let put = rig.request(Method::PUT, &format!("{USERS}/admin")).bearer_auth(&admin).json(&operator).send().await?;
    expect_refusal(put, StatusCode::CONFLICT, "last_administrator").await?;
    rig.get(USERS, &admin).await?.error_for_status()?;
    rig.stop().await
}

#[tokio::test]
async fn a_user_of_a_client_is_bound_to_it() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    let client = Client {
        id: ClientId(uuid::Uuid::now_v7()),
        name: "Taxi".into(),
        contact: None,
        email: None,
        phone: None,
        note: None,
        created: now(),
        archived: None,
    };
    rig.store.add_client(&client).await?;
    let added = add(&rig, &admin, &json!({ "name": "cab", "role": "client", "client": client.id })).await?;
    assert_eq!(added.user.client, Some(client.id));
    // A client that a role does not go with is not kept.
    let added = add(&rig, &admin, &json!({ "name": "ops", "role": "operator", "client": client.id })).await?;
    assert_eq!(added.user.client, None);
    let roles: RoleList = rig.get("/api/frontend/roles", &admin).await?.error_for_status()?.json().await?;
    assert!(roles.roles.iter().all(|role| role.rights == role.role.rights()) && roles.roles.len() == 3);
    rig.stop().await
}

#[tokio::test]
async fn preferences_are_each_persons_own_and_checked() -> Result<()> {
    let rig = Rig::start().await?;
    let (admin, ada) = (rig.token().await?, rig.user("ada", Role::Client).await?);
    let path = "/api/frontend/preferences";
    let wish = json!({
        "language": "fr", "distance": "mi", "consumption": "mpg_us", "temperature": "fahrenheit",
        "time_zone": "America/New_York", "theme": "dark",
    });
    let put = async |body: &Value| rig.request(Method::PUT, path).bearer_auth(&ada).json(body).send().await;
    put(&wish).await?.error_for_status()?;
    let kept: Value = rig.get(path, &ada).await?.error_for_status()?.json().await?;
    assert_eq!(kept, wish);
    let others: Preferences = rig.get(path, &admin).await?.error_for_status()?.json().await?;
    assert_eq!(others, Preferences::default());
    let bad = put(&json!({ "time_zone": "../etc/passwd" })).await?;
    expect_refusal(bad, StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields").await?;
    expect_refusal(put(&json!({ "distance": "leagues" })).await?, StatusCode::BAD_REQUEST, "invalid_body").await?;
    rig.stop().await
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page_and_by_person_and_object() -> Result<()> {
    let rig = Rig::start().await?;
    let admin = rig.token().await?;
    for name in ["ada", "bob", "cyd"] {
        add(&rig, &admin, &json!({ "name": name, "role": "operator" })).await?;
    }
    let read = async |query: &str| -> Result<AuditList> {
        let answer = rig.get(&format!("/api/frontend/audit?{query}"), &admin).await?;
        Ok(answer.error_for_status()?.json().await?)
    };
    let all = read("").await?;
    assert_eq!(all.entries.len(), 7, "{all:?}");
    assert!(all.entries.iter().all(|deed| deed.who == "admin" && deed.address.as_deref() == Some("127.0.0.1")));
    assert_eq!(all.entries.last().map(|deed| deed.what.as_str()), Some("signed_in"));
    let (mut paged, mut query) = (Vec::new(), "limit=3".to_owned());
    loop {
        let page = read(&query).await?;
        paged.extend(page.entries);
        let Some(next) = page.next else { break };
        query = format!("limit=3&before={next}");
    }
    assert_eq!(paged, all.entries);
    let of_bob = read("who=admin&kind=user&id=bob").await?;
    assert_eq!(
        of_bob.entries.iter().map(|deed| deed.what.as_str()).collect::<Vec<_>>(),
        ["user_invited", "user_added"]
    );
    assert!(read("who=nobody").await?.entries.is_empty());
    for bad in ["before=x", "before=1.x", "kind=user", "limit=-1"] {
        let answer = rig.get(&format!("/api/frontend/audit?{bad}"), &admin).await?;
        expect_refusal(answer, StatusCode::BAD_REQUEST, "invalid_query").await?;
    }
    let text = serde_json::to_string(&all)?;
    assert!(!text.contains("/invitation/") && !text.contains("argon2"), "no secret stands in the log");
    rig.stop().await
}
