//! Who a device is (TR-069 3.4.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use trellis_cpe::HttpOptions;
use trellis_store::Store;

use super::*;
use crate::raw::{connect_with, values};

const CWMP: (&str, &str) = ("Content-Type", "text/xml; charset=utf-8");

/// A server that knows devices by these credentials: user name, password and the rest.
fn guarded(credentials: &[(&str, &str, &str)], more: &str) -> Server {
    let mut config = more.to_owned();
    for (username, password, rest) in credentials {
        config.push_str(&format!(
            "\n[[cwmp.authentication.credentials]]\nusername = {username:?}\n\
             password = {password:?}\n{rest}\n"
        ));
    }
    Server::with_config(&guests(), &config)
}

fn hash(text: String) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a challenge says under a name.
fn said_in<'a>(challenge: &'a str, name: &str) -> &'a str {
    let (_, rest) = challenge.split_once(&format!("{name}=\"")).expect("it is said");
    rest.split('"').next().expect("a text")
}

/// The Digest answer to a 401, number `count`.
fn digest(challenged: &Response, username: &str, password: &str, count: u32) -> String {
    let challenge = challenged.header("www-authenticate").expect("a challenge");
    let (realm, nonce) = (said_in(challenge, "realm"), said_in(challenge, "nonce"));
    let first = hash(format!("{username}:{realm}:{password}"));
    let second = hash("POST:/".to_owned());
    let response = hash(format!("{first}:{nonce}:{count:08x}:0a4f113b:auth:{second}"));
    format!(
        "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"/\", \
         qop=auth, nc={count:08x}, cnonce=\"0a4f113b\", response=\"{response}\""
    )
}

async fn post_as(cpe: &mut Http, body: &str, authorization: &str) -> Response {
    let headers = [CWMP, ("Authorization", authorization)];
    cpe.post(body.as_bytes(), &headers).await.expect("an answer")
}

/// The answer to an Inform by a device that answers the challenge.
async fn come_in(
    server: &Server,
    inform: &str,
    username: &str,
    password: &str,
) -> (Http, Response) {
    let mut cpe = connect(&server.url());
    let challenged = post(&mut cpe, inform).await;
    assert_eq!(challenged.status, 401, "{}", challenged.text());
    let authorization = digest(&challenged, username, password, 1);
    let answer = post_as(&mut cpe, inform, &authorization).await;
    (cpe, answer)
}

const OWN: (&str, &str, &str) = ("00D09E-nothing-S1", "secret", "");

