//! Names that a Temporal server takes, checked before anything is sent: its own refusals are hard to
//! read, and some names it accepts without anything ever coming.

use crate::text::acts_on_terminal;

/// The longest name of a namespace, a task queue or a workflow that a server accepts by default
/// (`limit.maxIDLength`), in bytes.
pub const LONGEST_NAME: usize = 1000;

/// The server's own task queues begin with this.
const RESERVED: &str = "/_sys";

/// Checks a name of any kind.
///
/// # Errors
/// Returns the rest of a sentence that begins with what the name is for, such as "is empty".
pub fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if name.len() > LONGEST_NAME {
        return Err(format!("is longer than {LONGEST_NAME} bytes"));
    }
    if name.contains(acts_on_terminal) {
        return Err("contains a control character".to_owned());
    }
    Ok(())
}

/// Reads the name of a task queue, as a value parser of a flag.
///
/// ```
/// assert!(temporal::task_queue("OrderManagement").is_ok());
/// assert!(temporal::task_queue("/_sys/mine").is_err());
/// ```
///
/// # Errors
/// Returns the reason why no task would ever come by this name.
pub fn task_queue(name: &str) -> Result<String, String> {
    check_name(name).map_err(|problem| format!("the name {problem}"))?;
    if name.starts_with(RESERVED) {
        return Err(format!(
            "names that begin with {RESERVED} are the server's own"
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_queue_has_a_name_by_which_tasks_come() {
        for good in ["OrderManagement", "with spaces", "ünï", &"x".repeat(1000)] {
            assert_eq!(task_queue(good).as_deref(), Ok(good));
        }
        for (bad, reason) in [
            ("", "is empty"),
            ("  ", "is empty"),
            (&"x".repeat(1001), "longer than 1000 bytes"),
            ("/_sys/orders", "the server's own"),
            ("two\nlines", "control character"),
        ] {
            let refusal = task_queue(bad).unwrap_err();
            assert!(refusal.contains(reason), "{bad:?}: {refusal}");
        }
    }
}
