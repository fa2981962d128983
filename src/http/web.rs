//! The page as it lies in `web/`: what a browser gets that comes without an app.
//!
//! Its files are compiled in, so that a binary alone is a whole product and nothing on it is of another version. Nothing is built: what a
//! browser runs is what the repository shows. The page is one document for every address; its modules read which session it is about. It
//! says nothing of any session that the API would not say, and its policy lets it load, run and reach nothing of another origin but films.

use axum::extract::RawPathParams;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::byte_range::{self, Asked};
use super::problem::Problem;
use crate::model::id::SessionId;
use crate::protocol::problem::Code;

/// Films may come from any https address, as each browser loads them itself, or from a file somebody opened (`blob:`). All else is ours.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob: https:; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Asked for anew each time a page is loaded, as modules of two versions do not go together.
const FRESH: HeaderValue = HeaderValue::from_static("no-cache");

/// The sample film hardly ever changes, and a browser reads it in many pieces.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=3600");

macro_rules! files {
    ($($name:literal)*) => { &[$(($name, include_bytes!(concat!("../../web/", $name)))),*] };
}

const PAGE: &[u8] = include_bytes!("../../web/index.html");
const API_PAGE: &[u8] = include_bytes!("../../web/docs.html");

/// Every other file of `web/` by its path.
const FILES: &[(&str, &[u8])] = files! {
    "icon.svg" "media/sample.webm"
    "css/call.css" "css/chat.css" "css/docs.css" "css/doors.css" "css/film.css" "css/forms.css" "css/hud.css" "css/people.css" "css/room.css" "css/theme.css"
    "js/aim.js" "js/api.js" "js/ask.js" "js/banners.js" "js/call.js" "js/chat.js" "js/controls.js" "js/docs.js" "js/doors.js" "js/elements.js" "js/film.js" "js/histogram.js" "js/hud.js"
    "js/invite.js" "js/keys.js" "js/light.js" "js/link.js" "js/main.js" "js/mark.js" "js/mesh.js" "js/names.js" "js/network.js" "js/over.js" "js/people.js"
    "js/qr.js" "js/reactions.js" "js/room.js" "js/seats.js" "js/settings.js" "js/story.js" "js/theme.js" "js/tiles.js" "js/timeline.js"
    "js/waiting.js" "js/words.js"
};

/// `GET /`
pub async fn start() -> Response {
    page(PAGE)
}

/// `GET /docs`: `/openapi.json` for people.
pub async fn api() -> Response {
    page(API_PAGE)
}

/// `GET /s/{*link}`: where a share link leads. One that lost a letter on its way leads to the page too, which tells a person so.
/// As it was typed: an id has one spelling, and the page reads the same.
pub async fn share(uri: Uri) -> Response {
    match uri.path().strip_prefix("/s/").map(str::parse::<SessionId>) {
        Some(Ok(_)) => page(PAGE),
        _ => no_link().await,
    }
}

/// `GET /s/`: a link that lost all of them.
pub async fn no_link() -> Response {
    (StatusCode::NOT_FOUND, page(PAGE)).into_response()
}

/// `GET /web/{*file}`: in pieces where a browser asks for one, as it cannot seek in a film otherwise.
pub async fn file(segments: RawPathParams, headers: HeaderMap) -> Result<Response, Problem> {
    let name = segments.iter().find(|(key, _)| *key == "file").map(|(_, name)| name);
    let file = FILES.iter().find(|(known, _)| Some(*known) == name);
    let (name, bytes) = file.ok_or_else(|| Problem::of(Code::NotFound))?;
    let kind = HeaderValue::from_static(kind_of(name));
    if !is_film(name) {
        return Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, FRESH)], *bytes).into_response());
    }
    let whole =
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, KEPT), (ACCEPT_RANGES, HeaderValue::from_static("bytes"))];
    let asked = headers.get(RANGE).and_then(|range| range.to_str().ok());
    Ok(match byte_range::asked(asked, bytes.len()) {
        Asked::Whole => (whole, *bytes).into_response(),
        Asked::Part(from, to) => {
            let part = [(CONTENT_RANGE, text(&format!("bytes {from}-{to}/{}", bytes.len())))];
            (StatusCode::PARTIAL_CONTENT, whole, part, &bytes[from..=to]).into_response()
        }
        Asked::Beyond => {
            let length = [(CONTENT_RANGE, text(&format!("bytes */{}", bytes.len())))];
            (StatusCode::RANGE_NOT_SATISFIABLE, length).into_response()
        }
    })
}

fn page(page: &'static [u8]) -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, html), (CONTENT_SECURITY_POLICY, POLICY)], page).into_response()
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("words and digits are visible ASCII")
}

fn is_film(name: &str) -> bool {
    name.ends_with(".webm")
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webm") => "video/webm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn collect(folder: &Path, under: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{under}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served_as_what_it_is() {
        let mut there = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("web"), "", &mut there);
        assert!(there.remove("index.html") && there.remove("docs.html"));
        assert!(there.remove("tsconfig.json"), "what `make sdk` checks the types with is for nobody to load");
        let served: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
        for name in &served {
            assert_ne!(kind_of(name), "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn what_they_ask_for_is_there_and_nothing_in_them_is_inline() {
        for page in [PAGE, API_PAGE] {
            let html = std::str::from_utf8(page).unwrap();
            let asked: Vec<&str> = html.split('"').filter(|text| text.starts_with("/web/")).collect();
            assert!(!asked.is_empty());
            for quoted in asked {
                let name = &quoted["/web/".len()..];
                assert!(FILES.iter().any(|(known, _)| *known == name), "{name}");
            }
            for inline in
                ["<style", " style=", "javascript:", "<script>", " onclick=", " onload=", " onerror="]
            {
                assert!(!html.contains(inline), "{inline}");
            }
            for foreign in html.split('"').filter(|text| text.starts_with("http")) {
                assert!(foreign.starts_with("https://…"), "{foreign}");
            }
        }
    }

    #[test]
    fn modules_import_what_is_there_and_write_no_markup() {
        for (name, bytes) in FILES.iter().filter(|(name, _)| kind_of(name).starts_with("text/javascript")) {
            let code = std::str::from_utf8(bytes).unwrap();
            for line in code.lines().filter(|line| line.starts_with("import ")) {
                let Some((_, from)) = line.split_once(" from '") else { continue };
                let from = from.trim_end_matches("';");
                let there = from.strip_prefix("./").map(|file| format!("js/{file}"));
                let known = there.is_none_or(|file| FILES.iter().any(|(name, _)| *name == file));
                assert!(
                    known && (from.starts_with("./") || from == "/sdk/index.js"),
                    "{name} imports {from}"
                );
            }
            for markup in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!code.contains(markup), "{name}: {markup}");
            }
        }
    }

    #[test]
    fn the_policy_lets_nothing_in_from_elsewhere_but_films() {
        let policy = POLICY.to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    }
}
