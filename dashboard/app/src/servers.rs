//! Which of the fleet's dashboards to be at. Pure: time is an argument.

/// A server that does not answer for so long is left.
const LOST_MS: f64 = 5_000.0;
/// A preferred server that is well for so long is gone back to.
const BACK_MS: f64 = 30_000.0;
/// Not while somebody is at work: so long nothing was typed or touched.
const QUIET_MS: f64 = 20_000.0;

/// What to do about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// Stay.
    Stay,
    /// Go there.
    Go(String),
}

/// What is known of the servers.
#[derive(Debug, Default)]
pub struct Servers {
    /// Origins, the preferred one first.
    list: Vec<String>,
    here: String,
    /// Since when this one does not answer.
    lost: Option<f64>,
    /// Since when each before this one has been well.
    well: Vec<Option<f64>>,
}

impl Servers {
    /// A list of servers, of which `here` is the one that the app is at.
    pub fn new(list: Vec<String>, here: &str) -> Self {
        Servers { well: vec![None; list.len()], list, here: here.to_owned(), lost: None }
    }

    /// Takes another list; what is known of those that stay is kept.
    pub fn update(&mut self, list: Vec<String>) {
        if list == self.list {
            return;
        }
        let known = |one: &String| self.list.iter().position(|before| before == one).and_then(|at| self.well[at]);
        self.well = list.iter().map(known).collect();
        self.list = list;
    }

    /// Servers that are to be asked whether they are well: all others while this one is lost, and otherwise those before it.
    pub fn to_ask(&self) -> Vec<String> {
        let others = self.list.iter().filter(|one| **one != self.here);
        match self.lost {
            Some(_) => others.cloned().collect(),
            None => self.list.iter().take_while(|one| **one != self.here).cloned().collect(),
        }
    }

    /// Whether this server answers.
    pub fn hear(&mut self, answers: bool, now: f64) {
        self.lost = if answers { None } else { self.lost.or(Some(now)) };
    }

    /// What another server said.
    pub fn learn(&mut self, server: &str, well: bool, now: f64) {
        for (one, since) in self.list.iter().zip(&mut self.well) {
            if one == server {
                *since = if well { since.or(Some(now)) } else { None };
            }
        }
    }

    /// Where to be. `touched` is when somebody last typed or touched something.
    pub fn decide(&self, now: f64, touched: f64) -> Move {
        let known = self.list.iter().zip(&self.well).filter(|(one, _)| **one != self.here);
        if self.lost.is_some_and(|since| now - since >= LOST_MS) {
            let next = known.clone().find(|(_, since)| since.is_some());
            return next.map_or(Move::Stay, |(server, _)| Move::Go(server.clone()));
        }
        let better = self.list.iter().zip(&self.well).take_while(|(one, _)| **one != self.here);
        let back = better.clone().find(|(_, since)| since.is_some_and(|since| now - since >= BACK_MS));
        match back {
            Some((server, _)) if self.lost.is_none() && now - touched >= QUIET_MS && self.list.contains(&self.here) => {
                Move::Go(server.clone())
            }
            _ => Move::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(here: &str) -> Servers {
        Servers::new(["a", "b", "c"].map(str::to_owned).into(), here)
    }

    #[test]
    fn a_server_that_is_lost_for_some_seconds_is_left_for_the_first_that_is_well() {
        let mut at = servers("a");
        assert!(at.to_ask().is_empty(), "the preferred one has nobody to ask for");
        at.hear(false, 1_000.0);
        assert_eq!(at.to_ask(), ["b", "c"]);
        at.learn("c", true, 2_000.0);
        assert_eq!(at.decide(5_999.0, 5_000.0), Move::Stay);
        assert_eq!(at.decide(6_000.0, 5_999.0), Move::Go("c".into()), "even while somebody types");
        at.learn("b", true, 6_000.0);
        assert_eq!(at.decide(6_000.0, 0.0), Move::Go("b".into()));
        at.hear(true, 6_100.0);
        assert_eq!(at.decide(9_000.0, 0.0), Move::Stay, "it answers again");
    }

    #[test]
    fn the_preferred_one_is_gone_back_to_when_it_has_been_well_for_a_while_and_nobody_is_at_work() {
        let mut at = servers("b");
        at.hear(true, 0.0);
        assert_eq!(at.to_ask(), ["a"]);
        at.learn("a", true, 1_000.0);
        at.learn("a", false, 10_000.0);
        at.learn("a", true, 12_000.0);
        assert_eq!(at.decide(41_000.0, 0.0), Move::Stay);
        assert_eq!(at.decide(42_000.0, 30_000.0), Move::Stay, "somebody is at work");
        assert_eq!(at.decide(50_000.0, 30_000.0), Move::Go("a".into()));
        at.learn("c", true, 0.0);
        assert_eq!(servers("a").decide(1e9, 0.0), Move::Stay);
    }

    #[test]
    fn another_list_keeps_what_is_known() {
        let mut at = servers("a");
        at.hear(false, 0.0);
        at.learn("c", true, 0.0);
        at.update(["a", "c", "d"].map(str::to_owned).into());
        assert_eq!(at.decide(6_000.0, 0.0), Move::Go("c".into()));
    }

    #[test]
    fn nowhere_is_gone_to_when_nobody_is_well_or_the_list_is_not_about_this_server() {
        let mut at = servers("a");
        at.hear(false, 0.0);
        assert_eq!(at.decide(60_000.0, 0.0), Move::Stay);
        let mut stranger = servers("d");
        stranger.learn("a", true, 0.0);
        assert_eq!(stranger.decide(60_000.0, 0.0), Move::Stay);
    }
}
