//! Lays the site out: every file under a name with its hash, and the page that refers to them.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{Result, table};

/// The page of a server that was built without the app.
pub const LEFT_OUT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>BugBrother</title>\
    <p>This server was built without its app (BUGBROTHER_SKIP_APP=1). Build it again without that variable.</p>";

/// Names as they stand in templates → paths with hashes.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    /// Writes a file below `assets/`.
    fn add(&mut self, site: &Path, name: &str, bytes: &[u8]) -> Result<()> {
        let (stem, extension) = name.rsplit_once('.').ok_or("an asset has no extension")?;
        let path = format!("/assets/{stem}.{}.{extension}", table::hash(bytes));
        fs::write(site.join(&path[1..]), bytes)?;
        self.0.insert(name.to_owned(), path);
        Ok(())
    }

    /// Replaces each `{{name}}` by its path.
    fn fill(&self, template: &str) -> Result<String> {
        let mut text = template.to_owned();
        for (name, path) in &self.0 {
            text = text.replace(&format!("{{{{{name}}}}}"), path);
        }
        match text.split_once("{{") {
            Some((_, rest)) => {
                let name = rest.split("}}").next().unwrap_or_default();
                Err(format!("no asset is named `{name}`").into())
            }
            None => Ok(text),
        }
    }
}

/// Puts the whole site together.
pub fn lay_out(app: &Path, code: &Path, geodata: &Path, site: &Path) -> Result<()> {
    fs::create_dir_all(site.join("assets"))?;
    let modules = app.join("node_modules");
    let mut names = Names::default();
    for (name, path) in [
        ("inter.woff2", modules.join("@fontsource-variable/inter/files/inter-latin-wght-normal.woff2")),
        ("inter-ext.woff2", modules.join("@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2")),
        ("icon.svg", app.join("icon.svg")),
        ("icon-maskable.svg", app.join("icon-maskable.svg")),
        ("leaflet.js", modules.join("leaflet/dist/leaflet.js")),
        ("uplot.js", modules.join("uplot/dist/uPlot.iife.min.js")),
        ("world.bin", geodata.join("world.bin")),
        ("fine.bin", geodata.join("fine.bin")),
        ("app.js", code.join("app.js")),
        ("app.wasm", code.join("app_bg.wasm")),
    ] {
        names.add(site, name, &fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?)?;
    }
    places(&mut names, &geodata.join("places"), site)?;

    let mut style = fs::read_to_string(modules.join("leaflet/dist/leaflet.css"))?;
    style.push_str(&fs::read_to_string(modules.join("uplot/dist/uPlot.min.css"))?);
    for path in table::files(&app.join("style"))? {
        style.push_str(&fs::read_to_string(path)?);
    }
    // Leaflet's own markers and layer switch are not used, and neither are their pictures.
    let style = names.fill(&style.replace("url(images/", "url(/assets/leaflet-"))?;
    names.add(site, "app.css", style.as_bytes())?;
    let start = names.fill(&fs::read_to_string(app.join("start.js"))?)?;
    names.add(site, "start.js", start.as_bytes())?;
    let page = names.fill(&fs::read_to_string(app.join("index.html"))?)?;
    fs::write(site.join("index.html"), &page)?;
    let manifest = names.fill(&fs::read_to_string(app.join("manifest.json"))?)?;
    fs::write(site.join("manifest.webmanifest"), manifest)?;
    worker(&mut names, app, &page, site)
}

/// What the app cannot open without; the finer map and the names of places are kept when they have been seen.
const SHELL: [&str; 10] = [
    "inter.woff2",
    "icon.svg",
    "leaflet.js",
    "uplot.js",
    "world.bin",
    "app.js",
    "app.wasm",
    "app.css",
    "start.js",
    "inter-ext.woff2",
];

/// The service worker, another one whenever a file of the shell is another one. Its own name never changes.
fn worker(names: &mut Names, app: &Path, page: &str, site: &Path) -> Result<()> {
    let mut files = vec!["/".to_owned(), "/manifest.webmanifest".to_owned()];
    for name in SHELL {
        files.push(names.0.get(name).ok_or_else(|| format!("no asset is named `{name}`"))?.clone());
    }
    let list: Vec<String> = files.iter().map(|file| format!("{file:?}")).collect();
    let list = format!("[{}]", list.join(", "));
    names.0.insert("version".to_owned(), table::hash(format!("{list}{page}").as_bytes()));
    names.0.insert("files".to_owned(), list);
    let worker = names.fill(&fs::read_to_string(app.join("worker.js"))?)?;
    Ok(fs::write(site.join("worker.js"), worker)?)
}

/// The names of places: many small files in one folder, whose hash is the one of them all.
fn places(names: &mut Names, from: &Path, site: &Path) -> Result<()> {
    let files = table::files(from)?;
    let mut all = Vec::new();
    for path in &files {
        all.extend(fs::read(path)?);
    }
    let folder = format!("/assets/places.{}", table::hash(&all));
    fs::create_dir_all(site.join(&folder[1..]))?;
    for path in &files {
        fs::copy(path, site.join(&folder[1..]).join(path.file_name().unwrap_or_default()))?;
    }
    names.0.insert("places".to_owned(), folder);
    Ok(())
}
