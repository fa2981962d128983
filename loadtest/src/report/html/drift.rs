//! The histogram of drift: how often players were so far behind or ahead.

use super::markup::Markup;
use crate::report::figures::{Drift, Run};
use crate::report::{amount, drift};

/// The drawing, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
/// Room for the names under the bars.
const FOOT: f64 = 20.0;
/// Every so many bars one has its name.
const NAMED: usize = 5;

/// Draws it, for a run that has players.
pub(super) fn histogram(page: &mut Markup, run: &Run) {
    let Some(drift) = &run.total.drift else { return };
    page.leaf("h2", &[], "How far players were from the film");
    page.element("figure", &[("class", "chart")], |page| {
        page.element("figcaption", &[], |page| {
            page.leaf("p", &[], "Behind to the left, ahead to the right, in steady play; all beyond is in the outermost bars.");
        });
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        let says = "Histogram of drift; the same figures are in the table of the scenario's own.";
        page.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", says)], |page| {
            (0..drift.bins.len()).for_each(|bar| draw(page, drift, bar));
        });
    });
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
fn draw(page: &mut Markup, drift: &Drift, bar: usize) {
    let most = drift.bins.iter().copied().max().unwrap_or(0).max(1) as f64;
    let each = WIDTH / drift.bins.len() as f64;
    let count = drift.bins[bar];
    let height = count as f64 / most * (HEIGHT - FOOT);
    let unit = |value: f64| format!("{value:.1}");
    let (x, y) = (unit(bar as f64 * each + 1.0), unit(HEIGHT - FOOT - height));
    let (width, tall) = (unit(each - 2.0), unit(height));
    let place = [("class", "bar"), ("x", &*x), ("y", &y), ("width", &width), ("height", &tall)];
    page.element("rect", &place, |page| {
        let share = amount::share(count as f64 / drift.count as f64);
        page.leaf("title", &[], &format!("{}: {share}", drift::label(drift, bar)));
    });
    if bar.is_multiple_of(NAMED) && bar > 0 {
        let (x, y) = (unit(bar as f64 * each), unit(HEIGHT - 6.0));
        let name = format!("{} ms", drift.begins_ms(bar));
        page.leaf("text", &[("class", "x"), ("x", &x), ("y", &y)], &name);
    }
}
