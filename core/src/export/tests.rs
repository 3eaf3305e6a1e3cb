//! Exports as they are written and read, and what is seen of one that somebody changed.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use super::*;
use crate::chain::{self, NOT_PROVEN, Verified};
use crate::cid::Cid;
use crate::event::{NewEvent, TraceContext};
use crate::id::{Entity, EventId, EventType};
use crate::text::Text;
use crate::version::{Head, Version};

fn header(filter: Option<&str>) -> ExportHeader {
    ExportHeader {
        store_id: "0199".to_owned(),
        template: StoreTemplate::default(),
        filter: filter.map(str::to_owned),
        exported_at: Timestamp::from_micros(1_800_000_000_000_000).expect("a time"),
    }
}

fn event(key: &str, previous: Option<Head>, body: &[u8]) -> RecordedEvent {
    let time = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
    let version = Version::after(previous.as_ref()).expect("a version");
    let mut entropy = [key.as_bytes()[0]; 10];
    entropy[9] = version.get() as u8;
    let mut event = NewEvent::json(
        EventId::from_parts(time, entropy),
        &Entity::new("key").expect("an entity"),
        EventType::new("KeyGenerated").expect("a type"),
        time,
        Text::new("keys-service").expect("a text"),
        body.to_vec(),
    )
    .expect("an operation");
    event
        .metadata
        .insert("Tenant", Text::new("größe \"1\"").expect("a text"))
        .expect("a name");
    let parent = Text::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    event.trace = Some(Box::new(TraceContext {
        traceparent: parent.ok(),
        tracestate: None,
    }));
    let mut event = RecordedEvent {
        aggregate: format!("o.u.d.key.{key}").parse().expect("a key"),
        version,
        previous: previous.map(|head| head.cid),
        cid: Cid::ZERO,
        event,
    };
    event.cid = chain::cid_of(&event);
    event
}

/// Two aggregates: `a` with versions 1 to 3 on the lines 2, 4, 5, `b` with 1 and 2 on 3 and 6.
fn store() -> Vec<RecordedEvent> {
    let a1 = event("a", None, b"{\"n\":1}");
    let b1 = event("b", None, b"\xff\x00\xfe");
    let a2 = event(
        "a",
        Some(a1.head()),
        "{\"n\": \"\u{1F600}\\n\"}\n".as_bytes(),
    );
    let a3 = event("a", Some(a2.head()), b"");
    let b2 = event("b", Some(b1.head()), b"{}");
    vec![a1, b1, a2, a3, b2]
}

fn export(header: &ExportHeader, events: &[RecordedEvent]) -> String {
    let (mut writer, mut file) = ExportWriter::new(header);
    for event in events {
        file += &writer.line(event).expect("the template fits");
    }
    file + &writer.finish()
}

fn verify(file: &[u8], piece: usize) -> Result<ExportReport, ExportError> {
    let mut verifier = ExportVerifier::new();
    file.chunks(piece)
        .try_for_each(|piece| verifier.push(piece))?;
    verifier.finish()
}

fn read(file: &[u8]) -> Result<Vec<RecordedEvent>, ExportError> {
    let mut events = Vec::new();
    let mut reader = ExportReader::new();
    reader.push(file, |_, event| {
        events.push(event);
        Ok::<_, ExportError>(())
    })?;
    reader.finish().map(|_| events)
}

/// Changes the lines of the export of [`store`] and says what is seen: code and line.
#[track_caller]
fn tampered(change: impl FnOnce(&mut Vec<String>)) -> (&'static str, u64) {
    let file = export(&header(None), &store());
    let mut lines: Vec<String> = file.split_inclusive('\n').map(str::to_owned).collect();
    change(&mut lines);
    let changed = lines.concat();
    assert_ne!(changed, file, "nothing was changed");
    let error = verify(changed.as_bytes(), 64).expect_err("a changed export");
    assert!(
        error.message().starts_with(&format!("line {}", error.line)),
        "{error}"
    );
    if let Some(event) = error.event {
        assert!(error.message().contains(&event.to_string()), "{error}");
    }
    (error.code(), error.line)
}

fn replace(line: &mut String, from: &str, to: &str) {
    *line = line.replacen(from, to, 1);
}

