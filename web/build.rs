//! Lists the files of the page, so that they are all in the program.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=page");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("set by cargo")).join("page");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder page exists")
        .map(|file| file.expect("it can be listed").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let lines: String = files
        .iter()
        .map(|path| {
            let name = path
                .file_name()
                .expect("a file has a name")
                .to_string_lossy();
            format!("    ({name:?}, include_str!({path:?})),\n")
        })
        .collect();
    let out = Path::new(&env::var("OUT_DIR").expect("set by cargo")).join("files.rs");
    let text = format!("const FILES: &[(&str, &str)] = &[\n{lines}];\n");
    fs::write(out, text).expect("the output folder can be written");
}
