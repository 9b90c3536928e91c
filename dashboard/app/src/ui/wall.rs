//! What the fleet's cameras see: those that are chosen, side by side. The choice is in the address; who opens one sees the last pictures, and
//! no vehicle is asked for live ones before somebody wants them.

use bugbrother_wire::{
    CameraId, Vin,
    api::{CameraEntry, WallEntry, WallList},
};
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    fetch::{Fetched, use_fetch},
    kit::{Check, Empty, Refused},
    route::Route,
    settings::use_phrases,
    table::Skeleton,
    video::Tile,
};
use crate::address::{MAX_SEEN, WallQuery};

/// The video wall.
#[component]
pub fn Wall() -> Html {
    let phrases = use_phrases();
    let (words, running) = (phrases.video, phrases.running);
    let list = use_fetch::<WallList>(Some("/cameras?limit=500".to_owned()));
    let query = use_location().and_then(|location| location.query::<WallQuery>().ok()).unwrap_or_default();
    let navigator = use_navigator();
    let live = use_state(Vec::<(Vin, CameraId)>::new);
    let watch = {
        let live = live.clone();
        Callback::from(move |(wanted, on): (Vec<(Vin, CameraId)>, bool)| {
            let mut next = (*live).clone();
            next.retain(|one| !wanted.contains(one));
            next.extend(wanted.into_iter().filter(|_| on));
            live.set(next);
        })
    };
    let choose = {
        let (query, watch) = (query.clone(), watch.clone());
        Callback::from(move |(vin, camera, on): (Vin, CameraId, bool)| {
            // Whoever chooses one wants to see it.
            watch.emit((vec![(vin, camera.clone())], on));
            let chosen = query.with(vin, &camera, on);
            if let Some(Err(error)) =
                navigator.as_ref().map(|navigator| navigator.replace_with_query(&Route::Wall, &chosen))
            {
                web_sys::console::warn_1(&error.to_string().into());
            }
        })
    };
    let vehicles = match &list.is {
        Fetched::Loading => return html! { <section class="page"><Skeleton rows=4 /></section> },
        Fetched::Failed(refusal) => {
            return html! { <section class="page"><Refused refusal={refusal.clone()} retry={list.reload.clone()} /></section> };
        }
        Fetched::Ready(list) if list.vehicles.is_empty() => {
            return html! { <section class="page"><Empty title={running.wall_empty} hint={running.wall_hint} /></section> };
        }
        Fetched::Ready(list) => &list.vehicles,
    };
    let seen: Vec<_> = query.seen();
    let is_full = seen.len() >= MAX_SEEN;
    let tiles = seen.iter().filter_map(|one| {
        let (vin, camera) = one;
        let vehicle = vehicles.iter().find(|vehicle| vehicle.vin == *vin)?;
        let entry = vehicle.cameras.iter().find(|entry| entry.id == *camera)?;
        let title = format!("{} · {}", vehicle.name, entry.label);
        let (wanted, gone) = (vec![one.clone()], (*vin, camera.clone(), false));
        Some(html! {
            <Tile key={format!("{vin}/{camera}")} vin={*vin} camera={entry.clone()} {title} live={live.contains(one)}
                watch={watch.reform(move |on: bool| (wanted.clone(), on))} remove={choose.reform(move |()| gone.clone())} />
        })
    });
    let tiles: Vec<Html> = tiles.collect();
    let still: Vec<_> = seen.iter().filter(|one| !live.contains(one)).cloned().collect();
    let watch_all = {
        let still = still.clone();
        watch.reform(move |_: MouseEvent| (still.clone(), true))
    };
    let entry = |vehicle: &WallEntry, camera: &CameraEntry| {
        let (vin, id) = (vehicle.vin, camera.id.clone());
        let checked = seen.iter().any(|(seen_vin, seen)| *seen_vin == vin && *seen == id);
        let choose = choose.clone();
        let name = format!("see-{vin}-{id}");
        let key = name.clone();
        let onchange = Callback::from(move |on: bool| choose.emit((vin, id.clone(), on)));
        html! { <Check {key} {name} label={camera.label.clone()} {checked} {onchange} /> }
    };
    html! {
        <section class="page wall" data-testid="wall">
            <aside class="panel wall-list">
                <h2>{ words.choose }</h2>
                if is_full { <p role="status">{ (words.wall_full)(MAX_SEEN) }</p> }
                for vehicle in vehicles {
                    <div key={vehicle.vin.to_string()}>
                        <h3>{ &vehicle.name }</h3>
                        for camera in &vehicle.cameras { { entry(vehicle, camera) } }
                    </div>
                }
            </aside>
            <div class="wall-seen">
                if tiles.is_empty() {
                    <p class="muted">{ words.wall_choose }</p>
                } else if !still.is_empty() {
                    <button type="button" class="secondary" onclick={watch_all} data-testid="watch-all">{ words.watch_all }</button>
                }
                <div class="cameras">{ for tiles }</div>
            </div>
        </section>
    }
}
