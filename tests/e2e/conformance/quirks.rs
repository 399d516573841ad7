//! What real devices do that the standard does not have: a test `qNNN_...` for each habit.

use serde_json::json;
use trellis_cpe::HttpOptions;

use super::*;
use crate::raw::{connect_with, post_bytes, with_names};

/// An Inform in another form is welcome all the same: a test for each form.
macro_rules! informs_are_accepted {
    ($($name:ident: $form:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let form: fn(String) -> Vec<u8> = $form;
            let server = Server::start(&guests());
            let mut cpe = connect(&server.url());
            let answer = post_bytes(&mut cpe, &form(inform("nothing", "S1"))).await;
            assert!(holds(&answer, "InformResponse"), "{}", answer.text());
            assert_eq!(post(&mut cpe, "").await.status, 204);
        }
    )*};
}

fn without_header(inform: &str) -> String {
    let (before, rest) = inform.split_once("<soap:Header>").expect("a header");
    let (_, after) = rest.split_once("</soap:Header>").expect("its end");
    format!("{before}{after}")
}

fn without(inform: &str, element: &str) -> String {
    let (before, rest) = inform.split_once(&format!("<{element}")).expect("the element");
    let (_, after) = rest.split_once(&format!("</{element}>")).expect("its end");
    format!("{before}{after}")
}

fn value(inform: &str, value: &str) -> String {
    inform.replace(">1.0</Value>", &format!(">{value}</Value>"))
}

const CWMP: &str = " xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"";

