use super::*;

fn target(host_port: &str) -> Target {
    Target {
        address: format!("http://{host_port}"),
        namespace: "orders".to_owned(),
        uses_tls: false,
        credentials: "the API key",
    }
}

fn of(code: Code) -> ConnectError {
    let status = Status::new(code, "as the server says");
    ConnectError::from_status(&target("server:7233"), &status)
}

#[test]
fn what_a_server_says_is_told_apart() {
    let cases = [
        (Code::NotFound, "has no namespace \"orders\""),
        (Code::PermissionDenied, "refuses access"),
        (Code::Unauthenticated, "refuses access"),
        (Code::Unimplemented, "is not a Temporal server"),
        (Code::Unavailable, "is not ready"),
        (Code::ResourceExhausted, "is not ready"),
        (Code::DeadlineExceeded, "is not ready"),
    ];
    for (code, part) in cases {
        let text = of(code).to_string();
        assert!(text.contains(part), "{code:?}: {text}");
        assert!(text.contains("http://server:7233"), "{code:?}: {text}");
    }
}

#[test]
fn what_a_server_says_is_fit_for_a_terminal_and_a_suggested_command_for_a_shell() {
    let said = format!("\u{1b}[2J{}", "x".repeat(10_000));
    for code in [Code::PermissionDenied, Code::Unknown, Code::Unavailable] {
        let status = Status::new(code, &said);
        let text = ConnectError::from_status(&target("server:7233"), &status).to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.len() < 1000, "{text}");
    }

    let mut target = target("server:7233");
    target.namespace = "a b; rm -rf ~".to_owned();
    let status = Status::new(Code::NotFound, "");
    let text = ConnectError::from_status(&target, &status).to_string();
    assert!(text.contains("--namespace 'a b; rm -rf ~'`"), "{text}");
}

#[test]
fn only_wrong_settings_are_permanent() {
    assert!(ConnectError::Settings(String::new()).is_permanent());
    for code in [Code::NotFound, Code::PermissionDenied, Code::Unavailable] {
        assert!(!of(code).is_permanent(), "{code:?}");
    }
}

#[test]
fn the_start_command_names_a_port_only_on_this_machine() {
    for (address, shown) in [
        ("localhost:7233", "-- server` or"),
        ("localhost:7299", "-- server --port 7299` or"),
        ("[::1]:7299", "-- server --port 7299` or"),
        ("far.example:7299", "-- server` or"),
    ] {
        let text = ConnectError::no_server(&target(address), "refused").to_string();
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn tls_trouble_is_found_however_deep_it_lies() {
    let inner = rustls::Error::InvalidCertificate(CertificateError::Expired);
    let outer = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner));
    let found = find_tls(&outer);
    assert!(matches!(
        found,
        Some(rustls::Error::InvalidCertificate(CertificateError::Expired))
    ));
}
