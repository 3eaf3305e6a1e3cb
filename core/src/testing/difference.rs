//! How two texts differ, line by line.

use std::fmt;

/// The lines of two texts: in both, in the one, or in the other.
///
/// It is written with `-` before the lines of the expected text and `+` before those of the found one.
/// Of many lines that are in both, those next to a difference are written.
pub(crate) struct Difference<'a>(Vec<Line<'a>>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line<'a> {
    Both(&'a str),
    Expected(&'a str),
    Found(&'a str),
}

impl<'a> Difference<'a> {
    pub(crate) fn new(expected: &'a str, found: &'a str) -> Self {
        let (expected, found) = (
            Vec::from_iter(expected.lines()),
            Vec::from_iter(found.lines()),
        );
        let alike = |(a, b): &(&&str, &&str)| a == b;
        let start = expected.iter().zip(&found).take_while(alike).count();
        let (expected_rest, found_rest) = (&expected[start..], &found[start..]);
        let ends = expected_rest.iter().rev().zip(found_rest.iter().rev());
        let end = ends.take_while(alike).count();

        let both = |lines: &[&'a str]| Vec::from_iter(lines.iter().copied().map(Line::Both));
        let mut lines = both(&expected[..start]);
        lines.extend(middle(
            &expected_rest[..expected_rest.len() - end],
            &found_rest[..found_rest.len() - end],
        ));
        lines.extend(both(&expected[expected.len() - end..]));
        Self(lines)
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = &self.0;
        let is_near = |at: usize| {
            let near = &lines[at.saturating_sub(CONTEXT)..lines.len().min(at + CONTEXT + 1)];
            near.iter().any(|line| !matches!(line, Line::Both(_)))
        };
        let mut left_out = 0;
        for (at, line) in lines.iter().enumerate() {
            if !is_near(at) {
                left_out += 1;
                continue;
            }
            write_left_out(f, left_out)?;
            left_out = 0;
            match line {
                Line::Both(text) => writeln!(f, "  {text}")?,
                Line::Expected(text) => writeln!(f, "- {text}")?,
                Line::Found(text) => writeln!(f, "+ {text}")?,
            }
        }
        write_left_out(f, left_out)
    }
}

fn write_left_out(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    match count {
        0 => Ok(()),
        1 => writeln!(f, "  … 1 line alike"),
        _ => writeln!(f, "  … {count} lines alike"),
    }
}

/// The difference of texts whose first and last lines differ: as few lines as can be.
fn middle<'a>(expected: &[&'a str], found: &[&'a str]) -> Vec<Line<'a>> {
    let (rows, columns) = (expected.len(), found.len());
    if rows.saturating_mul(columns) > MAX_CELLS {
        let expected = expected.iter().copied().map(Line::Expected);
        return expected
            .chain(found.iter().copied().map(Line::Found))
            .collect();
    }
    // How many lines the rests from here on have in common, at most.
    let mut common = vec![vec![0_u32; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = match expected[row] == found[column] {
                true => common[row + 1][column + 1] + 1,
                false => common[row + 1][column].max(common[row][column + 1]),
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::new();
    while row < rows || column < columns {
        if row < rows && column < columns && expected[row] == found[column] {
            lines.push(Line::Both(expected[row]));
            (row, column) = (row + 1, column + 1);
        } else if row < rows
            && (column == columns || common[row + 1][column] >= common[row][column + 1])
        {
            lines.push(Line::Expected(expected[row]));
            row += 1;
        } else {
            lines.push(Line::Found(found[column]));
            column += 1;
        }
    }
    lines
}

/// Lines that are written before and after a difference.
const CONTEXT: usize = 3;

/// The most lines times lines that are compared: beyond that a table takes more than a moment.
const MAX_CELLS: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str, found: &str, written: &[&str]) {
        let lines = |text: &str| text.replace(' ', "\n");
        let (expected, found) = (lines(expected), lines(found));
        let difference = Difference::new(&expected, &found);
        assert_eq!(Vec::from_iter(difference.to_string().lines()), written);
    }

    #[test]
    fn lines_of_both_texts_are_found_again() {
        check("a b c", "a x c", &["  a", "- b", "+ x", "  c"]);
        check("a b", "b", &["- a", "  b"]);
        check("b", "a b", &["+ a", "  b"]);
        check(
            "a b c d",
            "x b y d z",
            &["- a", "+ x", "  b", "- c", "+ y", "  d", "+ z"],
        );
        check("", "a", &["+ a"]);
        check("a a", "a", &["  a", "- a"]);
        check("", "", &[]);
    }

    #[test]
    fn lines_far_from_a_difference_are_counted() {
        check(
            "1 2 3 4 5 6 7 8 9 10 11",
            "1 2 3 4 x 6 7 8 9 10 11",
            &[
                "  … 1 line alike",
                "  2",
                "  3",
                "  4",
                "- 5",
                "+ x",
                "  6",
                "  7",
                "  8",
                "  … 3 lines alike",
            ],
        );
        check("1 2 3 4 5", "1 2 3 4 5", &["  … 5 lines alike"]);
    }

    #[test]
    fn very_long_texts_are_not_compared_line_by_line() {
        let text = |mark: &str| (0..2_100).map(|n| format!("{n}{mark}\nsame\n")).collect();
        let (expected, found): (String, String) = (text("a"), text("b"));
        let difference = Difference::new(&expected, &found);
        let at = |line: usize| difference.0[line];
        assert_eq!(
            (at(0), at(1)),
            (Line::Expected("0a"), Line::Expected("same"))
        );
        assert_eq!(at(4_199), Line::Found("0b"));
    }
}
