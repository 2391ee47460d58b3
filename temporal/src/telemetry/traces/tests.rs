use super::*;

fn env<'a>(variables: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + use<'a> {
    move |name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

#[test]
fn without_an_endpoint_there_are_no_traces() {
    assert_eq!(endpoint(env(&[])).unwrap(), None);
    let empty = [("OTEL_EXPORTER_OTLP_ENDPOINT", "")];
    assert_eq!(endpoint(env(&empty)).unwrap(), None);
}

#[test]
fn either_endpoint_switches_traces_on() {
    let only_traces = [(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://localhost:1/v1/traces",
    )];
    assert!(endpoint(env(&[ENDPOINT])).unwrap().is_some());
    assert!(endpoint(env(&only_traces)).unwrap().is_some());
}

#[test]
fn each_switch_turns_traces_off() {
    for switch in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
    ] {
        assert_eq!(
            endpoint(env(&[ENDPOINT, switch])).unwrap(),
            None,
            "{switch:?}"
        );
    }
    let not_true = [ENDPOINT, ("OTEL_SDK_DISABLED", "false")];
    assert!(endpoint(env(&not_true)).unwrap().is_some());
}

#[test]
fn what_cannot_be_is_refused_with_the_variables_name() {
    let wrong = (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "user:hush@localhost:4318",
    );
    let text = endpoint(env(&[wrong])).unwrap_err().to_string();
    assert!(text.contains(wrong.0) && !text.contains("hush"), "{text}");
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ] {
        let error = endpoint(env(&[ENDPOINT, (variable, value)])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(variable) && text.contains(value), "{text}");
    }
}

#[test]
fn the_service_is_named_by_either_variable() {
    assert!(!names_service(env(&[])));
    assert!(!names_service(env(&[(
        "OTEL_RESOURCE_ATTRIBUTES",
        "team=orders"
    )])));
    let attributes = [("OTEL_RESOURCE_ATTRIBUTES", "team=orders,service.name=shop")];
    assert!(names_service(env(&attributes)));
    assert!(names_service(env(&[("OTEL_SERVICE_NAME", "shop")])));
}

#[test]
fn looks_are_left_out_and_changes_are_not() {
    assert!(is_look("DescribeWorkflow"));
    assert!(is_look("QueryWorkflow:progress"));
    assert!(!is_look("StartWorkflow:ProcessOrder"));
    assert!(!is_look("SignalWorkflow:approve"));
}
