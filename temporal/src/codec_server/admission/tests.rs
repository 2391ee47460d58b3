use axum::http::Request;

use super::*;

const UI: &str = "http://localhost:8233";

fn admission() -> Admission {
    let address = "127.0.0.1:8081".parse().unwrap();
    Admission::new(address, &[], &[origin(&format!("{UI}/")).unwrap()], &[])
}

/// A request that is answered, with these headers in place of its own.
fn asked(method: Method, path: &str, changed: &[(&str, &str)]) -> request::Parts {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let usual = [
        ("host", "localhost:8081"),
        ("origin", UI),
        ("content-type", "application/json"),
    ];
    for (name, value) in usual.iter().chain(changed) {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request.into_parts().0
}

fn refused(admission: &Admission, asked: &request::Parts) -> StatusCode {
    admission.admit(asked).unwrap_err().status()
}

#[test]
fn the_web_ui_and_the_cli_are_answered() {
    let admission = admission();
    for (path, work) in [("/encode", Work::Encode), ("/decode", Work::Decode)] {
        let page = asked(Method::POST, path, &[]);
        assert_eq!(admission.admit(&page).unwrap(), Admitted::Work(work));

        let mut program = page;
        program.headers.remove("origin");
        program
            .headers
            .insert("host", "127.0.0.1:8081".parse().unwrap());
        assert_eq!(admission.admit(&program).unwrap(), Admitted::Work(work));
    }
    let charset = [("content-type", "application/json; charset=utf-8")];
    let page = asked(Method::POST, "/decode", &charset);
    assert!(admission.admit(&page).is_ok());
}

#[test]
fn what_is_not_for_it_is_refused() {
    let admission = admission();
    let post = |changed| asked(Method::POST, "/decode", changed);
    for (request, status) in [
        (post(&[("origin", "https://evil.example")]), 403),
        (post(&[("origin", "null")]), 403),
        (
            post(&[("origin", "http://localhost:8233.evil.example")]),
            403,
        ),
        (post(&[("host", "evil.example:8081")]), 421),
        (post(&[("host", "127.0.0.1:9999")]), 421),
        (post(&[("content-type", "text/plain")]), 415),
        (asked(Method::GET, "/decode", &[]), 405),
        (asked(Method::PUT, "/decode", &[]), 405),
        (asked(Method::POST, "/", &[]), 404),
        (asked(Method::POST, "/decode/", &[]), 404),
        (
            asked(Method::OPTIONS, "/decode", &[("origin", "null")]),
            403,
        ),
    ] {
        assert_eq!(
            refused(&admission, &request).as_u16(),
            status,
            "{request:?}"
        );
    }
    let mut no_host = asked(Method::POST, "/decode", &[]);
    no_host.headers.remove("host");
    assert_eq!(refused(&admission, &no_host).as_u16(), 421);
}

#[test]
fn a_url_in_the_request_line_names_this_server_too() {
    let admission = admission();
    let post = |url| asked(Method::POST, url, &[]);
    assert!(
        admission
            .admit(&post("http://localhost:8081/decode"))
            .is_ok()
    );
    for url in [
        "http://evil.example/decode",
        "http://localhost:8081@evil.example/decode",
    ] {
        assert_eq!(refused(&admission, &post(url)).as_u16(), 421, "{url}");
    }
}

#[test]
fn an_origin_is_one_page_of_the_web() {
    for (given, taken) in [
        ("https://UI.example/", "https://ui.example"),
        ("http://[::1]:8233", "http://[::1]:8233"),
    ] {
        assert_eq!(origin(given).as_deref(), Ok(taken));
    }
    for bad in [
        "*",
        "",
        "null",
        "ui.example",
        "https://",
        "https://ui.example/path",
        "https://ui.example?x",
        "https://user@ui.example",
        "ftp://ui.example",
    ] {
        let refusal = origin(bad).expect_err(bad);
        assert!(refusal.contains("any page"), "{refusal}");
    }
}

#[test]
fn a_header_that_decides_is_there_once() {
    let address = "127.0.0.1:8081".parse().unwrap();
    let admission = Admission::new(address, &[], &[UI.to_owned()], &["orders".to_owned()]);
    let usual = asked(Method::POST, "/decode", &[("x-namespace", "orders")]);
    assert!(admission.admit(&usual).is_ok());
    for name in ["host", "origin", "content-type", "x-namespace"] {
        let same = usual.headers[name].clone();
        let other = HeaderValue::from_static("evil.example");
        for second in [same, other] {
            let mut twice = usual.clone();
            let name = HeaderName::from_static(name);
            twice.headers.append(name, second);
            assert_eq!(refused(&admission, &twice).as_u16(), 400, "{twice:?}");
            let mut cors = HeaderMap::new();
            admission.add_cors(&twice, &mut cors);
            let readable = cors.contains_key("access-control-allow-origin");
            assert_eq!(
                readable,
                twice.headers.get_all("origin").iter().count() == 1
            );
        }
        let mut unreadable = usual.clone();
        let name = HeaderName::from_static(name);
        let value = HeaderValue::from_bytes(b"\xff").unwrap();
        unreadable.headers.insert(name, value);
        assert_eq!(refused(&admission, &unreadable).as_u16(), 400);
    }
}

#[test]
fn a_refusal_quotes_no_more_than_the_beginning() {
    let long = "x".repeat(10_000);
    let admission = admission();
    for header in ["host", "origin"] {
        let request = asked(Method::POST, "/decode", &[(header, &long)]);
        let refusal = admission.admit(&request).unwrap_err().to_string();
        assert!(refusal.len() < 300, "{refusal}");
    }
}

#[test]
fn a_namespace_it_was_not_started_for_is_refused() {
    let address = "127.0.0.1:8081".parse().unwrap();
    let admission = Admission::new(address, &[], &[UI.to_owned()], &["orders".to_owned()]);
    let post = |changed| asked(Method::POST, "/decode", changed);
    assert!(admission.admit(&post(&[("x-namespace", "orders")])).is_ok());
    for request in [post(&[("x-namespace", "others")]), post(&[])] {
        assert_eq!(refused(&admission, &request).as_u16(), 403);
    }
}

#[test]
fn for_all_addresses_it_is_asked_under_the_names_given() {
    let address = "0.0.0.0:8081".parse().unwrap();
    let admission = Admission::new(address, &["Codec.Example".to_owned()], &[], &[]);
    let mut request = asked(Method::POST, "/decode", &[("host", "codec.example")]);
    request.headers.remove("origin");
    assert!(admission.admit(&request).is_ok());
    for host in ["0.0.0.0:8081", "localhost:8081", "127.0.0.1:8081"] {
        request.headers.insert("host", host.parse().unwrap());
        assert_eq!(refused(&admission, &request).as_u16(), 421, "{host}");
    }
}

#[test]
fn a_page_is_told_what_it_may_do_and_a_stranger_is_not() {
    let admission = admission();
    let cors = |asked: &request::Parts| {
        let mut headers = HeaderMap::new();
        admission.add_cors(asked, &mut headers);
        headers
    };
    let preflight = asked(Method::OPTIONS, "/decode", &[]);
    assert_eq!(admission.admit(&preflight).unwrap(), Admitted::Preflight);
    let headers = cors(&preflight);
    assert_eq!(headers["access-control-allow-origin"], UI);
    assert_eq!(headers["access-control-allow-methods"], "POST, OPTIONS");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("x-namespace"), "{allowed}");
    assert!(!headers.contains_key("access-control-allow-private-network"));

    let changed = [("access-control-request-private-network", "true")];
    let headers = cors(&asked(Method::OPTIONS, "/decode", &changed));
    assert_eq!(headers["access-control-allow-private-network"], "true");

    let stranger = asked(Method::POST, "/decode", &[("origin", "http://else")]);
    assert!(!cors(&stranger).contains_key("access-control-allow-origin"));
}
