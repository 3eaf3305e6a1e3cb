//! From places to answers: what counts, what is refused, and that no secret is shown.

use std::collections::BTreeMap;

use super::*;

/// Surroundings of a test.
#[derive(Debug, Default)]
struct Given {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl Surroundings for Given {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.files.get(path).cloned();
        text.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn home(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/home/me"))
    }
}

fn given(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Given {
    Given {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        files: files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect(),
    }
}

fn config(text: &str) -> Config {
    Config::parse(text).expect("a valid cim.toml")
}

/// Options in a line.
fn shown(options: &NatsOptions) -> String {
    let mut text = options.url();
    let mut add = |part: String| {
        text.push_str("; ");
        text.push_str(&part);
    };
    match &options.login {
        Login::None => {}
        Login::Password { user, password } => add(format!("{user}:{}", password.expose())),
        Login::Token(token) => add(format!("token {}", token.expose())),
        Login::Creds(Source::Text(text)) | Login::Nkey(Source::Text(text)) => {
            add(format!("text {}", text.expose()));
        }
        login => add(login.to_string()),
    }
    if let Some(origin) = &options.login_origin {
        add(format!("from {origin}"));
    }
    let Tls {
        required: _,
        first,
        ca,
        identity,
        server_name,
    } = &options.tls;
    if *first {
        add("TLS first".to_owned());
    }
    if let Some(ca) = ca {
        add(format!("CA {}", ca.display()));
    }
    if let Some(Identity { cert, key }) = identity {
        add(format!("certificate {} {}", cert.display(), key.display()));
    }
    if let Some(name) = server_name {
        add(format!("server name {name}"));
    }
    if options.api != Api::Default {
        add(options.api.prefix());
    }
    if let Some(prefix) = &options.inbox_prefix {
        add(format!("inbox {prefix}"));
    }
    if let Some(context) = &options.other_context {
        add(format!("not the context {context}"));
    }
    text
}

#[track_caller]
fn resolves(url: Option<&str>, config: &Config, around: &Given, expect: &str) {
    let options = NatsOptions::resolve(url, config, around);
    let options = options.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shown(&options), expect);
}

#[track_caller]
fn refused(url: Option<&str>, config: &Config, around: &Given, code: &str, expect: &str) {
    let error = NatsOptions::resolve(url, config, around).expect_err(expect);
    assert_eq!((error.code(), error.to_string().as_str()), (code, expect));
    assert!(!error.help().is_empty());
}

const CONTEXT: &str = "/home/me/.config/nats/context/prod.json";
const SELECTED: &str = "/home/me/.config/nats/context.txt";

#[test]
fn without_a_word_it_is_the_server_of_this_machine() {
    let none = Config::default();
    resolves(None, &none, &given(&[], &[]), "nats://127.0.0.1:4222");
    resolves(
        Some("nats:///S"),
        &none,
        &given(&[("NATS_URL", ""), ("NATS_CREDS", "")], &[]),
        "nats://127.0.0.1:4222/S",
    );
}

#[test]
fn servers_are_those_of_the_first_place_that_names_some() {
    let config = config("[nats]\nurl = \"nats://config\"");
    let context = [(CONTEXT, r#"{"url":"nats://context"}"#)];
    let selected = [context[0], (SELECTED, "prod\n")];
    let url = Some("nats://url:1,url2:2/S");
    let (named, both) = (
        [("NATS_CONTEXT", "prod")],
        [("NATS_CONTEXT", "prod"), ("NATS_URL", "env1,env2")],
    );
    let expect = "nats://url:1,url2:2/S";
    resolves(url, &config, &given(&both, &context), expect);
    let expect = "nats://env1:4222,env2:4222";
    resolves(None, &config, &given(&both, &context), expect);
    resolves(
        None,
        &config,
        &given(&named, &context),
        "nats://context:4222",
    );
    resolves(
        None,
        &config,
        &given(&[], &selected),
        "nats://config:4222; not the context prod",
    );
    resolves(
        None,
        &Config::default(),
        &given(&[], &selected),
        "nats://context:4222",
    );
}

#[test]
fn the_login_is_that_of_the_first_place_that_names_one() {
    let config = config("[nats]\nuser = \"c\"\npassword = \"p\"\nurl = \"nats://h\"");
    let context = [(CONTEXT, r#"{"creds":"/ctx.creds"}"#)];
    let all = [("NATS_CREDS", "~/me.creds"), ("NATS_CONTEXT", "prod")];
    let at = "nats://h:4222; ";
    resolves(
        Some("nats://u:p%40@h"),
        &config,
        &given(&all, &context),
        &format!("{at}u:p@; from the store's URL"),
    );
    resolves(
        Some("nats://h"),
        &config,
        &given(&all, &context),
        &format!("{at}the creds `/home/me/me.creds`; from `NATS_CREDS`"),
    );
    resolves(
        Some("nats://h"),
        &config,
        &given(&all[1..], &context),
        &format!("{at}the creds `/ctx.creds`; from `creds` of the context `prod`"),
    );
    resolves(
        Some("nats://h"),
        &config,
        &given(&[], &[]),
        &format!("{at}c:p; from `[nats] user` in `cim.toml`"),
    );
}

#[test]
fn the_kinds_of_login_that_variables_name() {
    let none = Config::default();
    let at = "nats://127.0.0.1:4222; ";
    for (variables, expect) in [
        (
            &[
                ("NATS_USER", "u"),
                ("NATS_PASSWORD", "p"),
                ("NATS_CREDS", "/c"),
            ][..],
            "u:p; from `NATS_USER`",
        ),
        (&[("NATS_USER", "t")], "token t; from `NATS_USER`"),
        (&[("NATS_TOKEN", "t")], "token t; from `NATS_TOKEN`"),
        (
            &[
                ("NATS_NKEY", "$HOME/${KEY}.nk"),
                ("HOME", "/h"),
                ("KEY", "k"),
            ],
            "the nkey `/h/k.nk`; from `NATS_NKEY`",
        ),
        (
            &[("NATS_CREDS", "file:///c"), ("NATS_TOKEN", "t")],
            "the creds `/c`; from `NATS_CREDS`",
        ),
        (
            &[("NATS_CREDS", "env://MINE"), ("MINE", "mine")],
            "text mine; from `NATS_CREDS`",
        ),
        (
            &[("NATS_CREDS", "data:;base64,bWluZQ==")],
            "text mine; from `NATS_CREDS`",
        ),
    ] {
        resolves(
            None,
            &none,
            &given(variables, &[]),
            &format!("{at}{expect}"),
        );
    }
    let around = given(
        &[("NATS_JWT", "jwt"), ("NATS_SEED", "file:///s")],
        &[("/s", "SU\n")],
    );
    let options = NatsOptions::resolve(None, &none, &around).expect("valid");
    let Login::Creds(Source::Text(text)) = &options.login else {
        panic!("{options:?}");
    };
    assert!(text.expose().contains("-----\njwt\n------END"));
    assert!(text.expose().contains("-----\nSU\n------END"));
}

#[test]
fn a_password_in_the_environment_is_that_of_the_user_named_elsewhere() {
    let password = [("NATS_PASSWORD", "secret")];
    let user = config("[nats]\nuser = \"c\"");
    resolves(
        None,
        &user,
        &given(&password, &[]),
        "nats://127.0.0.1:4222; c:secret; from `[nats] user` in `cim.toml`",
    );
    let context = [
        (CONTEXT, r#"{"user":"x","password":"old"}"#),
        (SELECTED, "prod"),
    ];
    resolves(
        None,
        &Config::default(),
        &given(&password, &context),
        "nats://127.0.0.1:4222; x:secret; from `user` of the context `prod`",
    );
    refused(
        None,
        &Config::default(),
        &given(&password, &[]),
        "nats-setting-missing",
        "`NATS_PASSWORD` needs `NATS_USER`",
    );
    refused(
        None,
        &user,
        &given(&[], &[]),
        "nats-setting-missing",
        "`[nats] user` in `cim.toml` needs `[nats] password`, or `NATS_PASSWORD` in the \
         environment",
    );
}

#[test]
fn a_context_gives_all_that_it_has() {
    let context = r#"{
        "description": "", "url": "tls://a:1,b:2", "token": "", "user": "me",
        "password": "env://PASSWORD", "creds": "", "nkey": "", "cert": "~/c.pem", "key": "/k.pem",
        "ca": "file:///ca.pem", "nsc": "", "jetstream_domain": "hub", "jetstream_api_prefix": "",
        "jetstream_event_prefix": "", "inbox_prefix": "_INBOX.me", "user_jwt": "",
        "color_scheme": "", "tls_first": true, "something_new": [1]
    }"#;
    let expect = "tls://a:1,b:2; me:secret; from `user` of the context `prod`; TLS first; CA \
                  /ca.pem; certificate /home/me/c.pem /k.pem; $JS.hub.API; inbox _INBOX.me";
    let variables = [("NATS_CONTEXT", "prod"), ("PASSWORD", "secret")];
    let around = given(&variables, &[(CONTEXT, context)]);
    resolves(None, &Config::default(), &around, expect);
    // By the path of its file, and from another folder.
    let variables = [("NATS_CONTEXT", "/x/prod.json"), ("PASSWORD", "secret")];
    let around = given(&variables, &[("/x/prod.json", context)]);
    let expect = expect.replace("context `prod`", "context `/x/prod.json`");
    resolves(None, &Config::default(), &around, &expect);
    let variables = [("XDG_CONFIG_HOME", "/xdg"), ("NATS_CONTEXT", "a")];
    let around = given(
        &variables,
        &[("/xdg/nats/context/a.json", r#"{"url":"h"}"#)],
    );
    resolves(None, &Config::default(), &around, "nats://h:4222");
}

/// A folder that somebody else made may hold a `cim.toml` that names his server. A password of the
/// user's own selected context must not go there.
#[test]
fn a_selected_context_is_left_out_where_others_servers_are_named() {
    let files = [
        (
            CONTEXT,
            r#"{"url":"nats://127.0.0.1:4222,b:1","user":"me","password":"p"}"#,
        ),
        (SELECTED, "prod"),
    ];
    let login = "; me:p; from `user` of the context `prod`";
    let around = given(&[], &files);
    let named = |url: &str| config(&format!("[nats]\nurl = \"{url}\""));
    resolves(
        None,
        &named("nats://evil"),
        &around,
        "nats://evil:4222; not the context prod",
    );
    resolves(
        Some("nats://b:1,evil/S"),
        &Config::default(),
        &around,
        "nats://b:1,evil:4222/S; not the context prod",
    );
    resolves(
        None,
        &named("nats://localhost"),
        &around,
        &format!("nats://localhost:4222{login}"),
    );
    resolves(
        Some("nats://b:1"),
        &Config::default(),
        &around,
        &format!("nats://b:1{login}"),
    );
    // Who names it by hand wants it.
    let around = given(&[("NATS_CONTEXT", "prod")], &files);
    resolves(
        None,
        &named("nats://other"),
        &around,
        &format!("nats://127.0.0.1:4222,b:1{login}"),
    );
    resolves(
        Some("nats://other"),
        &Config::default(),
        &around,
        &format!("nats://other:4222{login}"),
    );
}

#[test]
fn a_selected_context_that_is_gone_stops_only_who_needs_it() {
    let around = given(&[], &[(SELECTED, "prod")]);
    resolves(
        Some("nats://h"),
        &Config::default(),
        &around,
        "nats://h:4222; not the context prod",
    );
    refused(
        None,
        &Config::default(),
        &around,
        "nats-context-not-found",
        &format!("there is no context `prod`: expected it in `{CONTEXT}`"),
    );
}

#[test]
fn tls_is_required_by_whoever_asks_and_by_certificates() {
    let around = given(&[("NATS_CERT", "/c"), ("NATS_KEY", "/k")], &[]);
    let expect = "tls://h:4222; certificate /c /k";
    resolves(Some("nats://h"), &Config::default(), &around, expect);
    let tls = config(
        "[nats]\ntls_required = true\ntls_ca = \"/ca\"\ntls_server_name = \"n\"\n[jetstream]\n\
         prefix = \"JS.x\"",
    );
    let expect = "tls://h:4222; CA /ca; server name n; JS.x";
    resolves(Some("nats://h"), &tls, &given(&[], &[]), expect);
}

#[test]
fn faults_name_the_place_and_what_was_expected() {
    let none = Config::default();
    let nothing = given(&[], &[]);
    refused(
        Some("nats://h:x"),
        &none,
        &nothing,
        "nats-url-invalid",
        "the store's URL is no address of NATS: expected a port from 1 to 65535, found `x`",
    );
    let context = |text: &str| given(&[("NATS_CONTEXT", "prod")], &[(CONTEXT, text)]);
    for (variables, code, expect) in [
        (
            &[("NATS_URL", "http://h")][..],
            "nats-url-invalid",
            "`NATS_URL` is no address of NATS: expected `nats://` or `tls://`, found `http:`",
        ),
        (
            &[("NATS_URL", "nats://h/S")],
            "nats-setting-invalid",
            "`NATS_URL`: expected servers, without a stream",
        ),
        (
            &[("NATS_CERT", "/c")],
            "nats-setting-missing",
            "`NATS_CERT` needs `NATS_KEY`",
        ),
        (
            &[("NATS_CREDS", "op://vault/item")],
            "nats-setting-unsupported",
            "`NATS_CREDS` asks for a secret of 1Password (`op://`), which `cim` does not know",
        ),
        (
            &[("NATS_TOKEN", "file:///nowhere")],
            "nats-setting-unreadable",
            "`/nowhere`, which `NATS_TOKEN` names, cannot be read",
        ),
        (
            &[("NATS_CONTEXT", "../x")],
            "nats-context-not-found",
            "there is no context `../x`",
        ),
    ] {
        refused(None, &none, &given(variables, &[]), code, expect);
    }
    for (text, code, expect) in [
        (
            "{\n \"url\": hunter2",
            "nats-context-invalid",
            format!(
                "`{CONTEXT}`, line 2, column 9: not what a context of the `nats` command has there"
            ),
        ),
        (
            r#"{"socks_proxy":"socks5://h"}"#,
            "nats-setting-unsupported",
            "`socks_proxy` of the context `prod` asks for a proxy, which `cim` does not know"
                .to_owned(),
        ),
        (
            r#"{"user_jwt":"j"}"#,
            "nats-setting-missing",
            "`user_jwt` of the context `prod` needs `user_seed` beside it".to_owned(),
        ),
        (
            r#"{"jetstream_domain":"a","jetstream_api_prefix":"b"}"#,
            "nats-settings-exclude",
            "`jetstream_domain` of the context `prod` and `jetstream_api_prefix` exclude each \
             other"
                .to_owned(),
        ),
        (
            r#"{"url":"nats://u:hunter2@h:x"}"#,
            "nats-url-invalid",
            "`url` of the context `prod` is no address of NATS: expected a port from 1 to 65535"
                .to_owned(),
        ),
    ] {
        refused(None, &none, &context(text), code, &expect);
    }
    let both = config("[jetstream]\ndomain = \"a\"\nprefix = \"b\"");
    refused(
        None,
        &both,
        &nothing,
        "nats-settings-exclude",
        "`[jetstream] domain` in `cim.toml` and `[jetstream] prefix` exclude each other",
    );
}

#[test]
fn nothing_that_is_printed_holds_a_secret() {
    let variables = [("NATS_USER", "me"), ("NATS_PASSWORD", "hunter2")];
    let options = NatsOptions::resolve(None, &Config::default(), &given(&variables, &[]));
    let with_url = NatsOptions::new("nats://hunter2@h/S");
    for options in [options, with_url] {
        let options = options.expect("valid");
        let printed = format!("{options:?} {} {}", options.url(), options.login);
        assert!(!printed.contains("hunter"), "{printed}");
    }
}
