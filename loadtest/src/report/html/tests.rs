//! The page is one well-formed file that asks for nothing from anywhere and repeats no value unescaped.

use super::*;
use crate::report::figures::{Figures, Host};
use crate::report::sample;

/// The tags of a page in order, as (name, is it an end); panics where something is neither tag nor text.
fn tags(page: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = page.strip_prefix("<!doctype html>").expect("a document");
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a stray > before {}", &rest[at..rest.len().min(at + 40)]);
        let end = at + rest[at..].find('>').expect("a tag that ends");
        let tag = &rest[at + 1..end];
        let name = tag.trim_start_matches('/').split(' ').next().expect("a name");
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "tag <{tag}>");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        found.push((name.to_owned(), tag.starts_with('/')));
        rest = &rest[end + 1..];
        if name == "style" && !tag.starts_with('/') {
            rest = &rest[rest.find("</style>").expect("an end of the style")..];
        }
    }
    found
}

fn well_formed(page: &str) {
    let mut open: Vec<String> = Vec::new();
    for (name, end) in tags(page) {
        match (end, name.as_str()) {
            (false, "meta" | "br") => {}
            (false, _) => open.push(name),
            (true, _) => assert_eq!(open.pop().as_deref(), Some(name.as_str()), "still open: {open:?}"),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

#[test]
fn every_tag_is_closed_whatever_was_measured() {
    well_formed(&page(&sample::run()));
    well_formed(&page(&Run::begin("connect", 1, Host::default())));
    let mut few = sample::run();
    few.total = Figures { samples: few.total.samples[..1].to_vec(), ..Figures::default() };
    well_formed(&page(&few));
}

#[test]
fn the_page_asks_for_nothing() {
    let mut run = sample::run();
    run.server.urls.clear();
    let page = page(&run);
    for word in
        ["http://", "https://", "//cdn", "<script", "<link", "<img", "url(", "@import", "src=", "href="]
    {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn values_are_escaped() {
    let mut run = sample::run();
    let evil = "<script>alert(\"1\")</script>&amp;";
    evil.clone_into(&mut run.host.cpu);
    evil.clone_into(&mut run.scenario);
    run.server.build.insert(evil.to_owned(), evil.to_owned());
    run.server.settings.insert("BELL".to_owned(), "\u{7}".to_owned());
    run.knobs.insert(evil.to_owned(), evil.to_owned());
    run.command.push(evil.to_owned());
    run.parts[0].name = evil.to_owned();
    run.parts[0].note = evil.to_owned();
    run.own[0].what = evil.to_owned();
    run.total.steps[0].name = evil.to_owned();
    run.verdict.objectives[0].objective = evil.to_owned();
    run.verdict.objectives[0].found = evil.to_owned();
    run.verdict.void.push(evil.to_owned());
    run.total.counts.closes.insert(evil.to_owned(), 1);
    let page = page(&run);
    assert!(!page.contains("<script"), "a value became markup");
    assert!(page.matches("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;").count() >= 13);
    assert!(!page.contains('\u{7}'), "no document may hold a bell");
    well_formed(&page);
}

#[test]
fn it_shows_what_was_found() {
    let page = page(&sample::run()).replace('\u{a0}', " ");
    for text in [
        "<title>fanout: MISSED: 2 of 3 objectives</title>",
        "<header class=\"missed\">",
        "<h1>fanout: 1 001 connections</h1>",
        "<dd>3.40 ms</dd>",
        "✗ missed",
        "How long things took",
        "Deliveries each second",
        "Memory of the gateway",
        "Publish to delivery, step by step",
        "loadtest fanout --connections 1000 --slo 'deliver.p99&lt;50ms'",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let charts = page.matches("<figure").count();
    assert_eq!((charts, page.matches("<path").count()), (9, 15), "charts and their lines");
    for path in page.split("<path").skip(1) {
        let drawn = path.split("d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a path");
        assert!(drawn.starts_with('M') && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
    }
}

#[test]
fn what_was_not_measured_is_not_shown_as_nothing() {
    let page = page(&Run::begin("connect", 1, Host::default()));
    assert!(!page.contains("<figure") && !page.contains("publish to delivery"), "{page}");
}
