//! The console page: three files, which are part of the program.

use axum::{Router, http::header, response::IntoResponse, routing::get};

/// The page takes everything from this server. It may put no markup into itself that is made of data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
     frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

pub(crate) fn router() -> Router {
    Router::new()
        .route("/", get(async || file("text/html", include_str!("../console/index.html"))))
        .route("/__local/console.css", get(async || file("text/css", include_str!("../console/console.css"))))
        .route("/__local/console.js", get(async || file("text/javascript", include_str!("../console/console.js"))))
}

fn file(media_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, format!("{media_type}; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        // A browser must not show the page of an older server.
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, text)
}
