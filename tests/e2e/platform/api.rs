//! The API itself: its description, its tokens, its errors.

use serde_json::{Value, json};

use crate::server::{Server, guest, guests, key};

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_path_and_each_of_them_asks_for_a_token() {
    let server = Server::start(&guests());
    let agent =
        ureq::Agent::from(ureq::Agent::config_builder().http_status_as_error(false).build());
    let url = |path: &str| format!("http://{}{path}", server.operator());
    let mut answer = agent.get(url("/openapi.json")).call().expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    let description: Value = serde_json::from_str(&text).expect("JSON");
    let paths = description["paths"].as_object().expect("paths");
    for wanted in [
        "/plugins",
        "/plugins/{name}",
        "/plugins/{name}/rollback",
        "/plugins/{name}/pin",
        "/plugins/{name}/settings",
        "/tags/{tag}/settings/{plugin}",
        "/devices",
        "/devices/{id}",
        "/devices/{id}/sessions",
        "/devices/{id}/faults",
        "/devices/{id}/actions/{action}",
        "/devices/{id}/settings/{plugin}",
        "/devices/{id}/connection-request",
        "/tokens",
    ] {
        assert!(paths.contains_key(wanted), "{wanted}");
    }
    let mut tried = 0;
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            let told = &operation["responses"];
            let id = operation["operationId"].as_str().expect("a name").to_owned();
            assert!(ids.insert(id), "{method} {path}: its name is another's");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let named = format!("{{{}}}", parameter["name"].as_str().expect("a name"));
                let place = if path.contains(&named) { "path" } else { "query" };
                assert_eq!(parameter["in"], place, "{method} {path}: {parameter}");
            }
            for status in ["401", "503"] {
                let content = &told[status]["content"];
                assert!(content["application/problem+json"].is_object(), "{method} {path}: {told}");
            }
            let has_body = !operation["requestBody"].is_null();
            assert_eq!(told["413"].is_object(), has_body, "{method} {path}: {told}");
            for (status, answer) in told.as_object().expect("answers") {
                let is_error = status.starts_with(['4', '5']);
                let is_json = answer["content"]["application/json"].is_object();
                assert!(!(is_error && is_json), "{method} {path} {status}: {answer}");
            }
            let path = path.replace(['{', '}'], "x");
            let request = ureq::http::Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(url(&path))
                .body(())
                .expect("a request");
            let answer = agent.run(request).expect("an answer");
            assert_eq!(answer.status().as_u16(), 401, "{method} {path}");
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_and_revoked_and_the_last_one_stays() {
    let server = Server::start(&guests());
    let (ok, token) = server.trellis(&["token", "add", "noc"]);
    assert!(ok && token.starts_with("trellis_"), "{token}");
    let (_, list) = server.trellis(&["token", "list"]);
    assert!(list.contains("first") && list.contains("noc"), "{list}");
    assert!(!list.contains("trellis_"), "tokens are shown once: {list}");
    assert!(!server.trellis(&["token", "add", "noc"]).0, "a name is taken once");
    let ask = |token: &str| {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let request =
            ureq::Agent::from(config).get(format!("http://{}/plugins", server.operator()));
        let request = request.header("Authorization", format!("Bearer {}", token.trim()));
        request.call().expect("an answer").status().as_u16()
    };
    assert_eq!(ask(&token), 200);
    assert!(server.trellis(&["token", "revoke", "noc"]).0);
    assert_eq!(ask(&token), 401);
    let (ok, text) = server.trellis(&["token", "revoke", "first"]);
    assert!(!ok && text.contains("the last token"), "{text}");
    assert!(!server.log_text().contains(token.trim()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_all_tokens_makes_one_while_the_server_is_stopped() {
    let mut server = Server::start(&guests());
    let data = server.data();
    let arguments = ["token", "add", "again", "--data", data.to_str().expect("a path")];
    let (ok, text) = server.trellis(&arguments);
    assert!(!ok && text.contains("stop the server first"), "{text}");
    server.stop();
    let (ok, token) = server.trellis(&arguments);
    assert!(ok && token.starts_with("trellis_"), "{token}");
    server.restart();
    let list = server.api_ok("GET", "/tokens", &Value::Null);
    assert_eq!(list[1]["name"], "again", "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_listed_in_pages_and_shown_with_what_is_known_of_them() {
    let server = Server::start(&guests());
    let mut devices = Vec::new();
    for number in 1..=5 {
        let mut cpe = guest("remember", number);
        cpe.session(&server.url()).await.expect("a session");
        devices.push(key(&cpe).to_string());
    }
    let mut listed: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.api_ok("GET", &format!("/devices?limit=2{after}"), &Value::Null);
        let ids = page["devices"].as_array().expect("devices").iter();
        listed.extend(ids.map(|it| it["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace('%', "%25"));
    }
    devices.sort();
    assert_eq!(listed, devices);
    assert_eq!(server.api("GET", "/devices?limit=0", b"").0, 422);
    assert_eq!(server.api("GET", "/devices?limit=x", b"").0, 400);
    let path = format!("/devices/{}", devices[0]);
    let shown = server.api_ok("GET", &path, &Value::Null);
    assert_eq!(shown["plugin"], json!({ "name": "scripted", "version": "7.0.1" }));
    assert_eq!(shown["in_session"], false);
    let parameters =
        server.api_ok("GET", &format!("{path}/parameters?path=Device.DeviceInfo."), &Value::Null);
    assert!(parameters.to_string().contains("Device.DeviceInfo.SoftwareVersion"), "{parameters}");
    assert!(!parameters.to_string().contains("ManagementServer"), "{parameters}");
    let sessions = server.api_ok("GET", &format!("{path}/sessions"), &Value::Null);
    assert_eq!(sessions[0]["steps"][0]["method"], "GetParameterValues", "{sessions}");
    let (status, problem) = server.api("GET", "/devices/none", b"");
    assert_eq!((status, &problem["title"]), (404, &json!("Not Found")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_also_those_that_no_handler_makes() {
    let server = Server::start(&guests());
    let huge = vec![b' '; 3 << 20];
    for (method, path, body, wanted) in [
        ("GET", "/nowhere", b"".as_slice(), 404),
        ("PATCH", "/plugins", b"", 405),
        ("GET", "/plugins/%ff", b"", 400),
        ("POST", "/tokens", b"{", 400),
        ("POST", "/tokens", &huge, 413),
    ] {
        let (status, problem) = server.api(method, path, body);
        assert_eq!(status, wanted, "{method} {path}: {problem}");
        assert_eq!(problem["status"], wanted, "{method} {path}: {problem}");
        assert!(problem["detail"].is_string(), "{method} {path}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_revoke_the_last_two_tokens_at_once_do_not_lock_everybody_out() {
    let server = std::sync::Arc::new(Server::start(&guests()));
    let mut last = ("first".to_owned(), server.token());
    for round in 0..8 {
        let name = format!("other-{round}");
        let body = json!({ "name": name }).to_string();
        let (status, made) = server.api_as(&last.1, "POST", "/tokens", body.as_bytes());
        assert_eq!(status, 201, "{made}");
        let other = (name, made["token"].as_str().expect("a token").to_owned());
        // Each revokes the other's.
        let revoking = [(&last, &other), (&other, &last)].map(|((_, mine), (theirs, _))| {
            let (server, mine) = (std::sync::Arc::clone(&server), mine.clone());
            let path = format!("/tokens/{theirs}");
            std::thread::spawn(move || server.api_as(&mine, "DELETE", &path, b"").0)
        });
        let revoked = revoking.map(|it| it.join().expect("an answer"));
        assert_eq!(revoked.iter().filter(|it| **it == 204).count(), 1, "{revoked:?}");
        let works = |token: &str| server.api_as(token, "GET", "/tokens", b"").0 == 200;
        let left: Vec<_> = [last, other].into_iter().filter(|(_, token)| works(token)).collect();
        let [left] = <[_; 1]>::try_from(left).expect("one is left");
        last = left;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_make_a_token_of_one_name_at_once_one_gets_it() {
    let server = std::sync::Arc::new(Server::start(&guests()));
    for round in 0..5 {
        let name = format!("other-{round}");
        let body = json!({ "name": name }).to_string();
        let made: Vec<_> = (0..4)
            .map(|_| {
                let (server, body) = (std::sync::Arc::clone(&server), body.clone());
                std::thread::spawn(move || server.api("POST", "/tokens", body.as_bytes()).0)
            })
            .collect();
        let made: Vec<u16> = made.into_iter().map(|it| it.join().expect("an answer")).collect();
        assert_eq!(made.iter().filter(|it| **it == 201).count(), 1, "{made:?}");
        let list = server.api_ok("GET", "/tokens", &Value::Null);
        let mut names: Vec<String> =
            list.as_array().expect("tokens").iter().map(|it| it["name"].to_string()).collect();
        names.dedup();
        assert_eq!(names.len(), round + 2, "{list}");
    }
}
