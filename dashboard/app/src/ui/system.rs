//! How the system is.

use bugbrother_wire::api::{Figure, MediaRoom, System};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{
    fetch::{Fetched, use_fetch},
    icon::Icon,
    kit::Refused,
    settings::use_phrases,
    table::Skeleton,
};
use crate::{
    format::{Span, number},
    phrases::Phrases,
};

/// The page of the system.
#[component]
pub fn SystemPage() -> Html {
    let phrases = use_phrases();
    let words = phrases.running;
    let fetch = use_fetch::<System>(Some("/system".to_owned()));
    let search = use_state(String::new);
    // The figures of the refresh before, for the rates.
    let shown = use_mut_ref(|| None::<System>);
    let before = use_mut_ref(|| None::<System>);
    let system = match &fetch.is {
        Fetched::Loading => return html! { <section class="page"><Skeleton rows=6 /></section> },
        Fetched::Failed(refusal) => return html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(system) => system.clone(),
    };
    if shown.borrow().as_ref() != Some(&*system) {
        let last = shown.borrow_mut().replace((*system).clone());
        *before.borrow_mut() = last;
    }
    let oninput = {
        let search = search.clone();
        move |event: InputEvent| search.set(event.target_unchecked_into::<HtmlInputElement>().value())
    };
    let needle = search.trim().to_lowercase();
    let figures =
        system.figures.iter().filter(|figure| figure.name.contains(&needle) || figure.labels.contains(&needle));
    let before = before.borrow();
    html! {
        <section class="page running" data-testid="system">
            <div class="bar">
                <dl class="facts">
                    <div><dt>{ words.version }</dt><dd>{ &system.version }</dd></div>
                    <div><dt>{ words.started }</dt><dd>{ (phrases.ago)(Span::of(system.now - system.started)) }</dd></div>
                    <div><dt>{ words.store }</dt><dd>{ &system.store }</dd></div>
                </dl>
                <div class="end">
                    <button class="secondary" onclick={fetch.reload.reform(|_| ())} data-testid="system-refresh">{ words.refresh }</button>
                </div>
            </div>
            <div class="cards">
                for (part, state) in &system.parts {
                    <div key={part.clone()} class="panel card" data-testid={format!("part-{part}")}>
                        <b>{ part }</b>
                        <span class={classes!("badge", if state == "ok" { "ok" } else { "bad" })}>{ if state == "ok" { words.well } else { state } }</span>
                    </div>
                }
            </div>
            if let Some(media) = system.media { { room(phrases, &media, system.now) } }
            <h2>{ words.dead_letters }</h2>
            { letters(phrases, &system) }
            <h2>{ words.quarantine }</h2>
            { quarantine(phrases, &system) }
            <h2>{ words.figures }</h2>
            <p class="muted">{ words.figures_hint }</p>
            <label class="search">
                { Icon::Search.draw() }
                <input type="search" data-search="" value={(*search).clone()} {oninput} placeholder={words.find_figure} aria-label={words.find_figure} />
                <kbd aria-hidden="true">{ "/" }</kbd>
            </label>
            <div class="panel wide" tabindex="0"><table class="table" data-testid="figures"><tbody>
                for figure in figures {
                    <tr key={format!("{}{}", figure.name, figure.labels)}>
                        <td class="mono">{ &figure.name }<small>{ &figure.labels }</small></td>
                        <td class="number">{ number(figure.value, usize::from(figure.value.fract() != 0.0) * 2) }</td>
                        <td class="number muted">{ rate(phrases, figure, &system, before.as_ref()) }</td>
                    </tr>
                }
            </tbody></table></div>
        </section>
    }
}

fn rate(phrases: &Phrases, figure: &Figure, system: &System, before: Option<&System>) -> String {
    let Some(before) = before.filter(|_| figure.name.ends_with("_total")) else { return String::new() };
    let seconds = (system.now - before.now) as f64 / 1000.0;
    let same = |one: &&Figure| one.name == figure.name && one.labels == figure.labels;
    let last = before.figures.iter().find(same).map_or(0.0, |one| one.value);
    // A process that was started anew counts from nothing.
    if seconds <= 0.0 || figure.value < last || before.started != system.started {
        return String::new();
    }
    format!("{} {}", number((figure.value - last) / seconds, 1), phrases.running.per_second)
}

/// What went for lack of room is a warning for so long.
const RECENT_MS: i64 = 7 * 86_400_000;

fn room(phrases: &Phrases, media: &MediaRoom, now: i64) -> Html {
    let words = phrases.running;
    let gigabytes = |bytes: u64| number(bytes as f64 / 1e9, usize::from(bytes < 100_000_000_000));
    let evicted = media.evicted.map(|gone| (words.media_evicted)(gone.files, &(phrases.ago)(Span::of(now - gone.at))));
    let is_recent = media.evicted.is_some_and(|gone| now - gone.at < RECENT_MS);
    html! {
        <>
            <h2>{ words.media_room }</h2>
            <p data-testid="media-room">
                { (words.media_used)(&gigabytes(media.bytes), &gigabytes(media.most_bytes)) }
                if let Some(evicted) = evicted {
                    { " " }<span class={classes!(if is_recent { "badge warn" } else { "muted" })}>{ evicted }</span>
                }
            </p>
        </>
    }
}

fn letters(phrases: &Phrases, system: &System) -> Html {
    let words = phrases.running;
    if system.dead_letters.is_empty() {
        return html! { <p class="muted">{ words.no_dead_letters }</p> };
    }
    html! {
        <div class="panel wide" tabindex="0"><table class="table">
            <thead><tr>
                <th scope="col">{ words.topic }</th><th scope="col">{ words.reason }</th>
                <th scope="col" class="number">{ words.bytes }</th><th scope="col" class="number">{ words.received }</th>
            </tr></thead>
            <tbody>for letter in &system.dead_letters {
                <tr>
                    <td class="mono">{ &letter.topic }</td><td>{ &letter.reason }</td><td class="number">{ letter.size }</td>
                    <td class="number">{ (phrases.ago)(Span::of(system.now - letter.received)) }</td>
                </tr>
            }</tbody>
        </table></div>
    }
}

fn quarantine(phrases: &Phrases, system: &System) -> Html {
    let words = phrases.running;
    if system.quarantine.is_empty() {
        return html! { <p class="muted">{ words.no_quarantine }</p> };
    }
    html! {
        <div class="panel wide" tabindex="0"><table class="table">
            <thead><tr>
                <th scope="col">{ "VIN" }</th><th scope="col">{ words.topic }</th>
                <th scope="col">{ words.reason }</th><th scope="col" class="number">{ words.received }</th>
            </tr></thead>
            <tbody>for record in &system.quarantine {
                <tr>
                    <td class="mono">{ record.vin.as_str() }</td><td class="mono">{ &record.topic }</td><td>{ &record.reason }</td>
                    <td class="number">{ (phrases.ago)(Span::of(system.now - record.received)) }</td>
                </tr>
            }</tbody>
        </table></div>
    }
}
