//! Messages that are large, and messages that mean harm.

#![allow(clippy::expect_used, reason = "tests")]

use trellis_cwmp::*;

fn envelope(message: Message) -> Vec<u8> {
    let namespace = namespace::CWMP_1_2.to_owned();
    encode(&Envelope { namespace, header: Header::default(), message }).expect("it is encoded")
}

#[test]
fn an_answer_of_twenty_megabytes_is_read_whole() {
    let mut list = ParameterList::new();
    for number in 0..125_000 {
        let name = format!("Device.X_00D09E_Table.{number}.Parameter");
        list.push(&name, "a value of some length & more", ValueType::String);
    }
    let message = Message::GetParameterValuesResponse(GetParameterValuesResponse {
        parameter_list: list.clone(),
    });
    let bytes = envelope(message.clone());
    assert!(bytes.len() > 20_000_000, "{}", bytes.len());
    let decoded = decode(&bytes, None).expect("it is read");
    assert!(decoded.quirks.is_empty());
    assert!(decoded.envelope.message == message);
}

#[test]
fn a_message_that_nests_without_end_is_refused_and_costs_little() {
    let open = "<x>".repeat(1_000_000);
    let text = format!("<s:Envelope xmlns:s=\"{}\"><s:Body>{open}", namespace::SOAP_ENVELOPE);
    let error = decode(text.as_bytes(), None).expect_err("it is refused");
    assert!(matches!(error.kind, DecodeErrorKind::TooDeep(_)), "{error}");
    assert!(error.to_string().len() < 1_000, "{error}");
}

#[test]
fn comments_that_never_end_cost_no_more_than_their_length() {
    // Quadratic time would make this test take hours.
    for open in ["<!--", "<![CDATA[", "< "] {
        let text = format!("<a>{}", open.repeat(2_000_000));
        assert!(decode(text.as_bytes(), None).is_err());
    }
}

#[test]
fn utf_16_is_read_with_and_without_a_mark() {
    let text = String::from_utf8(envelope(Message::Reboot(Reboot::default()))).expect("UTF-8");
    let text = text.replace("<CommandKey>", "<CommandKey>\u{141}\u{f3}d\u{17a}");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked: Vec<u8> = [0xFF, 0xFE].into_iter().chain(little.clone()).collect();
    for bytes in [little, big, marked] {
        let decoded = decode(&bytes, Some("utf-16")).expect("it is read");
        let Message::Reboot(reboot) = decoded.envelope.message else { unreachable!() };
        assert_eq!(reboot.command_key, "\u{141}\u{f3}d\u{17a}");
    }
}

#[test]
fn entities_are_not_expanded_and_nothing_is_fetched() {
    let text = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b SYSTEM \"file:///etc/passwd\">]><x/>";
    let error = decode(text.as_bytes(), None).expect_err("it is refused");
    assert_eq!(error.kind, DecodeErrorKind::Dtd);
}

#[test]
fn neither_passwords_nor_values_show_in_debug_output() {
    let download = Download { password: Secret::new("hunter2"), ..Download::default() };
    assert!(!format!("{:?}", Message::Download(download)).contains("hunter2"));
    let parameter_list: ParameterList =
        [("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "hunter2", ValueType::String)]
            .into_iter()
            .collect();
    let set = SetParameterValues { parameter_list, parameter_key: String::new() };
    assert!(!format!("{:?}", Message::SetParameterValues(set)).contains("hunter2"));
}

#[test]
fn a_text_that_xml_cannot_carry_is_not_written() {
    let reboot = Message::Reboot(Reboot { command_key: "a\u{2}".to_owned() });
    let namespace = namespace::CWMP_1_2.to_owned();
    let error = encode(&Envelope { namespace, header: Header::default(), message: reboot });
    assert!(error.expect_err("it is refused").to_string().contains("U+0002"));
}

#[test]
fn every_character_comes_through_unchanged_both_ways() {
    let value = "<>&\"' \t\r\n \u{e9}\u{1f600} ]]> &amp;";
    let list: ParameterList = [("Device.X", value, ValueType::String)].into_iter().collect();
    let message =
        Message::GetParameterValuesResponse(GetParameterValuesResponse { parameter_list: list });
    let decoded = decode(&envelope(message.clone()), None).expect("it is read");
    assert_eq!(decoded.envelope.message, message);
    let bytes = envelope(message);
    assert!(bytes.is_ascii());
}
