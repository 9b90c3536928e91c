//! Markers that stand for many vehicles.
//!
//! Bins are fixed to the ground at whole zooms, so that clusters do not swim while the map moves; those that come too near
//! to each other become one.

use std::collections::HashMap;

use crate::{
    fleet::{LOOKS, Look},
    geo::{Point, View},
};

/// Width of a bin in pixels at its whole zoom.
const BIN_PX: f64 = 72.0;
/// Clusters nearer than this, in pixels, become one.
const NEAR_PX: f64 = 44.0;
/// From this zoom on vehicles are drawn each by itself, if there are not too many.
pub const APART_ZOOM: f64 = 12.0;

/// What stands at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Middle, on the screen.
    pub at: (f64, f64),
    /// Corners of its members on the ground.
    pub bounds: (Point, Point),
    /// Number of members by look.
    pub looks: [u32; LOOKS.len()],
    /// One member, as the caller numbers them; the member if there is only one.
    pub member: usize,
}

impl Cluster {
    fn single(member: usize, ground: Point, at: (f64, f64), look: Look) -> Self {
        let mut looks = [0; LOOKS.len()];
        looks[look as usize] = 1;
        Cluster { at, bounds: (ground, ground), looks, member }
    }

    /// Number of members.
    pub fn count(&self) -> u32 {
        self.looks.iter().sum()
    }

    /// Radius in pixels.
    pub fn radius(&self) -> f64 {
        14.0 + f64::from(self.count()).ln() * 2.6
    }

    fn merge(&mut self, other: &Cluster) {
        let (a, b) = (f64::from(self.count()), f64::from(other.count()));
        let mix = |x: f64, y: f64| (x * a + y * b) / (a + b);
        self.at = (mix(self.at.0, other.at.0), mix(self.at.1, other.at.1));
        let (low, high) = self.bounds;
        self.bounds = (
            Point { x: low.x.min(other.bounds.0.x), y: low.y.min(other.bounds.0.y) },
            Point { x: high.x.max(other.bounds.1.x), y: high.y.max(other.bounds.1.y) },
        );
        for (mine, theirs) in self.looks.iter_mut().zip(other.looks) {
            *mine += theirs;
        }
    }
}

/// Gathers markers: `(member, position on the ground, look)`. What is far off the screen is left out.
pub fn gather(markers: impl Iterator<Item = (usize, Point, Look)>, view: &View) -> Vec<Cluster> {
    let bin = BIN_PX / (256.0 * view.zoom().floor().exp2());
    let mut bins: HashMap<(i64, i64), Cluster> = HashMap::new();
    for (member, ground, look) in markers {
        let at = view.screen(ground);
        if !view.shows(at, BIN_PX) {
            continue;
        }
        let one = Cluster::single(member, ground, at, look);
        bins.entry(((ground.x / bin).floor() as i64, (ground.y / bin).floor() as i64))
            .and_modify(|cluster| cluster.merge(&one))
            .or_insert(one);
    }
    let mut found: Vec<_> = bins.into_iter().collect();
    found.sort_by_key(|(bin, cluster)| (std::cmp::Reverse(cluster.count()), *bin));
    let mut clusters: Vec<Cluster> = Vec::new();
    for (_, cluster) in found {
        let near = |other: &&mut Cluster| (other.at.0 - cluster.at.0).hypot(other.at.1 - cluster.at.1) < NEAR_PX;
        match clusters.iter_mut().find(near) {
            Some(other) => other.merge(&cluster),
            None => clusters.push(cluster),
        }
    }
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_gathered_and_nobody_is_lost() {
        let markers = (0..1000).map(|i| {
            let at = Point { x: 0.5 + f64::from(i % 40) * 0.0004, y: 0.5 + f64::from(i / 40) * 0.0004 };
            (i as usize, at, if i == 7 { Look::Alert } else { Look::Moving })
        });
        let view = View::new(Point { x: 0.505, y: 0.505 }, 7.0, (1440.0, 900.0));
        let clusters = gather(markers, &view);
        assert_eq!(clusters.iter().map(Cluster::count).sum::<u32>(), 1000);
        assert_eq!(clusters.iter().map(|c| c.looks[Look::Alert as usize]).sum::<u32>(), 1);
        for (i, a) in clusters.iter().enumerate() {
            assert!(clusters[i + 1..].iter().all(|b| a.bounds != b.bounds));
        }
    }

    #[test]
    fn a_vehicle_alone_stays_itself() {
        let view = View::new(Point { x: 0.5, y: 0.5 }, 7.0, (1440.0, 900.0));
        let clusters = gather([(3, Point { x: 0.5, y: 0.5 }, Look::Idle)].into_iter(), &view);
        assert_eq!((clusters.len(), clusters[0].count(), clusters[0].member), (1, 1, 3));
        assert_eq!(clusters[0].at, (720.0, 450.0));
    }
}
