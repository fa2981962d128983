//! One made-up run, for tests of what is made of runs: every figure set, and none of them like another.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::figures::{
    Cost, Figures, Host, Judged, Latency, Outcome, Own, Part, PhaseSpan, Run, Sample, Step, Unit,
};

fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Times whose shape is that of a real server: most near `p50`, a tail to `max`.
fn latency(p50: u64, p99: u64, p999: u64, max: u64) -> Latency {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("bounds");
    for n in 0..10_000u64 {
        let between = |low: u64, high: u64, at: u64, of: u64| low + (high - low) * at / of;
        let value = match n {
            0..5000 => between(p50 / 4, p50, n, 4999),
            5000..9900 => between(p50, p99, (n - 5000).pow(3) / 4900, 4899 * 4899),
            9900..9990 => between(p99, p999, n - 9900, 89),
            _ => between(p999, max, n - 9990, 9),
        };
        histogram.saturating_record(value.max(1));
    }
    let mut latency = Latency::of(&histogram).expect("some");
    // Exact where tests look.
    (latency.p50_us, latency.p99_us, latency.p999_us, latency.max_us) = (p50, p99, p999, max);
    latency
}

/// Few digits, so that what is written reads back to the bit.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn samples() -> Vec<Sample> {
    let waves = [0u64, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
    let each = waves.iter().zip(0u32..).map(|(wave, second)| Sample {
        at_s: f64::from(second + 1),
        connections: if second == 0 { 620 } else { 1001 },
        sent_per_s: if second < 2 { 0.0 } else { 60.0 },
        deliveries_per_s: if second < 2 { 0.0 } else { 59_400.0 + *wave as f64 * 90.0 },
        p50_us: (second >= 2).then_some(1100 + wave * 40),
        p99_us: (second >= 2).then_some(2900 + wave * 120),
        server_cpu: Some(thousandths(0.3 + *wave as f64 / 50.0)),
        server_rss_bytes: Some(15_000_000 + u64::from(second) * 350_000),
        generator_cpu: Some(thousandths(0.25 + *wave as f64 / 60.0)),
    });
    each.collect()
}

fn figures() -> Figures {
    let mut figures = Figures {
        samples: samples(),
        server: Cost {
            cpu_s: Some(2.52),
            cpu: Some(0.42),
            cores: Some(2.0),
            cpu_per_delivery_us: Some(4.2),
            rss_start_bytes: Some(15_171_584),
            rss_peak_bytes: Some(19_084_083),
            rss_end_bytes: Some(19_083_264),
            rss_per_connection_bytes: Some(3901.0),
        },
        generator: Cost { cpu_s: Some(3.1), cpu: Some(0.31), cores: Some(1.0), ..Cost::default() },
        ..Figures::default()
    };
    for (name, from_s, seconds) in
        [("connect", 0.0, 1.2), ("warm up", 1.2, 1.0), ("run", 2.2, 10.0), ("drain", 12.2, 0.1)]
    {
        figures.phases.push(PhaseSpan { name: name.to_owned(), from_s, seconds });
    }
    let counts = &mut figures.counts;
    (counts.connections, counts.attempts, counts.connect_errors) = (1001, 1003, 2);
    (counts.sent, counts.acked, counts.refused, counts.recovered) = (600, 600, 0, 7);
    (counts.expected, counts.delivered) = (599_400, 599_400);
    counts.closed(Some(4408));
    counts.closed(None);
    let times = &mut figures.latency;
    times.connect = Some(latency(900, 5200, 9900, 14_000));
    times.ack = Some(latency(700, 2200, 6100, 9100));
    times.deliver = Some(latency(1240, 3400, 7900, 11_800));
    times.lateness = Some(latency(60, 480, 900, 1300));
    figures
}

fn step(connections: u64, cpu: f64) -> Step {
    Step {
        name: format!("{connections} connections"),
        value: connections as f64,
        connections,
        connects_per_s: Some(1650.0),
        deliveries_per_s: connections as f64 * 59.9,
        deliver: Some(latency(
            400 + connections,
            1000 + connections * 2,
            3000 + connections * 4,
            5000 + connections * 6,
        )),
        faults: 0,
        server_cpu: Some(thousandths(connections as f64 / 2400.0)),
        server_rss_bytes: Some(15_171_584 + connections * 3901),
        cpu_per_delivery_us: Some(cpu),
        rss_per_connection_bytes: Some(3901.0),
    }
}

/// The run.
pub(crate) fn run() -> Run {
    let host = Host {
        cpu: "Some Processor <fast> @ 2.5 GHz".to_owned(),
        cores: 2,
        memory_bytes: 25_769_803_776,
        kernel: "Linux 6.12.1".to_owned(),
        open_files: 20_000,
        load_average: 0.31,
        optimised: true,
    };
    let mut run = Run::begin("fanout", 42, host);
    "0.1.0".clone_into(&mut run.loadtest);
    "2026-11-22T13:05:09Z".clone_into(&mut run.started_at);
    run.profile = Some("fanout".to_owned());
    run.knobs = words(&[("connections", "1000"), ("rate", "60"), ("payload", "128"), ("seconds", "10")]);
    run.command = ["loadtest", "fanout", "--connections", "1000", "--slo", "deliver.p99<50ms"]
        .map(str::to_owned)
        .to_vec();
    run.server.urls = vec!["http://127.0.0.1:41823".to_owned()];
    run.server.started_here = true;
    run.server.build = words(&[
        ("version", "0.1.0"),
        ("revision", "30172ab"),
        ("backend", "memory"),
        ("durability", "memory"),
    ]);
    run.server.settings = words(&[("BCRYPT_COST", "4"), ("RATE_LIMIT_MESSAGES", "off")]);
    run.total = figures();
    run.total.steps = vec![step(250, 4.4), step(500, 4.2), step(1000, 4.3)];
    run.parts = vec![Part {
        name: "fanout".to_owned(),
        note: "1 speaks, 1000 listen".to_owned(),
        figures: figures(),
    }];
    let what = "p99 beside a stalled reader, against beside nobody".to_owned();
    run.own.push(Own { name: "beside_stalled".to_owned(), what, value: 1.04, unit: Unit::Ratio });
    run.verdict.outcome = Outcome::Missed;
    for (objective, found, met) in [
        ("missing==0", "0", true),
        ("deliver.p99<50ms", "3.40 ms", true),
        ("connect.errors<0.1%", "0.20 %", false),
    ] {
        let (objective, found) = (objective.to_owned(), found.to_owned());
        run.verdict.objectives.push(Judged { objective, found, met, counted: false });
    }
    run
}
