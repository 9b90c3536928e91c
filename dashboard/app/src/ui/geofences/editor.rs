//! Drawing an area: by clicks and drags, or with the arrow keys and a button.

use std::rc::Rc;

use bugbrother_wire::{
    api::{GeofenceEdit, GeofenceEntry, MAX_POINTS},
    message::Shape,
};
use yew::{platform::spawn_local, prelude::*};

use crate::{
    format::number,
    geo::Point,
    ui::{
        api::{self, Refusal},
        kit::{Field, Select, use_toasts},
        map::{Area, Drawing, Hands, Sketch},
        settings::use_phrases,
        vehicle::refusal_text,
    },
};

/// Colours that are told apart, also by who sees few of them.
const COLOURS: [&str; 6] = ["#e66100", "#1a85ff", "#d41159", "#40b0a6", "#ffc20a", "#994f00"];
const RADIUS_M: f64 = 300.0;
const WIDTH_M: f64 = 50.0;

/// Properties of [`Editor`].
#[derive(Properties, PartialEq)]
pub struct EditorProps {
    /// The area; a new one without it.
    pub entry: Option<Rc<GeofenceEntry>>,
    /// The other areas.
    pub others: Vec<Area>,
    /// It is saved.
    pub saved: Callback<()>,
    /// Back to the list.
    pub close: Callback<()>,
    /// Deletes it.
    pub delete: Callback<Rc<GeofenceEntry>>,
}

/// An area that is being drawn. Some of it may be missing.
#[derive(Debug, Clone, PartialEq)]
struct Draft {
    name: String,
    colour: Option<String>,
    client: Option<String>,
    kind: &'static str,
    points: Vec<(f64, f64)>,
    radius_m: f64,
    width_m: f64,
}

impl Draft {
    fn of(entry: Option<&GeofenceEntry>) -> Self {
        let new = Draft {
            name: String::new(),
            colour: Some(COLOURS[0].to_owned()),
            client: None,
            kind: "circle",
            points: Vec::new(),
            radius_m: RADIUS_M,
            width_m: WIDTH_M,
        };
        let Some(GeofenceEntry { geofence, .. }) = entry else { return new };
        let new = Draft {
            name: geofence.name.clone(),
            colour: geofence.colour.clone(),
            client: geofence.client.clone(),
            ..new
        };
        match &geofence.shape {
            Shape::Circle { centre, radius_m } => {
                Draft { kind: "circle", points: vec![*centre], radius_m: *radius_m, ..new }
            }
            Shape::Polygon(ring) => Draft { kind: "polygon", points: ring.clone(), ..new },
            Shape::Corridor { line, width_m } => {
                Draft { kind: "corridor", points: line.clone(), width_m: *width_m, ..new }
            }
        }
    }

    /// What is drawn of it.
    fn shape(&self) -> Shape {
        match self.kind {
            "polygon" => Shape::Polygon(self.points.clone()),
            "corridor" => Shape::Corridor { line: self.points.clone(), width_m: self.width_m },
            _ => Shape::Circle { centre: self.points.first().copied().unwrap_or_default(), radius_m: self.radius_m },
        }
    }

    fn is_whole(&self) -> bool {
        let least = match self.kind {
            "polygon" => 3,
            "corridor" => 2,
            _ => 1,
        };
        self.points.len() >= least
    }

    /// Another corner; of a circle the middle.
    fn add(&mut self, at: Point) {
        let (lat, lon) = at.to_degrees();
        let at = (round(lat), round(lon));
        if self.kind == "circle" {
            self.points = vec![at];
        } else if self.points.len() < MAX_POINTS {
            self.points.push(at);
        }
    }

    /// A handle was moved.
    fn drag(&mut self, handle: usize, to: Point) {
        let (lat, lon) = to.to_degrees();
        if self.kind == "circle" && handle == 1 {
            let Some((lat, lon)) = self.points.first() else { return };
            let centre = Point::from_degrees(*lat, *lon);
            self.radius_m = (centre.distance(to) * centre.metres_per_unit()).clamp(5.0, 100_000.0).round();
        } else if let Some(point) = self.points.get_mut(handle) {
            *point = (round(lat), round(lon));
        }
    }
}

/// What typing into a field changes.
type Change = Box<dyn Fn(&mut Draft, String)>;

/// A centimetre is fine enough.
fn round(degrees: f64) -> f64 {
    (degrees * 1e7).round() / 1e7
}

