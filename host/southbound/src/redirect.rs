//! Redirects between servers (TR-069 3.4.2): how often a device was sent on travels in the URL.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode, Uri};

use crate::http::HttpResponse;
use crate::settings::SouthboundSettings;

/// Devices follow five redirects in a row, and may give up at the sixth.
pub(crate) const HOPS_MAX: u8 = 5;

const MARK: &str = "trellis-hops";

/// How often the device was sent on before it came here.
pub(crate) fn hops(uri: &Uri) -> u8 {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|it| it.split_once('='));
    let mut marks = pairs.filter(|(name, _)| *name == MARK);
    // A mark that cannot be read is not one of ours, and ends the chain all the same.
    marks.next().map_or(0, |(_, hops)| hops.parse().unwrap_or(HOPS_MAX))
}

/// Sends a device on. It repeats its message there, with its cookies.
pub(crate) fn response(to: &str, hops: u8, settings: &SouthboundSettings) -> HttpResponse {
    let sign = if to.contains('?') { '&' } else { '?' };
    let mut response = Response::new(Full::<Bytes>::default());
    let location = format!("{to}{sign}{MARK}={}", hops.saturating_add(1));
    match HeaderValue::try_from(location) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
            *response.status_mut() =
                StatusCode::from_u16(settings.redirect_status).unwrap_or(DEFAULT);
        }
        // The configuration is checked for this.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

const DEFAULT: StatusCode = StatusCode::TEMPORARY_REDIRECT;

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_among_others_and_counted_on() {
        for (uri, wanted) in [
            ("/", 0),
            ("/acs?x=1", 0),
            ("/acs?x=1&trellis-hops=3", 3),
            ("/?trellis-hops=", HOPS_MAX),
            ("/?trellis-hops=999", HOPS_MAX),
        ] {
            assert_eq!(hops(&uri.parse().expect("a URI")), wanted, "{uri}");
        }
        let settings = SouthboundSettings::default();
        let sent = response("http://two.example/acs?x=1", 3, &settings);
        assert_eq!(sent.headers()[LOCATION], "http://two.example/acs?x=1&trellis-hops=4");
    }
}
