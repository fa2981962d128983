//! A chart as inline SVG: lines over one axis each way, a legend, and a small title under the pointer for each point. No script.
//!
//! Drawn for the width of a phone; a wide window puts charts side by side instead of making their letters large.

use super::axis::Axis;
use super::markup::Markup;

/// The drawing's size, in its own units: pixels on a phone.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 216.0;
/// Room around the lines for what the axes say.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 24.0;
/// Points with a title of their own; more would lie over each other.
const TITLED: usize = 130;

/// A chart.
pub(super) struct Chart<'a> {
    /// What it shows.
    pub(super) title: &'a str,
    /// How to read it, in one line.
    pub(super) note: &'a str,
    /// From left to right.
    pub(super) x: Axis,
    /// See `x`: what its lines are called.
    pub(super) x_name: &'a dyn Fn(f64) -> String,
    /// From bottom to top.
    pub(super) y: Axis,
    /// See `y`.
    pub(super) y_name: &'a dyn Fn(f64) -> String,
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// What was measured, from and to, if the chart is over time; once for each part.
    pub(super) measured: Vec<(f64, f64)>,
}

/// A line: its name, and its points from left to right. A point that is not known leaves a hole.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Its name.
    pub(super) name: String,
    /// Which of the colours.
    pub(super) colour: usize,
    /// Its points.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl Chart<'_> {
    /// Draws it.
    pub(super) fn draw(&self, page: &mut Markup) {
        page.element("figure", &[("class", "chart")], |page| {
            page.element("figcaption", &[], |page| {
                page.leaf("h3", &[], self.title);
                page.leaf("p", &[], self.note);
                self.legend(page);
            });
            let view = format!("0 0 {WIDTH} {HEIGHT}");
            let says = format!("{}. {}", self.title, self.note);
            page.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", &says)], |page| {
                self.band(page);
                self.grid(page);
                for line in &self.lines {
                    self.line(page, line);
                }
            });
        });
    }

    /// One line needs no legend: the title says what it is.
    fn legend(&self, page: &mut Markup) {
        if self.lines.len() < 2 {
            return;
        }
        page.element("ul", &[("class", "legend")], |page| {
            for line in &self.lines {
                page.leaf("li", &[("class", &format!("c{}", line.colour))], &line.name);
            }
        });
    }

    fn band(&self, page: &mut Markup) {
        for (from, to) in &self.measured {
            let (left, right) = (self.at_x(*from), self.at_x(*to));
            let (x, width) = (units(left), units(right - left));
            let (y, height) = (units(TOP), units(HEIGHT - TOP - BOTTOM));
            let place = [("class", "band"), ("x", &*x), ("y", &y), ("width", &width), ("height", &height)];
            page.element("rect", &place, |_| {});
        }
    }

    fn grid(&self, page: &mut Markup) {
        for tick in &self.y.ticks {
            let y = units(self.at_y(*tick));
            let (left, right) = (units(LEFT), units(WIDTH - RIGHT));
            page.element("line", &[("x1", &left), ("x2", &right), ("y1", &y), ("y2", &y)], |_| {});
            let label = units(self.at_y(*tick) + 4.0);
            page.leaf(
                "text",
                &[("class", "y"), ("x", &units(LEFT - 6.0)), ("y", &label)],
                &(self.y_name)(*tick),
            );
        }
        for tick in &self.x.ticks {
            // A name at the very end is written up to it, or its end would be cut off.
            let class = if self.at_x(*tick) > WIDTH - 2.0 * RIGHT { "x last" } else { "x" };
            let (x, y) = (units(self.at_x(*tick)), units(HEIGHT - 6.0));
            let place = [("class", class), ("x", &*x), ("y", &*y)];
            page.leaf("text", &place, &(self.x_name)(*tick));
        }
    }

    fn line(&self, page: &mut Markup, line: &Line) {
        let colour = format!("c{}", line.colour);
        page.element("path", &[("class", &colour), ("d", &self.path(line))], |_| {});
        let known: Vec<(f64, f64)> = line.points.iter().filter_map(|(x, y)| Some((*x, (*y)?))).collect();
        // Few points are marked, so that one alone can be seen at all.
        let class = if known.len() <= 12 { format!("mark {colour}") } else { "touch".to_owned() };
        for (x, y) in known.iter().take(TITLED) {
            let (cx, cy) = (units(self.at_x(*x)), units(self.at_y(*y)));
            let r = if known.len() <= 12 { "3.5" } else { "5" };
            page.element("circle", &[("class", &class), ("cx", &cx), ("cy", &cy), ("r", r)], |page| {
                let says = format!("{}: {} at {}", line.name, (self.y_name)(*y), (self.x_name)(*x));
                page.leaf("title", &[], &says);
            });
        }
    }

    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut pen = false;
        for (x, y) in &line.points {
            if let Some(y) = y {
                let word = if pen { 'L' } else { 'M' };
                path.push_str(&format!("{word}{} {}", units(self.at_x(*x)), units(self.at_y(*y))));
            }
            pen = y.is_some();
        }
        path
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}

fn units(value: f64) -> String {
    format!("{value:.1}")
}

/// At most so many points for as many seconds: each the worst (`most`) or the mean of its stretch.
pub(super) fn thin(points: &[(f64, Option<f64>)], most: bool) -> Vec<(f64, Option<f64>)> {
    let each = points.len().div_ceil(TITLED).max(1);
    let fold = |stretch: &[(f64, Option<f64>)]| {
        let known: Vec<f64> = stretch.iter().filter_map(|(_, value)| *value).collect();
        #[expect(clippy::cast_precision_loss, reason = "a stretch of some points")]
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let worst = known.iter().copied().fold(f64::MIN, f64::max);
        let value = (!known.is_empty()).then_some(if most { worst } else { mean });
        (stretch.last().map_or(0.0, |(at, _)| *at), value)
    };
    points.chunks(each).map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_keep_their_worst_seconds() {
        let points: Vec<(f64, Option<f64>)> =
            (0..3600u32).map(|at| (f64::from(at), Some(f64::from(at % 7)))).collect();
        let thinned = thin(&points, true);
        assert!(thinned.len() <= TITLED && thinned.len() > TITLED / 2, "{}", thinned.len());
        assert!(thinned.iter().all(|(_, value)| *value == Some(6.0)));
        let few = [(1.0, Some(2.0)), (2.0, None)];
        assert_eq!(thin(&few, false), few);
    }
}
