//! What tables and lists share: skeletons, and rows that are made only where they are seen.

use wasm_bindgen::JsValue;
use web_sys::Element;
use yew::prelude::*;

/// Properties of [`Skeleton`].
#[derive(Properties, PartialEq)]
pub struct SkeletonProps {
    /// How many rows.
    pub rows: usize,
}

/// Rows in their final shape, before there is anything in them.
#[component]
pub fn Skeleton(props: &SkeletonProps) -> Html {
    html! {
        <div class="skeleton" aria-busy="true">
            for row in 0..props.rows { <div key={row} class="row"><i /><span /><b /></div> }
        </div>
    }
}

/// A style for the property `style` of an element: the server's policy forbids the attribute.
pub fn style(text: String) -> JsValue {
    JsValue::from_str(&text)
}

/// Rows beyond the edges that are made all the same.
const SPARE: usize = 6;

/// The part of a long list that is seen.
#[derive(Clone, PartialEq)]
pub struct Window {
    /// Height of a row in pixels.
    row_px: usize,
    /// First seen row and how many are seen.
    seen: (usize, usize),
}

impl Window {
    /// First row to make and how many, of `total`.
    pub fn range(&self, total: usize) -> (usize, usize) {
        let first = self.seen.0.saturating_sub(SPARE).min(total);
        (first, (self.seen.1 + 2 * SPARE).min(total - first))
    }

    /// The room above the first row to make and below the last.
    pub fn padding(&self, total: usize) -> (usize, usize) {
        let (first, count) = self.range(total);
        (first * self.row_px, (total - first - count) * self.row_px)
    }
}

/// Follows the scrolling of an element with rows of one height.
#[hook]
pub fn use_window(row_px: usize) -> (Window, Callback<Event>) {
    let seen = use_state_eq(|| (0, 40));
    let onscroll = {
        let seen = seen.setter();
        use_callback(row_px, move |event: Event, row_px| {
            let element = event.target_unchecked_into::<Element>();
            let first = usize::try_from(element.scroll_top()).unwrap_or(0) / row_px;
            let count = usize::try_from(element.client_height()).unwrap_or(0) / row_px + 2;
            // In steps of four rows: most scrolling draws nothing anew.
            seen.set((first / 4 * 4, count.max(40)));
        })
    };
    (Window { row_px, seen: *seen }, onscroll)
}
