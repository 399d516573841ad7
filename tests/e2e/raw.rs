//! Devices that send exactly what a test says.

use std::time::Duration;

use trellis_cpe::{Http, HttpOptions, Response};

const URN: &str = "urn:dslforum-org:cwmp-1-2";

/// A connection to a server.
pub(crate) fn connect(url: &str) -> Http {
    connect_with(url, HttpOptions::default())
}

/// A connection with options.
#[allow(clippy::needless_pass_by_value, reason = "it is made for the call")]
pub(crate) fn connect_with(url: &str, options: HttpOptions) -> Http {
    Http::new(url, HttpOptions { timeout: Duration::from_secs(30), ..options }).expect("a URL")
}

/// Posts an envelope.
pub(crate) async fn post(http: &mut Http, body: &str) -> Response {
    post_bytes(http, body.as_bytes()).await
}

/// Posts bytes.
pub(crate) async fn post_bytes(http: &mut Http, body: &[u8]) -> Response {
    let headers: &[(&str, &str)] =
        if body.is_empty() { &[] } else { &[("Content-Type", "text/xml; charset=utf-8")] };
    http.post(body, headers).await.expect("an answer")
}

/// An envelope with an ID.
pub(crate) fn envelope(id: &str, body: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:enc=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cwmp=\"{URN}\">\
         <soap:Header><cwmp:ID soap:mustUnderstand=\"1\">{id}</cwmp:ID></soap:Header>\
         <soap:Body>{body}</soap:Body></soap:Envelope>"
    )
}

/// The Inform of a device that the guest plugin serves as `behaviour` says.
pub(crate) fn inform(behaviour: &str, serial: &str) -> String {
    envelope(
        "1",
        &format!(
            "<cwmp:Inform><DeviceId><Manufacturer>Guest</Manufacturer><OUI>00D09E</OUI>\
             <ProductClass>{behaviour}</ProductClass><SerialNumber>{serial}</SerialNumber>\
             </DeviceId><Event enc:arrayType=\"cwmp:EventStruct[1]\"><EventStruct>\
             <EventCode>2 PERIODIC</EventCode><CommandKey></CommandKey></EventStruct></Event>\
             <MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-01-01T00:00:00Z</CurrentTime>\
             <RetryCount>0</RetryCount>\
             <ParameterList enc:arrayType=\"cwmp:ParameterValueStruct[1]\">\
             <ParameterValueStruct><Name>Device.DeviceInfo.SoftwareVersion</Name>\
             <Value xsi:type=\"xsd:string\">1.0</Value></ParameterValueStruct></ParameterList>\
             </cwmp:Inform>"
        ),
    )
}

/// A response to GetParameterValues with one value.
pub(crate) fn values(id: &str) -> String {
    envelope(
        id,
        "<cwmp:GetParameterValuesResponse>\
         <ParameterList enc:arrayType=\"cwmp:ParameterValueStruct[1]\"><ParameterValueStruct>\
         <Name>Device.DeviceInfo.SoftwareVersion</Name><Value xsi:type=\"xsd:string\">1.0</Value>\
         </ParameterValueStruct></ParameterList></cwmp:GetParameterValuesResponse>",
    )
}

/// A TransferComplete.
pub(crate) fn transfer_complete(id: &str, key: &str) -> String {
    envelope(
        id,
        &format!(
            "<cwmp:TransferComplete><CommandKey>{key}</CommandKey><FaultStruct>\
             <FaultCode>0</FaultCode><FaultString></FaultString></FaultStruct>\
             <StartTime>2026-01-01T00:00:00Z</StartTime>\
             <CompleteTime>2026-01-01T00:00:01Z</CompleteTime></cwmp:TransferComplete>"
        ),
    )
}

/// The ID of the request in an answer.
pub(crate) fn id(answer: &Response) -> String {
    let text = answer.text();
    let id = text.split("</cwmp:ID>").next().and_then(|it| it.rsplit('>').next());
    id.expect("an ID").to_owned()
}

/// A response to GetParameterNames.
pub(crate) fn with_names(id: &str, names: &[(&str, bool)]) -> String {
    let rows: String = names
        .iter()
        .map(|(name, writable)| {
            let writable = u8::from(*writable);
            format!(
                "<ParameterInfoStruct><Name>{name}</Name><Writable>{writable}</Writable>\
                 </ParameterInfoStruct>"
            )
        })
        .collect();
    let count = names.len();
    envelope(
        id,
        &format!(
            "<cwmp:GetParameterNamesResponse><ParameterList \
             enc:arrayType=\"cwmp:ParameterInfoStruct[{count}]\">{rows}</ParameterList>\
             </cwmp:GetParameterNamesResponse>"
        ),
    )
}
