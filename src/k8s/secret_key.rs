//! Keys under which an API server stores Secrets.

/// Whether a key is one under which an API server stores Secrets, whatever its prefix. In doubt a
/// value is secret.
pub fn is_secret_key(key: &[u8]) -> bool {
    let is_segment = |segment: &[u8]| segment == b"secrets";
    key.split(|byte| *byte == b'/').any(is_segment) || is_damaged_secret_key(key)
}

/// Whether a key begins as those of Secrets do but for one byte, which is what damage leaves of one.
fn is_damaged_secret_key(key: &[u8]) -> bool {
    let begins = b"/registry/secrets/";
    let Some(start) = key.get(..begins.len()) else {
        return false;
    };
    start.iter().zip(begins).filter(|(a, b)| a != b).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_secrets_is_known_by_its_segment() {
        assert!(is_secret_key(b"/registry/secrets/shop/db"));
        assert!(is_secret_key(b"/kubernetes.io/secrets/shop/db"));
        // A damaged byte of the key hides nothing of the value.
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
