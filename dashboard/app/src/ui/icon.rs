//! Icons: lines of 24 by 24, drawn in the colour of the text.

use yew::prelude::*;

/// An icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Map,
    Car,
    Bell,
    Search,
    Close,
    Sun,
    Moon,
    Screen,
    Crosshair,
    Fit,
    Eye,
    EyeOff,
    Chevron,
    SignOut,
    Globe,
    Collapse,
    More,
    Pulse,
    Sliders,
    Film,
    Code,
    Card,
    Book,
    Copy,
    Person,
    Rule,
    Fence,
    Play,
    Pause,
    Download,
    Layers,
    Overview,
    Bars,
    Clients,
    Contract,
    Camera,
    Enlarge,
    Letter,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Overview => "M4 4h7v9H4V4Zm9 0h7v5h-7V4Zm0 7h7v9h-7v-9Zm-9 4h7v5H4v-5Z",
            Icon::Bars => "M4 20h16M6.5 16.5v-5m5.5 5V5m5.5 11.5v-8",
            Icon::Clients => {
                "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 19.5c0-3.3 2.9-5 6.5-5s6.5 1.7 6.5 5M16 4.8a3.5 3.5 0 0 1 0 6.4m2 3.7c2.1.7 3.5 2.2 3.5 4.6"
            }
            Icon::Camera => "M3.5 8h4L9 5.5h6L16.5 8h4v11h-17V8Zm8.5 2a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7Z",
            Icon::Enlarge => "M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5",
            Icon::Contract => "M6 3.5h8l4.5 4.5v12.5H6v-17Zm8 0V8h4.5M9 12.5h6M9 16h6",
            Icon::Letter => "M3.5 6h17v12.5h-17V6Zm0 .5 8.5 7 8.5-7",
            Icon::Map => "M9 4 3 6.5v13L9 17l6 2.5 6-2.5v-13L15 6.5 9 4Zm0 0v13m6-10.5v13",
            Icon::Car => {
                "M4 16v-3.5L6 7.2A2 2 0 0 1 7.9 6h8.2A2 2 0 0 1 18 7.2l2 5.3V16M4 12.5h16M3.5 16h17v1.5a1 1 0 0 1-1 1H18a1 1 0 0 1-1-1V16M7 16v1.5a1 1 0 0 1-1 1H4.5a1 1 0 0 1-1-1V16"
            }
            Icon::Bell => "M6 16.5V11a6 6 0 1 1 12 0v5.5l1.5 1.5h-15L6 16.5ZM10 20.5h4",
            Icon::Search => "M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm5 11.5 4 4",
            Icon::Close => "m6 6 12 12M18 6 6 18",
            Icon::Sun => {
                "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Zm0-5v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4"
            }
            Icon::Moon => "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5Z",
            Icon::Screen => "M4 5h16v11H4V5Zm5 14.5h6M12 16v3.5",
            Icon::Crosshair => "M12 6a6 6 0 1 0 0 12 6 6 0 0 0 0-12Zm0-3.5V7m0 10v4.5M2.5 12H7m10 0h4.5",
            Icon::Fit => "M4 9V4h5M20 9V4h-5M4 15v5h5m11-5v5h-5",
            Icon::Eye => {
                "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z"
            }
            Icon::EyeOff => {
                "M5 7.5C3.3 9.5 2.5 12 2.5 12S6 18.5 12 18.5c1.3 0 2.5-.3 3.5-.8M9.5 5.9c.8-.3 1.6-.4 2.5-.4 6 0 9.5 6.5 9.5 6.5s-.7 1.3-2 2.8M4 4l16 16"
            }
            Icon::Chevron => "m7 14 5-5 5 5",
            Icon::SignOut => "M14 4.5H6v15h8M10.5 12H21m-3.5-3.5L21 12l-3.5 3.5",
            Icon::Globe => {
                "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Zm-8.5 8.5h17M12 3.5c5 5.5 5 11.5 0 17-5-5.5-5-11.5 0-17Z"
            }
            Icon::Card => {
                "M3.5 6h17v12h-17V6Zm5.2 3a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6ZM5.6 15.8c.4-1.5 1.5-2.3 3.1-2.3s2.7.8 3.1 2.3M14.5 10H18m-3.5 3.5H18"
            }
            Icon::Person => "M12 4.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.5 20c.6-3.6 3.4-5.5 7.5-5.5s6.9 1.9 7.5 5.5",
            Icon::Book => "M5.5 4h11a2 2 0 0 1 2 2v14h-11a2 2 0 0 1-2-2V4Zm0 13.5a2 2 0 0 1 2-2h11M9 8h6m-6 3.5h4",
            Icon::Copy => "M9 8.5h10.5v11H9v-11ZM5 15.5h-.5v-11H15V5",
            Icon::More => "M5 12h.01M12 12h.01M19 12h.01",
            Icon::Pulse => "M3 12h4l3-7 4 14 3-7h4",
            Icon::Sliders => "M5 5v14M12 5v14M19 5v14M3 9h4m3 6h4m3-8h4",
            Icon::Film => "M4 5h16v14H4V5Zm4 0v14m8-14v14M4 9h4m-4 6h4m8-6h4m-4 6h4",
            Icon::Code => "m8 7-5 5 5 5m8-10 5 5-5 5M13.5 5l-3 14",
            Icon::Rule => "M4 6h9m4 0h3M4 12h3m4 0h9M4 18h9m4 0h3M15 4v4M9 10v4m6 2v4",
            Icon::Fence => "M12 3.5 20 9l-3 10H7L4 9l8-5.5ZM12 10.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z",
            Icon::Play => "M8 5.5v13l10.5-6.5L8 5.5Z",
            Icon::Pause => "M8 5.5v13m8-13v13",
            Icon::Download => "M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14",
            Icon::Layers => "m12 4 8.5 4.5L12 13 3.5 8.5 12 4Zm-8.5 8.5L12 17l8.5-4.5M3.5 16 12 20.5 20.5 16",
            Icon::Collapse => "M4 5h16v14H4V5Zm5.5 0v14M16 9.5 13.5 12l2.5 2.5",
        }
    }

    /// The icon as SVG; who uses it names it.
    pub fn draw(self) -> Html {
        html! {
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d={self.path()} /></svg>
        }
    }
}

/// The mark of the app: a bug that is a heading marker.
#[component]
pub fn Mark() -> Html {
    html! {
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="8" />
            <path d="M16 6.5 24 24l-8-4-8 4 8-17.5Z" />
        </svg>
    }
}
