//! A camera as people see it.

use std::rc::Rc;

use bugbrother_wire::{
    Vin,
    api::{CameraEntry, Right},
};
use futures_util::{FutureExt, future::abortable};
use gloo_timers::callback::Interval;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlAnchorElement, HtmlCanvasElement, HtmlVideoElement};
use yew::{platform::spawn_local, prelude::*};

use super::{
    asking::{Wish, use_asking},
    screen::Screen,
    still::{Still, StillAge},
    stream::{Ears, Sight, follow},
};
use crate::ui::{
    account::use_account,
    browser::{self, frame_ms},
    feed::use_live,
    icon::Icon,
    settings::use_phrases,
};

/// How often the age of the picture is read.
const LAG_EVERY_MS: u32 = 500;

/// Properties of [`Player`].
#[derive(Properties, PartialEq)]
pub struct PlayerProps {
    /// The vehicle.
    pub vin: Vin,
    /// Its camera.
    pub camera: CameraEntry,
    /// What stands over the picture; the camera's label without it.
    #[prop_or_default]
    pub title: Option<AttrValue>,
    /// Whether its smaller stream does, where it has one.
    #[prop_or_default]
    pub small: bool,
    /// Shows it no longer, where that can be chosen.
    #[prop_or_default]
    pub stop: Option<Callback<()>>,
}

/// The picture, with what is known of it and what one can do.
#[component]
pub fn Player(props: &PlayerProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.video;
    let account = use_account();
    let live = use_live();
    let element = use_node_ref();
    let sight = use_state(|| Sight::Waiting);
    let missed = use_state(|| 0_u64);
    let lag_ms = use_state(|| None::<i64>);
    let screen = use_mut_ref(|| None::<Rc<Screen>>);
    {
        let (element, sight, missed, ended) = (element.clone(), sight.setter(), missed.setter(), account.ended.clone());
        let screen = Rc::clone(&screen);
        use_effect_with((props.vin, props.camera.id.clone(), props.small), move |(vin, camera, small)| {
            let count = Rc::new(std::cell::Cell::new(0));
            let ears = Ears {
                sight,
                missed: Callback::from(move |pictures: u64| {
                    count.set(count.get() + pictures);
                    missed.set(count.get());
                }),
                ended,
                screen: Callback::from(move |new| *screen.borrow_mut() = new),
            };
            let video = element.cast::<HtmlVideoElement>().expect("it is drawn before effects run");
            let (task, handle) = abortable(follow(*vin, camera.clone(), *small, video, ears));
            spawn_local(task.map(drop));
            move || handle.abort()
        });
    }
    {
        let (lag_ms, screen, fleet) = (lag_ms.setter(), Rc::clone(&screen), Rc::clone(&live.fleet));
        use_effect_with((), move |()| {
            let reading = Interval::new(LAG_EVERY_MS, move || {
                let captured = screen.borrow().as_ref().and_then(|screen| screen.captured());
                lag_ms.set(captured.map(|captured| (fleet.borrow().now(frame_ms()) - captured).max(0)));
            });
            move || drop(reading)
        });
    }
    let label = props.title.clone().unwrap_or_else(|| props.camera.label.clone().into());
    let shoot = {
        let (element, name) = (element.clone(), format!("{}-{}.jpg", props.vin, props.camera.id));
        Callback::from(move |_: MouseEvent| {
            if let Some(video) = element.cast::<HtmlVideoElement>() {
                save_picture(&video, &name).unwrap_or_default();
            }
        })
    };
    let enlarge = {
        let element = element.clone();
        Callback::from(move |_: MouseEvent| {
            let video = element.cast::<HtmlVideoElement>();
            drop(video.map(|video| video.request_fullscreen()));
        })
    };
    let asking = use_asking(props.vin, &props.camera);
    let asks = |wish: Wish| asking.ask.reform(move |_: MouseEvent| wish);
    let (class, said) = match &*sight {
        Sight::Waiting if props.camera.reached => ("waiting", Some(words.reaching.to_owned())),
        Sight::Waiting => ("waiting", Some(words.waiting.to_owned())),
        Sight::Live => ("live", None),
        Sight::Gone(why) => ("gone", Some((words.gone)(why))),
        Sight::Unreachable => ("gone", Some(words.unreachable.to_owned())),
        Sight::Unplayable(codec) => ("gone", Some((words.unplayable)(codec))),
    };
    html! {
        <figure class={classes!("camera", class)} data-testid="player" data-state={class} data-camera={props.camera.id.to_string()}>
            <video ref={element} muted=true playsinline=true autoplay=true aria-label={label.clone()}></video>
            if let (Some(_), Some(still)) = (&said, props.camera.still) { <Still vin={props.vin} {still} /> }
            if let Some(said) = &said { <p class="camera-says" role="status">{ said }</p> }
            <figcaption>
                <b>{ label }</b>
                if let (Sight::Live, Some(lag)) = (&*sight, *lag_ms) {
                    <span class="camera-lag" data-testid="lag" title={if props.camera.reached { words.reached_lag } else { words.lag }}>{ (words.behind)(lag) }</span>
                }
                if let (Some(_), Some(still)) = (&said, props.camera.still) { <StillAge vin={props.vin} {still} /> }
                if *missed > 0 { <span class="badge warn" data-testid="missed">{ (words.missed)(*missed) }</span> }
                <span class="camera-does">
                    if account.may(Right::Command) {
                        <button type="button" class="secondary" onclick={asks(Wish::Photo)} disabled={asking.busy.is_some()}
                            aria-busy={(asking.busy == Some(Wish::Photo)).to_string()} title={words.photo_hint} data-testid="take-photo">{ words.take_photo }</button>
                        <button type="button" class="secondary" onclick={asks(Wish::Film)} disabled={asking.busy.is_some()}
                            aria-busy={(asking.busy == Some(Wish::Film)).to_string()} data-testid="save-clip">{ words.save }</button>
                    }
                    if class == "live" {
                        <button type="button" class="icon" onclick={shoot} title={words.snapshot} aria-label={words.snapshot} data-testid="snapshot">{ Icon::Download.draw() }</button>
                    }
                    <button type="button" class="icon" onclick={enlarge} title={words.enlarge} aria-label={words.enlarge}>{ Icon::Enlarge.draw() }</button>
                    if let Some(stop) = &props.stop {
                        <button type="button" class="icon" onclick={stop.reform(|_: MouseEvent| ())} title={words.stop} aria-label={words.stop} data-testid="stop-live">{ Icon::Pause.draw() }</button>
                    }
                </span>
            </figcaption>
        </figure>
    }
}

/// Has the browser save what is on the screen.
fn save_picture(video: &HtmlVideoElement, name: &str) -> Option<()> {
    let document = browser::window().document()?;
    let canvas: HtmlCanvasElement = document.create_element("canvas").ok()?.dyn_into().ok()?;
    canvas.set_width(video.video_width());
    canvas.set_height(video.video_height());
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_html_video_element(video, 0.0, 0.0).ok()?;
    let link: HtmlAnchorElement = document.create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&canvas.to_data_url_with_type("image/jpeg").ok()?);
    link.set_download(name);
    link.click();
    Some(())
}
