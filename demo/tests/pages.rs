//! Every relative link on a page leads to a file that exists, and every anchor to a heading.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .canonicalize()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned()
}

/// The pages in a folder and in those below it, except for what Cargo builds and hidden folders.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if entry.file_type().unwrap().is_dir() {
                let skipped = name == "target" || (name.starts_with('.') && name != ".github");
                return if skipped {
                    Vec::new()
                } else {
                    pages(&entry.path())
                };
            }
            if name.ends_with(".md") {
                vec![entry.path()]
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// A page's lines outside of code blocks.
fn prose(page: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut prose = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            prose.push(line);
        }
    }
    prose
}

/// The targets of `[text](target)` and `![text](target)`. The text may go over several lines, but
/// the target stands on one.
fn links(page: &str) -> Vec<&str> {
    prose(page)
        .into_iter()
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .collect()
}

/// The anchors that GitHub gives to a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let headings = prose(page)
        .into_iter()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let anchor: String = heading
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            let count = seen.entry(anchor.clone()).or_insert(0);
            *count += 1;
            match *count - 1 {
                0 => anchor,
                before => format!("{anchor}-{before}"),
            }
        })
        .collect()
}

/// Why a link on a page leads nowhere, or nothing if it does not.
fn broken(page: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    if !target.exists() {
        return Some("there is no such file".to_owned());
    }
    // An anchor in a file of code is a line number.
    if anchor.is_empty() || target.extension().is_none_or(|ending| ending != "md") {
        return None;
    }
    let text = fs::read_to_string(&target).unwrap();
    (!anchors(&text).contains(anchor)).then(|| "there is no such heading".to_owned())
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    let mut broken_links = Vec::new();
    for page in pages(&project()) {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            checked += 1;
            if let Some(why) = broken(&page, link) {
                let page = page.strip_prefix(project()).unwrap().display();
                broken_links.push(format!("{page}: {link}: {why}"));
            }
        }
    }
    assert!(checked > 0, "no links were found");
    assert!(broken_links.is_empty(), "{}", broken_links.join("\n"));
}
