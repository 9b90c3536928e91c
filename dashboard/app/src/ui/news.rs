//! What a page shows of the server, asked for again when the live feed says that there is something new.

use std::rc::Rc;

use bugbrother_wire::{UnixMs, Vin, codec::EARLIEST, live::News};
use serde::de::DeserializeOwned;
use yew::prelude::*;

use super::{
    browser::frame_ms,
    feed::{Link, Live, use_live},
    fetch::{Fetch, Fetched, use_fetch},
};

/// What is at an address, always fresh: of one vehicle, or of all.
#[hook]
pub fn use_fresh<T: DeserializeOwned + PartialEq + 'static>(
    path: Option<String>,
    vin: Option<Vin>,
    news: &'static [News],
) -> Fetch<T> {
    let live = use_live();
    let fetch = use_fetch::<T>(path);
    let count: u32 = {
        let fleet = live.fleet.borrow();
        news.iter().map(|news| vin.map_or_else(|| fleet.all_news(*news), |vin| fleet.news(vin, *news))).sum()
    };
    let is_live = live.link == Link::Live;
    let first = use_mut_ref(|| true);
    {
        let reload = fetch.reload.clone();
        // Also when the line is there again: nobody knows what was missed.
        use_effect_with((count, is_live), move |(_, is_live)| {
            if !std::mem::replace(&mut *first.borrow_mut(), false) && *is_live {
                reload.emit(());
            }
        });
    }
    fetch
}

/// What came last; it stays while something else is asked for.
#[hook]
pub fn use_kept<T: 'static>(fetched: &Fetched<T>) -> Option<Rc<T>> {
    let kept = use_mut_ref(|| None::<Rc<T>>);
    let mut kept = kept.borrow_mut();
    if let Fetched::Ready(value) = fetched {
        *kept = Some(Rc::clone(value));
    }
    kept.clone()
}

/// The server's clock; the computer's own before the feed has told it.
pub fn clock(live: &Live) -> UnixMs {
    let told = live.fleet.borrow().now(frame_ms());
    if told > EARLIEST { told } else { js_sys::Date::now() as UnixMs }
}
