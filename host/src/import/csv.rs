//! CSV (RFC 4180): the first line names the columns, each further record is a row.
//!
//! A payload is a compact JSON object of all columns in their order, all strings. Line ends are LF
//! or CRLF, empty lines are skipped, a byte order mark is ignored.

use std::collections::HashSet;

use bytes::Bytes;
use csv::{ReaderBuilder, StringRecord};

use super::error::{Column, ImportError, RowFault};
use super::rows::{Fields, Mapping, Rows};

/// Reads the rows of a CSV file.
///
/// # Errors
///
/// [`ImportError`], with line and column of the first fault.
pub fn read_csv(bytes: &[u8], mapping: &Mapping) -> Result<Rows, ImportError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let lines = scan(text.as_bytes())?;
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = reader
        .records()
        .map(|record| record.map_err(internal))
        .zip(lines);
    let Some((header, _)) = records.next() else {
        return Err(ImportError::NoHeader);
    };
    let header = Header::new(&header?, mapping)?;
    let mut rows = Rows::default();
    for (record, line) in records {
        let record = record?;
        if record.len() != header.names.len() {
            let (expected, found) = (header.names.len(), record.len());
            let column = header.column(expected.min(found));
            let fault = RowFault::Fields { expected, found };
            return Err(ImportError::row(line, Some(column), fault));
        }
        let field = |at: usize| (record.get(at).unwrap_or_default(), Some(header.column(at)));
        let fields = Fields {
            line,
            id: field(header.id),
            event_type: field(header.event_type),
            time: field(header.time),
        };
        rows.push(mapping, fields, header.payload(&record))?;
    }
    Ok(rows)
}

/// The columns.
struct Header {
    names: StringRecord,
    /// What stands before each value in a payload: `{"name":` or `,"name":`.
    keys: Vec<Vec<u8>>,
    id: usize,
    event_type: usize,
    time: usize,
}

impl Header {
    fn new(names: &StringRecord, mapping: &Mapping) -> Result<Self, ImportError> {
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
            return Err(ImportError::RepeatedColumn {
                name: name.to_owned(),
            });
        }
        let find = |option, name: &str| {
            names
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| ImportError::NoColumn {
                    option,
                    name: name.to_owned(),
                    columns: names.iter().map(str::to_owned).collect(),
                })
        };
        let keys = names.iter().enumerate().map(|(at, name)| {
            let mut key = vec![if at == 0 { b'{' } else { b',' }];
            put_string(&mut key, name);
            key.push(b':');
            key
        });
        Ok(Self {
            keys: keys.collect(),
            id: find("--id-field", &mapping.id_field)?,
            event_type: find("--type-field", &mapping.type_field)?,
            time: find("--time-field", &mapping.time_field)?,
            names: names.clone(),
        })
    }

    fn column(&self, at: usize) -> Column {
        match self.names.get(at) {
            Some(name) => Column::Named(at + 1, name.to_owned()),
            None => Column::Number(at + 1),
        }
    }

    fn payload(&self, record: &StringRecord) -> Bytes {
        let keys: usize = self.keys.iter().map(Vec::len).sum();
        let mut json = Vec::with_capacity(keys + record.as_slice().len() + 2 * record.len() + 1);
        for (key, value) in self.keys.iter().zip(record) {
            json.extend_from_slice(key);
            put_string(&mut json, value);
        }
        json.push(b'}');
        Bytes::from(json)
    }
}

fn put_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, text).expect("a text can be written into memory as JSON");
}

/// Finds the line on which each record begins, and refuses quotes that readers read differently;
/// the `csv` crate takes any.
fn scan(bytes: &[u8]) -> Result<Vec<u64>, ImportError> {
    let mut lines = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        if let Some(end) = line_end(&bytes[at..]) {
            at += end;
            line += 1;
            continue;
        }
        let start = line;
        lines.push(start);
        let mut column = 1;
        // Field by field, to the record's end.
        loop {
            let fault = |fault| Err(ImportError::row(start, Some(Column::Number(column)), fault));
            if bytes.get(at) == Some(&b'"') {
                at += 1;
                loop {
                    match bytes.get(at) {
                        None => return fault(RowFault::OpenQuote),
                        Some(b'"') if bytes.get(at + 1) == Some(&b'"') => at += 1,
                        Some(b'"') => break,
                        Some(b'\n') => line += 1,
                        Some(_) => {}
                    }
                    at += 1;
                }
                at += 1;
                if !matches!(bytes.get(at), None | Some(b',' | b'\r' | b'\n')) {
                    return fault(RowFault::BehindQuote);
                }
            } else {
                let other = |byte: &u8| matches!(byte, b',' | b'\r' | b'\n');
                at += bytes[at..]
                    .iter()
                    .position(other)
                    .unwrap_or(bytes.len() - at);
            }
            match bytes.get(at) {
                Some(b',') => at += 1,
                Some(_) => {
                    at += line_end(&bytes[at..]).unwrap_or_default();
                    line += 1;
                    break;
                }
                None => break,
            }
            column += 1;
        }
    }
    Ok(lines)
}

