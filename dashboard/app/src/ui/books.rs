//! What pages of lists share: what of them lives in the address, links to vehicles, and files to take away.

use bugbrother_wire::Vin;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsCast;
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    api::{self, Refusal},
    browser,
    route::Route,
};

/// The filters of a list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Filters {
    /// Text of the search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Word of a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f: Option<String>,
    /// A class of vehicles; `-` for those without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// A client's identity; `-` for those without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A VIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vin: Option<String>,
    /// `1`: archived ones, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<String>,
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// A saved view's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
}

/// The filters in the address of a page, and how to change them.
#[hook]
pub fn use_filters(route: Route) -> (Filters, Callback<Filters>) {
    let filters = use_location().and_then(|location| location.query::<Filters>().ok()).unwrap_or_default();
    let navigator = use_navigator();
    let set = use_callback((navigator, route), |filters: Filters, (navigator, route)| {
        let done = navigator.as_ref().map(|navigator| navigator.replace_with_query(route, &filters));
        if let Some(Err(error)) = done {
            web_sys::console::warn_1(&error.to_string().into());
        }
    });
    (filters, set)
}

/// Something that is only there if it says something.
pub fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Properties of [`VehicleLink`].
#[derive(Properties, PartialEq)]
pub struct VehicleLinkProps {
    /// Where it leads.
    pub vin: Vin,
    /// What it is called.
    pub name: AttrValue,
}

/// The name of a vehicle, which leads to it.
#[component]
pub fn VehicleLink(props: &VehicleLinkProps) -> Html {
    html! {
        <Link<Route> to={Route::Vehicle { vin: props.vin }}>{ &props.name }</Link<Route>>
    }
}

/// Takes a file from the server and hands it to the person.
pub async fn take_away(path: String, name: String) -> Result<(), Refusal> {
    let bytes = api::bytes(&path).await?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes.as_slice()));
    let failed = |_| Refusal::Unreachable;
    let blob = web_sys::Blob::new_with_u8_array_sequence(&parts).map_err(failed)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob).map_err(failed)?;
    let anchor: web_sys::HtmlAnchorElement =
        browser::document().create_element("a").map_err(failed)?.dyn_into().map_err(|_| Refusal::Unreachable)?;
    anchor.set_href(&url);
    anchor.set_download(&name);
    anchor.click();
    // The browser has its own hold of the bytes by then.
    gloo_timers::callback::Timeout::new(10_000, move || drop(web_sys::Url::revoke_object_url(&url))).forget();
    Ok(())
}

/// A part of an address, with what must not stand in it written otherwise.
pub fn escaped(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}
