//! What devices want that contradicts what others want: the table of quirks by model.

use serde_json::json;

use super::*;
use crate::raw::with_names;

/// A server whose script is for devices that want something else, in all or in some versions.
fn with_quirk(steps: &Json, quirk: &str) -> Server {
    let devices = "manufacturer = \"Gue*\", product-class = \"script\", software-version = \"1.*\"";
    scripted_with(steps, &format!("[[quirks]]\ndevices = {{ {devices} }}\n{quirk}\n"))
}

/// The Inform of a device of the same kind with other software.
fn other_software() -> String {
    script_inform().replace(">1.0<", ">2.0<")
}

#[tokio::test(flavor = "multi_thread")]
async fn q020_the_empty_answer_has_status_204_or_200_by_model() {
    let server = with_quirk(&json!([]), "end-with = 200");
    for (told, status) in [(script_inform(), 200), (other_software(), 204)] {
        let (mut cpe, end) = open_with(&server, &told).await;
        assert_eq!((end.status, end.body.len()), (status, 0));
        let length = (status == 200).then_some("0");
        assert_eq!(end.header("content-length"), length, "an answer says where it ends");
        // The session is over, and its connection can be used for the next.
        assert_eq!(post(&mut cpe, "").await.status, 400);
        assert!(holds(&post(&mut cpe, &told).await, "InformResponse"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q024_a_model_is_asked_for_so_many_values_at_once() {
    let names: Vec<String> = (0..10).map(|n| format!("Device.P{n}.V")).collect();
    let server = with_quirk(&json!([{ "do": "get", "names": names }]), "names-max = 4");
    read_to_the_end(&server, &names, |asked| {
        assert!(asked.len() <= 4, "{asked:?}");
        None
    })
    .await;
    let (_, asked) = open_with(&server, &other_software()).await;
    let asked = asked.text().matches("<string>").count();
    assert_eq!(asked, 10, "others are asked for all of them");
    let read = &said(&server, 0)["step.1"];
    assert!(names.iter().all(|name| read.contains(&format!("{name}=string:same"))), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn q024_a_model_is_given_so_many_values_at_once() {
    let values: Vec<_> = (0..5).map(|n| json!([format!("Device.P{n}.V"), "string", "x"])).collect();
    let server = with_quirk(&json!([{ "do": "ensure", "values": values }]), "values-max = 2");
    let (mut cpe, asked) = open(&server).await;
    let known: Vec<String> = (0..5).map(|n| format!("Device.P{n}.V")).collect();
    let known: Vec<_> = known.iter().map(|name| (name.as_str(), "y")).collect();
    let mut asked = post(&mut cpe, &values_of(&asked, &known)).await;
    for count in [2, 2, 1] {
        assert!(
            asked.text().contains(&format!("ParameterValueStruct[{count}]")),
            "{}",
            asked.text()
        );
        asked = post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await;
    }
    assert_eq!(asked.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn q031_a_model_may_want_no_xml_declaration() {
    let server = with_quirk(&json!([]), "xml-declaration = false");
    for (told, has_one) in [(script_inform(), false), (other_software(), true)] {
        let answer = post(&mut connect(&server.url()), &told).await;
        assert_eq!(answer.text().starts_with("<?xml"), has_one, "{}", answer.text());
        assert!(holds(&answer, "InformResponse"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q046_a_value_that_is_a_boolean_is_spelt_as_the_model_wants() {
    let set = |text: &str| json!({ "do": "set", "values": [["Device.A", "boolean", text]] });
    for (quirk, wanted) in [
        ("booleans = \"digits\"", ["1", "0", "0"]),
        ("booleans = \"words\"", ["true", "false", "false"]),
    ] {
        let server = with_quirk(&json!([set("true"), set("false"), set("0")]), quirk);
        let (mut cpe, mut asked) = open(&server).await;
        for text in wanted {
            let value = format!("<Value xsi:type=\"xsd:boolean\">{text}</Value>");
            assert!(asked.text().contains(&value), "{}", asked.text());
            asked = post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q052_next_level_is_spelt_as_the_model_wants() {
    for (quirk, wanted) in
        [("", "1"), ("booleans = \"digits\"", "1"), ("booleans = \"words\"", "true")]
    {
        let server = with_quirk(&json!([{ "do": "names", "path": "Device." }]), quirk);
        let (_, asked) = open(&server).await;
        let next_level = format!("<NextLevel>{wanted}</NextLevel>");
        assert!(asked.text().contains(&next_level), "{}", asked.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q054_an_element_without_content_is_one_tag_or_two_by_model() {
    let steps = json!([{ "do": "set", "values": [["Device.A", "string", ""]] }]);
    let two = "<Value xsi:type=\"xsd:string\"></Value>";
    let server = with_quirk(&steps, "self-closing = true");
    let (_, asked) = open(&server).await;
    assert!(asked.text().contains("<Value xsi:type=\"xsd:string\"/>"), "{}", asked.text());
    assert!(asked.text().contains("<ParameterKey/>"), "{}", asked.text());
    let (_, asked) = open_with(&server, &other_software()).await;
    assert!(asked.text().contains(two) && !asked.text().contains("/>"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn q063_how_much_a_model_can_tell_is_remembered() {
    let names: Vec<String> = (0..32).map(|n| format!("Device.P{n}.V")).collect();
    let mut server = scripted(&json!([{ "do": "get", "names": names }]));
    let too_much = |asked: &[&str]| (asked.len() > 8).then_some(9004);
    read_to_the_end(&server, &names, too_much).await;
    let read = &said(&server, 0)["step.1"];
    assert!(read.contains("Device.P31.V=string:same"), "all of them are read: {read}");
    // Another device of the model, also after a restart, is not asked for more.
    server.stop();
    server.restart();
    let (_, asked) = open_with(&server, &inform("script", "another")).await;
    assert_eq!(asked.text().matches("<string>").count(), 8, "{}", asked.text());
    let newer = inform("script", "another").replace(">1.0<", ">2.0<");
    let (_, asked) = open_with(&server, &newer).await;
    assert_eq!(asked.text().matches("<string>").count(), 32, "another software may do better");
}

#[tokio::test(flavor = "multi_thread")]
async fn q064_a_model_may_never_be_asked_for_all_names_at_once() {
    let server = with_quirk(&json!([{ "do": "walk", "path": "Device." }]), "names-by-level = true");
    let (mut cpe, asked) = open(&server).await;
    assert!(asked.text().contains("<NextLevel>1</NextLevel>"), "{}", asked.text());
    let below = [("Device.A.", false), ("Device.B", true)];
    let asked = post(&mut cpe, &with_names(&id(&asked), &below)).await;
    assert!(asked.text().contains("<ParameterPath>Device.A.</ParameterPath>"), "{}", asked.text());
    assert!(asked.text().contains("<NextLevel>1</NextLevel>"), "{}", asked.text());
    let end = post(&mut cpe, &with_names(&id(&asked), &[("Device.A.C", true)])).await;
    assert_eq!(end.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quirk_that_cannot_be_read_is_named() {
    for (quirk, wanted) in [("end-with = 302", "end-with"), ("bools = 1", "bools")] {
        let config = format!("[[quirks]]\ndevices = {{ oui = \"00D09E\" }}\n{quirk}\n");
        let refused = crate::server::refused(&config);
        assert!(refused.contains(wanted), "{refused}");
    }
}