/// The length of the line end at the start of `bytes`, if there is one: LF, CRLF, or the CR of old.
fn line_end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

fn not_utf8(bytes: &[u8], at: usize) -> ImportError {
    let before = &bytes[..at];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let number = 1 + before[start..].iter().filter(|byte| **byte == b',').count();
    ImportError::row(line, Some(Column::Number(number)), RowFault::Utf8)
}

/// What the reader says of bytes in memory that were checked.
fn internal(error: csv::Error) -> ImportError {
    let line = error.position().map_or(0, csv::Position::line);
    ImportError::row(line, None, RowFault::Utf8)
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            namespace: "o.u.d".parse().expect("a namespace"),
            entity: "e".parse().expect("an entity"),
            id_field: "id".to_owned(),
            type_field: "type".to_owned(),
            time_field: "at".to_owned(),
            id_encode: false,
        }
    }

    fn read(text: &[u8]) -> Result<Rows, ImportError> {
        read_csv(text, &mapping())
    }

    #[track_caller]
    fn refused(text: &[u8], expect: &str) {
        assert_eq!(read(text).expect_err("a fault").to_string(), expect);
    }

    #[test]
    fn a_payload_has_all_columns_in_order_as_strings() {
        let rows = read(b"\xef\xbb\xbfid,type,at,\"n\"\"1\"\r\n\r\na,Made,2020-01-01,\r\n");
        assert!(rows.is_err(), "a date is no time");
        let text = "\u{feff}id,type,at,\"n\"\"1\"\r\n\r\na,Made,2020-01-01 00:00:00,\r\n\
                    b,Made,2020-01-01T00:00:00Z,\"x\ny\"\nb,Made,2020-01-01T00:00:01Z,ü";
        let rows = read(text.as_bytes()).expect("rows");
        let rows: Vec<_> = rows
            .rows
            .iter()
            .map(|row| (row.line, std::str::from_utf8(&row.payload).expect("text")))
            .collect();
        assert_eq!(
            rows,
            [
                (
                    3,
                    r#"{"id":"a","type":"Made","at":"2020-01-01 00:00:00","n\"1":""}"#
                ),
                (
                    4,
                    r#"{"id":"b","type":"Made","at":"2020-01-01T00:00:00Z","n\"1":"x\ny"}"#
                ),
                (
                    6,
                    r#"{"id":"b","type":"Made","at":"2020-01-01T00:00:01Z","n\"1":"ü"}"#
                ),
            ]
        );
    }

    #[test]
    fn a_fault_is_named_with_line_and_column() {
        refused(b"", "the CSV file has no line of column names");
        refused(
            b"id,type,when\n",
            "there is no column `at`, which `--time-field` names",
        );
        refused(
            b"id,type,at,id\n",
            "the column `id` stands twice in the first line",
        );
        let row =
            |row: &str| format!("id,type,at\na,Made,2020-01-01T00:00:00Z\n{row}").into_bytes();
        refused(
            &row("b,Made"),
            "line 3, column 3 (`at`): expected 3 fields, found 2",
        );
        refused(
            &row("b,Made,x,y"),
            "line 3, column 4: expected 3 fields, found 4",
        );
        refused(
            &row("b,\"Made,x\n\n"),
            "line 3, column 2: the quoted field has no closing quote",
        );
        refused(
            &row("b,\"Ma\"de,x"),
            "line 3, column 2: expected a comma or the line's end behind the closing quote",
        );
        refused(
            &row("b,Made,yesterday"),
            "line 3, column 3 (`at`): `yesterday` is not a time: expected one like \
             `2026-11-21T08:00:00Z`",
        );
        refused(
            &row("b.c,Made,x"),
            "line 3, column 1 (`id`): `b.c` is not an aggregate id: only A-Z, a-z, 0-9, `_` and \
             `-` may be in it",
        );
        refused(
            &row("b,99,x"),
            "line 3, column 2 (`type`): the text `99` does not make an event type",
        );
        let mut bytes = row("b,Made,");
        bytes.push(0xff);
        refused(&bytes, "line 3, column 3: the bytes are not UTF-8");
    }

    #[test]
    fn ids_that_are_no_tokens_can_be_encoded() {
        let mapping = Mapping {
            id_encode: true,
            ..mapping()
        };
        let rows = read_csv(b"id,type,at\nb.c?,Made,2020-01-01T00:00:00Z\n", &mapping);
        assert_eq!(rows.expect("rows").rows[0].id.as_str(), "Yi5jPw");
    }
}
