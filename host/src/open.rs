//! Event stores by their URL: a file, or a stream of a NATS server.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use cim_core::id::Namespace;
use cim_core::subject::{StoreTemplate, TemplateError};

use crate::config::Config;
#[cfg(feature = "jetstream")]
use crate::jetstream::{
    ConnectError, JetStreamClient, JetStreamSnapshots, JetStreamStore, NatsOptions, OptionsError,
    Process, event_stream,
};
use crate::secret::without_user;
use crate::snapshot::SnapshotStore;
use crate::sqlite::{SqliteSnapshots, SqliteStore};
use crate::store::{EventStore, StoreError};
#[cfg(feature = "jetstream")]
use crate::{cache, clock};

/// Opens the store at a URL, or makes it for the events of a namespace, with the default settings.
///
/// `sqlite:FILE` is a file, `nats://HOST[:PORT][/STREAM]` a stream, `CIM-EVENTS` by default. How NATS is
/// logged in to, the variables of the `nats` command say.
///
/// # Errors
///
/// [`OpenError`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}/cim.db", folder.path().display());
/// let store = cim_host::open::open_or_create(&url, "acme.lab.lamps".parse()?).await?;
/// assert_eq!(store.last_position().await?, None);
/// # Ok(())
/// # }
/// ```
pub async fn open_or_create(
    url: &str,
    namespace: Namespace,
) -> Result<Arc<dyn EventStore>, OpenError> {
    let new = NewStore {
        template: StoreTemplate::default(),
        namespaces: vec![namespace],
    };
    let opened = open(url, &Config::default(), Some(new)).await?;
    Ok(opened.store)
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<dyn EventStore>,
    /// Whether it has lost events that were read from it before, and has others in their place. What was
    /// remembered of it is made again.
    pub has_gone_back: bool,
    beside: Beside,
}

/// What lies beside the events of a store.
#[derive(Debug)]
enum Beside {
    File(PathBuf),
    #[cfg(feature = "jetstream")]
    Bucket(JetStreamSnapshots),
}

impl Opened {
    /// Where snapshots of the store's aggregates are kept: in its own file, or in a bucket beside its
    /// stream, which is made with the first of them.
    ///
    /// # Errors
    ///
    /// [`OpenError::Store`] when the file cannot be read. A server is not asked yet.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use cim_core::domain::person::Person;
    /// use cim_core::id::Namespace;
    /// use cim_host::config::Config;
    /// use cim_host::open::open;
    /// use cim_host::repository::{Repository, SnapshotPolicy};
    /// use cim_host::snapshot::{KEY_FILE_NAME, SnapshotKey};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let opened = open("nats://localhost", &Config::default(), None).await?;
    /// let snapshots = opened.snapshots()?;
    /// let mut persons = Repository::<Person>::new(opened.store, Namespace::default());
    /// if let Some(key) = SnapshotKey::open(KEY_FILE_NAME.as_ref())? {
    ///     persons = persons.with_snapshots(snapshots, key, SnapshotPolicy::default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshots(&self) -> Result<Arc<dyn SnapshotStore>, OpenError> {
        match &self.beside {
            Beside::File(path) => Ok(Arc::new(SqliteSnapshots::open(path)?)),
            #[cfg(feature = "jetstream")]
            Beside::Bucket(snapshots) => Ok(Arc::new(snapshots.clone())),
        }
    }
}

/// What a store that is made has.
#[derive(Clone, Debug)]
pub struct NewStore {
    /// How its subjects are built.
    pub template: StoreTemplate,
    /// Whose events a stream takes. A file takes all.
    pub namespaces: Vec<Namespace>,
}

/// Opens the store at a URL; makes an absent one if it is told how.
///
/// # Errors
///
/// [`OpenError`]; for an absent store that is not to be made, [`StoreError::NotFound`] in it.
pub async fn open(url: &str, config: &Config, new: Option<NewStore>) -> Result<Opened, OpenError> {
    #[cfg(not(feature = "jetstream"))]
    let _ = config;
    #[cfg(feature = "jetstream")]
    if is_nats_url(url) {
        return open_stream(url, config, new).await;
    }
    let path = sqlite_path(url)?;
    let store = match (SqliteStore::open(&path), new) {
        (Err(StoreError::NotFound { .. }), Some(new)) => {
            match SqliteStore::create(&path, new.template) {
                // Another process was faster.
                Err(StoreError::Foreign { .. }) => SqliteStore::open(&path)?,
                created => created?,
            }
        }
        (opened, _) => opened?,
    };
    Ok(Opened {
        store: Arc::new(store),
        has_gone_back: false,
        beside: Beside::File(path),
    })
}

/// The path of a `sqlite:` URL.
///
/// # Errors
///
/// [`OpenError::NotInFile`], [`OpenError::Url`].
pub fn sqlite_path(url: &str) -> Result<PathBuf, OpenError> {
    if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let shown = without_user(url);
    Err(match url.split_once("://") {
        Some(("nats" | "tls" | "ws" | "wss", _)) => OpenError::NotInFile { url: shown },
        _ => OpenError::Url { url: shown },
    })
}

