//! Envelopes of an ACS that are wrong in one place each: every one must be refused with a text
//! that says what is wrong.

#![allow(clippy::panic, reason = "a failed check in a test panics")]

use trellis_cpe::{AcsRequest, AcsResponse, CpeError, Envelope, Message, Operation};

const URN: &str = "urn:dslforum-org:cwmp-1-2";
const ID: &str = r#"<cwmp:ID soap:mustUnderstand="1">42</cwmp:ID>"#;

/// An envelope as a good ACS would write it.
fn envelope(header: &str, body: &str) -> String {
    format!(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope "#,
            r#"xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" "#,
            r#"xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/" "#,
            r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" "#,
            r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:cwmp="{urn}">"#,
            "<soap:Header>{header}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
        ),
        urn = URN,
        header = header,
        body = body
    )
}

fn parse(body: &str) -> Result<Envelope, CpeError> {
    Envelope::parse(envelope(ID, body).as_bytes())
}

#[track_caller]
fn refused(result: Result<Envelope, CpeError>, part: &str) {
    match result {
        Err(CpeError::Violation(text)) => {
            assert!(text.contains(part), "the text is {text:?}, {part:?} is not in it");
        }
        other => panic!("accepted or failed otherwise: {other:?}"),
    }
}

fn set_values(list: &str) -> String {
    let key = "<ParameterKey>k</ParameterKey>";
    format!("<cwmp:SetParameterValues>{list}{key}</cwmp:SetParameterValues>")
}

fn value(name: &str) -> String {
    let value = r#"<Value xsi:type="xsd:string">v</Value>"#;
    format!("<ParameterValueStruct><Name>{name}</Name>{value}</ParameterValueStruct>")
}

