//! Side bar, top bar, and the page between them.

use bugbrother_wire::api::Role;
use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use yew::prelude::*;
use yew_router::prelude::*;

use super::{
    account::use_account,
    alerts::Alerts,
    audit::Audit,
    browser,
    clients::{ClientPage, Clients},
    contracts::{ContractPage, Contracts},
    developers::Developers,
    edits::use_waiting_edits,
    elsewhere::use_servers,
    feed::{Link as LiveLink, use_live},
    geofences::Geofences,
    icon::{Icon, Mark},
    keys::{use_escape, use_key, use_keys},
    kit::Sheet,
    lost::Lost,
    map::{BaseMap, MapPage},
    notifications::FleetNotificationsPage,
    offline::use_updates,
    overview::OverviewPage,
    pages::{PAGES, title},
    palette::Palette,
    route::Route,
    rules::Rules,
    running::SettingsPage,
    security::AccountPage,
    settings::{use_kept_settings, use_phrases, use_settings},
    statistics::StatisticsPage,
    system::SystemPage,
    users::Users,
    vehicle::VehiclePage,
    vehicles::Vehicles,
    wall::Wall,
};
use crate::{address::Query, fleet::Interest, theme::Theme};

const COLLAPSED: &str = "side-collapsed";

/// The frame of every page.
#[component]
pub fn Shell() -> Html {
    use_keys();
    use_interest();
    use_updates();
    use_servers();
    use_waiting_edits();
    use_kept_settings();
    let phrases = use_phrases();
    // Kept across pages: the map comes back at once.
    let base = use_memo((), |()| BaseMap::load());
    let collapsed = use_state(|| browser::remembered(COLLAPSED).as_deref() != Some("no"));
    let toggle = {
        let collapsed = collapsed.clone();
        Callback::from(move |()| {
            browser::remember(COLLAPSED, if *collapsed { "no" } else { "yes" });
            collapsed.set(!*collapsed);
        })
    };
    html! {
        <div class={classes!("shell", collapsed.then_some("collapsed"))}>
            <a class="skip" href="#content">{ phrases.skip_to_content }</a>
            <SideBar {toggle} />
            <KeyHelp />
            <TopBar />
            <main id="content" tabindex="-1">
                <ContextProvider<BaseMap> context={(*base).clone()}><Switch<Route> render={page} /></ContextProvider<BaseMap>>
            </main>
        </div>
    }
}

/// Has the feed tell what the open page shows.
#[hook]
fn use_interest() {
    let live = use_live();
    let route = use_route::<Route>();
    let query = use_location().and_then(|location| location.query::<Query>().ok()).unwrap_or_default();
    let interest = match route {
        Some(Route::Map) => {
            let signals = query.colour().map(str::to_owned).into_iter().collect();
            Interest { fleet: true, whole: query.selected().into_iter().collect(), signals }
        }
        Some(Route::Vehicle { vin }) => Interest { whole: vec![vin], ..Interest::default() },
        _ => Interest { fleet: true, ..Interest::default() },
    };
    use_effect_with(interest, move |interest| live.show(interest.clone()));
}

/// `?`: what the keys do.
#[component]
fn KeyHelp() -> Html {
    let words = use_phrases().running;
    let open = use_state_eq(|| false);
    let show = {
        let open = open.setter();
        use_callback((), move |(), ()| open.set(true))
    };
    use_key("?", show);
    let close = {
        let open = open.setter();
        Callback::from(move |()| open.set(false))
    };
    html! {
        if *open {
            <Sheet title={words.keys} {close}>
                <div class="key-list">for (key, does) in words.key_list { <><kbd>{ key }</kbd><span>{ does }</span></> }</div>
            </Sheet>
        }
    }
}

fn page(route: Route) -> Html {
    match route {
        Route::Map => html! { <MapPage /> },
        Route::Overview => html! { <OverviewPage /> },
        Route::Statistics => html! { <StatisticsPage /> },
        Route::Clients => html! { <Clients /> },
        Route::Client { id } => html! { <ClientPage {id} /> },
        Route::Contracts => html! { <Contracts /> },
        Route::Contract { id } => html! { <ContractPage {id} /> },
        Route::Vehicles => html! { <Vehicles /> },
        Route::Vehicle { vin } => html! { <VehiclePage key={vin.as_str()} {vin} /> },
        Route::Alerts => html! { <Alerts /> },
        Route::Wall => html! { <Wall /> },
        Route::Settings => html! { <SettingsPage /> },
        Route::Notifications => html! { <FleetNotificationsPage /> },
        Route::System => html! { <SystemPage /> },
        Route::Developers => html! { <Developers /> },
        Route::Rules => html! { <Rules /> },
        Route::Geofences => html! { <Geofences /> },
        Route::Users => html! { <Users /> },
        Route::Audit => html! { <Audit /> },
        Route::Account => html! { <AccountPage /> },
        Route::Lost => html! { <Lost /> },
    }
}

#[derive(Properties, PartialEq)]
struct SideBarProps {
    toggle: Callback<()>,
}

