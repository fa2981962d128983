//! Load for a WatchParty gateway; its scenarios come with the fan-out issue.

fn main() {
    eprintln!("loadtest: no scenario exists yet; see CHANGELOG.md");
    std::process::exit(2);
}