#[tokio::test(flavor = "multi_thread")]
async fn s043_a_device_without_credentials_is_asked_and_nothing_else_happens() {
    let server = guarded(&[OWN], "");
    let answer = post(&mut connect(&server.url()), &inform("nothing", "S1")).await;
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Digest "), "{challenge}");
    assert_eq!(said_in(challenge, "qop"), "auth");
    assert!(challenge.contains("algorithm=MD5"), "{challenge}");
    assert_eq!(answer.header("set-cookie"), None);
    let (store, _folder) = server.into_store();
    assert!(store.devices(None, 1).await.expect("readable").is_empty(), "nothing is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn s044_a_right_answer_on_the_same_connection_is_accepted() {
    let server = guarded(&[OWN], "");
    let (mut cpe, answer) =
        come_in(&server, &inform("nothing", "S1"), "00D09E-nothing-S1", "secret").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert_eq!(cpe.connections(), 1);
    assert_eq!(post(&mut cpe, "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s045_a_right_answer_on_another_connection_is_accepted() {
    let server = guarded(&[OWN], "");
    let body = inform("nothing", "S1");
    let challenged = post(&mut connect(&server.url()), &body).await;
    let authorization = digest(&challenged, "00D09E-nothing-S1", "secret", 1);
    let answer = post_as(&mut connect(&server.url()), &body, &authorization).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s046_an_answer_that_is_replayed_is_refused() {
    let server = guarded(&[OWN], "");
    let body = inform("nothing", "S1");
    let challenged = post(&mut connect(&server.url()), &body).await;
    let authorization = digest(&challenged, "00D09E-nothing-S1", "secret", 1);
    assert_eq!(post_as(&mut connect(&server.url()), &body, &authorization).await.status, 200);
    let replayed = post_as(&mut connect(&server.url()), &body, &authorization).await;
    assert_eq!(replayed.status, 401);
    let next = digest(&challenged, "00D09E-nothing-S1", "secret", 2);
    assert_eq!(post_as(&mut connect(&server.url()), &body, &next).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn s047_wrong_credentials_are_asked_for_again_and_no_inform_is_recorded() {
    let server = guarded(&[OWN], "");
    let body = inform("nothing", "S1");
    for (username, password) in [("00D09E-nothing-S1", "wrong"), ("nobody", "secret"), ("", "")] {
        let (_, answer) = come_in(&server, &body, username, password).await;
        assert_eq!(answer.status, 401, "{username}");
    }
    let (store, _folder) = server.into_store();
    assert!(store.devices(None, 1).await.expect("readable").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn s049_one_devices_credentials_do_not_open_another_ones_session() {
    let bound = ("any name", "other", "device = \"00D09E-nothing-S1\"");
    let server = guarded(&[OWN, bound], "");
    for (username, password) in [("00D09E-nothing-S1", "secret"), ("any name", "other")] {
        let (_, answer) = come_in(&server, &inform("nothing", "S2"), username, password).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        let (_, answer) = come_in(&server, &inform("nothing", "S1"), username, password).await;
        assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s049_a_devices_open_session_does_not_let_another_device_in() {
    let server = guarded(&[OWN], "");
    let (mut cpe, answer) =
        come_in(&server, &inform("nothing", "S1"), "00D09E-nothing-S1", "secret").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, &inform("nothing", "S2")).await.status, 403);
    let again = post(&mut cpe, &inform("nothing", "S1")).await;
    assert!(holds(&again, "InformResponse"), "{}", again.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s050_a_user_name_is_compared_in_the_standards_encoding() {
    let stb = "012345-Set%2DTop%2DBox-0123456789";
    let bare = "012345-0123456789";
    let server = guarded(&[(stb, "a", ""), (bare, "b", "")], "");
    let inform = |class: &str| inform(class, "0123456789").replace("00D09E", "012345");
    let (_, answer) = come_in(&server, &inform("Set-Top-Box"), stb, "a").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let (_, answer) = come_in(&server, &inform(""), bare, "b").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let (_, answer) = come_in(&server, &inform("Set-Top-Box"), bare, "b").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s051_a_session_that_goes_on_on_another_connection_is_known_by_its_cookie() {
    let server = guarded(&[("00D09E-remember-S1", "secret", "")], "");
    let body = inform("remember", "S1");
    let options = HttpOptions { reconnect: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    let challenged = post(&mut cpe, &body).await;
    let authorization = digest(&challenged, "00D09E-remember-S1", "secret", 1);
    assert_eq!(post_as(&mut cpe, &body, &authorization).await.status, 200);
    let asked = post(&mut cpe, "").await;
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
    assert_eq!(post(&mut cpe, &values(&id(&asked))).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s109_an_unknown_device_is_refused_with_8003_or_waits_or_is_served() {
    let policy = |it: &str| format!("[session]\nunknown-devices = \"{it}\"\n");
    let server = Server::with_config(&guests(), &policy("refuse"));
    let answer = post(&mut connect(&server.url()), &inform("four", "S1")).await;
    assert!(answer.text().contains("<FaultCode>8003</FaultCode>"), "{}", answer.text());
    let (store, _folder) = server.into_store();
    assert!(store.devices(None, 1).await.expect("readable").is_empty());

    let server = Server::with_config(&guests(), &policy("quarantine"));
    let (_, end) = open_with(&server, &inform("four", "S1")).await;
    assert_eq!(end.status, 204, "nothing is asked: {}", end.text());

    let server = Server::with_config(&guests(), &policy("accept"));
    let (_, asked) = open_with(&server, &inform("four", "S1")).await;
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_is_accepted_only_where_it_is_allowed() {
    let body = inform("nothing", "S1");
    let basic = format!("Basic {}", STANDARD.encode("00D09E-nothing-S1:secret"));
    let server = guarded(&[OWN], "[cwmp.authentication]\nbasic = \"always\"\n");
    let answer = post_as(&mut connect(&server.url()), &body, &basic).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let server = guarded(&[OWN], "");
    assert_eq!(post_as(&mut connect(&server.url()), &body, &basic).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_onboarding_credential_opens_no_device_that_has_its_own() {
    let server = guarded(&[OWN, ("welcome", "to all", "onboarding = true")], "");
    for inform in
        [inform("nothing", "S1"), with_events(&inform("nothing", "S1"), &[("0 BOOTSTRAP", "")])]
    {
        let (_, answer) = come_in(&server, &inform, "welcome", "to all").await;
        assert_eq!(answer.status, 403, "{}", answer.text());
    }
    let (_, answer) = come_in(&server, &inform("nothing", "S2"), "welcome", "to all").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_configuration_that_is_no_text_is_not_quoted() {
    let config = "[[cwmp.authentication.credentials]]\nusername = \"a\"\npassword = 87654321\n";
    let text = crate::server::refused(config);
    assert!(text.contains("quotes") && !text.contains("87654321"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_given_a_credential_of_its_own_on_first_contact() {
    let mut server = guarded(&[("welcome", "to all", "onboarding = true")], "");
    let body = inform("nothing", "S1");
    let (mut cpe, answer) = come_in(&server, &body, "welcome", "to all").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let asked = post(&mut cpe, "").await;
    let text = asked.text();
    assert!(text.contains("<Name>Device.ManagementServer.Username</Name>"), "{text}");
    let password = text.split("ManagementServer.Password</Name>").nth(1).expect("a password");
    let password = password.split('<').nth(1).and_then(|it| it.split('>').nth(1)).expect("it");
    let password = password.to_owned();
    assert_eq!(password.len(), 32);
    // The server's power is cut before it hears the answer: both are valid.
    server.kill();
    server.restart();
    let own = "00D09E-nothing-S1";
    let (mut cpe, answer) = come_in(&server, &body, own, &password).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, "").await.status, 204);
    // From its first use on, it is the only one.
    let (_, answer) = come_in(&server, &body, "welcome", "to all").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    // Unless the device was reset, and has lost it.
    let reset = with_events(&body, &[("0 BOOTSTRAP", "")]);
    let (mut cpe, answer) = come_in(&server, &reset, "welcome", "to all").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert!(holds(&post(&mut cpe, "").await, "SetParameterValues"));
    // Only its word says so: what it had is not forgotten before the new one is used.
    let (_, answer) = come_in(&server, &body, own, &password).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert!(!server.log_text().contains(&password), "the password is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_onboarding_does_not_end_the_devices_session() {
    let own = ("00D09E-remember-S1", "secret", "");
    let server = guarded(&[own, ("welcome", "to all", "onboarding = true")], "");
    let body = inform("remember", "S1");
    let (mut cpe, answer) = come_in(&server, &body, own.0, own.1).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let asked = post(&mut cpe, "").await;
    let (_, refused) = come_in(&server, &body, "welcome", "to all").await;
    assert_eq!(refused.status, 403);
    assert_eq!(post(&mut cpe, &values(&id(&asked))).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_proves_itself_is_not_quarantined() {
    let policy = "[session]\nunknown-devices = \"quarantine\"\n";
    let onboarding = ("welcome", "to all", "onboarding = true");
    let server =
        guarded(&[onboarding, ("any name", "secret", "device = \"00D09E-four-S1\"")], policy);
    let body = inform("four", "S2");
    let (mut cpe, _) = come_in(&server, &body, "welcome", "to all").await;
    assert_eq!(post(&mut cpe, "").await.status, 204, "nothing is asked of a stranger");
    let body = inform("four", "S1");
    let (mut cpe, answer) = come_in(&server, &body, "any name", "secret").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_operator_changed_is_no_longer_valid() {
    let bound = |password: &str| {
        format!(
            "[[cwmp.authentication.credentials]]\nusername = \"bob\"\npassword = \"{password}\"\n\
             device = \"00D09E-nothing-S1\"\n"
        )
    };
    let mut server = Server::with_config(&guests(), &bound("old"));
    let body = inform("nothing", "S1");
    let (mut cpe, _) = come_in(&server, &body, "bob", "old").await;
    assert_eq!(post(&mut cpe, "").await.status, 204);
    server.stop();
    server.configure(&bound("new"));
    server.restart();
    assert_eq!(come_in(&server, &body, "bob", "old").await.1.status, 401);
    assert_eq!(come_in(&server, &body, "bob", "new").await.1.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn q010_a_challenge_is_answered_on_a_new_connection() {
    let server = guarded(&[OWN], "");
    let body = inform("nothing", "S1");
    let options = HttpOptions { reconnect: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    let challenged = post(&mut cpe, &body).await;
    let authorization = digest(&challenged, "00D09E-nothing-S1", "secret", 1);
    let answer = post_as(&mut cpe, &body, &authorization).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, "").await.status, 204);
    assert_eq!(cpe.connections(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn q011_digest_without_qop_and_with_an_unknown_one() {
    let server = guarded(&[OWN], "");
    let body = inform("nothing", "S1");
    for (qop, wanted) in [("", 200), (", qop=undefined", 401)] {
        let mut cpe = connect(&server.url());
        let challenged = post(&mut cpe, &body).await;
        let challenge = challenged.header("www-authenticate").expect("a challenge");
        let (realm, nonce) = (said_in(challenge, "realm"), said_in(challenge, "nonce"));
        let first = hash(format!("00D09E-nothing-S1:{realm}:secret"));
        let response = hash(format!("{first}:{nonce}:{}", hash("POST:/".to_owned())));
        let authorization = format!(
            "Digest username=\"00D09E-nothing-S1\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"/\", response=\"{response}\"{qop}"
        );
        let answer = post_as(&mut cpe, &body, &authorization).await;
        assert_eq!(answer.status, wanted, "{qop}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q012_any_of_several_credentials_of_a_device_is_good() {
    let factory = ("00D09E-nothing-S1", "factory", "");
    let server = guarded(&[OWN, factory], "");
    for password in ["secret", "factory"] {
        let body = inform("nothing", "S1");
        let (_, answer) = come_in(&server, &body, "00D09E-nothing-S1", password).await;
        assert!(holds(&answer, "InformResponse"), "{password}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_has_to_wait_and_nobody_else() {
    let other = ("00D09E-nothing-S2", "secret", "");
    let limit = "[cwmp.authentication]\nwrong-passwords-max = 3\nwrong-passwords-seconds = 2\n";
    let server = guarded(&[OWN, other], limit);
    let body = inform("nothing", "S1");
    for _ in 0..3 {
        let (_, answer) = come_in(&server, &body, "00D09E-nothing-S1", "guess").await;
        assert_eq!(answer.status, 401);
    }
    let (_, answer) = come_in(&server, &body, "00D09E-nothing-S1", "secret").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    // A neighbour behind the same address is not disturbed.
    let neighbour = inform("nothing", "S2");
    let (_, answer) = come_in(&server, &neighbour, "00D09E-nothing-S2", "secret").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let (_, answer) = come_in(&server, &body, "00D09E-nothing-S1", "secret").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_more_answers_can_be_remembered_devices_are_to_come_later() {
    let server = guarded(&[OWN], "[cwmp.authentication]\nnonces-max = 1\n");
    let body = inform("nothing", "S1");
    let (_, answer) = come_in(&server, &body, "00D09E-nothing-S1", "secret").await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    let (_, answer) = come_in(&server, &body, "00D09E-nothing-S1", "secret").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn s044_each_algorithm_that_a_device_may_choose_proves_it() {
    let server = guarded(&[OWN], "[cwmp.authentication]\noffer-sha256 = true\n");
    let body = inform("nothing", "S1");
    let sha256 = |text: String| -> String {
        sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for algorithm in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"] {
        let hash = |text| if algorithm.starts_with("SHA") { sha256(text) } else { hash(text) };
        let mut cpe = connect(&server.url());
        let challenged = post(&mut cpe, &body).await;
        let base = algorithm.trim_end_matches("-sess");
        let named = format!("algorithm={base}");
        let challenge = challenged.all("www-authenticate").find(|it| it.contains(&named));
        let challenge = challenge.expect("it is offered");
        let (realm, nonce) = (said_in(challenge, "realm"), said_in(challenge, "nonce"));
        let mut first = hash(format!("00D09E-nothing-S1:{realm}:secret"));
        if algorithm.ends_with("-sess") {
            first = hash(format!("{first}:{nonce}:0a4f113b"));
        }
        let second = hash("POST:/".to_owned());
        let response = hash(format!("{first}:{nonce}:00000001:0a4f113b:auth:{second}"));
        let authorization = format!(
            "Digest username=\"00D09E-nothing-S1\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"/\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"{response}\", \
             algorithm={algorithm}"
        );
        let answer = post_as(&mut cpe, &body, &authorization).await;
        assert!(holds(&answer, "InformResponse"), "{algorithm}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_with_a_wrong_onboarding_password_does_not_stop_the_others() {
    let limit = "[cwmp.authentication]\nwrong-passwords-max = 1\n";
    let server = guarded(&[("welcome", "to all", "onboarding = true")], limit);
    let body = inform("nothing", "S1");
    for password in ["wrong", "wrong", "to all"] {
        let (_, answer) = come_in(&server, &body, "welcome", password).await;
        let wanted = if password == "wrong" { 401 } else { 200 };
        assert_eq!(answer.status, wanted, "{}", answer.text());
    }
}