#[component]
fn SideBar(props: &SideBarProps) -> Html {
    let phrases = use_phrases();
    let here = use_route::<Route>();
    let alerts = use_live().fleet.borrow().alert_count();
    let account = use_account();
    let pages = PAGES.iter().filter(|page| page.needs.is_none_or(|right| account.may(right)));
    html! {
        <nav class="side" aria-label={phrases.main_navigation}>
            <div class="brand"><Mark /><b>{ "BugBrother" }</b></div>
            for page in pages {
                <Link<Route> to={page.route} classes={classes!("item", (here == Some(page.route)).then_some("here"), page.on_phone.then_some("on-phone"))}>
                    { page.icon.draw() }
                    <span class="name">{ (page.name)(phrases) }</span>
                    if page.route == Route::Alerts && alerts > 0 {
                        <span class="count" aria-label={(phrases.open_alerts)(alerts)}>{ alerts }</span>
                    }
                </Link<Route>>
            }
            <More />
            <button class="item collapse" onclick={props.toggle.reform(|_| ())} aria-label={phrases.main_navigation}>
                { Icon::Collapse.draw() }
            </button>
        </nav>
    }
}

/// On a phone: the pages that have no place in the bar.
#[component]
fn More() -> Html {
    let phrases = use_phrases();
    let account = use_account();
    let open = use_state_eq(|| false);
    let here = use_route::<Route>();
    {
        // Having gone somewhere closes it.
        let open = open.setter();
        use_effect_with(here, move |_| open.set(false));
    }
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let close = {
        let open = open.setter();
        Callback::from(move |()| open.set(false))
    };
    let rest = PAGES.iter().filter(|page| !page.on_phone && page.needs.is_none_or(|right| account.may(right)));
    html! {
        <>
            <button class="item more on-phone" onclick={toggle} aria-expanded={open.to_string()} data-testid="more">
                { Icon::More.draw() }<span class="name">{ phrases.more }</span>
            </button>
            if *open {
                <Sheet title={phrases.more} {close}>
                    <nav class="more-list" aria-label={phrases.more}>
                        for page in rest {
                            <Link<Route> key={page.key} to={page.route}>{ page.icon.draw() }{ (page.name)(phrases) }</Link<Route>>
                        }
                    </nav>
                </Sheet>
            }
        </>
    }
}

#[component]
fn TopBar() -> Html {
    let settings = use_settings();
    let phrases = settings.phrases;
    let live = use_live();
    let title = title(use_route::<Route>().unwrap_or(Route::Lost), phrases);
    use_effect_with(title, |title| browser::document().set_title(&format!("{title} · BugBrother")));
    let (class, text, hint) = match live.link {
        LiveLink::Live => ("live", phrases.live, phrases.live_hint),
        LiveLink::Reconnecting => ("reconnecting", phrases.reconnecting, phrases.reconnecting_hint),
        LiveLink::Offline => ("offline", phrases.offline, phrases.offline_hint),
    };
    let alerts = live.fleet.borrow().alert_count();
    let (theme, icon) = match settings.theme {
        Theme::System => (phrases.theme_system, Icon::Screen),
        Theme::Dark => (phrases.theme_dark, Icon::Moon),
        Theme::Light => (phrases.theme_light, Icon::Sun),
    };
    html! {
        <header class="top">
            <span class="title">{ title }</span>
            <Palette />
            <span class={classes!("pill", class)} role="status" title={hint} data-testid="connection" data-state={class}>
                <i aria-hidden="true" />{ text }
            </span>
            <Link<Route> to={Route::Alerts} classes={classes!("tool", "bell", (alerts > 0).then_some("ringing"))}>
                { Icon::Bell.draw() }
                <span class="unseen">{ (phrases.open_alerts)(alerts) }</span>
                <span class="count" data-testid="alert-count" aria-hidden="true">{ alerts }</span>
            </Link<Route>>
            <button class="tool" onclick={settings.turn_theme.reform(|_| ())} title={(phrases.theme)(theme)}
                aria-label={(phrases.theme)(theme)} data-testid="theme">{ icon.draw() }</button>
            <AccountMenu />
        </header>
    }
}

#[component]
fn AccountMenu() -> Html {
    let settings = use_settings();
    let phrases = settings.phrases;
    let account = use_account();
    let open = use_state_eq(|| false);
    let menu = use_node_ref();
    {
        // Having gone somewhere closes it.
        let (open, here) = (open.setter(), use_route::<Route>());
        use_effect_with(here, move |_| open.set(false));
    }
    let close = {
        let open = open.setter();
        use_callback((), move |(), ()| open.set(false))
    };
    use_escape(close.clone());
    {
        let menu = menu.clone();
        use_effect_with(*open, move |open| {
            let listener = open.then(|| {
                EventListener::new(&browser::document(), "pointerdown", move |event| {
                    let inside = event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
                    if menu.get().is_some_and(|menu| !menu.contains(inside.as_ref())) {
                        close.emit(());
                    }
                })
            });
            move || drop(listener)
        });
    }
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let role = match account.session.role {
        Role::Administrator => phrases.role_administrator,
        Role::Operator => phrases.role_operator,
        Role::Client => phrases.role_client,
    };
    let initial: String = account.session.name.chars().take(1).flat_map(char::to_uppercase).collect();
    html! {
        <div class="account" ref={menu}>
            <button class="avatar" onclick={toggle} aria-expanded={open.to_string()} aria-haspopup="true"
                aria-label={phrases.account} data-testid="account">{ initial }</button>
            if *open {
                <div class="menu panel">
                    <p><b>{ &account.session.name }</b><small>{ role }</small></p>
                    <Link<Route> to={Route::Account} classes="entry">{ Icon::Person.draw() }<span data-testid="own-account">{ phrases.people.account }</span></Link<Route>>
                    <button onclick={settings.turn_language.reform(|_| ())}>{ Icon::Globe.draw() }{ phrases.other_language }</button>
                    <button onclick={account.sign_out.reform(|_| ())} data-testid="sign-out">{ Icon::SignOut.draw() }{ phrases.sign_out }</button>
                </div>
            }
        </div>
    }
}
