//! Connections to real NATS servers: every login, TLS, contexts, what goes wrong, and losses.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cim_host::config::Config;
use cim_host::jetstream::{
    ConnectError, JetStreamClient, JetStreamPort as _, Login, LoginHint, NatsOptions, Source,
    Surroundings, TlsFault,
};
use cim_tests::nats::{NatsCluster, NatsServer, ServerOptions};
use tempfile::TempDir;

use self::identity::Operator;
use self::tls::Authority;

#[path = "support/identity.rs"]
mod identity;

/// The longest that anybody waits to be told what is wrong.
const AT_MOST: Duration = Duration::from_secs(5);

/// A port that systems keep for a service which none of them has.
const NOBODY: &str = "127.0.0.1:1";

#[tokio::test]
async fn a_user_with_a_password() {
    let server = server("users: [{ user: me, password: \"p@ss/word\" }]");
    let at = server.address();
    connects(&url(&format!("nats://me:p%40ss%2Fword@{at}"))).await;
    connects(&around(
        &server.url(),
        &[("NATS_USER", "me"), ("NATS_PASSWORD", "p@ss/word")],
    ))
    .await;

    let error = fails(&url(&format!("nats://me:hunter2@{at}"))).await;
    told(
        &error,
        "nats-login-refused",
        &format!("`{at}` refuses the user `me`"),
        "check the store's URL, and that the server knows the user",
    );
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = fails(&url(&server.url())).await;
    told(
        &error,
        "nats-login-refused",
        &format!("`{at}` refuses a user without login"),
        "the server wants a login: set `NATS_CREDS`, or `NATS_USER` and `NATS_PASSWORD`, or \
         select a context with `NATS_CONTEXT`",
    );
    assert!(error.is_not_allowed());
}

#[tokio::test]
async fn a_token() {
    let server = server("token: \"to ken\"");
    let at = server.address();
    connects(&url(&format!("nats://to%20ken@{at}"))).await;
    connects(&around(&server.url(), &[("NATS_TOKEN", "to ken")])).await;
    let error = fails(&url(&format!("nats://other@{at}"))).await;
    assert_eq!(error.to_string(), format!("`{at}` refuses the token"));
}

#[tokio::test]
async fn an_nkey() {
    let (mine, other) = (identity::user(), identity::user());
    let server = server(&format!("users: [{{ nkey: {} }}]", mine.public_key()));
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("me.nk");
    write(&file, &mine.seed().expect("a seed"));
    let options = around(&server.url(), &[("NATS_NKEY", text(&file))]);
    connects(&options).await;
    write(&file, &other.seed().expect("a seed"));
    let error = fails(&options).await;
    told(
        &error,
        "nats-login-refused",
        &format!(
            "`{}` refuses the nkey `{}`",
            server.address(),
            file.display()
        ),
        "check `NATS_NKEY`, and that the server knows the user",
    );
}

#[tokio::test]
async fn creds_of_an_operator() {
    let operator = Operator::new();
    let server = NatsServer::start(ServerOptions {
        extra: operator.config(),
        ..ServerOptions::default()
    });
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("me.creds");
    write(&file, &operator.creds(None));
    let options = around(&server.url(), &[("NATS_CREDS", text(&file))]);
    connects(&options).await;

    write(&file, &Operator::new().creds(None));
    let refused = format!(
        "`{}` refuses the creds `{}`",
        server.address(),
        file.display()
    );
    let help = "check `NATS_CREDS`, and that the server knows the user";
    told(&fails(&options).await, "nats-login-refused", &refused, help);
    write(&file, &operator.creds(Some(1_000_000_000)));
    let help = "it ended at 2001-09-09T01:46:40.000000Z: get a new one";
    told(&fails(&options).await, "nats-login-refused", &refused, help);
    write(&file, "nothing");
    let invalid = format!(
        "the creds `{}`: expected a JWT and a seed, each between a line `-----BEGIN …` and a line \
         `------END …`",
        file.display()
    );
    let help = "name another file, or make it anew";
    told(&fails(&options).await, "nats-file-invalid", &invalid, help);
    std::fs::remove_file(&file).expect("it is there");
    let absent = format!("the creds `{}` cannot be read", file.display());
    let help = "check that the file is there and may be read";
    told(
        &fails(&options).await,
        "nats-file-unreadable",
        &absent,
        help,
    );
}

