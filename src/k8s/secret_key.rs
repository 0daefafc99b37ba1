//! Recognising the keys under which an API server stores Secrets.

/// Whether an API server stores a Secret under this key, with any prefix. A key that may be a damaged Secret key also
/// counts, so that its value is masked.
pub fn is_secret_key(key: &[u8]) -> bool {
    let is_segment = |segment: &[u8]| segment == b"secrets";
    key.split(|byte| *byte == b'/').any(is_segment) || is_damaged_secret_key(key)
}

/// Whether the key starts with `/registry/secrets/`, with at most one byte changed by damage.
fn is_damaged_secret_key(key: &[u8]) -> bool {
    let prefix = b"/registry/secrets/";
    let Some(start) = key.get(..prefix.len()) else {
        return false;
    };
    start.iter().zip(prefix).filter(|(a, b)| a != b).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secrets_key_is_recognised_by_its_segment() {
        assert!(is_secret_key(b"/registry/secrets/shop/db"));
        assert!(is_secret_key(b"/kubernetes.io/secrets/shop/db"));
        // One damaged byte in the key must not reveal the value.
        assert!(is_secret_key(b"/registry/secrats/shop/db"));
        assert!(is_secret_key(b"/registry?secrets/shop/db"));
        assert!(!is_secret_key(b"/registry/sbcrats/shop/db"));
        assert!(!is_secret_key(
            b"/registry/bitnami.com/sealedsecrets/shop/db"
        ));
        assert!(!is_secret_key(
            b"/registry/configmaps/shop/secrets-of-success"
        ));
    }
}
