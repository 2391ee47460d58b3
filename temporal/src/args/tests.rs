use std::os::unix::ffi::OsStringExt;

use tempfile::TempDir;

use super::*;

const FILE: &str = r#"
[profile.default]
address = "from-file:7233"
namespace = "from-file"

[profile.cloud]
address = "cloud:7233"
namespace = "orders.acct"
api_key = "file-key"
"#;

const KEY: &str = "one=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

struct Bench {
    folder: TempDir,
    args: ConnectArgs,
    environment: HashMap<String, String>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("temporal.toml");
        fs::write(&file, FILE).unwrap();
        let args = ConnectArgs {
            config_file: Some(file),
            ..ConnectArgs::default()
        };
        Self {
            folder,
            args,
            environment: HashMap::new(),
        }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Settings, ConnectError> {
        self.args.settings_in(&self.environment)
    }

    fn error(&self) -> String {
        match self.load() {
            Err(error @ ConnectError::Settings(_)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn secret(text: &str) -> Option<Secret> {
    Some(text.parse().unwrap())
}

#[test]
fn with_nothing_said_it_is_the_dev_server_on_this_machine() {
    let settings = Settings::from_profile(ClientConfigProfile::default()).unwrap();
    assert_eq!(settings.address(), "http://localhost:7233");
    assert_eq!(settings.namespace, "default");
    assert!(!settings.uses_tls());
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let mut bench = Bench::new();
    assert_eq!(bench.load().unwrap().host_port(), "from-file:7233");
    assert_eq!(bench.load().unwrap().namespace, "from-file");

    bench = bench
        .set("TEMPORAL_ADDRESS", "from-env:7233")
        .set("TEMPORAL_NAMESPACE", "from-env");
    assert_eq!(bench.load().unwrap().host_port(), "from-env:7233");
    assert_eq!(bench.load().unwrap().namespace, "from-env");

    bench.args.address = Some("from-flag:7233".to_owned());
    bench.args.namespace = Some("from-flag".to_owned());
    assert_eq!(bench.load().unwrap().host_port(), "from-flag:7233");
    assert_eq!(bench.load().unwrap().namespace, "from-flag");
}

#[test]
fn the_profile_is_chosen_by_flag_and_by_environment() {
    let mut bench = Bench::new().set("TEMPORAL_PROFILE", "cloud");
    let settings = bench.load().unwrap();
    assert_eq!(settings.address(), "https://cloud:7233");
    assert_eq!(settings.options.api_key.as_deref(), Some("file-key"));

    bench.args.profile = Some("default".to_owned());
    assert_eq!(bench.load().unwrap().address(), "http://from-file:7233");

    bench.args.profile = Some("no-such".to_owned());
    assert!(bench.error().contains("no-such"), "{}", bench.error());
}

#[test]
fn an_api_key_turns_tls_on_and_a_flag_off_again() {
    let mut bench = Bench::new();
    bench.args.api_key = secret("flag-key");
    let settings = bench.load().unwrap();
    assert!(settings.uses_tls());
    assert_eq!(settings.address(), "https://from-file:7233");
    assert_eq!(settings.options.api_key.as_deref(), Some("flag-key"));

    bench.args.tls = Some(false);
    assert!(!bench.load().unwrap().uses_tls());
}

#[test]
fn an_api_key_is_read_from_its_file_without_the_end_of_its_line() {
    let mut bench = Bench::new();
    bench.args.api_key_file = Some(bench.file("api-key", "file-key\n"));
    let settings = bench.load().unwrap();
    assert_eq!(settings.options.api_key.as_deref(), Some("file-key"));
    assert!(settings.uses_tls());

    bench.args.api_key = secret("flag-key");
    assert!(bench.error().contains("twice"), "{}", bench.error());

    bench.args.api_key = None;
    bench.args.api_key_file = Some("/nowhere/api-key".into());
    assert!(bench.error().contains("/nowhere/api-key"));

    bench.args.api_key_file = Some(bench.file("empty", "\n"));
    let error = bench.error();
    assert!(error.contains("TEMPORAL_API_KEY_FILE"), "{error}");
}

#[test]
fn each_tls_flag_gets_where_it_belongs() {
    let mut bench = Bench::new();
    let (certificate, key) = certificate_and_key();
    bench.args.tls_ca = Some(bench.file("ca.pem", &certificate));
    bench.args.tls_cert = Some(bench.file("cert.pem", &certificate));
    bench.args.tls_key = Some(bench.file("key.pem", &key));
    bench.args.tls_server_name = Some("server.example".to_owned());

    let tls = bench.load().unwrap().options.tls_options.unwrap();
    assert_eq!(tls.domain.as_deref(), Some("server.example"));
    assert_eq!(tls.server_root_ca_cert.unwrap(), certificate.as_bytes());
    let own = tls.client_tls_options.unwrap();
    assert_eq!(own.client_cert, certificate.as_bytes());
    assert_eq!(own.client_private_key, key.as_bytes());
}

#[test]
fn an_address_with_https_is_encrypted() {
    let mut bench = Bench::new();
    bench.args.address = Some("https://server:7233".to_owned());
    assert!(bench.load().unwrap().uses_tls());
}

#[test]
fn an_api_key_never_goes_out_in_the_clear_by_mistake() {
    let mut bench = Bench::new();
    bench.args.address = Some("http://server:7233".to_owned());
    bench.args.api_key = secret("key");
    assert!(bench.error().contains("http://"), "{}", bench.error());
}

#[test]
fn wrong_settings_are_named() {
    let mut bench = Bench::new();
    for (address, part) in [
        ("", "TEMPORAL_ADDRESS"),
        ("localhost", "no port"),
        ("localhost:notaport", "not HOST:PORT"),
        ("ftp://localhost:7233", "not HOST:PORT"),
        ("localhost:7233/path", "not HOST:PORT"),
    ] {
        bench.args.address = Some(address.to_owned());
        assert!(bench.error().contains(part), "{address}: {}", bench.error());
    }

    let mut bench = Bench::new();
    bench.args.namespace = Some(String::new());
    assert!(bench.error().contains("TEMPORAL_NAMESPACE"));

    let mut bench = Bench::new();
    bench.args.api_key = secret("key\n");
    let error = bench.error();
    assert!(error.contains("TEMPORAL_API_KEY"), "{error}");
    assert!(!error.contains("key\n"), "{error}");

    let mut bench = Bench::new();
    bench.args.config_file = Some("/nowhere/temporal.toml".into());
    assert!(bench.error().contains("/nowhere/temporal.toml"));

    let mut bench = Bench::new();
    bench.args.config_file = Some(bench.file("bad.toml", "[profile"));
    assert!(bench.error().contains("TOML"), "{}", bench.error());

    let bench = Bench::new().set("TEMPORAL_TLS_DISABLE_HOST_VERIFICATION", "true");
    assert!(bench.error().contains("DISABLE_HOST_VERIFICATION"));
}

#[test]
fn a_broken_configuration_file_is_never_quoted() {
    let mut bench = Bench::new();
    let text = "[profile.default]\napi_key = \"hush-hush\"\nadress = \"cloud:7233\"";
    bench.args.config_file = Some(bench.file("misspelt.toml", text));
    let error = bench.error();
    assert!(error.contains("misspelt.toml"), "{error}");
    assert!(error.contains("line 3, column 1"), "{error}");
    assert!(error.contains("\"address\""), "{error}");
    assert!(!error.contains("hush-hush"), "{error}");
}

#[test]
fn variables_that_are_not_text_are_named_without_their_value_where_they_count() {
    let not_text = OsString::from_vec(b"hush-\xff".to_vec());
    let variable = |name: &str| (OsString::from(name), not_text.clone());
    let others = [
        variable("LESS_TERMCAP"),
        (not_text.clone(), "value".into()),
        ("TEMPORAL_NAMESPACE".into(), "orders".into()),
    ];
    let read = environment(others.into_iter()).unwrap();
    assert_eq!(read["TEMPORAL_NAMESPACE"], "orders");
    assert_eq!(read.len(), 1);

    let ours = [variable("TEMPORAL_TLS_CLIENT_KEY_DATA")];
    let error = environment(ours.into_iter()).unwrap_err().to_string();
    assert!(error.contains("TEMPORAL_TLS_CLIENT_KEY_DATA"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}

#[test]
fn wrong_certificate_files_are_named() {
    let (certificate, key) = certificate_and_key();

    let mut bench = Bench::new();
    bench.args.tls_ca = Some("/nowhere/ca.pem".into());
    assert!(bench.error().contains("/nowhere/ca.pem"));

    let mut bench = Bench::new();
    bench.args.tls_ca = Some(bench.file("not.pem", "no certificate"));
    assert!(bench.error().contains("not.pem"), "{}", bench.error());

    let mut bench = Bench::new();
    bench.args.tls_cert = Some(bench.file("cert.pem", &certificate));
    assert!(bench.error().contains("--tls-key"), "{}", bench.error());

    bench.args.tls_key = Some(bench.file("swapped.pem", &certificate));
    let error = bench.error();
    assert!(error.contains("your private key"), "{error}");
    assert!(!error.contains(&key), "{error}");
}

#[test]
fn encryption_keys_come_from_a_file_or_a_variable_and_what_is_wrong_names_it() {
    let mut bench = Bench::new();
    assert!(bench.load().unwrap().encryption.is_empty());

    bench.args.encryption.encryption_keys = secret(KEY);
    let keys = bench.load().unwrap().encryption;
    assert_eq!(keys.ids().collect::<Vec<_>>(), ["one"]);

    bench.args.encryption.encryption_keys_file = Some(bench.file("keys", KEY));
    assert!(bench.error().contains("twice"), "{}", bench.error());

    bench.args.encryption.encryption_keys = None;
    let keys = bench.load().unwrap().encryption;
    assert_eq!(keys.ids().collect::<Vec<_>>(), ["one"]);

    bench.args.encryption.encryption_keys_file = Some(bench.file("empty-keys", ""));
    assert!(bench.error().contains("empty-keys"), "{}", bench.error());

    bench.args.encryption.encryption_keys_file = None;
    bench.args.encryption.encryption_keys = secret("one=c2hvcnQ=");
    let error = bench.error();
    assert!(error.contains("TEMPORAL_ENCRYPTION_KEYS"), "{error}");
    assert!(!error.contains("c2hvcnQ="), "{error}");
}

#[test]
fn secrets_are_never_printed() {
    let mut bench = Bench::new();
    bench.args.api_key = secret("hush-hush");
    bench.args.encryption.encryption_keys = secret(KEY);
    let settings = bench.load().unwrap();
    for text in [format!("{:?}", bench.args), format!("{settings:?}")] {
        assert!(!text.contains("hush-hush"), "{text}");
        assert!(!text.contains("AQEB"), "{text}");
        assert!(!text.contains("[1, 1,"), "{text}");
    }
}

fn certificate_and_key() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["server.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn what_the_go_demo_calls_by_another_name_is_never_passed_over() {
    let error = Bench::new().set("ENCRYPT_PAYLOAD", "true").error();
    assert!(error.contains("TEMPORAL_ENCRYPTION_KEYS"), "{error}");
    let all = [("USE_TLS", "true"), ("PATH", "/bin")];
    let read = environment(
        all.into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    assert_eq!(read.unwrap().keys().collect::<Vec<_>>(), ["USE_TLS"]);
}
