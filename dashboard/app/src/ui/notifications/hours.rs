//! When somebody wants to hear.

use bugbrother_wire::api::{Attention, Digest, QuietHours};
use yew::prelude::*;

use super::OWN;
use crate::ui::{
    api,
    kit::{Check, Field, Select, use_toasts},
    saving::{Submit, typing, use_saving},
    settings::use_phrases,
    zone,
};

/// From ten in the evening to seven in the morning.
const NIGHT: QuietHours = QuietHours { from: 22 * 60, to: 7 * 60 };

/// Properties of [`Hours`].
#[derive(Properties, PartialEq)]
pub struct HoursProps {
    /// As it stands.
    pub attention: Attention,
    /// It has changed.
    pub reload: Callback<()>,
}

/// Quiet hours and digests.
#[component]
pub fn Hours(props: &HoursProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.notification;
    let toasts = use_toasts();
    let saving = use_saving();
    let form = use_state(|| props.attention.clone());
    let onsubmit = {
        let (form, saving, reload, toasts) = (form.clone(), saving.clone(), props.reload.clone(), toasts);
        move |event: SubmitEvent| {
            event.prevent_default();
            let zone = zone::chosen().unwrap_or_else(zone::of_browser);
            let body = Attention { time_zone: Some(zone), ..(*form).clone() };
            let (reload, toasts) = (reload.clone(), toasts.clone());
            saving.run(async move { api::put::<Attention>(OWN, &body).await }, move |_| {
                toasts.say(phrases.running.saved);
                reload.emit(());
            });
        }
    };
    let switch = |change: fn(&mut Attention, bool)| {
        let form = form.clone();
        Callback::from(move |on| {
            let mut next = (*form).clone();
            change(&mut next, on);
            form.set(next);
        })
    };
    let digests = words.digests.iter().enumerate();
    let digests =
        digests.map(|(at, text)| (AttrValue::from(at.to_string()), AttrValue::from(*text))).collect::<Vec<_>>();
    let chosen = Digest::ALL.iter().position(|digest| *digest == form.digest).unwrap_or_default();
    let hours = (0..24).map(|hour| (AttrValue::from(hour.to_string()), AttrValue::from(format!("{hour:02}:00"))));
    html! {
        <section class="panel block">
            <h2>{ words.when }</h2>
            <p class="muted">{ words.when_hint }</p>
            <form class="form columns" {onsubmit} novalidate=true data-testid="hours">
                <Select name="digest" label={words.digest} choices={digests} value={chosen.to_string()}
                    onchange={typing(&form, |form: &mut Attention, text| form.digest = text.parse().ok().and_then(|at: usize| Digest::ALL.get(at)).copied().unwrap_or_default())} />
                if form.digest == Digest::Daily {
                    <Select name="digest-hour" label={words.digest_hour} choices={hours.collect::<Vec<_>>()} value={form.digest_hour.to_string()}
                        onchange={typing(&form, |form: &mut Attention, text| form.digest_hour = text.parse().unwrap_or(7))} />
                }
                <p><Check name="quiet" label={words.quiet} checked={form.quiet.is_some()} onchange={switch(|form, on| form.quiet = on.then_some(NIGHT))} /></p>
                if let Some(quiet) = form.quiet {
                    <Field name="quiet-from" kind="time" label={words.from} value={time(quiet.from)} error={saving.error("from")}
                        oninput={typing(&form, |form: &mut Attention, text| if let (Some(quiet), Some(minute)) = (&mut form.quiet, minute(&text)) { quiet.from = minute })} />
                    <Field name="quiet-to" kind="time" label={words.to} value={time(quiet.to)} error={saving.error("to")}
                        oninput={typing(&form, |form: &mut Attention, text| if let (Some(quiet), Some(minute)) = (&mut form.quiet, minute(&text)) { quiet.to = minute })} />
                }
                <p><Check name="critical" label={words.critical} checked={form.critical_at_once} onchange={switch(|form, on| form.critical_at_once = on)} /></p>
                <div class="whole"><Submit saving={saving.clone()} label={phrases.running.save} /></div>
            </form>
        </section>
    }
}

fn time(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let minute = hours.parse::<u16>().ok()?.checked_mul(60)?.checked_add(minutes.get(..2)?.parse().ok()?)?;
    (minute < 24 * 60).then_some(minute)
}
