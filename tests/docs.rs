//! `docs/OPERATIONS.md` and the code say the same: the tables of settings and metrics stand there as the catalogues have them.
//! A difference fails with the whole table, to be pasted between the page's markers.

use std::fmt::Write as _;
use std::path::Path;

use watchparty::config::catalogue::TOPICS;
use watchparty::config::setting::Preset;
use watchparty::hub::outbox::Closing;
use watchparty::metrics::catalogue;
use watchparty::metrics::label::Label as _;
use watchparty::metrics::register::Kind;
use watchparty::protocol::close::Ending;
use watchparty::ws::closing;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text between `<!-- NAME -->` and `<!-- /NAME -->`.
fn between(page: &str, name: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (_, rest) = page.split_once(&open).unwrap_or_else(|| panic!("the page has no {open}"));
    let (table, _) = rest.split_once(&close).unwrap_or_else(|| panic!("the page has no {close}"));
    table.to_owned()
}

fn settings() -> String {
    let mut table = String::from("| setting | default | form | meaning |\n| --- | --- | --- | --- |\n");
    for setting in TOPICS.iter().flat_map(|topic| topic.settings) {
        let secret = if setting.secret { " ★" } else { "" };
        let preset = match setting.preset {
            Preset::Unset => "unset".to_owned(),
            Preset::Text(text) => format!("`{text}`"),
            Preset::Split { development, production } => {
                format!("`{development}`; production `{production}`")
            }
            Preset::Derived(words) => words.to_owned(),
        };
        let (form, meaning) =
            (setting.form.to_string().replace('|', "\\|"), setting.meaning.replace('|', "\\|"));
        writeln!(table, "| `{}`{secret} | {preset} | {form} | {meaning} |", setting.name).expect("memory");
    }
    table
}

fn metrics() -> String {
    let mut table = String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for metric in catalogue() {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<String> =
            metric.labels.iter().map(|(name, values)| format!("{name}: {}", values.join(" "))).collect();
        writeln!(table, "| `{}` | {kind} | {} | {} |", metric.name, labels.join("; "), metric.help)
            .expect("memory");
    }
    table
}

fn agree(table: &str, name: &str) {
    let page = page("docs/OPERATIONS.md");
    assert!(
        between(&page, name) == table,
        "docs/OPERATIONS.md differs; between its {name} markers belongs:\n{table}"
    );
}

#[test]
fn the_page_has_every_setting_as_the_code_has_it() {
    agree(&settings(), "settings");
}

#[test]
fn the_page_has_every_metric_as_the_code_has_it() {
    agree(&metrics(), "metrics");
}

/// The one after it in the order of the page. Exhaustive, so that a new ending is missed here before it is missed there.
fn next(ending: Ending) -> Option<Ending> {
    Some(match ending {
        Ending::Left => Ending::Protocol("unmasked"),
        Ending::Protocol(_) => Ending::Binary,
        Ending::Binary => Ending::NotUtf8,
        Ending::NotUtf8 => Ending::TooBig("message"),
        Ending::TooBig(_) => Ending::Internal,
        Ending::Internal => Ending::Draining(1),
        Ending::Draining(_) => Ending::SeatLost,
        Ending::SeatLost => Ending::Overloaded(1),
        Ending::Overloaded(_) => Ending::Malformed,
        Ending::Malformed => Ending::Unauthorized("token_invalid"),
        Ending::Unauthorized(_) => Ending::Kicked,
        Ending::Kicked => Ending::NoSession,
        Ending::NoSession => Ending::TooSlow,
        Ending::TooSlow => Ending::Replaced,
        Ending::Replaced => Ending::SessionEnded,
        Ending::SessionEnded => Ending::RateAbused,
        Ending::RateAbused => Ending::Full,
        Ending::Full => Ending::Locked,
        Ending::Locked => return None,
    })
}

#[test]
fn the_page_has_every_close_code_with_its_words_and_what_to_do() {
    let page = page("docs/OPERATIONS.md");
    let table = between(&page, "close codes");
    let rows: Vec<&str> = table.lines().skip(2).collect();
    let endings: Vec<Ending> = std::iter::successors(Some(Ending::Left), |ending| next(*ending)).collect();
    assert_eq!(rows.len(), endings.len(), "a row each: {table}");
    for (row, ending) in rows.iter().zip(endings) {
        let said = closing::label(Closing::Ours(ending)).value();
        let begins = format!("| {} | `{}` | `{said}` | ", ending.code(), ending.label());
        let advice = row.strip_prefix(&begins).unwrap_or_else(|| panic!("{row} should begin with {begins}"));
        assert!(advice.trim_end_matches(" |").len() > 5, "{row} says nothing");
    }
}
