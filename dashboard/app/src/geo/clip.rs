//! Cuts lines to the screen, in double precision: a canvas keeps coordinates in single precision, and a coast that is drawn
//! whole at street level would tremble.

use super::{View, pack::Line};

/// Pixels around the screen that are kept, so that an edge made by cutting is never seen.
const MARGIN: f64 = 8.0;
/// Points nearer to each other than this, in pixels, are one.
const NEAR: f64 = 0.8;

/// How far inside of an edge a point is, on a screen of that width and height.
type Inside = fn((f64, f64), f64, f64) -> f64;

/// Whether any of a line can be on the screen and is large enough to be seen.
pub fn is_seen(view: &View, line: &Line) -> bool {
    let (left, top) = view.screen(line.bounds.0);
    let (right, bottom) = view.screen(line.bounds.1);
    right >= -MARGIN
        && bottom >= -MARGIN
        && left <= view.size.0 + MARGIN
        && top <= view.size.1 + MARGIN
        && (right - left).max(bottom - top) >= NEAR
}

/// The line on the screen, without points that cannot be told apart.
pub fn project(view: &View, line: &Line, out: &mut Vec<(f64, f64)>) {
    out.clear();
    for (index, point) in line.points.iter().enumerate() {
        let at = view.screen(*point);
        let last = out.last().copied().unwrap_or((f64::MAX, f64::MAX));
        if (at.0 - last.0).abs() + (at.1 - last.1).abs() >= NEAR || index + 1 == line.points.len() {
            out.push(at);
        }
    }
}

/// Cuts an outline to the screen (Sutherland and Hodgman); `spare` is room to work in.
pub fn cut_area(view: &View, area: &mut Vec<(f64, f64)>, spare: &mut Vec<(f64, f64)>) {
    let (width, height) = (view.size.0 + MARGIN, view.size.1 + MARGIN);
    if area.iter().all(|p| p.0 >= -MARGIN && p.1 >= -MARGIN && p.0 <= width && p.1 <= height) {
        return;
    }
    let edges: [Inside; 4] = [|p, _, _| p.0 + MARGIN, |p, w, _| w - p.0, |p, _, _| p.1 + MARGIN, |p, _, h| h - p.1];
    for inside in edges {
        spare.clear();
        let mut before = area.last().copied().unwrap_or_default();
        for &point in area.iter() {
            let (a, b) = (inside(before, width, height), inside(point, width, height));
            if (a < 0.0) != (b < 0.0) {
                let part = a / (a - b);
                spare.push((before.0 + (point.0 - before.0) * part, before.1 + (point.1 - before.1) * part));
            }
            if b >= 0.0 {
                spare.push(point);
            }
            before = point;
        }
        std::mem::swap(area, spare);
    }
}

/// Calls `piece` with each run of a line whose segments may touch the screen.
pub fn cut_line(view: &View, line: &[(f64, f64)], mut piece: impl FnMut(&[(f64, f64)])) {
    let (width, height) = (view.size.0 + MARGIN, view.size.1 + MARGIN);
    let is_beside = |a: (f64, f64), b: (f64, f64)| {
        a.0.max(b.0) < -MARGIN || a.1.max(b.1) < -MARGIN || a.0.min(b.0) > width || a.1.min(b.1) > height
    };
    let mut start = 0;
    for index in 1..line.len() {
        if is_beside(line[index - 1], line[index]) {
            if index - start > 1 {
                piece(&line[start..index]);
            }
            start = index;
        }
    }
    if line.len() - start.min(line.len()) > 1 {
        piece(&line[start..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEW: View = View { scale: 100.0, origin: (0.0, 0.0), size: (100.0, 100.0) };

    #[test]
    fn an_area_around_the_screen_becomes_the_screen() {
        let mut area = vec![(-900.0, -900.0), (900.0, -900.0), (900.0, 900.0), (-900.0, 900.0)];
        cut_area(&VIEW, &mut area, &mut Vec::new());
        assert_eq!(area.len(), 4);
        assert!(
            area.iter().all(|p| [-MARGIN, 100.0 + MARGIN].contains(&p.0) && [-MARGIN, 100.0 + MARGIN].contains(&p.1))
        );
    }

    #[test]
    fn an_area_beside_the_screen_vanishes() {
        let mut area = vec![(200.0, 200.0), (300.0, 200.0), (300.0, 300.0)];
        cut_area(&VIEW, &mut area, &mut Vec::new());
        assert!(area.is_empty());
    }

    #[test]
    fn a_line_is_cut_where_it_leaves_the_screen() {
        let line = [(10.0, 10.0), (50.0, 50.0), (500.0, 50.0), (600.0, 50.0), (500.0, 60.0), (90.0, 60.0)];
        let mut pieces = Vec::new();
        cut_line(&VIEW, &line, |piece| pieces.push(piece.to_vec()));
        assert_eq!(pieces, [line[..3].to_vec(), line[4..].to_vec()]);
    }
}
