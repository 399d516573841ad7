//! What must not show in errors.

#![allow(clippy::expect_used, reason = "tests")]

use trellis_cwmp::decode;

#[test]
fn an_error_does_not_quote_the_message() {
    let head = "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                xmlns:c=\"urn:dslforum-org:cwmp-1-0\"><s:Body><c:GetParameterValuesResponse>\
                <ParameterList><ParameterValueStruct><Name>Device.X.KeyPassphrase</Name>";
    let tail = "</ParameterValueStruct></ParameterList></c:GetParameterValuesResponse></s:Body>\
                </s:Envelope>";
    for value in [
        "<Value>ab<Secret123</Value>",
        "<Value>ab<Secret123></Value>",
        "<Value a=Secret123>x</Value>",
        "<Value>x</Secret123>",
        "<Value>&#xSecret123;</Secret123>",
    ] {
        let Err(error) = decode(format!("{head}{value}{tail}").as_bytes(), None) else { continue };
        assert!(!format!("{error} {error:?}").contains("Secret123"), "{error}");
    }
}
