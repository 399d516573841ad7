//! What every answer of the API may be besides what single paths say: part of its description.

use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::problem::PROBLEM;

/// Errors of every path.
const ALWAYS: [(&str, &str); 2] =
    [("401", "There is no token, or a wrong one"), ("503", "The store fails, or the server stops")];

/// Errors of paths that are told something.
const WITH_INPUT: (&str, &str) = ("400", "What was sent cannot be read");

/// Errors of paths that take a body.
const WITH_BODY: (&str, &str) = ("413", "The body is too large");

/// Adds the errors that each path has, and says of all of them what they are written in.
pub(crate) fn complete(openapi: &mut OpenApi) {
    for item in openapi.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        operations.into_iter().flatten().for_each(complete_one);
    }
}

fn complete_one(operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let has_input = has_body || operation.parameters.is_some();
    let input = has_input.then_some(WITH_INPUT);
    let body = has_body.then_some(WITH_BODY);
    let responses = &mut operation.responses.responses;
    for (status, why) in ALWAYS.into_iter().chain(input).chain(body) {
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(why).content(PROBLEM, problem);
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(response.build()));
    }
    let is_error = |status: &str| status.starts_with(['4', '5']);
    for (_, response) in responses.iter_mut().filter(|(status, _)| is_error(status)) {
        if let RefOr::T(response) = response
            && let Some(content) = response.content.swap_remove("application/json")
        {
            response.content.insert(PROBLEM.to_owned(), content);
        }
    }
}
