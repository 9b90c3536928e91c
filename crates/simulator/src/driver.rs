//! The driver: how fast, when to brake, where to halt and for how long.

use rand::{Rng, rngs::StdRng};

use crate::{
    fleet::Style,
    noise::Drift,
    route::{Halt, HaltAt, Route},
};

/// Speed at which the last metre to a halt is crept.
const CREEP_MPS: f64 = 0.8;
/// So near a halt is at it, and so slow is standing.
const ARRIVED_M: f64 = 0.6;
const STANDING_MPS: f64 = 0.15;
/// How long the speed takes to follow what is wanted, and the mood to follow the traffic.
const FOLLOW_S: f64 = 1.5;
const MOOD_S: f64 = 8.0;
/// From the driver's turning the key to the car's moving.
const LEAVING_S: f64 = 1.5;
/// A tank below this share is filled at the next station.
const LOW_TANK: f64 = 0.3;
/// Share of the lights that are red.
const RED_LIGHTS: f64 = 0.4;

impl Style {
    /// Share of the speed limit that is driven on a free road.
    fn zeal(self) -> f64 {
        match self {
            Style::Calm => 0.94,
            Style::Brisk => 1.03,
            Style::Hasty => 1.18,
        }
    }

    /// Never faster than this.
    pub fn top_speed_kmh(self) -> f64 {
        match self {
            Style::Calm => 115.0,
            Style::Brisk => 128.0,
            Style::Hasty => 150.0,
        }
    }

    /// m/s² along, when all is well.
    fn acceleration(self) -> f64 {
        match self {
            Style::Calm => 1.2,
            Style::Brisk => 1.8,
            Style::Hasty => 2.8,
        }
    }

    /// m/s² of ordinary braking.
    fn braking(self) -> f64 {
        match self {
            Style::Calm => 1.2,
            Style::Brisk => 1.8,
            Style::Hasty => 2.6,
        }
    }

    /// m/s² across in a bend.
    fn cornering(self) -> f64 {
        match self {
            Style::Calm => 1.6,
            Style::Brisk => 2.3,
            Style::Hasty => 3.2,
        }
    }
}

/// What the driver is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// On the way.
    Driving,
    /// Standing.
    Halted { halt: Halt, left_s: f64 },
    /// The engine is started and the brake still held.
    Leaving { left_s: f64 },
}

/// What the driver sees: the road, and the instruments.
pub(crate) struct View<'a> {
    pub route: &'a Route,
    pub path_m: f64,
    pub speed_mps: f64,
    /// What is left in the tank, as a share.
    pub tank: f64,
}

/// A halt that will be made.
#[derive(Debug, Clone, Copy)]
struct Appointment {
    at: HaltAt,
    dwell_s: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Driver {
    pub phase: Phase,
    style: Style,
    /// Highest speed at each node of the route, for limits and bends and with room to brake for what comes.
    envelope_mps: Vec<f64>,
    next: Option<Appointment>,
    /// The last halt that was made or driven past.
    passed_m: f64,
    /// Others on the road, and how attentively the driver follows them.
    traffic: Drift,
    mood: f64,
}

impl Driver {
    pub fn new(style: Style, route: &Route, path_m: f64, parked: bool, rng: &mut StdRng) -> Self {
        let phase = if parked {
            Phase::Halted { halt: Halt::Parking, left_s: dwell_s(Halt::Parking, rng) }
        } else {
            Phase::Leaving { left_s: LEAVING_S }
        };
        Driver {
            phase,
            style,
            envelope_mps: envelope(style, route),
            next: None,
            passed_m: path_m,
            traffic: Drift::new(0.08, 90.0, rng),
            mood: 0.95,
        }
    }

