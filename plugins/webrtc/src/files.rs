//! How many files the process may still open.
//!
//! A session takes a dozen of them (sockets, and pipes that wake threads) before its viewer has proved anything; and
//! when there is none left, GLib ends the process rather than the session. So sessions are refused before that.

/// How many more files the process may open; none where the system does not tell.
pub(crate) fn left() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    Some(limit(&limits)?.saturating_sub(open))
}

/// The soft limit in proc(5)'s table.
fn limit(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_soft_one() {
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
                     Max processes             31373                31373                processes \n\
                     Max open files            1024                 524288               files     \n";
        assert_eq!(limit(table), Some(1024));
        assert_eq!(
            limit("Max open files   unlimited  unlimited  files"),
            Some(usize::MAX)
        );
        assert_eq!(limit("nothing of the kind"), None);
    }

    #[test]
    fn a_file_more_is_one_less_that_may_be_opened() {
        // Other tests open files meanwhile: what matters is that it is about right.
        let before = left().expect("Linux tells");
        let files: Vec<_> = (0..100)
            .map(|_| std::fs::File::open("/proc/self/limits").expect("opens"))
            .collect();
        let after = left().expect("Linux tells");
        assert!(
            (60..140).contains(&(before - after)),
            "{before} before, {after} after {}",
            files.len()
        );
    }
}
