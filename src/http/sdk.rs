//! The SDK as it lies in `sdk/`: a page that this server serves, or one of the same origin, imports `/sdk/index.js` and nothing else.
//!
//! The modules are compiled in, so that server and SDK are of one version and nothing has to be installed beside the binary.
//! Nothing is built or minified: what a browser runs is what the repository shows.

use axum::extract::RawPathParams;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;
use crate::protocol::problem::Code;

macro_rules! modules {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../sdk/", $name)))),*] };
}

/// Every module of `sdk/` by its name.
const MODULES: &[(&str, &str)] = modules! {
    "clock.js" "close.js" "connection.js" "drift.js" "emitter.js" "follow.js" "frames.js" "index.js" "line.js" "party.js" "player.js"
    "repeats.js" "ring.js" "times.js" "world.js"
};

/// `GET /sdk/{*module}`: asked for anew each time a page is loaded, as modules of two versions do not go together.
pub async fn module(segments: RawPathParams) -> Result<Response, Problem> {
    let name = segments.iter().find(|(key, _)| *key == "module").map(|(_, name)| name);
    let module = MODULES.iter().find(|(known, _)| Some(*known) == name);
    let (_, code) = module.ok_or_else(|| Problem::of(Code::NotFound))?;
    let javascript = HeaderValue::from_static("text/javascript; charset=utf-8");
    let fresh = HeaderValue::from_static("no-cache");
    Ok(([(CONTENT_TYPE, javascript), (CACHE_CONTROL, fresh)], *code).into_response())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_module_of_the_folder_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let there: BTreeSet<String> = files.filter(|name| name.ends_with(".js")).collect();
        let served: BTreeSet<String> = MODULES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn each_is_asked_for_by_its_name_alone() {
        for (name, code) in MODULES {
            for line in
                code.lines().filter(|line| line.starts_with("import ") || line.starts_with("export {"))
            {
                let Some((_, from)) = line.split_once(" from './") else { continue };
                let from = from.trim_end_matches("';");
                assert!(MODULES.iter().any(|(known, _)| *known == from), "{name} imports {from}");
            }
        }
    }

    #[test]
    fn it_is_of_this_version() {
        let (_, connection) = MODULES.iter().find(|(name, _)| *name == "connection.js").unwrap();
        assert!(connection.contains(&format!("VERSION = '{}'", env!("CARGO_PKG_VERSION"))));
    }
}