#[test]
fn what_is_written_is_read_and_verified() {
    let events = store();
    let file = export(&header(None), &events);
    assert_eq!(read(file.as_bytes()).expect("sound"), events);
    let report = verify(file.as_bytes(), file.len()).expect("sound");
    assert_eq!(
        (report.events, report.aggregates, report.verified),
        (5, 2, Verified::Chain)
    );
    assert!(!file.contains("Nats-"), "{file}");

    let bytes: Vec<u8> = events
        .iter()
        .flat_map(|event| event.cid.to_bytes())
        .collect();
    assert_eq!(report.digest, blake3::hash(&bytes).to_string());
    assert!(
        file.lines()
            .nth(2)
            .expect("b1")
            .ends_with(r#","body_base64":"/wD+"}"#),
        "{file}"
    );
    assert!(
        file.lines().nth(4).expect("a3").ends_with(r#","body":""}"#),
        "{file}"
    );
}

#[test]
fn an_empty_store_is_an_export_too() {
    let file = export(&header(None), &[]);
    let report = verify(file.as_bytes(), 7).expect("sound");
    assert_eq!((report.events, report.aggregates), (0, 0));
    assert_eq!(
        report.heads.as_deref(),
        Some(&*report.digest),
        "both are digests of nothing"
    );
}

#[test]
fn of_a_filtered_export_only_cids_are_verified() {
    let events = store();
    let some = [events[2].clone(), events[4].clone()];
    let file = export(&header(Some("o.u.d.key.*.generated")), &some);
    let report = verify(file.as_bytes(), file.len()).expect("sound");
    assert_eq!((report.verified, report.heads), (Verified::Cid, None));
    let whole = export(&header(None), &some);
    assert_eq!(verify(whole.as_bytes(), 9).expect_err("gaps").code(), "gap");
}

#[test]
fn every_change_of_an_event_is_seen() {
    let body = tampered(|lines| replace(&mut lines[1], r#"{\"n\":1}"#, r#"{\"n\":2}"#));
    assert_eq!(body, ("wrong-cid", 2));
    let binary = tampered(|lines| replace(&mut lines[2], "/wD+", "/wH+"));
    assert_eq!(binary, ("wrong-cid", 3));
    let hashed = tampered(|lines| replace(&mut lines[3], "keys-service", "keys-servant"));
    assert_eq!(hashed, ("wrong-cid", 4));
    let metadata = tampered(|lines| replace(&mut lines[4], "größe", "grösse"));
    assert_eq!(metadata, ("wrong-cid", 5));
    let subject = tampered(|lines| replace(&mut lines[3], "o.u.d.key.a.", "o.u.d.key.b."));
    assert_eq!(subject, ("wrong-cid", 4));
    let cid = tampered(|lines| {
        let events = store();
        replace(
            &mut lines[3],
            &events[2].cid.to_string(),
            &events[1].cid.to_string(),
        );
    });
    assert_eq!(cid, ("wrong-cid", 4));
}

#[test]
fn every_change_of_the_order_is_seen() {
    assert_eq!(tampered(|lines| drop(lines.remove(3))), ("gap", 4));
    assert_eq!(tampered(|lines| lines.swap(3, 4)), ("gap", 4));
    assert_eq!(
        tampered(|lines| lines.insert(4, lines[3].clone())),
        ("duplicate", 5)
    );
    // Neither breaks a chain, but the last line tells.
    assert_eq!(
        tampered(|lines| drop(lines.remove(4))),
        ("export-summary", 6)
    );
    assert_eq!(tampered(|lines| lines.swap(1, 2)), ("export-summary", 7));
}

#[test]
fn a_cut_file_is_seen() {
    assert_eq!(tampered(|lines| drop(lines.pop())), ("export-cut", 7));
    assert_eq!(tampered(|lines| lines.truncate(1)), ("export-cut", 2));
    assert_eq!(tampered(|lines| lines.clear()), ("export-cut", 1));
    assert_eq!(tampered(|lines| lines[6].truncate(40)), ("export-cut", 7));
    assert_eq!(
        tampered(|lines| {
            lines.truncate(4);
            lines[3].truncate(99);
        }),
        ("export-cut", 4)
    );
    assert_eq!(
        tampered(|lines| lines.push("\n".to_owned())),
        ("export-trailing", 8)
    );
    assert_eq!(
        tampered(|lines| lines.push(lines[6].clone())),
        ("export-trailing", 8)
    );

    let file = export(&header(None), &store());
    let without_line_feed = &file.as_bytes()[..file.len() - 1];
    assert!(
        verify(without_line_feed, file.len()).is_ok(),
        "the last line may end with the file"
    );
}

#[test]
fn a_plain_chain_cannot_see_a_cut_tail() {
    let events = store();
    let shorter = [events[0].clone(), events[1].clone(), events[4].clone()];
    let file = export(&header(None), &shorter);
    let report = verify(file.as_bytes(), file.len()).expect("a cut tail is not seen");
    assert_eq!(report.not_proven, NOT_PROVEN);
}

#[test]
fn a_line_has_one_form() {
    let field = |at: usize, from: &'static str, to: &'static str| {
        tampered(move |lines| replace(&mut lines[at], from, to)).0
    };
    assert_eq!(field(0, "cim.export/v1", "cim.export/v2"), "export-format");
    assert_eq!(field(0, "{", "["), "export-not-one");
    assert_eq!(field(0, ",\"filter\":null", ""), "export-json");
    assert_eq!(
        field(0, "\"filter\"", "\"more\":1,\"filter\""),
        "export-json"
    );
    assert_eq!(field(0, ".000000Z", "Z"), "time-not-canonical");
    assert_eq!(
        field(1, "\"subject\"", "\"more\":1,\"subject\""),
        "export-json"
    );
    assert_eq!(
        field(1, "\"subject\"", "\"subject\":\"a\",\"subject\""),
        "export-json"
    );
    assert_eq!(
        field(1, "\"body\"", "\"body\":null,\"body_base64\""),
        "export-json"
    );
    assert_eq!(
        field(1, "\"body\"", "\"body_base64\":\"\",\"body\""),
        "export-body"
    );
    assert_eq!(
        field(1, "\"body\"", "\"events\":1,\"body\""),
        "export-line-invalid"
    );
    assert_eq!(
        field(
            1,
            "\"CIM-Schema-Version\":\"1\"",
            "\"CIM-Schema-Version\":1"
        ),
        "export-json"
    );
    assert_eq!(
        field(1, "\"CIM-Source\"", "\"Nats-Msg-Id\":\"a\",\"CIM-Source\""),
        "export-header-foreign"
    );
    assert_eq!(
        field(1, "\"CIM-Source\"", "\"CIM-Source\":\"a\",\"CIM-Source\""),
        "header-repeated"
    );
    assert_eq!(field(2, "\"/wD+\"", "\"/wD\""), "export-base64");
    assert_eq!(
        field(2, "\"/wD+\"", "\"e30=\""),
        "export-base64",
        "`{{}}` has to be text"
    );
    assert_eq!(field(6, "\"events\":5", "\"events\":6"), "export-summary");
    assert_eq!(
        field(6, "\"aggregates\":2", "\"aggregates\":1"),
        "export-summary"
    );
    assert_eq!(field(6, "\"events\":5", "\"events\":5.0"), "export-json");
}

#[test]
fn a_line_is_not_kept_without_bound() {
    let mut reader = ExportReader::new();
    let piece = vec![b' '; 1 << 20];
    let mut push = || reader.push(&piece, |_, _| Ok::<_, ExportError>(()));
    for _ in 0..8 {
        push().expect("a line may have 8 MiB");
    }
    assert_eq!(push().expect_err("too long").code(), "export-line-too-long");
    assert_eq!(push().expect_err("over").code(), "export-stopped");
    assert!(reader.finish().is_err());
}

#[test]
fn the_largest_event_fits_into_a_line() {
    let mut event = event("a", None, &vec![0; 1 << 20]);
    event.cid = chain::cid_of(&event);
    let file = export(&header(None), &[event]);
    assert!(verify(file.as_bytes(), 64 * 1024).is_ok());
}

#[test]
fn the_report_is_one_json_document() {
    let file = export(&header(None), &store());
    let json = to_json(&verify(file.as_bytes(), file.len()));
    assert!(json.starts_with(r#"{"schema":"cim.verify/v1","ok":true,"events":5,"aggregates":2,"#));
    assert!(
        json.ends_with(r#","store_id":"0199","filter":null}"#),
        "{json}"
    );
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&report["verified"], &report["not_proven"]),
        (&"chain".into(), &NOT_PROVEN.into())
    );

    let changed = file.replacen("keys-service", "keys-servant", 1);
    let report: Value =
        serde_json::from_str(&to_json(&verify(changed.as_bytes(), 5))).expect("JSON");
    let (error, first) = (&report["error"], &store()[0]);
    assert_eq!(
        (&report["ok"], &error["code"]),
        (&false.into(), &"wrong-cid".into())
    );
    assert_eq!((&error["line"], &error["version"]), (&2.into(), &1.into()));
    assert_eq!(error["event"], first.event.id.to_string());
    assert_eq!(error["aggregate"], "o.u.d.key.a");
    let message = error["message"].as_str().expect("a text");
    assert!(
        message.starts_with("line 2: wrong CID of event `"),
        "{message}"
    );
}

#[test]
fn an_event_that_cannot_be_read_is_named() {
    let file = export(&header(None), &store()).replacen("keys-service", " keys-service", 1);
    let error = verify(file.as_bytes(), file.len()).expect_err("white space in front");
    assert_eq!(error.event, Some(store()[0].event.id));
    assert!(error.to_string().starts_with("line 2, event `"), "{error}");
}

#[test]
fn what_the_callback_says_stops_the_reader() {
    #[derive(Debug)]
    struct Full;
    impl From<ExportError> for Full {
        fn from(error: ExportError) -> Self {
            assert_eq!(error.code(), "export-stopped");
            Self
        }
    }
    let file = export(&header(None), &store());
    let mut reader = ExportReader::new();
    let mut lines = Vec::new();
    for _ in 0..2 {
        let full = reader.push(file.as_bytes(), |line, _| {
            lines.push(line);
            Err(Full)
        });
        assert!(full.is_err());
    }
    assert_eq!(lines, [2]);
}

#[test]
fn the_writer_refuses_an_event_of_another_store() {
    let constants = [("organization", "x"), ("unit", "u"), ("domain", "d")];
    let template = StoreTemplate::parse("{entity}.{id}.{operation}", constants).expect("storable");
    let (mut writer, _) = ExportWriter::new(&ExportHeader {
        template,
        ..header(None)
    });
    let mut out = Vec::new();
    assert!(writer.write_line(&store()[0], &mut out).is_err());
    assert_eq!(
        (out.len(), writer.finish().starts_with("{\"events\":0,")),
        (0, true)
    );
}

proptest! {
    #[test]
    fn the_pieces_do_not_matter(cuts in prop::collection::vec(any::<Index>(), 0..20)) {
        let file = export(&header(None), &store());
        let whole = verify(file.as_bytes(), file.len()).expect("sound");
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
        cuts.extend([0, file.len()]);
        cuts.sort_unstable();
        let mut verifier = ExportVerifier::new();
        for pair in cuts.windows(2) {
            verifier.push(&file.as_bytes()[pair[0]..pair[1]]).expect("sound");
        }
        prop_assert_eq!(verifier.finish().expect("sound"), whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, after in 0..7usize, piece in 1..40usize) {
        let file = export(&header(None), &store());
        let mut file: Vec<u8> = file.split_inclusive('\n').take(after).collect::<String>().into();
        file.extend(&bytes);
        let _ = to_json(&verify(&file, piece));
    }

    #[test]
    fn a_changed_byte_is_seen_or_without_meaning(at: Index, byte: u8) {
        let file = export(&header(None), &store());
        let mut changed = file.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        if verify(&changed, changed.len()).is_ok() {
            let plain = |mut events: Vec<RecordedEvent>| {
                events.iter_mut().for_each(|event| event.event.trace = None);
                events
            };
            prop_assert_eq!(plain(read(&changed).expect("sound")), plain(store()));
        }
    }
}
