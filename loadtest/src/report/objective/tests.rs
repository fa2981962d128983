//! Objectives as people write them, right and wrong.

use super::*;
use crate::report::figures::{Host, Own, Part};
use crate::report::sample;

fn found(objective: &str, run: &Run) -> (String, bool) {
    let judged =
        objective.parse::<Objective>().unwrap_or_else(|error| panic!("{objective}: {error}")).judge(run);
    (judged.found.replace('\u{a0}', " "), judged.met)
}

#[test]
fn objectives_find_their_figure_and_compare_it() {
    let run = sample::run();
    for (objective, value, met) in [
        ("missing==0", "0", true),
        ("missing != 0", "0", false),
        (" delivered >= 599400 ", "599 400", true),
        ("delivered==100%", "100 %", true),
        ("connect.errors<0.1%", "0.20 %", false),
        ("connect.errors<=2", "2", true),
        ("deliver.p99<50ms", "3.40 ms", true),
        ("deliver.p99<3400us", "3.40 ms", false),
        ("deliver.p99<=3400µs", "3.40 ms", true),
        ("deliver.p99.9<0.01s", "7.90 ms", true),
        ("ack.max<1m", "9.10 ms", true),
        ("recovery.p50<1s", "not measured", false),
        ("server.rss_per_connection<=4KiB", "3.81 KiB", true),
        ("server.rss_growth<1MiB", "3.73 MiB", false),
        ("server.cpu_per_delivery<5us", "4.20 µs", true),
        ("server.cpu<0.5cores", "0.42 cores", true),
        ("deliver.rate>54k/s", "54.5 k/s", true),
        ("closes.4408==1", "1", true),
        ("closes.1006==0", "0", true),
        ("fanout.deliver.p99<3ms", "3.40 ms", false),
        ("nowhere.deliver.p99<3ms", "no part `nowhere` in this run", false),
        ("own.beside_stalled<=1.2x", "1.04 ×", true),
        ("own.elsewhere<=1.2", "not measured", false),
    ] {
        assert_eq!(found(objective, &run), (value.to_owned(), met), "{objective}");
    }
}

#[test]
fn mistakes_say_what_to_write() {
    for (objective, says) in [
        ("deliver.p99", "compares nothing"),
        ("missing=0", "equality is written ==, as in missing==0"),
        ("missing<>0", "`missing`: `>0` does not begin with a number"),
        ("delivr.p99<50ms", "did you mean deliver.p99?"),
        ("server.rss_per_conection<4KiB", "did you mean server.rss_per_connection?"),
        ("weather<3", "there is no figure `weather`; there are connections, connect.errors"),
        ("deliver.p99<50", "is a time: give it us, ms, s or m, as in 50ms (found no unit)"),
        ("deliver.p99<5%", "is a time"),
        ("deliver.p99<fast", "does not begin with a number"),
        ("deliver.p99<", "does not begin with a number"),
        ("missing<5ms", "a count: give it no unit, or % for a share (found `ms`)"),
        ("gaps<5%", "a count: give it no unit (found `%`)"),
        ("server.rss<5MB", "an amount of memory: give it B, KiB, MiB or GiB, as in 4KiB (found `MB`)"),
        ("server.cpu<5ms", "a number of cores"),
        ("deliver.rate<5ms", "a rate"),
        ("part.own.x<5", "there is no figure"),
        ("", "compares nothing"),
    ] {
        let error = objective.parse::<Objective>().expect_err(objective);
        assert!(error.contains(says), "{objective}: {error}");
    }
}

#[test]
fn the_promise_stands_unless_it_is_replaced() {
    let read = |text: &[&str]| {
        text.iter().map(|text| text.parse().expect("an objective")).collect::<Vec<Objective>>()
    };
    let texts = |all: Vec<Objective>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(all(&[], &[])), PROMISE);
    let all =
        texts(all(&read(&["deliver.p99<50ms", "missing<=3"]), &read(&["deliver.p99<10ms", "a.missing==0"])));
    assert_eq!(
        all,
        [
            "duplicated==0",
            "reordered==0",
            "phantom==0",
            "gaps==0",
            "unanswered==0",
            "absent==0",
            "missing<=3",
            "deliver.p99<10ms",
            "a.missing==0"
        ]
    );
    let run = sample::run();
    assert!(
        read(&PROMISE).iter().all(|promise| promise.judge(&run).counted),
        "each of the promise is a count"
    );
    assert!(
        !read(&["deliver.p99<1s"])[0].judge(&run).counted && !read(&["unsaid==0"])[0].judge(&run).counted
    );
}

#[test]
fn a_part_is_judged_by_its_own_figures_and_own_figures_by_their_unit() {
    let mut run = Run::begin("smoke", 1, Host::default());
    run.total.counts.missing = 3;
    let part = |name: &str, missing| {
        let mut figures = crate::report::figures::Figures::default();
        figures.counts.missing = missing;
        Part { name: name.to_owned(), note: String::new(), figures }
    };
    run.parts = vec![part("one", 3), part("two", 0)];
    run.own.push(Own { name: "grown".to_owned(), what: String::new(), value: 2048.0, unit: Unit::Bytes });
    assert_eq!(found("missing==0", &run), ("3".to_owned(), false));
    assert_eq!(found("one.missing==0", &run), ("3".to_owned(), false));
    assert_eq!(found("two.missing==0", &run), ("0".to_owned(), true));
    assert_eq!(found("own.grown<=2KiB", &run), ("2 KiB".to_owned(), true));
    assert_eq!(
        found("two.missing<1%", &run),
        ("not measured".to_owned(), false),
        "a share of nothing is none"
    );
}
