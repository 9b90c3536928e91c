//! `/api/frontend/preferences`: how a person wants the app to be.

use axum::{Json, extract::State};
use bugbrother_store::Language;
use bugbrother_wire::api::{Preferences, Tongue};

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    routes::Routes,
};

/// The longest name in the time zone database has 32 letters.
const MAX_ZONE_BYTES: usize = 64;

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    routes
        .get("/frontend/preferences", Access::InPerson, show)
        .says("How one wants the app to be")
        .gives::<Preferences>();
    routes
        .put("/frontend/preferences", Access::InPerson, change)
        .says("Say how one wants the app to be")
        .takes::<Preferences>()
        .gives::<Preferences>();
}

async fn show(State(app): State<App>, caller: Caller) -> Result<Json<Preferences>, Failure> {
    Ok(Json(app.config.store.preferences(&caller.name).await?.unwrap_or_default()))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Body(preferences): Body<Preferences>,
) -> Result<Json<Preferences>, Failure> {
    if preferences.time_zone.as_deref().is_some_and(|zone| !is_zone(zone)) {
        return Err(Failure::field("time_zone", "a time zone is named as in Europe/Zurich"));
    }
    let language = match preferences.language {
        Some(Tongue::Fr) => Language::Fr,
        Some(Tongue::En) | None => Language::En,
    };
    app.config.store.set_preferences(&caller.name, &preferences, language).await?;
    Ok(Json(preferences))
}

/// Whether it could be a zone's name. Whether there is such a zone the browser knows, which is who uses it.
pub(super) fn is_zone(name: &str) -> bool {
    (1..=MAX_ZONE_BYTES).contains(&name.len())
        && name.split('/').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_named_as_in_the_database() {
        for good in ["UTC", "Europe/Zurich", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
            assert!(is_zone(good), "{good}");
        }
        for bad in ["", "/", "Europe/", "../etc/passwd", "a b", "Zürich", &"x".repeat(65)] {
            assert!(!is_zone(bad), "{bad}");
        }
    }
}
