//! What of the fleet the app wants to be told of, and what it knows already. Pure.

use bugbrother_wire::{
    Vin,
    live::{Mark, Want, Which},
};

/// Signals that maps and lists show.
const SHOWN: [&str; 8] = ["lat", "lon", "hdg", "spd", "gspd", "rpm", "fuel", "soc"];

/// What the page that is open shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    /// Whether it shows the fleet; other pages hear of nobody but `whole`.
    pub fleet: bool,
    /// Further signals of the fleet, such as the one by which the map is coloured.
    pub signals: Vec<String>,
    /// Vehicles of which it shows everything.
    pub whole: Vec<Vin>,
}

/// Where the app is in the feed.
#[derive(Debug, Default)]
pub struct Place {
    feed: String,
    /// The last tick with the whole fleet in it, and the signals that were wanted then.
    fleet: Option<(u64, Vec<String>)>,
    /// What is told of now.
    wanted: Option<Interest>,
}

impl Place {
    /// The server says which feed it is: of another one nothing is known.
    pub fn enter(&mut self, feed: &str) {
        if self.feed != feed {
            *self = Place { feed: feed.to_owned(), ..Place::default() };
        }
        self.wanted = None;
    }

    /// A frame has been taken in.
    pub fn pass(&mut self, tick: u64) {
        if let Some(wanted) = self.wanted.as_ref().filter(|wanted| wanted.fleet) {
            self.fleet = Some((tick, wanted.signals.clone()));
        }
    }

    /// What to say to the server for a new interest; nothing, when it knows.
    pub fn want(&mut self, interest: &Interest) -> Option<Want> {
        if self.wanted.as_ref() == Some(interest) {
            return None;
        }
        let known = self.fleet.as_ref().filter(|(_, signals)| *signals == interest.signals);
        let tick = match (interest.fleet, known) {
            (true, Some((tick, _))) => Some(*tick),
            (true, None) => None,
            // Who shows no fleet does not need it told.
            (false, _) => self.fleet.as_ref().map(|(tick, _)| *tick),
        };
        self.wanted = Some(interest.clone());
        let further = interest.signals.iter().cloned();
        Some(Want {
            which: if interest.fleet { Which::Fleet } else { Which::Only(interest.whole.clone()) },
            signals: Some(SHOWN.iter().map(|key| (*key).to_owned()).chain(further).collect()),
            whole: interest.whole.clone(),
            since: tick.map(|tick| Mark { feed: self.feed.clone(), tick }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vin() -> Vin {
        "WVWZZZ1JZ3W386752".parse().unwrap()
    }

    fn fleet() -> Interest {
        Interest { fleet: true, ..Interest::default() }
    }

    #[test]
    fn who_comes_back_to_the_map_is_told_what_has_changed_since_it_left() {
        let mut place = Place::default();
        place.enter("a");
        assert_eq!(place.want(&fleet()).unwrap().since, None);
        place.pass(7);
        let page = Interest { whole: vec![vin()], ..Interest::default() };
        let want = place.want(&page).unwrap();
        assert_eq!((want.which, want.whole), (Which::Only(vec![vin()]), vec![vin()]));
        place.pass(9);
        assert_eq!(place.want(&fleet()).unwrap().since, Some(Mark { feed: "a".into(), tick: 7 }));
        assert_eq!(place.want(&fleet()), None, "it was just said");
    }

    #[test]
    fn another_server_and_another_signal_begin_anew() {
        let mut place = Place::default();
        place.enter("a");
        place.want(&fleet());
        place.pass(7);
        let coloured = Interest { signals: vec!["ect".into()], ..fleet() };
        let want = place.want(&coloured).unwrap();
        assert_eq!(want.since, None);
        assert!(want.signals.unwrap().contains(&"ect".to_owned()));
        place.pass(8);
        place.enter("a");
        assert_eq!(place.want(&coloured).unwrap().since.unwrap().tick, 8, "the line was cut");
        place.enter("b");
        assert_eq!(place.want(&coloured).unwrap().since, None);
    }
}
