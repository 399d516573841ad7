//! Actions: queued through the API, run by the plugin in the device's next session.

use serde_json::{Value, json};

use crate::server::{Server, guest, guests, key, until};

fn queue(server: &Server, device: &str, action: &str, arguments: &Value) -> (u16, Value) {
    let path = format!("/devices/{device}/actions/{action}?call=false");
    server.api("POST", &path, arguments.to_string().as_bytes())
}

fn ended(server: &Server, device: &str, id: &Value) -> Value {
    server.api_ok("GET", &format!("/devices/{device}/actions/{id}"), &Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_on_disk_when_it_is_accepted_and_runs_in_the_next_session() {
    let mut server = Server::start(&guests());
    let mut cpe = guest("remember", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let (status, echo) = queue(&server, &device, "echo", &json!({ "text": "hello" }));
    assert_eq!((status, echo["state"].as_str()), (202, Some("queued")), "{echo}");
    let set = json!({ "name": "Device.Time.NTPServer1", "value": "ntp.example" });
    let (_, set) = queue(&server, &device, "set", &set);
    let (_, fail) = queue(&server, &device, "fail", &Value::Null);
    let (_, trap) = queue(&server, &device, "trap", &json!({}));
    server.kill();
    server.restart();
    let report = cpe.session(&server.url()).await.expect("a session");
    assert!(report.methods().contains(&"SetParameterValues"), "{:?}", report.methods());
    assert_eq!(cpe.get("Device.Time.NTPServer1").as_deref(), Some("ntp.example"));
    let echo = ended(&server, &device, &echo["id"]);
    assert_eq!((&echo["state"], &echo["result"]), (&json!("done"), &json!({ "echo": "hello" })));
    // It sees what provision kept in this very session.
    let set = ended(&server, &device, &set["id"]);
    assert_eq!(set["result"], json!({ "sessions": 2 }), "{set}");
    let fail = ended(&server, &device, &fail["id"]);
    assert_eq!(fail["state"], "failed");
    assert!(fail["error"].to_string().contains("this action fails on purpose"), "{fail}");
    let trap = ended(&server, &device, &trap["id"]);
    assert!(trap["error"].to_string().contains("this action panics on purpose"), "{trap}");
    let all = server.api_ok("GET", &format!("/devices/{device}/actions"), &Value::Null);
    assert_eq!(all.as_array().map(Vec::len), Some(4), "{all}");
    let sessions = server.api_ok("GET", &format!("/devices/{device}/sessions"), &Value::Null);
    assert!(
        sessions.to_string().contains("\"method\":\"action\",\"request\":\"echo\""),
        "{sessions}"
    );
    // Nothing is left for the next session.
    let report = cpe.session(&server.url()).await.expect("a session");
    assert!(!report.methods().contains(&"SetParameterValues"), "{:?}", report.methods());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_before_it_is_queued() {
    let server = Server::start(&guests());
    let cpe_key = {
        let mut cpe = guest("remember", 1);
        cpe.session(&server.url()).await.expect("a session");
        key(&cpe).to_string()
    };
    for (device, action, arguments, status, wanted) in [
        (&*cpe_key, "echo", json!({}), 422, "text"),
        (&*cpe_key, "echo", json!({ "text": "x".repeat(21) }), 422, "/text"),
        (&*cpe_key, "echo", json!({ "text": "x", "more": 1 }), 422, "more"),
        (&*cpe_key, "no-such", json!({}), 404, "it has: echo, fail, set, trap"),
        ("00D09E-none-1", "echo", json!({ "text": "x" }), 404, "no such device"),
    ] {
        let (got, answer) = queue(&server, device, action, &arguments);
        assert_eq!(got, status, "{answer}");
        assert!(answer["detail"].to_string().contains(wanted), "{wanted}: {answer}");
    }
    let path = format!("/devices/{cpe_key}/actions/echo");
    let (status, answer) = server.api("POST", &path, b"{\"text\": \"half");
    assert_eq!(status, 400);
    assert!(!answer.to_string().contains("half"), "what was sent is not shown: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_in_session_does_it_there_and_another_is_called() {
    let server = Server::with_config(&guests(), "[connection-request]\ndeny = []\n");
    let mut cpe = guest("nothing", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    // Nobody answers at the device's address; what is queued waits for its own next session.
    let path = format!("/devices/{device}/actions/echo");
    let (status, queued) = server.api("POST", &path, b"{\"text\": \"later\"}");
    assert_eq!(status, 202);
    until("the device is called", || server.log_text().contains("connection request"));
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(ended(&server, &device, &queued["id"])["state"], "done");

    use crate::raw::{connect, id, inform, post, values};
    let mut open = connect(&server.url());
    post(&mut open, &inform("four", "S1")).await;
    let asked = id(&post(&mut open, "").await);
    let path = "/devices/00D09E-four-S1/actions/echo";
    let (_, queued) = server.api("POST", path, b"{\"text\": \"now\"}");
    let mut answer = post(&mut open, &values(&asked)).await;
    while answer.status == 200 {
        let asked = id(&answer);
        answer = post(&mut open, &values(&asked)).await;
    }
    assert_eq!(answer.status, 204);
    assert_eq!(ended(&server, "00D09E-four-S1", &queued["id"])["state"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_runs_an_action_and_says_what_became_of_it() {
    let server = Server::start(&guests());
    let mut cpe = guest("remember", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let arguments = ["device", "action", &device, "echo", "{\"text\":\"hi\"}", "--wait", "30"];
    let url = server.url();
    let visiting = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        cpe.session(&url).await.expect("a session");
    });
    let (ok, text) = server.trellis(&arguments);
    visiting.await.expect("visited");
    assert!(ok && text.contains("done {\"echo\":\"hi\"}"), "{text}");
    let (_, text) = server.trellis(&["device", "show", &device]);
    assert!(text.contains("guest.sessions") && text.contains("scripted 7.0.1"), "{text}");
    let (_, text) = server.trellis(&["device", "sessions", &device]);
    assert!(text.contains("GetParameterValues"), "{text}");
    let (_, text) = server.trellis(&["device", "list", "--json"]);
    assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
}
