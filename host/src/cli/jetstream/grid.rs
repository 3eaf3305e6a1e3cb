//! Rows with columns that stand below each other.

/// The rows as lines; the first row is the head. Columns in which all but the head are numbers
/// stand to the right.
pub(super) fn lines<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let columns: [(usize, bool); N] = std::array::from_fn(|at| {
        let widths = rows.iter().map(|row| row[at].chars().count());
        let is_number = |row: &[String; N]| row[at].bytes().all(|byte| byte.is_ascii_digit());
        (
            widths.max().unwrap_or_default(),
            rows.iter().skip(1).all(is_number),
        )
    });
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&columns).map(|(cell, &(width, number))| {
            if number {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let row = |name: &str, count: &str| [name.to_owned(), count.to_owned()];
        assert_eq!(
            lines(&[
                row("name", "messages"),
                row("KEYS_EVENTS", "12"),
                row("A", "1000")
            ]),
            [
                "name         messages",
                "KEYS_EVENTS        12",
                "A                1000"
            ]
        );
    }
}