#[tokio::test]
async fn contexts_of_the_nats_command() {
    let server = server("users: [{ user: me, password: secret }]");
    let folder = TempDir::new().expect("a folder");
    let contexts = folder.path().join("nats/context");
    std::fs::create_dir_all(&contexts).expect("it can be made");
    let context = format!(
        r#"{{"description":"","url":"{}","user":"me","password":"secret"}}"#,
        server.url()
    );
    write(&contexts.join("mine.json"), &context);
    let config = [("XDG_CONFIG_HOME", text(folder.path()))];
    let resolve = |url: Option<&str>, variables: &[(&str, &str)]| {
        let around = Around(
            [&config, variables]
                .concat()
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        );
        NatsOptions::resolve(url, &Config::default(), &around).expect("valid")
    };
    let url = format!("nats://localhost:{}/S", server.port());
    connects(&resolve(None, &[("NATS_CONTEXT", "mine")])).await;
    connects(&resolve(Some(&url), &[("NATS_CONTEXT", "mine")])).await;
    fails(&resolve(Some(&url), &[])).await;
    write(&folder.path().join("nats/context.txt"), "mine");
    connects(&resolve(None, &[])).await;
    connects(&resolve(Some(&url), &[])).await;

    write(
        &contexts.join("mine.json"),
        &context.replace(&server.url(), "nats://elsewhere"),
    );
    let error = fails(&resolve(Some(&url), &[])).await;
    let ConnectError::NotAllowed { hint, .. } = &error else {
        panic!("{error:?}");
    };
    let name = "mine".to_owned();
    assert_eq!(hint, &LoginHint::OtherContext { name });
    assert_eq!(
        error.help(),
        "the selected context `mine` is for other servers; to use its login here, set \
         `NATS_CONTEXT=mine`"
    );
}

#[tokio::test]
async fn tls_with_certificates_on_both_sides() {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    write(&file("ca.pem"), &authority.pem());
    authority.sign("nats.test", &file("server.pem"), &file("server.key"));
    authority.sign("me", &file("me.pem"), &file("me.key"));
    Authority::new().sign("me", &file("foreign.pem"), &file("foreign.key"));
    let server = NatsServer::start(ServerOptions {
        extra: format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
            file("server.pem"),
            file("server.key"),
            file("ca.pem")
        ),
        ..ServerOptions::default()
    });
    let at = server.address();
    let mut config = Config::default();
    config.nats.tls_ca = Some(file("ca.pem"));
    config.nats.tls_cert = Some(file("me.pem"));
    config.nats.tls_key = Some(file("me.key"));
    config.nats.tls_server_name = Some("nats.test".to_owned());
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = config.clone();
        change(&mut config);
        let nothing = Around(BTreeMap::new());
        NatsOptions::resolve(Some(&server.url()), &config, &nothing).expect("valid")
    };
    connects(&with(&|_| {})).await;

    let error = fails(&with(&|config| config.nats.tls_server_name = None)).await;
    told(
        &error,
        "nats-tls",
        &format!("no encrypted connection to `{at}`: the server's certificate is for another name"),
        "name the server as its certificate does, or set `[nats] tls_server_name` in `cim.toml`",
    );
    let error = fails(&url(&server.url())).await;
    assert_tls(&error, &TlsFault::UnknownIssuer);
    let error = fails(&with(&|config| {
        config.nats.tls_cert = None;
        config.nats.tls_key = None;
    }))
    .await;
    assert_tls(&error, &TlsFault::OurCertificate);
    let error = fails(&with(&|config| {
        config.nats.tls_cert = Some(file("foreign.pem"));
        config.nats.tls_key = Some(file("foreign.key"));
    }))
    .await;
    assert_tls(&error, &TlsFault::OurCertificate);

    let error = fails(&with(&|config| {
        config.nats.tls_ca = Some(file("absent.pem"));
    }))
    .await;
    told(
        &error,
        "nats-file-unreadable",
        &format!(
            "the CA file `{}` cannot be read",
            file("absent.pem").display()
        ),
        "check that the file is there and may be read",
    );
    let error = fails(&with(&|config| {
        config.nats.tls_cert = Some(file("me.key"));
    }))
    .await;
    told(
        &error,
        "nats-file-invalid",
        &format!(
            "the certificate `{}`: expected a part between a line `-----BEGIN …` and a line \
             `-----END …`",
            file("me.key").display()
        ),
        "name another file, or make it anew",
    );
}

