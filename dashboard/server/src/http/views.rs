//! `/api/frontend/views/{page}`: lists with their filters as the caller wants to see them again.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use bugbrother_store::{SavedView, view::MAX_VIEWS};
use bugbrother_wire::{
    ViewId,
    api::{View, ViewForm, ViewList},
};
use uuid::Uuid;

use super::{
    App,
    body::Body,
    caller::{Access, Caller},
    failure::Failure,
    form::{Form, PathIds, nothing_there},
    routes::Routes,
};
use crate::clock;

/// Pages that have views.
const PAGES: [&str; 6] = ["vehicles", "clients", "contracts", "statistics", "alerts", "map"];

/// Its routes.
pub(super) fn routes(routes: &mut Routes) {
    let access = Access::SignedIn;
    routes.get("/frontend/views/{page}", access, list).says("One's own views of a page").gives::<ViewList>();
    routes.post("/frontend/views/{page}", access, add).says("Save a view").takes::<ViewForm>().gives::<View>();
    routes
        .put("/frontend/views/{page}/{id}", access, change)
        .says("Change a view of one's own")
        .takes::<ViewForm>()
        .gives::<View>();
    routes.delete("/frontend/views/{page}/{id}", access, remove).says("Delete a view of one's own");
}

async fn list(State(app): State<App>, caller: Caller, Path(page): Path<String>) -> Result<Json<ViewList>, Failure> {
    let views = app.config.store.views(&caller.name, known(&page)?, MAX_VIEWS).await?;
    Ok(Json(ViewList { views: views.into_iter().map(body).collect() }))
}

async fn add(
    State(app): State<App>,
    caller: Caller,
    Path(page): Path<String>,
    Body(form): Body<ViewForm>,
) -> Result<(StatusCode, Json<View>), Failure> {
    let page = known(&page)?;
    let ViewForm { name, query } = checked(form)?;
    let view = SavedView { id: ViewId(Uuid::now_v7()), name, query, created: clock::now() };
    if !app.config.store.add_view(&caller.name, page, &view).await? {
        let message = "there are 20 views of this page: delete one first";
        return Err(Failure::new(StatusCode::CONFLICT, "too_many_views", message));
    }
    Ok((StatusCode::CREATED, Json(body(view))))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    PathIds(page, id): PathIds<String, ViewId>,
    Body(form): Body<ViewForm>,
) -> Result<Json<View>, Failure> {
    known(&page)?;
    let form = checked(form)?;
    if !app.config.store.update_view(&caller.name, id, &form.name, &form.query).await? {
        return Err(nothing_there());
    }
    Ok(Json(View { id, form }))
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    PathIds(page, id): PathIds<String, ViewId>,
) -> Result<StatusCode, Failure> {
    known(&page)?;
    if !app.config.store.delete_view(&caller.name, id).await? {
        return Err(nothing_there());
    }
    Ok(StatusCode::NO_CONTENT)
}

fn known(page: &str) -> Result<&'static str, Failure> {
    PAGES.into_iter().find(|known| *known == page).ok_or_else(nothing_there)
}

fn checked(form: ViewForm) -> Result<ViewForm, Failure> {
    let mut check = Form::default();
    let form = ViewForm {
        name: check.line("name", &form.name, 40),
        query: check.some_line("query", Some(&form.query), 1_000).unwrap_or_default(),
    };
    check.check("query", !form.query.starts_with('?'), "without the `?`");
    check.done()?;
    Ok(form)
}

fn body(view: SavedView) -> View {
    View { id: view.id, form: ViewForm { name: view.name, query: view.query } }
}
