//! Where the tests keep read models, and what they put there.

use super::*;

/// A folder with a file for read models.
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) path: PathBuf,
}

/// What a projector brings.
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) handler: &'static str,
    pub(super) configuration: &'static str,
    pub(super) collections: &'static [&'static str],
    pub(super) store_id: Uuid,
    pub(super) last: Option<Position>,
    pub(super) start: Start,
}

pub(super) fn given() -> Given {
    Given {
        name: "test",
        handler: "one",
        configuration: "deep",
        collections: &["types", "pairs"],
        store_id: Uuid::nil(),
        last: at(1_000_000),
        start: Start::Resume,
    }
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("read.db");
        Self { folder, path }
    }

    pub(super) fn read_model(&self) -> ReadModel {
        ReadModel::open_or_create(&self.path).expect("a read model")
    }

    pub(super) fn begin(
        &self,
        given: &Given,
    ) -> Result<(Session, crate::sqlite::read_model::begin::Resumed), ProjectorError> {
        let descriptor = Descriptor {
            name: name(given.name),
            version: "1".to_owned(),
            event_types: Vec::new(),
            collections: given.collections.iter().map(|text| name(text)).collect(),
        };
        let begin = Begin {
            descriptor: &descriptor,
            handler: given.handler,
            configuration: given.configuration,
            store_id: given.store_id,
            last: given.last,
            start: given.start,
            now: second(1),
        };
        Session::begin(&self.read_model(), &begin)
    }

    pub(super) fn status(&self) -> ProjectionStatus {
        let status = self.read_model().projection(&name("test"));
        status.expect("there is one")
    }

    pub(super) fn documents(&self, collection: &str) -> Vec<(String, String)> {
        let documents = self
            .read_model()
            .documents(&name("test"), &name(collection), Select::All)
            .expect("there are some");
        documents
            .map(|read| read.map(|found| (found.key, found.document)))
            .collect::<Result<_, _>>()
            .expect("sound rows")
    }

    pub(super) fn sql(&self, sql: &str) {
        Connection::open(&self.path)
            .and_then(|connection| connection.execute_batch(sql))
            .expect("valid SQL");
    }
}

pub(super) fn commit(before: Option<u64>, checkpoint: u64) -> Commit {
    Commit {
        before: before.and_then(|number| Position::new(number).ok()),
        checkpoint: Position::new(checkpoint).expect("a position"),
        changes: Vec::new(),
        events: 0,
        parked: Vec::new(),
        state: State::Live,
    }
}

pub(super) fn parked(at: u64, reason: ParkReason) -> ParkedEvent {
    ParkedEvent {
        position: Position::new(at).expect("a position"),
        aggregate: "o.u.d.key.one".parse().expect("a key"),
        version: Version::new(at).ok(),
        event: Some(EventId::from_parts(second(at), clock::entropy())),
        cid: Some(Cid::of_block(b"block")),
        reason,
    }
}

pub(super) fn put(collection: &str, key: &str, document: &str) -> Change {
    Change::Put {
        key: document_key(collection, key),
        document: document.to_owned().into(),
    }
}

pub(super) fn delete(collection: &str, key: &str) -> Change {
    Change::Delete {
        key: document_key(collection, key),
    }
}

pub(super) fn document_key(collection: &str, key: &str) -> DocumentKey {
    DocumentKey {
        collection: name(collection),
        key: Arc::from(key),
    }
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(super) fn second(number: u64) -> Timestamp {
    Timestamp::from_micros(number * 1_000_000).expect("a time")
}

pub(super) fn at(number: i64) -> Option<Position> {
    position(number)
}
