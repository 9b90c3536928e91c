//! The fleet's own channels, its mail server, and who hears of what nobody saw to.

use bugbrother_wire::api::{FleetNotifications, FleetNotificationsForm, MailSecurity};
use yew::prelude::*;

use super::{FLEET, channels::Channels, log::Log};
use crate::ui::{
    api,
    fetch::{Fetched, use_fetch},
    kit::{Field, Refused, Select, use_toasts},
    saving::{Submit, some, some_number, typing, use_saving},
    settings::use_phrases,
    table::Skeleton,
};

/// The page of the fleet's notifications.
#[component]
pub fn FleetNotificationsPage() -> Html {
    let words = use_phrases().notification;
    let fetch = use_fetch::<FleetNotifications>(Some(FLEET.to_owned()));
    let body = match &fetch.is {
        Fetched::Loading => html! { <section class="panel block"><Skeleton rows=8 /></section> },
        Fetched::Failed(refusal) => html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(fleet) => html! {
            <>
                <section class="panel block">
                    <h2>{ words.fleet_channels }</h2>
                    <p class="muted">{ words.fleet_channels_hint }</p>
                    <Channels base={FLEET} channels={fleet.channels.clone()} reload={fetch.reload.clone()} />
                </section>
                <Mail fleet={(**fleet).clone()} reload={fetch.reload.clone()} />
                <Log channels={fleet.channels.clone()} />
            </>
        },
    };
    html! { <section class="page people scroll" data-testid="fleet-notifications">{ body }</section> }
}

#[derive(Properties, PartialEq)]
struct MailProps {
    fleet: FleetNotifications,
    reload: Callback<()>,
}

#[component]
fn Mail(props: &MailProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.notification;
    let toasts = use_toasts();
    let saving = use_saving();
    let form = use_state(|| FleetNotificationsForm {
        mail: props.fleet.mail.clone(),
        escalate_to: props.fleet.escalate_to.clone(),
    });
    let people = use_state(|| props.fleet.escalate_to.join(", "));
    let onsubmit = {
        let (form, people, saving, reload) = (form.clone(), people.clone(), saving.clone(), props.reload.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let named = people.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            let body = FleetNotificationsForm { escalate_to: named, ..(*form).clone() };
            let (reload, toasts) = (reload.clone(), toasts.clone());
            saving.run(async move { api::put::<FleetNotifications>(FLEET, &body).await }, move |_| {
                toasts.say(phrases.running.saved);
                reload.emit(());
            });
        }
    };
    let kept = props.fleet.has_password.then_some(AttrValue::from(words.keeps_secret));
    let securities = [("starttls", "STARTTLS"), ("tls", "TLS"), ("plain", words.plain)];
    let security = match form.mail.security {
        MailSecurity::Starttls => "starttls",
        MailSecurity::Tls => "tls",
        MailSecurity::Plain => "plain",
    };
    type Form = FleetNotificationsForm;
    html! {
        <section class="panel block">
            <h2>{ words.mail }</h2>
            <p class="muted">{ words.mail_hint }</p>
            <form class="form columns" {onsubmit} novalidate=true data-testid="mail-form">
                <Field name="host" label={words.host} value={form.mail.host.clone()} error={saving.error("host")} room="mail"
                    oninput={typing(&form, |form: &mut Form, text| form.mail.host = text)} />
                <Field name="port" label={words.port} value={some_number(form.mail.port)} error={saving.error("port")} room="mail"
                    oninput={typing(&form, |form: &mut Form, text| form.mail.port = text.trim().parse().ok())} />
                <Select name="security" label={words.security} value={security}
                    choices={securities.map(|(word, text)| (AttrValue::from(word), AttrValue::from(text))).to_vec()}
                    onchange={typing(&form, |form: &mut Form, text| form.mail.security = match text.as_str() { "tls" => MailSecurity::Tls, "plain" => MailSecurity::Plain, _ => MailSecurity::Starttls })} />
                <Field name="user" label={words.user} value={form.mail.user.clone()} error={saving.error("user")} room="mail"
                    oninput={typing(&form, |form: &mut Form, text| form.mail.user = text)} />
                <Field name="password" label={words.password} kind="password" autocomplete="new-password" value={some(&form.mail.password)} hint={kept}
                    error={saving.error("password")} room="mail"
                    oninput={typing(&form, |form: &mut Form, text| form.mail.password = Some(text).filter(|text| !text.is_empty()))} />
                <Field name="from" label={words.sender} value={form.mail.from.clone()} error={saving.error("from")} room="mail" placeholder="Fleet <fleet@example.org>"
                    oninput={typing(&form, |form: &mut Form, text| form.mail.from = text)} />
                <Field name="escalate" label={words.escalate} hint={words.escalate_hint} value={(*people).clone()} error={saving.error("escalate_to")} room="mail"
                    oninput={typing(&people, |people: &mut String, text| *people = text)} />
                <div class="whole"><Submit saving={saving.clone()} label={phrases.running.save} /></div>
            </form>
        </section>
    }
}
