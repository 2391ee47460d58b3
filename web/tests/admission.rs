//! Who is answered, and what clients may take.

mod common;

use common::{Answer, Scene, Web, until};
use nix::sys::signal::Signal;
use reqwest::{Method, redirect::Policy};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The page alone: who is answered does not depend on a server.
async fn alone(flags: &[&str]) -> (tempfile::TempDir, Web) {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start(&folder, "127.0.0.1:1", flags).await;
    (folder, web)
}

async fn with(web: &Web, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = web.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn only_programs_of_this_machine_and_the_own_page_are_answered() {
    let (_folder, web) = alone(&["--host", "orders.example"]).await;
    let own = web.url.clone();
    let localhost = web.host.replace("127.0.0.1", "localhost");
    let path = "/api/orders/order-1/cancel";
    // Whatever is admitted learns that there is no server.
    let admitted: &[&[(&str, &str)]] = &[
        &[],
        &[("origin", &own), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("host", &localhost)],
        &[
            ("host", "orders.example"),
            ("origin", "https://orders.example"),
        ],
    ];
    for headers in admitted {
        with(&web, Method::POST, path, headers).await.problem(503);
    }
    let refused: &[(&[(&str, &str)], u16)] = &[
        (&[("host", "evil.example")], 421),
        (&[("host", "127.0.0.1")], 421),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", "http://127.0.0.1:1")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("origin", &own), ("origin", "http://evil.example")], 400),
    ];
    for (headers, status) in refused {
        for (method, path) in [(Method::POST, path), (Method::GET, "/api/events")] {
            with(&web, method, path, headers).await.problem(*status);
        }
    }
    // A link from elsewhere may lead to the page, but not under another name.
    let link = [("sec-fetch-site", "cross-site")];
    for path in ["/", "/orders/order-1"] {
        let page = with(&web, Method::GET, path, &link).await;
        assert_eq!(
            (page.status, page.kind.as_str()),
            (200, "text/html; charset=utf-8")
        );
        with(&web, Method::GET, path, &[("host", "evil.example")])
            .await
            .problem(421);
    }
    let page = web.request(Method::GET, "/").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn with_a_token_nobody_is_answered_without_it() {
    let (_folder, web) = alone(&["--token", "open sesame"]).await;
    for path in ["/", "/api/about", "/page/style.css"] {
        for headers in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "open sesame")],
            &[("cookie", "order-management-token=open sesame")],
        ] {
            let refused = with(&web, Method::GET, path, headers).await;
            assert!(refused.problem(401).contains("token"), "{refused:?}");
        }
        with(&web, Method::GET, &format!("{path}?token=wrong"), &[])
            .await
            .problem(401);
    }
    let bearer = [("authorization", "Bearer open sesame")];
    assert_eq!(
        with(&web, Method::GET, "/api/about", &bearer).await.status,
        200
    );

    // A browser is given a cookie, and an address without the token.
    let browser = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let link = format!("{}/orders/order-1?token=open%20sesame", web.url);
    let welcome = browser.get(link).send().await.unwrap();
    assert_eq!(welcome.status(), 303);
    assert_eq!(welcome.headers()["location"], "/orders/order-1");
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains("sesame"), "{cookie}");
    let cookie = [("cookie", cookie.split(';').next().unwrap())];
    assert_eq!(
        with(&web, Method::GET, "/api/about", &cookie).await.status,
        200
    );
    // A browser with the cookie is no reason to do what another page wants.
    let forged = [cookie[0], ("origin", "http://evil.example")];
    with(&web, Method::POST, "/api/orders", &forged)
        .await
        .problem(403);
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_a_token() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_web"))
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert!(!program.status.success());
    let said = String::from_utf8_lossy(&program.stderr);
    assert!(said.contains("give a --token"), "{said}");
}

/// Opens a stream of events and reads as far as its head.
async fn stream(host: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let question = format!("GET /api/events HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(question.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn a_thousand_pages_are_served_and_ctrl_c_ends_the_program_all_the_same() {
    let (_folder, web) = alone(&[]).await;
    let mut open = Vec::new();
    for _ in 0..1_000 {
        open.push(stream(&web.host).await);
    }
    assert_eq!(web.get("/api/about").await.status, 200);
    // Streams do not take all places.
    let mut more = Vec::new();
    let refused = loop {
        let answer = web
            .request(Method::GET, "/api/events")
            .send()
            .await
            .unwrap();
        if answer.status() != 200 {
            break Answer::of(answer).await;
        }
        more.push(answer);
        assert!(
            more.len() < 1_000,
            "the number of streams should have a limit"
        );
    };
    assert!(
        refused.problem(503).contains("too many pages"),
        "{refused:?}"
    );
    assert_eq!(web.get("/api/about").await.status, 200);
    // A page that is closed makes room.
    open.clear();
    let _open = until("a free place", async || {
        let answer = web.request(Method::GET, "/api/events").send().await;
        answer.ok().filter(|answer| answer.status() == 200)
    })
    .await;
    assert!(web.stopped_by(Signal::SIGINT).await.success());
}

#[tokio::test]
async fn sigterm_ends_the_program_in_order() {
    let (_folder, web) = alone(&[]).await;
    assert!(web.stopped_by(Signal::SIGTERM).await.success());
}

#[tokio::test]
async fn a_slow_client_is_cut_off() {
    let scene = Scene::new().await;
    // A request that never ends.
    let mut slow = TcpStream::connect(&scene.web.host).await.unwrap();
    slow.write_all(b"POST /api/orders HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    // A body that never comes.
    let mut half = TcpStream::connect(&scene.web.host).await.unwrap();
    let head = format!(
        "POST /api/orders HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{{",
        scene.web.host
    );
    half.write_all(head.as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    let cut_off = async {
        let _ = slow.read_to_end(&mut Vec::new()).await;
        let _ = half.read_to_end(&mut rest).await;
    };
    tokio::time::timeout(common::PATIENCE, cut_off)
        .await
        .unwrap();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.starts_with("HTTP/1.1 408"), "{rest}");
    let order = json!({"item": "123456", "quantity": 1, "paymentInfo": "VISA-1"});
    assert_eq!(scene.web.post("/api/orders", &order).await.status, 201);
}
