//! `docs/OPERATIONS.md` and the code say the same: the tables of settings and metrics stand there as the catalogues have them.
//! A difference fails with the whole table, to be pasted between the page's markers.

use std::fmt::Write as _;
use std::path::Path;

use watchparty::config::catalogue::TOPICS;
use watchparty::config::setting::Preset;
use watchparty::metrics::catalogue;
use watchparty::metrics::register::Kind;

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
        writeln!(table, "| `{}`{secret} | {preset} | {form} | {meaning} |", setting.name).unwrap();
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
        writeln!(table, "| `{}` | {kind} | {} | {} |", metric.name, labels.join("; "), metric.help).unwrap();
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