fn list(count: &str, items: &str) -> String {
    let array_type = format!(r#"enc:arrayType="cwmp:ParameterValueStruct[{count}]""#);
    format!("<ParameterList {array_type}>{items}</ParameterList>")
}

#[test]
fn correct_envelopes_are_read() {
    let good = parse(&set_values(&list("1", &value("Device.A")))).unwrap();
    assert_eq!((good.urn.as_str(), good.id.as_deref()), (URN, Some("42")));
    let Message::Request(AcsRequest::SetParameterValues { values, parameter_key }) = good.message
    else {
        panic!("not a request");
    };
    assert_eq!((values[0].value.as_str(), parameter_key.as_str()), ("v", "k"));

    let body = "<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>";
    let version = r#"<cwmp:UseCWMPVersion soap:mustUnderstand="1">1.4</cwmp:UseCWMPVersion>"#;
    let read = Envelope::parse(envelope(&format!("{ID}{version}"), body).as_bytes()).unwrap();
    assert_eq!(read.message, Message::Response(AcsResponse::Inform));
    assert_eq!(read.use_cwmp_version.as_deref(), Some("1.4"));
}

#[test]
fn operations_are_read_by_their_type() {
    let body = concat!(
        r#"<cwmp:ChangeDUState><Operations xsi:type="cwmp:UninstallOpStruct">"#,
        "<UUID>1f6f0a3c-5b0e-5d0a-9c36-6f2f3d1c2b4a</UUID></Operations>",
        "<CommandKey>du-1</CommandKey></cwmp:ChangeDUState>"
    );
    let Message::Request(AcsRequest::ChangeDUState { operations, .. }) =
        parse(body).unwrap().message
    else {
        panic!("not ChangeDUState");
    };
    assert!(matches!(operations[0], Operation::Uninstall { .. }));
    refused(parse(&body.replace("cwmp:Uninstall", "cwmp:Remove")), "RemoveOpStruct");
    refused(parse(&body.replace("1f6f0a3c-", "")), "no UUID");
}

#[test]
fn the_soap_structure_must_be_right() {
    let good = envelope(ID, "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>");
    Envelope::parse(good.as_bytes()).unwrap();
    let try_with = |from: &str, to: &str| Envelope::parse(good.replace(from, to).as_bytes());
    refused(try_with("/soap/envelope/", "/soap12/"), "not a SOAP 1.1 Envelope");
    refused(try_with("</soap:Body>", "<cwmp:FactoryReset/></soap:Body>"), "exactly one child");
    refused(try_with("<cwmp:GetRPCMethods></cwmp:GetRPCMethods>", ""), "exactly one child");
    refused(try_with("cwmp-1-2", "cwmp-1-4"), "no cwmp namespace");
    refused(try_with("cwmp:GetRPCMethods", "GetRPCMethods"), "no cwmp namespace");
    refused(try_with("UTF-8", "ISO-8859-1"), "not UTF-8");
    refused(try_with("</soap:Envelope>", ""), "not well-formed");
    refused(try_with("?><", "?><!DOCTYPE x><"), "not well-formed");
    refused(try_with("<soap:Body>", "<soap:Body>text"), "text");
    let extra = "</soap:Body><soap:Header></soap:Header>";
    refused(try_with("</soap:Body>", extra), "<Header> after the Body");
}

#[test]
fn headers_must_be_those_an_acs_may_send() {
    let body = "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>";
    let with = |header: &str| Envelope::parse(envelope(header, body).as_bytes());
    refused(with(""), "has no ID");
    refused(with("<cwmp:ID>42</cwmp:ID>"), "mustUnderstand");
    refused(with(r#"<cwmp:ID mustUnderstand="1">42</cwmp:ID>"#), "mustUnderstand");
    refused(with(r#"<cwmp:ID soap:mustUnderstand="0">42</cwmp:ID>"#), "mustUnderstand");
    refused(with(&format!("{ID}{ID}")), "twice");
    refused(with(r#"<ID soap:mustUnderstand="1">42</ID>"#), "not in the namespace");
    for name in ["HoldRequests", "SessionTimeout", "NoMoreRequests", "SupportedCWMPVersions"] {
        let header = format!(r#"{ID}<cwmp:{name} soap:mustUnderstand="1">0</cwmp:{name}>"#);
        refused(with(&header), name);
    }
    let version = r#"<cwmp:UseCWMPVersion soap:mustUnderstand="1">1.4</cwmp:UseCWMPVersion>"#;
    refused(with(&format!("{ID}{version}")), "outside an InformResponse");
}

#[test]
fn arrays_must_say_their_type_and_count() {
    let item = value("Device.A");
    let good = list("1", &item);
    refused(parse(&set_values(&list("2", &item))), "says \"2\" items, there are 1");
    refused(parse(&set_values(&list("", &item))), "items");
    let without = good.replace(r#" enc:arrayType="cwmp:ParameterValueStruct[1]""#, "");
    refused(parse(&set_values(&without)), "lacks the arrayType");
    for (other, part) in [
        ("\"cwmp:EventStruct[", "is not ParameterValueStruct[]"),
        ("\"xsd:ParameterValueStruct[", "is not ParameterValueStruct[]"),
        ("\"foo:ParameterValueStruct[", "not declared"),
    ] {
        let bad = good.replace("\"cwmp:ParameterValueStruct[", other);
        refused(parse(&set_values(&bad)), part);
    }
    let typed = good.replace("<ParameterList", r#"<ParameterList xsi:type="enc:Array""#);
    refused(parse(&set_values(&typed)), "attribute");
    let member = good.replace("<ParameterValueStruct>", "<Item>");
    let member = member.replace("</ParameterValueStruct>", "</Item>");
    refused(parse(&set_values(&member)), "<Item>");
}

#[test]
fn values_must_have_a_type() {
    let with = |from: &str, to: &str| {
        let item = value("Device.A").replace(from, to);
        parse(&set_values(&list("1", &item)))
    };
    refused(with(r#" xsi:type="xsd:string""#, ""), "lacks xsi:type");
    refused(with("xsd:string", "foo:string"), "not declared");
    refused(with("xsd:string", "cwmp:string"), "no simple type");
    refused(with("xsd:string", "xsd:base64"), "no simple type");
    refused(with("xsd:string", "xsd:text"), "no simple type");
    refused(with("xsi:type", "xsd:type"), "attribute");
}

#[test]
fn names_must_be_unique_short_and_without_wildcards() {
    let twice = value("Device.A").repeat(2);
    refused(parse(&set_values(&list("2", &twice))), "twice");
    let long = value(&format!("Device.{}", "A".repeat(250)));
    refused(parse(&set_values(&list("1", &long))), "257 characters");
    refused(parse(&set_values(&list("1", &value("Device.*.A")))), "wildcard");
    let body = concat!(
        "<cwmp:AddObject><ObjectName>Device.A.[x].</ObjectName>",
        "<ParameterKey></ParameterKey></cwmp:AddObject>"
    );
    refused(parse(body), "alias");
}

#[test]
fn elements_must_be_unqualified_known_and_in_order() {
    let body = "<cwmp:GetParameterNames><ParameterPath>Device.</ParameterPath>\
                <NextLevel>1</NextLevel></cwmp:GetParameterNames>";
    parse(body).unwrap();
    let swapped = "<cwmp:GetParameterNames><NextLevel>1</NextLevel>\
                   <ParameterPath>Device.</ParameterPath></cwmp:GetParameterNames>";
    refused(parse(swapped), "out of order");
    refused(parse(&body.replace("NextLevel", "cwmp:NextLevel")), "unqualified");
    refused(parse(&body.replace("<NextLevel>1</NextLevel>", "")), "lacks <NextLevel>");
    refused(parse(&body.replace("</cwmp", "<More></More></cwmp")), "<More>");
    refused(parse(&body.replace(">1<", ">True<")), "not a boolean");
    refused(parse("<cwmp:Dance></cwmp:Dance>"), "not a method");
    let key = "x".repeat(33);
    let reboot = format!("<cwmp:Reboot><CommandKey>{key}</CommandKey></cwmp:Reboot>");
    refused(parse(&reboot), "at most 32");
    let empty = concat!(
        "<cwmp:GetParameterValues>",
        r#"<ParameterNames enc:arrayType="xsd:string[0]"></ParameterNames>"#,
        "</cwmp:GetParameterValues>"
    );
    refused(parse(empty), "empty");
}

#[test]
fn requests_fit_in_what_a_cpe_accepts() {
    let body = set_values(&list("1", &value("Device.A")));
    let long = |length: usize| body.replace(">v<", &format!(">{}<", "v".repeat(length)));
    let rest = envelope(ID, &long(0)).len();
    parse(&long(32_768 - rest)).unwrap();
    refused(parse(&long(32_769 - rest)), "32769 bytes");
}

#[test]
fn methods_must_exist_in_the_version_of_the_session() {
    let body = "<cwmp:GetAllQueuedTransfers></cwmp:GetAllQueuedTransfers>";
    parse(body).unwrap();
    let old = envelope(ID, body).replace("cwmp-1-2", "cwmp-1-0");
    refused(Envelope::parse(old.as_bytes()), "does not exist");
}

#[test]
fn faults_must_have_the_form_of_the_standard() {
    let fault = concat!(
        "<soap:Fault><faultcode>Server</faultcode><faultstring>CWMP fault</faultstring>",
        "<detail><cwmp:Fault><FaultCode>8000</FaultCode><FaultString>no</FaultString>",
        "</cwmp:Fault></detail></soap:Fault>"
    );
    let Message::Fault(read) = parse(fault).unwrap().message else {
        panic!("not a fault");
    };
    assert_eq!(read.code, 8000);
    parse(&fault.replace(">Server<", ">soap:Server<")).unwrap();
    refused(parse(&fault.replace("CWMP fault", "cwmp fault")), "faultstring");
    refused(parse(&fault.replace(">Server<", ">Client<")), "does not fit");
    refused(parse(&fault.replace("8000", "9000")), "no fault code");
    refused(parse(&fault.replace("8000", "many")), "number");
    refused(parse(&fault.replace("cwmp:Fault>", "Fault>")), "no cwmp namespace");
    refused(parse(&fault.replace("<FaultString>no</FaultString>", "")), "lacks <FaultString>");
}

#[test]
fn responses_must_be_complete() {
    let response = "<cwmp:InformResponse><MaxEnvelopes>2</MaxEnvelopes></cwmp:InformResponse>";
    refused(parse(response), "MaxEnvelopes");
    refused(parse("<cwmp:InformResponse></cwmp:InformResponse>"), "lacks <MaxEnvelopes>");
    refused(parse("<cwmp:RebootResponse></cwmp:RebootResponse>"), "no response of an ACS");
}
