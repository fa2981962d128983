//! Axes: where a value stands, and which values deserve a line.

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly, from 0.
    Linear,
    /// Each tenfold is as wide as the next: for times, whose tail is a hundred times their middle.
    Log,
    /// Shares of a whole, each nine as wide as the next: 90 %, 99 %, 99.9 %.
    Nines,
    /// One place after the other: 0, 1, 2.
    Steps,
}

/// An axis.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    /// Values that get a line.
    pub(super) ticks: Vec<f64>,
}

/// What stands for the last of all when a scale has no end.
const NINES_MAX: f64 = 5.0;
/// Lines of a linear axis, about.
const LINES: f64 = 4.0;

impl Axis {
    /// An axis with room for these values. `unit`: the size of one of what the labels count in, so that lines stand at round numbers.
    pub(super) fn over(scale: Scale, values: impl Iterator<Item = f64> + Clone, unit: f64) -> Self {
        let high = values.clone().fold(f64::MIN, f64::max);
        let low = values.fold(f64::MAX, f64::min);
        match scale {
            Scale::Linear => linear(high.max(0.0), unit),
            Scale::Log => log(low.max(1.0), high.max(1.0)),
            Scale::Nines => nines(high),
            Scale::Steps => {
                let last = high.max(0.0);
                let ticks = std::iter::successors(Some(0.0), |tick| Some(tick + 1.0))
                    .take_while(|tick| *tick <= last);
                Self { scale, low: -0.5, high: last + 0.5, ticks: ticks.collect() }
            }
        }
    }

    /// From a value to another, evenly, with lines at round numbers.
    pub(super) fn between(high: f64) -> Self {
        let mut axis = linear(high, 1.0);
        // Time ends when it ends, not at the next round number.
        axis.high = high.max(1.0);
        axis.ticks.retain(|tick| *tick <= high);
        axis
    }

    /// Where a value stands, 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let along = match self.scale {
            Scale::Linear | Scale::Steps => value,
            Scale::Log => value.max(1.0).log10(),
            Scale::Nines => nine(value),
        };
        ((along - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

fn linear(high: f64, unit: f64) -> Axis {
    let high = if high > 0.0 { high / unit } else { 1.0 };
    let rough = high / LINES;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|each| each * power).find(|step| *step >= rough);
    let step = step.unwrap_or(power * 10.0);
    let count = (high / step).ceil();
    let ticks = std::iter::successors(Some(0.0), |at: &f64| Some(at + 1.0)).take_while(|at| *at <= count);
    let ticks: Vec<f64> = ticks.map(|at| at * step * unit).collect();
    Axis { scale: Scale::Linear, low: 0.0, high: count * step * unit, ticks }
}

fn log(low: f64, high: f64) -> Axis {
    let (from, to) = (low.log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0));
    let mut ticks = Vec::new();
    let mut power = from;
    while power <= to {
        ticks.push(10f64.powf(power));
        // Where there is room, halves between the tens.
        if to - from < 3.0 && power < to {
            ticks.push(10f64.powf(power) * 3.0);
        }
        power += 1.0;
    }
    Axis { scale: Scale::Log, low: from, high: to, ticks }
}

fn nines(highest: f64) -> Axis {
    let high = nine(highest).max(2.0);
    let ticks = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];
    let ticks = ticks.into_iter().filter(|tick| nine(*tick) <= high + 1e-6).collect();
    Axis { scale: Scale::Nines, low: 0.0, high, ticks }
}

fn nine(share: f64) -> f64 {
    if share >= 1.0 { NINES_MAX } else { -(1.0 - share).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(scale: Scale, values: &[f64], unit: f64) -> Axis {
        Axis::over(scale, values.iter().copied(), unit)
    }

    #[test]
    fn lines_stand_at_round_numbers_and_all_values_have_room() {
        let ticks = |scale, values: &[f64], unit| over(scale, values, unit).ticks;
        assert_eq!(ticks(Scale::Linear, &[3.0, 59_940.0], 1.0), [0.0, 20_000.0, 40_000.0, 60_000.0]);
        assert_eq!(ticks(Scale::Linear, &[0.0], 1.0), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(Scale::Linear, &[18.2 * 1024.0], 1024.0).last(), Some(&(20.0 * 1024.0)));
        assert_eq!(ticks(Scale::Log, &[310.0, 11_800.0], 1.0), [100.0, 1000.0, 10_000.0, 100_000.0]);
        assert_eq!(ticks(Scale::Log, &[310.0, 800.0], 1.0), [100.0, 300.0, 1000.0]);
        assert_eq!(ticks(Scale::Nines, &[0.0, 0.999], 1.0), [0.5, 0.9, 0.99, 0.999]);
        assert_eq!(ticks(Scale::Steps, &[0.0, 2.0], 1.0), [0.0, 1.0, 2.0]);
        assert_eq!(Axis::between(14.0).ticks, [0.0, 5.0, 10.0]);
    }

    #[test]
    fn values_stand_where_their_scale_puts_them() {
        let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        near(over(Scale::Linear, &[100.0], 1.0).place(50.0), 0.5);
        near(over(Scale::Log, &[1.0, 10_000.0], 1.0).place(100.0), 0.5);
        near(over(Scale::Nines, &[0.9999], 1.0).place(0.99), 0.5);
        near(over(Scale::Steps, &[0.0, 1.0], 1.0).place(0.0), 0.25);
        near(over(Scale::Log, &[1.0, 10.0], 1.0).place(0.0), 0.0);
    }
}
