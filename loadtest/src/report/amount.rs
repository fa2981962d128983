//! Amounts as people read them: three figures that count, and the unit.
//!
//! One place, so that a p99 looks the same in the live line, the text, the page and a comparison.

/// A kibibyte.
const KIB: f64 = 1024.0;

/// Microseconds: `820 µs`, `1.24 ms`, `12.0 ms`, `1.50 s`.
pub(crate) fn micros(value: f64) -> String {
    time(value, measured)
}

/// The same where the number is chosen, not measured: `12 ms`.
pub(crate) fn round_micros(value: f64) -> String {
    time(value, figures)
}

fn time(value: f64, show: fn(f64) -> String) -> String {
    let size = value.abs();
    match size {
        // What would be rounded up to 1000 is one of the next unit.
        _ if size >= 999_500.0 => format!("{} s", show(value / 1e6)),
        _ if size >= 999.5 => format!("{} ms", show(value / 1e3)),
        _ => format!("{} µs", figures(value)),
    }
}

/// Bytes: `512 B`, `3.81 KiB`, `18.2 MiB`, `1.50 GiB`.
pub(crate) fn bytes(value: f64) -> String {
    let mut rest = value;
    for unit in ["B", "KiB", "MiB"] {
        if rest.abs() < 999.5 {
            return format!("{} {unit}", figures(rest));
        }
        rest /= KIB;
    }
    format!("{} GiB", figures(rest))
}

/// A whole number, in groups of three: `1 250 000`. The gap does not break a line.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many a second: `59.9`, `6000`, `60.0 k`, `1.20 M`.
pub(crate) fn rate(value: f64) -> String {
    match value.abs() {
        size if size >= 999_500.0 => format!("{} M", figures(value / 1e6)),
        size if size >= 9999.5 => format!("{} k", figures(value / 1e3)),
        size if size >= 999.5 => format!("{value:.0}"),
        _ => figures(value),
    }
}

/// A share of a whole: `0.1 %`, `99.9 %`.
pub(crate) fn share(value: f64) -> String {
    format!("{} %", figures(value * 100.0))
}

/// Cores: `0.42 cores`, `0.004 cores`.
pub(crate) fn cores(value: f64) -> String {
    if value < 0.0995 { format!("{value:.3} cores") } else { format!("{value:.2} cores") }
}

/// Seconds as on a clock: `0:05`, `2:10`, `1:02:03`.
pub(crate) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Three figures that count; whole numbers as they are.
pub(crate) fn figures(value: f64) -> String {
    // Exact: `5` stands for five, `5.00` for something measured.
    #[expect(clippy::float_cmp, reason = "asks whether it is a whole number, which is exact")]
    let whole = value == value.round();
    if whole { format!("{value:.0}") } else { measured(value) }
}

fn measured(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 99.95 => format!("{value:.0}"),
        _ if size >= 9.995 => format!("{value:.1}"),
        _ if size >= 0.0995 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_figures_and_the_unit_that_fits() {
        for (value, text) in [
            (0.0, "0 µs"),
            (3.217, "3.22 µs"),
            (820.0, "820 µs"),
            (999.6, "1.00 ms"),
            (1240.0, "1.24 ms"),
            (12_440.0, "12.4 ms"),
            (999_600.0, "1.00 s"),
            (60_000_000.0, "60.0 s"),
            (2000.0, "2.00 ms"),
        ] {
            assert_eq!(micros(value), text);
        }
        assert_eq!([round_micros(10_000.0), round_micros(1500.0)], ["10 ms", "1.50 ms"]);
    }

    #[test]
    fn other_amounts_too() {
        assert_eq!([bytes(512.0), bytes(3901.0), bytes(1023.0)], ["512 B", "3.81 KiB", "1.00 KiB"]);
        assert_eq!([bytes(19_084_083.0), bytes(1.5 * KIB * KIB * KIB)], ["18.2 MiB", "1.50 GiB"]);
        assert_eq!([count(0), count(999), count(1_250_000)], ["0", "999", "1\u{a0}250\u{a0}000"]);
        assert_eq!(
            [rate(59.94), rate(6000.2), rate(60_012.0), rate(1_204_000.0)],
            ["59.9", "6000", "60.0 k", "1.20 M"]
        );
        assert_eq!([share(0.001), share(0.9991), share(0.0)], ["0.10 %", "99.9 %", "0 %"]);
        assert_eq!([cores(0.418), cores(0.0042)], ["0.42 cores", "0.004 cores"]);
        assert_eq!([clock(5), clock(130), clock(3723)], ["0:05", "2:10", "1:02:03"]);
        assert_eq!([figures(0.0123), figures(-0.5), figures(99.96)], ["0.0123", "-0.50", "100"]);
    }
}
