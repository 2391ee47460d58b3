//! What a delivery address looks like.

/// The rule that [`is_address`] checks, in words for the person who typed the address.
pub const ADDRESS_RULE: &str = "an address starts with the house number, as in 12 Main Street";

/// Returns true if `text` can be a delivery address: a word that starts with a digit, followed by at
/// least one more word.
///
/// ```
/// assert!(orders::is_address("12 Main Street"));
/// assert!(!orders::is_address("Main Street"));
/// ```
pub fn is_address(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let number = words
        .next()
        .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number && words.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_starts_with_a_house_number() {
        for good in ["12 Main Street", "7b Low Road", " 1 A"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "12", "Main Street 12", "Main Street", "  "] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
