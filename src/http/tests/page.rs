//! What a browser is given: the SDK's modules, the page with its policy, links that lead to it, the sample film.

use axum::http::Method;

use super::{ID, app, ask, fetch, send};

#[tokio::test]
async fn the_sdk_is_served_as_it_is() {
    let answer = fetch(&app(), "/sdk/index.js").await;
    assert_eq!((answer.status(), answer.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(
        (answer.header("cache-control"), answer.header("x-content-type-options")),
        ("no-cache", "nosniff")
    );
    assert_eq!(answer.body, include_bytes!("../../../sdk/index.js"));
    for path in [
        "/sdk/README.md",
        "/sdk/package.json",
        "/sdk/",
        "/sdk",
        "/sdk/%2e%2e/Cargo.toml",
        "/sdk/..%2fCargo.toml",
    ] {
        assert_eq!(fetch(&app(), path).await.code(), "not_found", "{path}");
    }
}

#[tokio::test]
async fn the_page_is_one_document_with_a_strict_policy() {
    for path in ["/".to_owned(), format!("/s/{ID}")] {
        let answer = fetch(&app(), &path).await;
        assert_eq!(
            (answer.status(), answer.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'; ")
        );
        assert_eq!(answer.body, include_bytes!("../../../web/index.html"));
    }
    for path in
        ["/web/", "/web", "/web/index.html", "/web/js/x.js", "/web/%2e%2e/Cargo.toml", "/web/..%2fCargo.toml"]
    {
        assert_eq!(fetch(&app(), path).await.code(), "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_link_that_is_not_whole_leads_to_the_page_that_says_so() {
    let capitals = ID.to_uppercase();
    for link in [
        "",
        &ID[1..],
        &format!("{ID}0"),
        &capitals,
        &format!("{ID}/"),
        &format!("{ID}/x"),
        "%c0%af",
        "%2e%2e",
        "urn:uuid:1",
    ] {
        let answer = fetch(&app(), &format!("/s/{link}")).await;
        assert_eq!(
            (answer.status(), answer.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{link}"
        );
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{link}");
        assert_eq!(answer.body, include_bytes!("../../../web/index.html"), "{link}");
    }
}

#[tokio::test]
async fn the_sample_film_is_served_in_ranges_and_never_compressed() {
    let film = include_bytes!("../../../web/media/sample.webm");
    let get = |range: &'static str| async move {
        let request = ask(Method::GET, "/web/media/sample.webm")
            .header("accept-encoding", "gzip")
            .header("range", range);
        send(&app(), request, "").await
    };
    let part = get("bytes=1000-1999").await;
    assert_eq!((part.status(), part.header("content-type")), (206, "video/webm"));
    assert_eq!(part.header("content-range"), format!("bytes 1000-1999/{}", film.len()));
    assert_eq!(part.body, film[1000..2000]);
    let whole = get("lines=1").await;
    assert_eq!(
        (whole.status(), whole.header("accept-ranges"), whole.header("content-encoding")),
        (200, "bytes", "")
    );
    assert_eq!(whole.body.len(), film.len());
    let beyond = get("bytes=99999999-").await;
    assert_eq!((beyond.status(), beyond.header("content-range")), (416, &*format!("bytes */{}", film.len())));
}