#[tokio::test]
async fn tls_by_the_name_of_the_host_and_before_the_first_word() {
    let authority = Authority::new();
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    write(&file("ca.pem"), &authority.pem());
    authority.sign("localhost", &file("server.pem"), &file("server.key"));
    let server = NatsServer::start(ServerOptions {
        extra: format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, handshake_first: \"200ms\" }}",
            file("server.pem"),
            file("server.key")
        ),
        ..ServerOptions::default()
    });
    let at = format!("nats://localhost:{}", server.port());
    let ca = file("ca.pem");
    let mut options = around(&at, &[("NATS_CA", text(&ca))]);
    connects(&options).await;
    options.tls.first = true;
    connects(&options).await;
}

#[tokio::test]
async fn a_server_without_tls() {
    let server = NatsServer::start(ServerOptions::default());
    let error = fails(&url(&format!("tls://{}", server.address()))).await;
    told(
        &error,
        "nats-tls",
        &format!(
            "no encrypted connection to `{}`: the server speaks no TLS",
            server.address()
        ),
        "write `nats://` in place of `tls://` and leave certificates and `tls_required` away, or \
         let the server speak TLS",
    );
}

#[tokio::test]
async fn jetstream_in_a_domain() {
    let folder = TempDir::new().expect("a folder");
    let server = NatsServer::start(ServerOptions {
        jetstream: false,
        extra: format!(
            "jetstream {{ domain: hub, store_dir: {:?} }}",
            folder.path()
        ),
        ..ServerOptions::default()
    });
    for table in ["domain = \"hub\"", "prefix = \"$JS.hub.API\""] {
        let config = Config::parse(&format!("[jetstream]\n{table}")).expect("valid");
        let nothing = Around(BTreeMap::new());
        let options = NatsOptions::resolve(Some(&server.url()), &config, &nothing);
        connects(&options.expect("valid")).await;
    }
}

#[tokio::test]
async fn nobody_listens() {
    told(
        &fails(&url(&format!("nats://{NOBODY}"))).await,
        "nats-not-listening",
        &format!("nobody listens at `{NOBODY}`"),
        "start a server there with `nats-server --jetstream`, or name another with `--store \
         nats://HOST:PORT/STREAM`",
    );
}

#[tokio::test]
async fn no_such_host() {
    let error = fails(&url("nats://no-such-host.invalid")).await;
    told(
        &error,
        "nats-host-unknown",
        "no address is known for the host of `no-such-host.invalid:4222`",
        "check the name, or write the address in its place",
    );
    assert!(std::error::Error::source(&error).is_some());
}

/// It takes the connection and says nothing, as what is behind a firewall that swallows all.
#[tokio::test]
async fn a_black_hole() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    told(
        &fails(&url(&format!("nats://{at}"))).await,
        "nats-connect-timeout",
        &format!("no answer from `{at}` within 4 s"),
        "check the address, and that the network and its firewalls let us through to it",
    );
    // An address for documentation: some networks swallow it, others say that there is no way.
    let error = fails(&url("nats://192.0.2.1")).await;
    assert!(error.to_string().contains("`192.0.2.1:4222`"), "{error}");
}

#[tokio::test]
async fn somebody_else_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let greeter = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        io::Write::write_all(&mut stream, b"SSH-2.0-OpenSSH_9.2\r\n").expect("it listens");
        // Until the other end closes.
        let _ = io::Read::read(&mut stream, &mut [0]);
    });
    told(
        &fails(&url(&format!("nats://{at}"))).await,
        "nats-not-nats",
        &format!("who answers at `{at}` is no NATS server"),
        "check the port: clients of NATS have 4222 by default",
    );
    greeter.join().expect("no panic");
}

#[tokio::test]
async fn a_server_that_is_full() {
    let server = NatsServer::start(ServerOptions {
        extra: "max_connections: 1".to_owned(),
        ..ServerOptions::default()
    });
    let _first = connects(&url(&server.url())).await;
    told(
        &fails(&url(&server.url())).await,
        "nats-turned-away",
        &format!(
            "`{}` turns us away, saying `maximum connections exceeded`",
            server.address()
        ),
        "try again later, and look into the server's log",
    );
}

