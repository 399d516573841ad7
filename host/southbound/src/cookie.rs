//! The session cookie: RFC 6265 out, and whatever devices send in (quirks 1 to 3).

use hyper::HeaderMap;
use hyper::header::COOKIE;
use trellis_session::SessionId;

/// Not `session`: another server's cookie of that name may still be on a device that moved here.
const NAME: &str = "trellis-session";
/// Longer values are not ours.
const VALUE_BYTES_MAX: usize = 64;
/// Further ones are not looked at.
const COOKIES_MAX: usize = 8;

/// The sessions that a request names: a device may send an old cookie beside the right one, in
/// any order. Accepts several headers, commas and semicolons, quotes, and the `$Version`
/// attributes of RFC 2109.
pub(crate) fn sessions(headers: &HeaderMap) -> Vec<SessionId> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split([';', ','])).filter_map(|it| it.split_once('='));
    pairs
        .filter(|(name, _)| name.trim() == NAME)
        .map(|(_, value)| value.trim().trim_matches('"'))
        .filter(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX)
        .take(COOKIES_MAX)
        .map(SessionId::from_cookie)
        .collect()
}

/// The value of `Set-Cookie` for a session: no expiry, since it ends with the session, and
/// the whole site as path, since some devices post to another path than they were given.
pub(crate) fn set_cookie(session: &SessionId) -> String {
    format!("{NAME}={}; Path=/", session.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookie: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().expect("a header"));
        sessions(&headers).iter().map(|id| id.as_str().to_owned()).collect()
    }

    #[test]
    fn a_cookie_is_found_in_every_form_that_devices_send() {
        let none: [&str; 0] = [];
        assert_eq!(read("trellis-session=abc"), ["abc"]);
        assert_eq!(read("a=b; trellis-session=abc; c=d"), ["abc"]);
        assert_eq!(read(r#"$Version="1"; trellis-session="abc"; $Path="/""#), ["abc"]);
        assert_eq!(read(r#"$Version=1, trellis-session=abc, $Path=/"#), ["abc"]);
        assert_eq!(read("trellis-session=old; trellis-session=abc"), ["old", "abc"]);
        assert_eq!(read("trellis-session="), none);
        assert_eq!(read("session=abc"), none);
        assert_eq!(read(""), none);
    }
}