    /// The acceleration that the driver wants, in m/s²; below zero the brakes help.
    pub fn decide(&mut self, view: &View<'_>, dt: f64, rng: &mut StdRng) -> f64 {
        let View { route, path_m, speed_mps, .. } = *view;
        let pressed = 1.0 - self.traffic.step(dt, rng).abs().min(0.3);
        self.mood += (pressed - self.mood) * (dt / MOOD_S).min(1.0);
        match &mut self.phase {
            Phase::Halted { left_s, .. } => {
                *left_s -= dt;
                if *left_s <= 0.0 {
                    self.phase = Phase::Leaving { left_s: LEAVING_S };
                }
                return 0.0;
            }
            Phase::Leaving { left_s } => {
                *left_s -= dt;
                if *left_s <= 0.0 {
                    self.phase = Phase::Driving;
                }
                return 0.0;
            }
            Phase::Driving => {}
        }
        self.plan_ahead(view, rng);
        // Looks ahead by as long as the speed takes to follow, so that braking begins before the slower stretch.
        let ahead = self.allowed(route, path_m + speed_mps * FOLLOW_S);
        let wanted = self.mood * self.allowed(route, path_m).min(ahead);
        let free = ((wanted - speed_mps) / FOLLOW_S).min(self.style.acceleration());
        let Some(halt) = self.next else {
            return free.max(-2.0 * self.style.braking());
        };
        let left_m = halt.at.at_m - path_m;
        if left_m < ARRIVED_M && speed_mps < STANDING_MPS {
            self.passed_m = halt.at.at_m;
            self.next = None;
            self.phase = Phase::Halted { halt: halt.at.halt, left_s: halt.dwell_s };
            return 0.0;
        }
        let reachable = if left_m < ARRIVED_M {
            0.0
        } else {
            (2.0 * 0.8 * self.style.braking() * (left_m - ARRIVED_M)).sqrt().max(CREEP_MPS)
        };
        let halting = (reachable - speed_mps) / 0.3;
        free.min(halting).max(-2.0 * self.style.braking())
    }

    fn allowed(&self, route: &Route, path_m: f64) -> f64 {
        let (index, share) = route.locate(path_m);
        let (here, next) = (self.envelope_mps[index], self.envelope_mps[(index + 1) % self.envelope_mps.len()]);
        here + (next - here) * share
    }

    /// Settles what will be done at the next halt on the way, once.
    fn plan_ahead(&mut self, view: &View<'_>, rng: &mut StdRng) {
        while self.next.is_none() {
            let Some(at) = view.route.next_halt(self.passed_m) else { return };
            // Far away it may still change: a tank runs low.
            if at.at_m - view.path_m > 600.0 {
                return;
            }
            let kept = match at.halt {
                Halt::Light => rng.random_bool(RED_LIGHTS),
                Halt::Station => view.tank < LOW_TANK,
                Halt::Delivery | Halt::Parking => true,
            };
            if kept && at.at_m > view.path_m {
                self.next = Some(Appointment { at, dwell_s: dwell_s(at.halt, rng) });
            } else {
                self.passed_m = at.at_m;
            }
        }
    }
}

fn dwell_s(halt: Halt, rng: &mut StdRng) -> f64 {
    rng.random_range(match halt {
        Halt::Light => 8.0..45.0,
        Halt::Delivery => 60.0..240.0,
        Halt::Parking => 240.0..600.0,
        Halt::Station => 180.0..300.0,
    })
}

fn envelope(style: Style, route: &Route) -> Vec<f64> {
    let nodes = route.nodes();
    let mut speeds: Vec<f64> = nodes
        .iter()
        .map(|node| {
            let bend = (style.cornering() / node.curvature.max(1e-9)).sqrt();
            (node.limit_mps * style.zeal()).min(bend.max(2.0)).min(style.top_speed_kmh() / 3.6)
        })
        .collect();
    // Twice round: the braking for the first node begins before the last one.
    for i in (0..2 * nodes.len()).rev() {
        let (here, next) = (i % nodes.len(), (i + 1) % nodes.len());
        let gap_m = nodes[here].point.distance_m(nodes[next].point);
        let reachable = (speeds[next].powi(2) + 2.0 * style.braking() * gap_m).sqrt();
        speeds[here] = speeds[here].min(reachable);
    }
    speeds
}
