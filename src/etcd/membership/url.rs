//! A peer URL, with the checks of etcd (`client/pkg/types/urls.go`).
//!
//! The id of a member is a hash of its URLs as etcd prints them after parsing. So only URLs that etcd prints as they
//! were typed are accepted here, apart from the case of the scheme.

use super::ClusterError;

/// A peer URL as etcd prints it.
///
/// # Errors
/// [`ClusterError::Url`], if etcd refuses it or would print it in another way.
pub(super) fn peer_url(typed: &str) -> Result<String, ClusterError> {
    let refuse = |why| {
        Err(ClusterError::Url {
            url: typed.to_owned(),
            why,
        })
    };
    let Some((scheme, rest)) = typed.trim().split_once("://") else {
        return refuse("its scheme must be http, https, unix or unixs");
    };
    let scheme = scheme.to_ascii_lowercase();
    // Any other character would be escaped, or would begin a user, a query or a fragment.
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"%<>?#@\\^`{|}".contains(c);
    if !rest.chars().all(is_plain) {
        return refuse("it may have a host and a port only");
    }
    match scheme.as_str() {
        "http" | "https" if rest.contains('/') => return refuse("it must not contain a path"),
        "http" | "https" if !has_host_and_port(rest) => {
            return refuse("it does not have the form http://HOST:PORT");
        }
        "http" | "https" => {}
        "unix" | "unixs" if !rest.is_empty() => {}
        _ => return refuse("its scheme must be http, https, unix or unixs"),
    }
    Ok(format!("{scheme}://{rest}"))
}

/// Whether this is `HOST:PORT`, with brackets around a host that has colons.
fn has_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match inner {
        Some(inner) => inner.contains(':') && !inner.contains(['[', ']']),
        None => !host.contains([':', '[', ']']),
    };
    is_host && port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_accepted_exactly_if_etcd_accepts_it_and_prints_the_same() {
        for (typed, expected) in [
            ("http://localhost:2380", Some("http://localhost:2380")),
            (" https://10.0.0.1:2380 ", Some("https://10.0.0.1:2380")),
            ("HTTP://a:1", Some("http://a:1")),
            ("http://[::1]:2380", Some("http://[::1]:2380")),
            ("unix://localhost:m1", Some("unix://localhost:m1")),
            ("http://a", None),
            ("http://a:b", None),
            ("http://a:+1", None),
            ("http://::1:2380", None),
            ("http://[::1]", None),
            ("http://a:1/", None),
            ("http://a:1?x", None),
            ("http://u@a:1", None),
            ("http://a b:1", None),
            ("tcp://a:1", None),
            ("a:1", None),
            ("unix://", None),
            ("", None),
        ] {
            assert_eq!(peer_url(typed).ok().as_deref(), expected, "{typed}");
        }
    }
}
