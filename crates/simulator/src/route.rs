//! Routes: way points made into a smooth ring of closely spaced nodes.

use crate::geo::Point;

/// Distance between the nodes that a route is cut into.
const NODE_SPACING_M: f64 = 20.0;
/// Whoever is further from a route is not on it.
const NEAR_M: f64 = 50.0;

/// Why a car halts somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// A traffic light, red now and then: the engine idles, or stops by itself where the car has stop-start.
    Light,
    /// A parcel is brought to a door: ignition off for some minutes.
    Delivery,
    /// A longer break with the ignition off.
    Parking,
    /// A filling station, called at when the tank is low.
    Station,
}

/// A place on the way, as written down by hand.
#[derive(Debug, Clone, Copy)]
pub struct Waypoint {
    /// Where it is.
    pub point: Point,
    /// Metres above the sea.
    pub alt_m: f64,
    /// Speed limit from here to the next way point.
    pub limit_kmh: f64,
    /// What may halt a car here.
    pub halt: Option<Halt>,
}

/// How a route begins again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// From the last way point straight to the first.
    Ring,
    /// Back along the same way; both ends are [`Halt::Delivery`] unless they are another halt.
    ThereAndBack,
}

/// A route as data.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// From where to where.
    pub name: &'static str,
    /// How it begins again.
    pub shape: Shape,
    /// The way, at least three points.
    pub waypoints: &'static [Waypoint],
}

/// A point of the smoothed ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub at_m: f64,
    pub point: Point,
    pub alt_m: f64,
    pub limit_mps: f64,
    /// 1 / radius of the bend.
    pub curvature: f64,
}

/// Where on the ring a halt is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HaltAt {
    pub at_m: f64,
    pub halt: Halt,
}

/// A closed way that a car drives round and round.
#[derive(Debug, Clone)]
pub struct Route {
    nodes: Vec<Node>,
    halts: Vec<HaltAt>,
    length_m: f64,
}

/// A place on the road, between two nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    pub point: Point,
    pub alt_m: f64,
    pub heading_deg: f64,
    /// Rise per metre.
    pub slope: f64,
}

impl Route {
    /// Smooths the plan's way points into a ring.
    ///
    /// # Panics
    /// With fewer than three way points, which is a mistake in the plan.
    pub fn new(plan: &Plan) -> Self {
        assert!(plan.waypoints.len() >= 3, "route `{}` has three way points", plan.name);
        let mut road = smooth(plan);
        if plan.shape == Shape::ThereAndBack {
            for end in [0, road.len() - 1] {
                road[end].halt.get_or_insert(Halt::Delivery);
            }
            let back: Vec<_> = road[1..road.len() - 1].iter().rev().copied().collect();
            road.extend(back);
        }
        measure(&road)
    }

    /// Once round, in metres.
    pub fn length_m(&self) -> f64 {
        self.length_m
    }

    /// The ring as points, for drawing it.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.nodes.iter().map(|node| node.point)
    }

    /// The place on the route that is nearest to a point, as a share of the lap; nothing where the route does not come by.
    pub fn share_at(&self, point: Point) -> Option<f64> {
        let steps = (self.length_m() / NEAR_M) as u32;
        let away = |at_m: f64| self.spot(at_m).point.distance_m(point);
        let nearest = |places: &mut dyn Iterator<Item = f64>| places.min_by(|a, b| away(*a).total_cmp(&away(*b)));
        let about = nearest(&mut (0..steps).map(|step| f64::from(step) * NEAR_M))?;
        let at_m = nearest(&mut (0..=100).map(|step| about + (f64::from(step) / 50.0 - 1.0) * NEAR_M))?;
        (away(at_m) < NEAR_M).then(|| at_m.rem_euclid(self.length_m()) / self.length_m())
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Index of the node before `at_m`, and how far it is to the next one, from 0 to 1.
    pub(crate) fn locate(&self, at_m: f64) -> (usize, f64) {
        let at_m = at_m.rem_euclid(self.length_m);
        let index = self.nodes.partition_point(|node| node.at_m <= at_m) - 1;
        let start = self.nodes[index].at_m;
        let end = self.nodes.get(index + 1).map_or(self.length_m, |next| next.at_m);
        (index, ((at_m - start) / (end - start)).clamp(0.0, 1.0))
    }

    pub(crate) fn spot(&self, at_m: f64) -> Spot {
        let (index, share) = self.locate(at_m);
        let here = self.nodes[index];
        let next = self.nodes[(index + 1) % self.nodes.len()];
        Spot {
            point: here.point.towards(next.point, share),
            alt_m: here.alt_m + (next.alt_m - here.alt_m) * share,
            heading_deg: here.point.bearing_deg(next.point),
            slope: (next.alt_m - here.alt_m) / here.point.distance_m(next.point),
        }
    }

    /// The first halt after `path_m`, where `path_m` counts on over the laps, and its place in the same count.
    pub(crate) fn next_halt(&self, path_m: f64) -> Option<HaltAt> {
        let lap = (path_m / self.length_m).floor();
        (0..2).find_map(|ahead| {
            let base = (lap + f64::from(ahead)) * self.length_m;
            self.halts.iter().map(|halt| HaltAt { at_m: base + halt.at_m, ..*halt }).find(|halt| halt.at_m > path_m)
        })
    }
}