informs_are_accepted! {
    q026_no_header: |it| without_header(&it).into_bytes();
    q027_any_prefix: |it| it.replace("soap:", "SOAP-ENV:").replace(":soap=", ":SOAP-ENV=")
        .replace("cwmp:", "foo:").replace(":foo:=", ":foo=").replace("xmlns:cwmp", "xmlns:foo")
        .into_bytes();
    q028_the_namespace_stands_on_the_method: |it| without_header(&it).replacen(CWMP, "", 1)
        .replace("<cwmp:Inform>", &format!("<cwmp:Inform{CWMP}>")).into_bytes();
    q029_an_unknown_version: |it| it.replace("cwmp-1-2", "cwmp-1-9").into_bytes();
    q030_a_byte_order_mark_and_blank_lines: |it| format!("\u{feff}\r\n\r\n{it}").into_bytes();
    q033_bytes_that_are_no_utf_8: |it| {
        let (before, after) = it.split_once("1.0</Value>").expect("a value");
        [before.as_bytes(), b"\xe4\xf6\xfc</Value>", after.as_bytes()].concat()
    };
    q034_control_characters: |it| value(&it, "1.0\u{2}").into_bytes();
    q035_a_bare_ampersand: |it| value(&it, "Smith & Sons").into_bytes();
    q036_cdata: |it| value(&it, "<![CDATA[1.0 & <more>]]>").into_bytes();
    q038_numeric_entities: |it| value(&it, "&#x31;&#46;0").into_bytes();
    q041_array_types_that_are_wrong: |it| it.replace("EventStruct[1]", "EventStruct[7]")
        .replace("ParameterValueStruct[1]", "ParameterValueStruct[]").into_bytes();
    q042_types_that_are_missing_or_unknown: |it| it.replace(" xsi:type=\"xsd:string\"", "")
        .into_bytes();
    q043_a_value_that_is_missing: |it| it
        .replace("<Value xsi:type=\"xsd:string\">1.0</Value>", "").into_bytes();
    q044_two_elements_in_the_body: |it| it
        .replace("</cwmp:Inform>", "</cwmp:Inform><cwmp:GetRPCMethods></cwmp:GetRPCMethods>")
        .into_bytes();
    q045_a_header_that_nobody_knows: |it| it.replace(
        "</cwmp:ID>",
        "</cwmp:ID><x:Odd xmlns:x=\"urn:x\" soap:mustUnderstand=\"1\">1</x:Odd>",
    ).into_bytes();
    q047_numbers_with_blanks_and_signs: |it| it
        .replace("<RetryCount>0<", "<RetryCount> +0 <").into_bytes();
    q048_a_time_that_is_none: |it| it.replace("2026-01-01T00:00:00Z", "2019-03-05T11:54::14")
        .into_bytes();
    q050_reserved_characters_in_the_identity: |it| it.replace(">S1<", ">a/b %#ä<").into_bytes();
    q058_elements_that_are_missing: |it| {
        let it = without(&it, "RetryCount");
        let it = without(&it, "MaxEnvelopes");
        without(&it, "ParameterList").into_bytes()
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn q002_an_empty_cookie_is_none() {
    let server = Server::start(&guests());
    let options = HttpOptions { cookies: false, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    let headers = [("Content-Type", "text/xml"), ("Cookie", "trellis-session=")];
    let body = inform("nothing", "S1");
    let answer = cpe.post(body.as_bytes(), &headers).await.expect("an answer");
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn q004_a_stale_cookie_that_is_repeated_does_not_hide_the_connection() {
    let server = Server::start(&guests());
    let options = HttpOptions { cookies: false, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    let headers = [("Content-Type", "text/xml"), ("Cookie", "trellis-session=0123456789abcdef")];
    for (body, wanted) in [(inform("remember", "S1"), 200), (String::new(), 200)] {
        let answer = cpe.post(body.as_bytes(), &headers).await.expect("an answer");
        assert_eq!(answer.status, wanted, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q005_a_device_may_post_to_any_path() {
    let server = Server::start(&guests());
    for path in ["", "cwmp", "a/b?c=d", "acs/"] {
        let mut cpe = connect(&format!("{}{path}", server.url()));
        let answer = post(&mut cpe, &inform("four", "S1")).await;
        assert!(holds(&answer, "InformResponse"), "{path}: {}", answer.text());
        assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q009_an_inform_twice_on_one_connection_is_answered_twice() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    for _ in 0..2 {
        let answer = post(&mut cpe, &inform("nothing", "S1")).await;
        assert!(holds(&answer, "InformResponse"), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q013_any_content_type_is_accepted() {
    let server = Server::start(&guests());
    let types = [
        "text/xml",
        "text/xml; charset=\"utf-8\"",
        "application/soap+xml",
        "application/xml",
        "text/html",
        "",
    ];
    for kind in types {
        let body = inform("nothing", "S1");
        let headers = [("Content-Type", kind)];
        let answer = connect(&server.url()).post(body.as_bytes(), &headers).await;
        assert!(holds(&answer.expect("an answer"), "InformResponse"), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q018_white_space_or_an_xml_declaration_alone_is_an_empty_post() {
    let server = Server::start(&guests());
    for empty in ["\r\n", "   ", "<?xml version=\"1.0\"?>", "\n<?xml version='1.0'?>\n"] {
        let mut cpe = connect(&server.url());
        post(&mut cpe, &inform("nothing", "S1")).await;
        assert_eq!(post(&mut cpe, empty).await.status, 204, "{empty:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q019_an_empty_post_without_a_length_is_empty() {
    let server = Server::start(&guests());
    let options = HttpOptions { cookies: false, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    post(&mut cpe, &inform("nothing", "S1")).await;
    cpe.send_raw(b"POST / HTTP/1.1\r\nHost: acs\r\n\r\n").await.expect("sent");
    assert_eq!(cpe.read_response().await.expect("an answer").status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn q023_answers_are_small_and_have_few_headers() {
    let server = Server::start(&guests());
    let (_, asked) = open_with(&server, &inform("four", "S1")).await;
    assert!(asked.headers.len() <= 5 && asked.body.len() < 2_000, "{:?}", asked.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn q031_answers_begin_with_an_xml_declaration_and_are_not_self_closed() {
    let server = Server::start(&guests());
    let answer = post(&mut connect(&server.url()), &inform("nothing", "S1")).await;
    assert!(answer.text().starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    assert!(!answer.text().contains("/>"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn q039_xml_that_is_cut_off_is_refused_and_the_next_inform_is_welcome() {
    let server = Server::start(&guests());
    let whole = inform("nothing", "S1");
    let (half, _) = whole.split_at(whole.len() / 2);
    assert_eq!(post(&mut connect(&server.url()), half).await.status, 400);
    assert!(holds(&post(&mut connect(&server.url()), &whole).await, "InformResponse"));
}

/// A session in which the script reads one name, and the device answers as it likes.
async fn read_one(answer_with: &[(&str, &str, &str)]) -> String {
    let server = scripted(&json!([{ "do": "get", "names": ["Device.A"] }]));
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &typed_values(&asked, answer_with)).await.status, 204);
    said(&server, 0)["step.1"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn q042_a_type_of_another_prefix_is_known_by_its_name() {
    assert_eq!(read_one(&[("Device.A", "xs:boolean", "1")]).await, "Device.A=boolean:1");
}

#[tokio::test(flavor = "multi_thread")]
async fn q049_white_space_in_values_stays() {
    assert_eq!(read_one(&[("Device.A", "xsd:string", "  a  b ")]).await, "Device.A=string:  a  b ");
}

#[tokio::test(flavor = "multi_thread")]
async fn q061_more_or_fewer_parameters_than_asked_are_taken_as_they_come() {
    let more = [("Device.A", "xsd:string", "1"), ("Device.B", "xsd:string", "2")];
    assert_eq!(read_one(&more).await, "Device.A=string:1 Device.B=string:2");
    assert_eq!(read_one(&[]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn q063_a_device_that_cannot_answer_many_names_is_asked_for_fewer() {
    let names: Vec<String> = (0..32).map(|n| format!("Device.P{n}.V")).collect();
    let wanted: Vec<_> = names.iter().map(|name| json!([name, "", "same"])).collect();
    for code in [9002, 9004] {
        let server = scripted(&json!([{ "do": "ensure", "values": wanted }]));
        read_to_the_end(&server, &names, |asked| (asked.len() > 8).then_some(code)).await;
        assert_eq!(said(&server, 0)["step.1"], "0 written, 0 missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q060_names_with_gaps_and_out_of_order_are_taken() {
    let server = scripted(&json!([{ "do": "walk", "path": "Device." }]));
    let (mut cpe, asked) = open(&server).await;
    let names = [("Device.Z.9.X", true), ("Device.A.1.B.2.C", false), ("Elsewhere.X", false)];
    assert_eq!(post(&mut cpe, &with_names(&id(&asked), &names)).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn q075_a_value_that_the_device_changes_back_is_not_written_in_every_session() {
    let config = "[plugins.settings.standard.parameters]\n\".Time.NTPServer1\" = \"ours\"\n";
    let server = Server::with_config(&crate::server::shipped(), config);
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    cpe.set("Device.Time.NTPServer1", "theirs");
    let report = cpe.session(&server.url()).await.expect("a session");
    assert!(report.requests.is_empty(), "{:?}", report.methods());
}

#[tokio::test(flavor = "multi_thread")]
async fn q056_a_fault_of_the_device_without_detail_is_a_fault_all_the_same() {
    let server = scripted(&json!([{ "do": "reboot", "key": "k" }]));
    let (mut cpe, asked) = open(&server).await;
    let bare = answer(
        &asked,
        "<soap:Fault><faultcode>Client</faultcode><faultstring>no</faultstring></soap:Fault>",
    );
    assert_eq!(post(&mut cpe, &bare).await.status, 204);
    assert!(said(&server, 0)["step.1"].starts_with("fault 9002"), "{:?}", said(&server, 0));
}