/// The editor.
#[component]
pub fn Editor(props: &EditorProps) -> Html {
    let phrases = use_phrases();
    let words = &phrases.geofence_page;
    let toasts = use_toasts();
    let draft = use_state(|| Draft::of(props.entry.as_deref()));
    let refused = use_state(|| None::<Refusal>);
    let middle = use_mut_ref(|| None::<Point>);
    // Callbacks of the map outlive a render and find the newest draft here.
    let newest = use_mut_ref(|| (*draft).clone());
    newest.replace((*draft).clone());
    let change = |change: Change| {
        let (draft, newest) = (draft.setter(), newest.clone());
        Callback::from(move |typed: String| {
            let mut next = newest.borrow().clone();
            change(&mut next, typed);
            newest.replace(next.clone());
            draft.set(next);
        })
    };
    let at = |change: fn(&mut Draft, usize, Point)| {
        let (draft, newest) = (draft.setter(), newest.clone());
        Callback::from(move |(handle, at): (usize, Point)| {
            let mut next = newest.borrow().clone();
            change(&mut next, handle, at);
            newest.replace(next.clone());
            draft.set(next);
        })
    };
    let add = at(|draft, _, at| draft.add(at));
    let hands = use_memo((), |()| Hands {
        click: Some(add.reform(|at| (0, at))),
        corner: Some(at(Draft::drag)),
        middle: Some({
            let middle = middle.clone();
            Callback::from(move |at| {
                middle.replace(Some(at));
            })
        }),
    });
    let add_here = {
        let (add, middle) = (add.clone(), middle.clone());
        Callback::from(move |_: MouseEvent| {
            if let Some(at) = *middle.borrow() {
                add.emit((0, at));
            }
        })
    };
    let drop_last = change(Box::new(|draft, _| {
        draft.points.pop();
    }));
    let drawing = use_memo(((*draft).clone(), props.others.clone()), |(draft, others)| {
        let own = Area { name: draft.name.clone(), shape: draft.shape(), colour: draft.colour.clone() };
        let own = if draft.points.is_empty() { None } else { Some(own) };
        Drawing { areas: own.into_iter().chain(others.iter().cloned()).collect(), ..Drawing::default() }
    });
    let onsubmit = {
        let (draft, entry, refused, saved, toasts) =
            ((*draft).clone(), props.entry.clone(), refused.setter(), props.saved.clone(), toasts.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let edit = GeofenceEdit {
                name: draft.name.clone(),
                shape: draft.shape(),
                client: draft.client.clone(),
                colour: draft.colour.clone(),
            };
            let (entry, refused, saved, toasts) = (entry.clone(), refused.clone(), saved.clone(), toasts.clone());
            spawn_local(async move {
                let done = match &entry {
                    Some(entry) => api::put::<GeofenceEntry>(&format!("/geofences/{}", entry.id), &edit).await,
                    None => api::post::<GeofenceEntry>("/geofences", &edit).await,
                };
                match done {
                    Ok(_) => {
                        toasts.say(words.saved);
                        saved.emit(());
                    }
                    Err(refusal) => {
                        if !matches!(refusal, Refusal::Fields(_)) {
                            toasts.say(refusal_text(phrases, &refusal));
                        }
                        refused.set(Some(refusal));
                    }
                }
            });
        }
    };
    let error = |name: &str| refused.as_ref().and_then(|refusal| refusal.field(name)).map(AttrValue::from);
    let hint = match draft.kind {
        "polygon" => words.hint_polygon,
        "corridor" => words.hint_corridor,
        _ => words.hint_circle,
    };
    let subject = props.entry.as_ref().map_or_else(|| "new".to_owned(), |entry| entry.id.clone());
    html! {
        <section class="page geofence-page editing">
            <form class="panel side-list form" {onsubmit} data-testid="geofence-editor">
                <Field name="name" label={phrases.name} value={draft.name.clone()} required=true error={error("name")} oninput={change(Box::new(|draft, text| draft.name = text))} />
                <Select name="kind" label={words.shape} value={draft.kind} error={error("shape")}
                    choices={vec![("circle".into(), words.circle.into()), ("polygon".into(), words.polygon.into()), ("corridor".into(), words.corridor.into())]}
                    onchange={change(Box::new(|draft, kind| {
                        draft.kind = match kind.as_str() { "polygon" => "polygon", "corridor" => "corridor", _ => "circle" };
                        if draft.kind == "circle" { draft.points.truncate(1); }
                    }))} />
                if draft.kind == "circle" {
                    <Field name="radius" kind="number" label={words.radius} value={number_text(draft.radius_m)} oninput={change(Box::new(|draft, text| draft.radius_m = text.parse().unwrap_or(draft.radius_m)))} />
                }
                if draft.kind == "corridor" {
                    <Field name="width" kind="number" label={words.width} value={number_text(draft.width_m)} oninput={change(Box::new(|draft, text| draft.width_m = text.parse().unwrap_or(draft.width_m)))} />
                }
                <div class="field">
                    <span id="colour-label">{ words.colour }</span>
                    <div class="swatches" role="radiogroup" aria-labelledby="colour-label">
                        for colour in COLOURS {
                            <button key={colour} type="button" role="radio" class={format!("swatch colour-{}", &colour[1..])} aria-checked={(draft.colour.as_deref() == Some(colour)).to_string()}
                                aria-label={colour} onclick={change(Box::new(move |draft, _| draft.colour = Some(colour.to_owned()))).reform(|_| String::new())} />
                        }
                    </div>
                </div>
                <p class="muted">{ hint }</p>
                <div class="actions">
                    <button type="button" class="secondary" onclick={add_here} data-testid="add-here">{ words.add_here }</button>
                    <button type="button" class="secondary" disabled={draft.points.is_empty()} onclick={drop_last.reform(|_| String::new())} data-testid="drop-last">{ words.drop_last }</button>
                </div>
                <p role="status" class="muted" data-testid="points">{ (words.points)(draft.points.len()) }</p>
                <div class="actions">
                    <button class="primary" disabled={!draft.is_whole()} data-testid="save-geofence">{ words.save }</button>
                    <button type="button" class="secondary" onclick={props.close.reform(|_| ())}>{ words.cancel }</button>
                    if let Some(entry) = &props.entry {
                        <button type="button" class="secondary" onclick={let entry = Rc::clone(entry); props.delete.reform(move |_| Rc::clone(&entry))} data-testid="delete-geofence">{ words.delete }</button>
                    }
                </div>
            </form>
            <div class="panel stage with-cross"><Sketch {drawing} {subject} hands={(*hands).clone()} label={words.map} testid="geofence-map" /></div>
        </section>
    }
}

fn number_text(metres: f64) -> String {
    number(metres, 0).replace('\u{202f}', "")
}
