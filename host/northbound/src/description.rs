//! What every answer of the API may be besides what single paths say: part of its description.

use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::problem::PROBLEM;

/// Errors of every path.
const ALWAYS: [(&str, &str); 2] =
    [("401", "There is no token, or a wrong one"), ("503", "The store fails, or the server stops")];

/// Errors of paths that are told something.
const WITH_INPUT: (&str, &str) = ("400", "What was sent cannot be read");

/// Errors of paths that take a body.
const WITH_BODY: (&str, &str) = ("413", "The body is too large");

/// Errors of paths with parameters after the `?`.
const WITH_QUERY: (&str, &str) = ("422", "A parameter has a value that cannot be");

/// Names each operation, and adds the errors that it has.
pub(crate) fn complete(openapi: &mut OpenApi) {
    for (path, item) in &mut openapi.paths.paths {
        let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|it| !it.is_empty());
        let path = words.collect::<Vec<_>>().join("_");
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            // The names of their functions are not unique.
            operation.operation_id = Some(format!("{method}_{path}"));
            complete_one(operation);
        }
    }
}

/// Adds the errors that an operation has, and says of all of them what they are written in.
fn complete_one(operation: &mut Operation) {
    let in_query =
        |it: &RefOr<Parameter>| matches!(it, RefOr::T(it) if it.parameter_in == ParameterIn::Query);
    let has_query = operation.parameters.iter().flatten().any(in_query);
    let has_body = operation.request_body.is_some();
    let has_input = has_body || operation.parameters.is_some();
    let input = has_input.then_some(WITH_INPUT);
    let body = has_body.then_some(WITH_BODY);
    let query = has_query.then_some(WITH_QUERY);
    let responses = &mut operation.responses.responses;
    for (status, why) in ALWAYS.into_iter().chain(input).chain(body).chain(query) {
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
