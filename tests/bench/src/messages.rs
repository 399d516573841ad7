//! What the simulated side and the canned server say.

/// A session that asks nothing, and one of four requests: product classes of the plugin
/// `scripted`.
pub(crate) const NO_OP: &str = "nothing";
pub(crate) const FOUR: &str = "four";

/// What is asked, canned.
pub(crate) const REQUEST: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope ",
    "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
    "xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"><soapenv:Header>",
    "<cwmp:ID soapenv:mustUnderstand=\"1\">1</cwmp:ID></soapenv:Header><soapenv:Body>",
    "<cwmp:GetParameterValues><ParameterNames soapenc:arrayType=\"xsd:string[1]\">",
    "<string>Device.DeviceInfo.</string></ParameterNames></cwmp:GetParameterValues>",
    "</soapenv:Body></soapenv:Envelope>"
);

/// What answers an Inform, canned.
pub(crate) const INFORM_RESPONSE: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope ",
    "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"><soapenv:Header>",
    "<cwmp:ID soapenv:mustUnderstand=\"1\">1</cwmp:ID></soapenv:Header><soapenv:Body>",
    "<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>",
    "</soapenv:Body></soapenv:Envelope>"
);

const HEAD: &str = concat!(
    "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:enc=\"http://schemas.xmlsoap.org/soap/encoding/\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
    "xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"><soap:Header>",
    "<cwmp:ID soap:mustUnderstand=\"1\">1</cwmp:ID></soap:Header><soap:Body>"
);

/// A device answers with three values.
pub(crate) const VALUES: &str = concat!(
    "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
    "xmlns:enc=\"http://schemas.xmlsoap.org/soap/encoding/\" ",
    "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
    "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
    "xmlns:cwmp=\"urn:dslforum-org:cwmp-1-2\"><soap:Header>",
    "<cwmp:ID soap:mustUnderstand=\"1\">1</cwmp:ID></soap:Header><soap:Body>",
    "<cwmp:GetParameterValuesResponse>",
    "<ParameterList enc:arrayType=\"cwmp:ParameterValueStruct[3]\">",
    "<ParameterValueStruct><Name>Device.DeviceInfo.SoftwareVersion</Name>",
    "<Value xsi:type=\"xsd:string\">1.0</Value></ParameterValueStruct>",
    "<ParameterValueStruct><Name>Device.DeviceInfo.UpTime</Name>",
    "<Value xsi:type=\"xsd:unsignedInt\">12345</Value></ParameterValueStruct>",
    "<ParameterValueStruct><Name>Device.DeviceInfo.SerialNumber</Name>",
    "<Value xsi:type=\"xsd:string\">B1</Value></ParameterValueStruct>",
    "</ParameterList></cwmp:GetParameterValuesResponse></soap:Body></soap:Envelope>"
);

/// An Inform as a gateway sends it every hour.
pub(crate) fn inform(manufacturer: &str, product_class: &str, serial: u32) -> String {
    let mut parameters = String::new();
    let forced = [
        ("RootDataModelVersion", "2.11"),
        ("DeviceInfo.HardwareVersion", "1.0"),
        ("DeviceInfo.SoftwareVersion", "1.0"),
        ("DeviceInfo.ProvisioningCode", ""),
        ("ManagementServer.ParameterKey", ""),
        ("ManagementServer.ConnectionRequestURL", "http://10.0.0.1:7547/a1b2c3"),
        ("IP.Interface.1.IPv4Address.1.IPAddress", "10.0.0.1"),
    ];
    for (name, value) in forced {
        parameters.push_str(&format!(
            "<ParameterValueStruct><Name>Device.{name}</Name>\
             <Value xsi:type=\"xsd:string\">{value}</Value></ParameterValueStruct>"
        ));
    }
    format!(
        "{HEAD}<cwmp:Inform><DeviceId><Manufacturer>{manufacturer}</Manufacturer><OUI>00D09E</OUI>\
         <ProductClass>{product_class}</ProductClass><SerialNumber>B{serial}</SerialNumber>\
         </DeviceId><Event enc:arrayType=\"cwmp:EventStruct[1]\"><EventStruct>\
         <EventCode>2 PERIODIC</EventCode><CommandKey></CommandKey></EventStruct></Event>\
         <MaxEnvelopes>1</MaxEnvelopes><CurrentTime>2026-01-01T00:00:00Z</CurrentTime>\
         <RetryCount>0</RetryCount><ParameterList enc:arrayType=\"cwmp:ParameterValueStruct[{}]\">\
         {parameters}</ParameterList></cwmp:Inform></soap:Body></soap:Envelope>",
        forced.len()
    )
}

/// How many requests the canned server has for a device, by its product class.
pub(crate) fn requests_wanted(inform: &[u8]) -> u32 {
    let class = b"<ProductClass>four<";
    if inform.windows(class.len()).any(|window| window == class) { 4 } else { 0 }
}
