//! How messages are written and read (TR-069 3.5, A.2).

use std::time::Duration;

use serde_json::json;
use trellis_cwmp::Time;
use trellis_store::Store;

use super::*;
use crate::raw::{post_bytes, values};

#[tokio::test(flavor = "multi_thread")]
async fn s067_every_array_has_its_type_and_count_and_an_access_list_may_be_empty() {
    let steps = json!([
        { "do": "get", "names": ["Device.A", "Device.B"] },
        { "do": "set", "values": [["Device.A", "string", "x"]] },
        { "do": "set-attributes", "name": "Device.A", "notification": 1, "access_list": [] },
        { "do": "attributes", "names": ["Device.A"] },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    assert!(asked.text().contains("soapenc:arrayType=\"xsd:string[2]\""), "{}", asked.text());
    let asked = post(&mut cpe, &values_of(&asked, &[("Device.A", ""), ("Device.B", "")])).await;
    let wanted = "soapenc:arrayType=\"cwmp:ParameterValueStruct[1]\"";
    assert!(asked.text().contains(wanted), "{}", asked.text());
    let asked = post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await;
    for wanted in [
        "soapenc:arrayType=\"cwmp:SetParameterAttributesStruct[1]\"",
        "<AccessList soapenc:arrayType=\"xsd:string[0]\"></AccessList>",
    ] {
        assert!(asked.text().contains(wanted), "{}", asked.text());
    }
    let asked = post(&mut cpe, &done(&asked, "SetParameterAttributes")).await;
    assert!(asked.text().contains("soapenc:arrayType=\"xsd:string[1]\""), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s068_values_are_written_with_the_type_that_the_device_reported() {
    let wanted = json!([["Device.N", "", "5"], ["Device.B", "", "1"]]);
    let server = scripted(&json!([{ "do": "ensure", "values": wanted }]));
    let (mut cpe, asked) = open(&server).await;
    let reported = [("Device.N", "xsd:unsignedInt", "4"), ("Device.B", "xsd:boolean", "false")];
    let text = post(&mut cpe, &typed_values(&asked, &reported)).await.text();
    for wanted in ["xsi:type=\"xsd:unsignedInt\">5<", "xsi:type=\"xsd:boolean\">1<"] {
        assert!(text.contains(wanted), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s069_xml_of_every_legal_and_some_illegal_styles_is_read() {
    let server = Server::start(&guests());
    let plain = inform("nothing", "S1");
    let declared = |encoding: &str| format!("<?xml version='1.0' encoding='{encoding}'?>{plain}");
    let latin = declared("ISO-8859-1").replace("Guest<", "Gu\u{e4}st<");
    let latin: Vec<u8> =
        latin.chars().map(|c| u8::try_from(u32::from(c)).expect("latin")).collect();
    let default_namespace = plain
        .replace("soap:Envelope xmlns:soap", "Envelope xmlns")
        .replace("soap:Envelope", "Envelope")
        .replace("soap:Header", "Header")
        .replace("soap:Body", "Body")
        .replace("soap:mustUnderstand", "mustUnderstand");
    for (style, bytes) in [
        (
            "prefixed children",
            plain
                .replace("<RetryCount>0</RetryCount>", "<cwmp:RetryCount>0</cwmp:RetryCount>")
                .into_bytes(),
        ),
        ("default namespace", default_namespace.into_bytes()),
        (
            "unusual prefixes",
            plain
                .replace("cwmp:", "x_1.")
                .replace(":cwmp=", ":x_1.=")
                .replace("x_1.", "q:")
                .replace(":q:=", ":q=")
                .into_bytes(),
        ),
        ("single quotes", plain.replace('"', "'").into_bytes()),
        ("a byte order mark", [b"\xEF\xBB\xBF", declared("utf-8").as_bytes()].concat()),
        ("ISO-8859-1", latin),
    ] {
        let answer = post_bytes(&mut connect(&server.url()), &bytes).await;
        assert!(answer.status == 200, "{style}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s070_the_real_members_of_an_array_count_whatever_its_type_says() {
    for (number, said_type) in ["", "[]", "[0008]", "[1]"].into_iter().enumerate() {
        let server = scripted(&json!([{ "do": "get", "names": ["Device.A", "Device.B"] }]));
        let (mut cpe, asked) = open(&server).await;
        let answer = values_of(&asked, &[("Device.A", "1"), ("Device.B", "2")]);
        let declared = "enc:arrayType=\"cwmp:ParameterValueStruct[2]\"";
        let other = format!("enc:arrayType=\"cwmp:ParameterValueStruct{said_type}\"");
        let other = if number == 0 { String::new() } else { other };
        assert_eq!(post(&mut cpe, &answer.replace(declared, &other)).await.status, 204);
        let said = &said(&server, 0)["step.1"];
        assert_eq!(said, "Device.A=string:1 Device.B=string:2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s071_a_list_that_calls_itself_an_array_is_accepted_and_never_sent() {
    let server = Server::start(&guests());
    let (mut cpe, asked) = open_with(&server, &inform("four", "S1")).await;
    let odd =
        values(&id(&asked)).replace("<ParameterList ", "<ParameterList xsi:type=\"enc:Array\" ");
    let next = post(&mut cpe, &odd).await;
    assert!(holds(&next, "GetParameterValues"), "{}", next.text());
    assert!(!next.text().contains("Array\"") && !asked.text().contains("Array\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn s072_odd_characters_arrive_as_they_were_in_both_directions() {
    let odd = "<>&\"'\t\r\n\u{e4}\u{20ac}";
    let steps = json!([
        { "do": "get", "names": ["Device.A"] },
        { "do": "set", "values": [["Device.A", "string", odd]] },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    let escaped = "&lt;&gt;&amp;&quot;'\t&#13;\n&#228;&#8364;";
    let asked = post(&mut cpe, &values_of(&asked, &[("Device.A", escaped)])).await;
    assert!(asked.text().contains(&format!(">{escaped}</Value>")), "{}", asked.text());
    assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], format!("Device.A=string:{odd}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s073_booleans_are_read_in_all_four_forms() {
    for text in ["0", "1", "true", "false"] {
        let wanted = if matches!(text, "0" | "false") { "false" } else { "true" };
        let values = json!([["Device.B", "boolean", wanted]]);
        let server = scripted(&json!([{ "do": "ensure", "values": values }]));
        let (mut cpe, asked) = open(&server).await;
        let answer = typed_values(&asked, &[("Device.B", "xsd:boolean", text)]);
        let end = post(&mut cpe, &answer).await;
        assert_eq!(end.status, 204, "{text} is {wanted}: nothing is to be written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s075_an_invalid_time_or_oui_does_not_end_the_session() {
    let server = Server::start(&guests());
    let plain = inform("nothing", "S1");
    for (from, to) in [
        ("2026-01-01T00:00:00Z", "yesterday"),
        ("2026-01-01T00:00:00Z", ""),
        ("00D09E", "00d09e"),
        ("00D09E", "0D09E"),
    ] {
        let (_, end) = open_with(&server, &plain.replace(from, to)).await;
        assert_eq!(end.status, 204, "{to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s076_the_largest_unsigned_long_loses_nothing() {
    let most = "18446744073709551615";
    let steps = json!([
        { "do": "get", "names": ["Device.L"] },
        { "do": "set", "values": [["Device.L", "unsignedLong", most]] },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    let asked =
        post(&mut cpe, &typed_values(&asked, &[("Device.L", "xsd:unsignedLong", most)])).await;
    assert!(asked.text().contains(&format!("xsd:unsignedLong\">{most}<")), "{}", asked.text());
    assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await.status, 204);
    assert_eq!(said(&server, 0)["step.1"], format!("Device.L=unsignedLong:{most}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s077_arguments_beyond_the_standards_limits_are_refused_and_not_sent() {
    let file_type = "1 Firmware Upgrade Image";
    let long_url = format!("http://a/{}", "u".repeat(249));
    let steps = json!([
        { "do": "reboot", "key": "k".repeat(33) },
        { "do": "download", "key": "k", "file_type": file_type, "url": long_url },
        { "do": "get", "names": ["D".repeat(257)] },
    ]);
    let server = scripted(&steps);
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204, "{}", end.text());
    let said = said(&server, 0);
    for (step, wanted) in [
        ("step.1", "CommandKey has 33 characters; the limit is 32"),
        ("step.2", "URL has 258 characters; the limit is 256"),
        ("step.3", "a parameter path has 257 characters; the limit is 256"),
    ] {
        assert!(said[step].contains(wanted), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s078_a_fault_of_the_server_has_the_standards_form() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let text = post(&mut cpe, &envelope("2", "<cwmp:Foo></cwmp:Foo>")).await.text();
    let wanted = "<soapenv:Fault><faultcode>Server</faultcode><faultstring>CWMP fault\
                  </faultstring><detail><cwmp:Fault><FaultCode>8000</FaultCode><FaultString>";
    assert!(text.contains(wanted), "{text}");
    assert!(text.contains("</FaultString></cwmp:Fault></detail></soapenv:Fault>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s074_a_time_may_be_unknown_relative_never_or_a_point_in_time() {
    let times = [
        ("Device.A", "0001-01-01T00:00:00Z", "Unknown", Time::Unknown),
        (
            "Device.B",
            "0001-01-03T03:04:05",
            "Relative(183845)",
            Time::Relative(Duration::from_secs(183_845)),
        ),
        ("Device.C", "9999-12-31T23:59:59Z", "Infinite", Time::Infinite),
        (
            "Device.D",
            "2024-05-01T10:00:00+02:00",
            "Absolute(1714550400)",
            Time::Absolute("2024-05-01T08:00:00Z".parse().expect("a time")),
        ),
    ];
    let steps: Vec<_> = times.iter().map(|it| json!({ "do": "time", "name": it.0 })).collect();
    let server = scripted(&json!(steps));
    let (mut cpe, mut asked) = open(&server).await;
    for (name, text, ..) in times {
        assert!(asked.text().contains(&format!("<string>{name}</string>")), "{}", asked.text());
        asked = post(&mut cpe, &typed_values(&asked, &[(name, "xsd:dateTime", text)])).await;
    }
    assert_eq!(asked.status, 204);
    let said = said(&server, 0);
    let (store, _folder) = server.into_store();
    let tree = store.tree(&device()).await.expect("readable");
    for (number, (name, text, meaning, time)) in times.into_iter().enumerate() {
        assert_eq!(said[&format!("step.{}", number + 1)], meaning);
        assert_eq!(tree.0[name].value.as_deref(), Some(text), "the text is exact");
        assert_eq!(tree.0[name].time(), Some(time));
    }
}