/// Whether a URL names a NATS server.
#[cfg(feature = "jetstream")]
pub fn is_nats_url(url: &str) -> bool {
    url.starts_with("nats://") || url.starts_with("tls://")
}

/// The stream that a URL names, else the one of the configuration.
#[cfg(feature = "jetstream")]
pub fn stream_name(options: &NatsOptions, config: &Config) -> String {
    let name = options.stream.clone();
    name.unwrap_or_else(|| config.event_store.stream_name.clone())
}

/// The folder of the indexes of streams.
///
/// # Errors
///
/// [`OpenError::NoCacheFolder`].
#[cfg(feature = "jetstream")]
pub fn index_folder() -> Result<PathBuf, OpenError> {
    cache::folder("index").ok_or(OpenError::NoCacheFolder)
}

#[cfg(feature = "jetstream")]
async fn open_stream(
    url: &str,
    config: &Config,
    new: Option<NewStore>,
) -> Result<Opened, OpenError> {
    let mut options = NatsOptions::resolve(Some(url), config, &Process)?;
    let name = stream_name(&options, config);
    let port = Arc::new(JetStreamClient::connect(&options).await?);
    let folder = index_folder()?;
    // The URL that names the stream, whatever the one that was given left out.
    options.stream = Some(name.clone());
    let url = options.url();
    let open = || JetStreamStore::open(Arc::clone(&port) as Arc<_>, &name, &url, &folder);
    let store = match (open().await, new) {
        (Err(StoreError::NotFound { .. }), Some(new)) => {
            let config = event_stream(
                &name,
                &new.template,
                &new.namespaces,
                config.event_store.replicas,
                clock::store_id(),
                clock::now(),
            )?;
            let port = Arc::clone(&port) as Arc<_>;
            match JetStreamStore::create(port, &config, &url, &folder).await {
                // Another process was faster, or another stream takes the subjects.
                Err(StoreError::Foreign { why, .. }) => {
                    open().await.map_err(|error| match error {
                        StoreError::NotFound { .. } => StoreError::Foreign {
                            url: url.clone(),
                            why,
                        },
                        error => error,
                    })?
                }
                made => made?,
            }
        }
        (opened, _) => opened?,
    };
    let store_id = store.info().store_id;
    let replicas = config.event_store.replicas;
    Ok(Opened {
        has_gone_back: store.has_gone_back(),
        store: Arc::new(store),
        beside: Beside::Bucket(JetStreamSnapshots::new(port, store_id, replicas)),
    })
}

/// Why no store was opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is of no kind of store.
    Url {
        /// The URL, without secrets.
        url: String,
    },
    /// The URL is of a server where only a file will do.
    NotInFile {
        /// The URL, without secrets.
        url: String,
    },
    /// The namespaces do not fit the template of the store that is to be made.
    Template(TemplateError),
    /// How the server is reached, is said in a wrong way.
    #[cfg(feature = "jetstream")]
    Options(OptionsError),
    /// There is no connection to the server.
    #[cfg(feature = "jetstream")]
    Connect(ConnectError),
    /// There is no folder for the index of a stream. Set `HOME` or `XDG_CACHE_HOME`.
    NoCacheFolder,
    /// The store itself cannot be opened or made.
    Store(StoreError),
}

impl OpenError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } | Self::NotInFile { .. } => "store-url-invalid",
            Self::Template(error) => error.code(),
            #[cfg(feature = "jetstream")]
            Self::Options(error) => error.code(),
            #[cfg(feature = "jetstream")]
            Self::Connect(error) => error.code(),
            Self::NoCacheFolder => "no-cache-folder",
            Self::Store(error) => error.code(),
        }
    }

    /// The error that this one stands for.
    fn inner(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url { .. } | Self::NotInFile { .. } | Self::NoCacheFolder => None,
            Self::Template(error) => Some(error),
            #[cfg(feature = "jetstream")]
            Self::Options(error) => Some(error),
            #[cfg(feature = "jetstream")]
            Self::Connect(error) => Some(error),
            Self::Store(error) => Some(error),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.inner()) {
            (_, Some(error)) => write!(f, "{error}"),
            (Self::Url { url }, None) => write!(f, "`{url}` is not the URL of a store"),
            (Self::NotInFile { url }, None) => {
                write!(f, "`{url}` is not in a file: expected `sqlite:FILE` here")
            }
            (_, None) => f.write_str("there is no folder for the index of the stream"),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Its text is the inner one's, so its source is too.
        self.inner().and_then(Error::source)
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TemplateError> for OpenError {
    fn from(error: TemplateError) -> Self {
        Self::Template(error)
    }
}

#[cfg(feature = "jetstream")]
impl From<OptionsError> for OpenError {
    fn from(error: OptionsError) -> Self {
        Self::Options(error)
    }
}

#[cfg(feature = "jetstream")]
impl From<ConnectError> for OpenError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}
