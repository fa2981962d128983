//! The Redis user with the rights that `docs/OPERATIONS.md` asks for, read from that page: what is documented is what is tested.

/// Their name, as the page has it.
pub const USER: &str = "watchparty";
/// Their password in tests, in the place of the page's.
pub const PASSWORD: &str = "a-password-of-tests";

/// The page.
pub const PAGE: &str = include_str!("../../../docs/OPERATIONS.md");

/// The page's line for `redis.conf` (or `users.acl`), with our password.
pub fn line() -> String {
    block("acl").replace("CHANGE-ME", PASSWORD)
}

/// The rules of that line: what follows the password.
pub fn rules() -> Vec<String> {
    block("acl")
        .split_whitespace()
        .skip_while(|word| !word.starts_with('>'))
        .skip(1)
        .map(str::to_owned)
        .collect()
}

/// What stands in the fenced block between `<!-- name -->` and `<!-- /name -->`, as one line.
fn block(name: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (_, rest) = PAGE.split_once(&open).unwrap_or_else(|| panic!("the page has no {open}"));
    let (block, _) = rest.split_once(&close).unwrap_or_else(|| panic!("the page has no {close}"));
    let lines = block.lines().filter(|line| !line.starts_with("```"));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}