/// A node before its place on the ring is known.
#[derive(Clone, Copy)]
struct Draft {
    point: Point,
    alt_m: f64,
    limit_mps: f64,
    halt: Option<Halt>,
}

/// A centripetal Catmull-Rom spline through the way points: it has no loops or cusps where their distances differ.
fn smooth(plan: &Plan) -> Vec<Draft> {
    let way = plan.waypoints;
    let ring = plan.shape == Shape::Ring;
    let origin = way[0].point;
    let at = |index: isize| -> [f64; 2] {
        let count = way.len() as isize;
        let point = |i: isize| {
            let (x, y) = origin.east_north_m(way[i as usize].point);
            [x, y]
        };
        match index {
            _ if ring => point(index.rem_euclid(count)),
            // An open end goes straight on.
            -1 => mirror(point(1), point(0)),
            _ if index == count => mirror(point(count - 2), point(count - 1)),
            _ => point(index),
        }
    };
    let segments = if ring { way.len() } else { way.len() - 1 };
    let mut road = Vec::new();
    for i in 0..segments {
        let (from, to) = (way[i], way[(i + 1) % way.len()]);
        let j = i as isize;
        let corners = [at(j - 1), at(j), at(j + 1), at(j + 2)];
        let steps = (distance(corners[1], corners[2]) / NODE_SPACING_M).ceil().max(1.0);
        for step in 0..steps as u32 {
            let share = f64::from(step) / steps;
            // Back to degrees by the inverse of `east_north_m`, so that way points stay where they are.
            let [x, y] = catmull_rom(corners, share);
            let lat = origin.moved(0.0, y).lat;
            let lon = Point { lat: (origin.lat + lat) / 2.0, ..origin }.moved(x, 0.0).lon;
            road.push(Draft {
                point: Point { lat, lon },
                alt_m: from.alt_m + (to.alt_m - from.alt_m) * share,
                limit_mps: from.limit_kmh / 3.6,
                halt: from.halt.filter(|_| step == 0),
            });
        }
    }
    if !ring {
        let last = way[way.len() - 1];
        road.push(Draft {
            point: last.point,
            alt_m: last.alt_m,
            limit_mps: way[way.len() - 2].limit_kmh / 3.6,
            halt: last.halt,
        });
    }
    road
}

fn mirror(point: [f64; 2], about: [f64; 2]) -> [f64; 2] {
    [2.0 * about[0] - point[0], 2.0 * about[1] - point[1]]
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (b[0] - a[0]).hypot(b[1] - a[1])
}

/// The point at `share` between the two middle corners, by Barry and Goldman's recursion.
fn catmull_rom(corners: [[f64; 2]; 4], share: f64) -> [f64; 2] {
    let mut knots = [0.0; 4];
    for i in 1..4 {
        knots[i] = knots[i - 1] + distance(corners[i - 1], corners[i]).max(1e-3).sqrt();
    }
    let t = knots[1] + (knots[2] - knots[1]) * share;
    let blend = |a: [f64; 2], b: [f64; 2], from: f64, to: f64| {
        let w = (t - from) / (to - from);
        [a[0] + (b[0] - a[0]) * w, a[1] + (b[1] - a[1]) * w]
    };
    let first = [0, 1, 2].map(|i| blend(corners[i], corners[i + 1], knots[i], knots[i + 1]));
    let second = [0, 1].map(|i| blend(first[i], first[i + 1], knots[i], knots[i + 2]));
    blend(second[0], second[1], knots[1], knots[2])
}

/// Puts the drafts on the ring: how far along, and how sharp the bend.
fn measure(road: &[Draft]) -> Route {
    let count = road.len();
    let (mut nodes, mut halts, mut at_m) = (Vec::with_capacity(count), Vec::new(), 0.0);
    for (i, draft) in road.iter().enumerate() {
        let (before, after) = (road[(i + count - 1) % count], road[(i + 1) % count]);
        nodes.push(Node {
            at_m,
            point: draft.point,
            alt_m: draft.alt_m,
            limit_mps: draft.limit_mps,
            curvature: curvature(before.point, draft.point, after.point),
        });
        if let Some(halt) = draft.halt {
            halts.push(HaltAt { at_m, halt });
        }
        at_m += draft.point.distance_m(after.point);
    }
    Route { nodes, halts, length_m: at_m }
}

/// Of the circle through three points; nought where the road turns back on itself, where every car halts anyway.
fn curvature(a: Point, b: Point, c: Point) -> f64 {
    let (ux, uy) = a.east_north_m(b);
    let (vx, vy) = b.east_north_m(c);
    let sides = ux.hypot(uy) * vx.hypot(vy) * a.distance_m(c);
    if sides < 1.0 { 0.0 } else { 2.0 * (ux * vy - uy * vx).abs() / sides }
}