#[tokio::test]
async fn one_of_several_servers_is_enough() {
    let hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hole_at = hole.local_addr().expect("an address");
    let nobody = NOBODY;
    let server = NatsServer::start(ServerOptions::default());
    let at = server.address();
    let started = Instant::now();
    let all = url(&format!("nats://{hole_at},{nobody},{at}"));
    let client = connects(&all).await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "a black hole is not waited for"
    );
    assert_eq!(client.server().name, server.name());

    let error = fails(&url(&format!("nats://{nobody},{hole_at}"))).await;
    told(
        &error,
        "nats-not-listening",
        &format!(
            "there is no connection to any of 2 servers: nobody listens at `{nobody}`; no answer \
             from `{hole_at}` within 4 s"
        ),
        "start a server there with `nats-server --jetstream`, or name another with `--store \
         nats://HOST:PORT/STREAM`",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_comes_back_after_the_server_does() {
    let mut server = NatsServer::start(ServerOptions::default());
    let client = connects(&url(&server.url())).await;
    for _ in 0..2 {
        server.kill9();
        assert!(client.account().await.is_err(), "nobody is there");
        server.restart();
        comes_back(&client).await;
    }
}

/// Credentials are renewed by writing their file anew. Nobody wants to restart a service for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_login_is_used_for_the_next_connection() {
    let (before, after) = (identity::user(), identity::user());
    let options = |pair: &nkeys::KeyPair| ServerOptions {
        authorization: Some(format!("users: [{{ nkey: {} }}]", pair.public_key())),
        ..ServerOptions::default()
    };
    let mut server = NatsServer::start(options(&before));
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("me.nk");
    write(&file, &before.seed().expect("a seed"));
    let mut login = url(&server.url());
    login.login = Login::Nkey(Source::File(file.clone()));
    let client = connects(&login).await;
    server.configure(options(&after));
    server.restart();
    assert!(client.account().await.is_err(), "the old seed is refused");
    write(&file, &after.seed().expect("a seed"));
    comes_back(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_moves_to_another_server_of_the_list() {
    let mut cluster = NatsCluster::start(3);
    let client = connects(&url(&cluster.url())).await;
    let at = cluster
        .servers()
        .iter()
        .position(|server| server.name() == client.server().name)
        .expect("one of them");
    cluster.kill9(at);
    comes_back(&client).await;
    assert_ne!(client.server().name, cluster.server(at).name());
}

fn server(authorization: &str) -> NatsServer {
    NatsServer::start(ServerOptions {
        authorization: Some(authorization.to_owned()),
        ..ServerOptions::default()
    })
}

fn url(text: &str) -> NatsOptions {
    NatsOptions::new(text).expect("an address")
}

fn around(url: &str, variables: &[(&str, &str)]) -> NatsOptions {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let around = Around(variables.collect());
    NatsOptions::resolve(Some(url), &Config::default(), &around).expect("valid")
}

/// The files of this machine, and a test's own variables.
struct Around(BTreeMap<String, String>);

impl Surroundings for Around {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn home(&self) -> Option<PathBuf> {
        None
    }
}

/// Connects, and asks JetStream something.
async fn connects(options: &NatsOptions) -> JetStreamClient {
    let client = match JetStreamClient::connect(options).await {
        Ok(client) => client,
        Err(error) => panic!("{}: {error}: {error:?}", options.url()),
    };
    client.account().await.expect("JetStream answers");
    client
}

/// Does not connect, and says so in time.
async fn fails(options: &NatsOptions) -> ConnectError {
    let started = Instant::now();
    let Err(error) = JetStreamClient::connect(options).await else {
        panic!("{} is connected", options.url());
    };
    assert!(started.elapsed() < AT_MOST, "{error}");
    error
}

#[track_caller]
fn told(error: &ConnectError, code: &str, message: &str, help: &str) {
    assert_eq!(
        (error.code(), error.to_string(), error.help()),
        (code, message.to_owned(), help.to_owned()),
        "{error:?}"
    );
}

#[track_caller]
fn assert_tls(error: &ConnectError, expect: &TlsFault) {
    match error {
        ConnectError::Tls { why, .. } => assert_eq!(why, expect),
        other => panic!("{other:?}"),
    }
}

async fn comes_back(client: &JetStreamClient) {
    let started = Instant::now();
    while let Err(error) = client.account().await {
        assert!(started.elapsed() < Duration::from_secs(60), "{error}");
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("it can be written");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Certificates.
mod tls {
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        pub(super) fn new() -> Self {
            let mut params = CertificateParams::new([]).expect("no names");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().expect("a key");
            Self(CertifiedIssuer::self_signed(params, key).expect("it is signed"))
        }

        pub(super) fn pem(&self) -> String {
            self.0.pem()
        }

        /// Writes a certificate for a name, and its key.
        pub(super) fn sign(&self, name: &str, cert: &Path, key: &Path) {
            let params = CertificateParams::new([name.to_owned()]).expect("a name");
            let pair = KeyPair::generate().expect("a key");
            let signed = params.signed_by(&pair, &self.0).expect("it is signed");
            super::write(cert, &signed.pem());
            super::write(key, &pair.serialize_pem());
        }
    }
}
