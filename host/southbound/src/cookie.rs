//! The session cookie: RFC 6265 out, and whatever devices send in (quirks 1 to 3).

use hyper::HeaderMap;
use hyper::header::COOKIE;
use trellis_session::SessionId;

const NAME: &str = "session";
/// Longer values are not ours.
const VALUE_BYTES_MAX: usize = 64;

/// The session that a request names. Accepts several headers, commas and semicolons, quotes,
/// and the `$Version` attributes of RFC 2109.
pub(crate) fn session(headers: &HeaderMap) -> Option<SessionId> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split([';', ','])).filter_map(|it| it.split_once('='));
    pairs
        .filter(|(name, _)| name.trim() == NAME)
        .map(|(_, value)| value.trim().trim_matches('"'))
        .find(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX)
        .map(SessionId::from_cookie)
}

/// The value of `Set-Cookie` for a session: no expiry, since it ends with the session, and
/// the whole site as path, since some devices post to another path than they were given.
pub(crate) fn set_cookie(session: &SessionId) -> String {
    format!("{NAME}={}; Path=/", session.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookie: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().expect("a header"));
        session(&headers).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn a_cookie_is_found_in_every_form_that_devices_send() {
        assert_eq!(read("session=abc").as_deref(), Some("abc"));
        assert_eq!(read("a=b; session=abc; c=d").as_deref(), Some("abc"));
        assert_eq!(read(r#"$Version="1"; session="abc"; $Path="/""#).as_deref(), Some("abc"));
        assert_eq!(read(r#"$Version=1, session=abc, $Path=/"#).as_deref(), Some("abc"));
        assert_eq!(read("session="), None);
        assert_eq!(read("other=abc"), None);
        assert_eq!(read(""), None);
    }
}
