//! `bindgen c WIT --world WORLD --out-dir FOLDER` writes the C side of a WIT world into a folder.
//!
//! It does what `wit-bindgen` does with the same arguments, and is here because that program takes
//! minutes to compile.

use std::path::Path;

use anyhow::bail;
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ["c", wit, "--world", world, "--out-dir", folder] = arguments[..] else {
        bail!("usage: bindgen c WIT --world WORLD --out-dir FOLDER");
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some(world))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    std::fs::create_dir_all(folder)?;
    for (name, contents) in files.iter() {
        std::fs::write(Path::new(folder).join(name), contents)?;
    }
    Ok(())
}
