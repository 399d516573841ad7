//! Lists that are told page by page.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::Problem;

/// How many a page has where nothing is asked for.
const DEFAULT: usize = 100;

/// How many are asked for, 1 to `max`.
pub(crate) fn limit(wanted: Option<usize>, max: usize) -> Result<usize, Problem> {
    let limit = wanted.unwrap_or(DEFAULT);
    if (1..=max).contains(&limit) {
        return Ok(limit);
    }
    let why = format!("limit is {limit}; it must be 1 to {max}");
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))
}

/// A place in a list, as the answer before names it.
pub(crate) fn place(after: Option<&str>) -> Result<Option<Vec<u8>>, Problem> {
    let place = after.map(|after| URL_SAFE_NO_PAD.decode(after)).transpose();
    let why = "after is not `next` of an answer";
    place.map_err(|_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))
}

/// How an answer names a place.
pub(crate) fn next(place: Vec<u8>) -> String {
    URL_SAFE_NO_PAD.encode(place)
}
