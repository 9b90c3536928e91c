//! The report: A4, a title, totals, a chart where the lines follow in time, and a table over as many pages as it takes.

use bugbrother_wire::api::{StatisticsLine, Totals};
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, TextStr};

use super::{
    Language, Report,
    font::{self, Face},
    page::{ACCENT, HEIGHT, INK, MARGIN, MUTED, PALE, Page, Pen, WHITE, WIDTH},
    words::Words,
};

const ROW: f32 = 17.0;
const HEAD_ROW: f32 = 26.0;
const BOTTOM: f32 = 56.0;
const INSIDE: f32 = WIDTH - 2.0 * MARGIN;
const NAME: f32 = 118.0;
const CHART: f32 = 104.0;
/// More bars are too thin to be seen.
const MOST_BARS: usize = 100;

const CELL: Pen = Pen::new(Face::Regular, 7.8, INK);
const CELL_BOLD: Pen = Pen::new(Face::Bold, 7.8, INK);
const HEAD: Pen = Pen::new(Face::Bold, 7.2, MUTED);
const SMALL: Pen = Pen::new(Face::Regular, 8.0, MUTED);

/// A column of numbers.
struct Column {
    head: &'static str,
    unit: String,
    cell: fn(Language, &Totals) -> String,
}

/// Draws it.
pub fn pdf(report: &Report) -> Vec<u8> {
    let title = format!("{} {} – {}", report.language.words().title, report.first, report.last);
    let language = match report.language {
        Language::English => "en",
        Language::French => "fr",
    };
    bind(&draw(report), &title, language)
}

/// A page with a few lines of text.
pub fn page_of_text(lines: &[&str]) -> Vec<u8> {
    let mut page = Page::new();
    for (n, line) in lines.iter().enumerate() {
        let pen = if n == 0 { Pen::new(Face::Bold, 22.0, INK) } else { Pen::new(Face::Regular, 11.0, INK) };
        page.text(MARGIN, HEIGHT - MARGIN - 24.0 * (n + 1) as f32, pen, line);
    }
    bind(&[page.finish()], lines.first().copied().unwrap_or_default(), "en")
}

fn bind(pages: &[Vec<u8>], title: &str, language: &str) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let mut next = 1;
    let mut id = || {
        next += 1;
        Ref::new(next - 1)
    };
    let (catalog, tree, info, regular, bold) = (id(), id(), id(), id(), id());
    let ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (id(), id())).collect();
    pdf.catalog(catalog).pages(tree).lang(TextStr(language));
    let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for ((page, content), drawn) in ids.iter().zip(pages) {
        let mut leaf = pdf.page(*page);
        leaf.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(*content);
        leaf.resources().fonts().pair(Name(b"R"), regular).pair(Name(b"B"), bold);
        leaf.finish();
        pdf.stream(*content, drawn);
    }
    for (font, name) in [(regular, b"Helvetica".as_slice()), (bold, b"Helvetica-Bold")] {
        pdf.type1_font(font).base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    pdf.document_info(info).title(TextStr(title)).creator(TextStr("BugBrother"));
    pdf.finish()
}

fn draw(report: &Report) -> Vec<Vec<u8>> {
    let words = report.language.words();
    let lines = &report.statistics.lines;
    let mut pages = vec![Page::new()];
    let mut y = head(&mut pages[0], report);
    y = tiles(&mut pages[0], report, y);
    if report.statistics.by.is_time() && (2..=MOST_BARS).contains(&lines.len()) {
        y = chart(&mut pages[0], report, y);
    }
    let columns = columns(words, &report.statistics.currency);
    let last = |pages: &mut Vec<Page>| pages.len() - 1;
    y = table_head(&mut pages[0], report, &columns, y);
    for (n, line) in lines.iter().enumerate() {
        if y - ROW < BOTTOM {
            pages.push(Page::new());
            let now = last(&mut pages);
            y = table_head(&mut pages[now], report, &columns, HEIGHT - MARGIN);
        }
        let now = last(&mut pages);
        y = row(&mut pages[now], report, &columns, line, n % 2 == 1, y);
    }
    // The total does not stand alone on a page where it can be helped, and never below the edge.
    if y - ROW * 2.5 < BOTTOM {
        pages.push(Page::new());
        let now = last(&mut pages);
        y = table_head(&mut pages[now], report, &columns, HEIGHT - MARGIN);
    }
    let now = last(&mut pages);
    total(&mut pages[now], report, &columns, y);
    let count = pages.len();
    for (n, page) in pages.iter_mut().enumerate() {
        foot(page, report, n + 1, count);
    }
    pages.into_iter().map(Page::finish).collect()
}

fn head(page: &mut Page, report: &Report) -> f32 {
    let (words, language) = (report.language.words(), report.language);
    let top = HEIGHT - MARGIN;
    page.fill([MARGIN, top - 28.0, 28.0, 28.0], ACCENT);
    let (x, y) = (MARGIN + 14.0, top - 22.5);
    page.shape(&[(x, y + 17.0), (x + 7.5, y), (x, y + 3.8), (x - 7.5, y)], WHITE);
    page.text(MARGIN + 38.0, top - 19.0, Pen::new(Face::Bold, 14.0, INK), "BugBrother");
    page.text_until(WIDTH - MARGIN, top - 19.0, SMALL, &format!("{} {}", words.made, language.date(report.made)));
    let mut y = top - 66.0;
    page.text(MARGIN, y, Pen::new(Face::Bold, 22.0, INK), words.title);
    y -= 20.0;
    let period = format!("{}: {} – {}", words.period, language.date(report.first), language.date(report.last));
    page.text(MARGIN, y, Pen::new(Face::Regular, 10.5, MUTED), &period);
    y -= 15.0;
    let of = match (&report.client, &report.vehicle) {
        (None, None) => words.whole_fleet.to_owned(),
        (client, vehicle) => {
            let named = |word: &str, name: &Option<String>| name.as_ref().map(|name| format!("{word}: {name}"));
            let parts = [named(words.client, client), named(words.vehicle, vehicle)];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
        }
    };
    let pen = Pen::new(Face::Regular, 10.5, MUTED);
    page.text(MARGIN, y, pen, &font::fit(&of, pen.face, pen.size, INSIDE));
    y - 18.0
}

/// The totals, four in a row.
fn tiles(page: &mut Page, report: &Report, top: f32) -> f32 {
    let (words, language) = (report.language.words(), report.language);
    let total = &report.statistics.total;
    let some = |value: Option<f64>, decimals, unit: &str| {
        value.map_or("–".to_owned(), |value| {
            format!("{} {unit}", language.number(value, decimals)).trim_end().to_owned()
        })
    };
    let tiles = [
        (words.distance, format!("{} km", language.number(total.distance_m / 1000.0, 0))),
        (words.trips, language.number(total.trips as f64, 0)),
        (words.driving, format!("{} h", language.hours(total.moving_ms))),
        (words.utilisation, some(total.utilisation.map(|share| share * 100.0), 0, "%")),
        (words.fuel, some(total.fuel_l, 0, "l")),
        ("CO2", some(total.co2_kg, 0, "kg")),
        (words.cost, some(total.cost, 0, &report.statistics.currency)),
        (words.score, some(total.score, 0, "/ 100")),
    ];
    let (gap, height) = (8.0, 44.0);
    let width = (INSIDE - 3.0 * gap) / 4.0;
    for (n, (name, value)) in tiles.iter().enumerate() {
        let (column, line) = ((n % 4) as f32, (n / 4) as f32);
        let (x, y) = (MARGIN + column * (width + gap), top - height - line * (height + gap));
        page.fill([x, y, width, height], PALE);
        page.text(x + 10.0, y + 28.0, SMALL, name);
        let pen = Pen::new(Face::Bold, 14.0, INK);
        page.text(x + 10.0, y + 10.0, pen, &font::fit(value, pen.face, pen.size, width - 20.0));
    }
    top - 2.0 * (height + gap) - 14.0
}

/// A bar for each line, as high as its distance.
fn chart(page: &mut Page, report: &Report, top: f32) -> f32 {
    let lines = &report.statistics.lines;
    let highest = lines.iter().map(|line| line.totals.distance_m).fold(0.0, f64::max).max(1.0);
    page.text(MARGIN, top - 8.0, HEAD, report.language.words().distance_chart);
    let most = report.language.number(highest / 1000.0, 0);
    page.text_until(WIDTH - MARGIN, top - 8.0, SMALL, &most);
    let floor = top - CHART;
    page.rule(MARGIN, floor, INSIDE);
    let step = INSIDE / lines.len() as f32;
    let width = (step * 0.7).min(28.0);
    for (n, line) in lines.iter().enumerate() {
        let height = (line.totals.distance_m / highest) as f32 * (CHART - 20.0);
        page.fill([MARGIN + step * n as f32 + (step - width) / 2.0, floor, width, height.max(0.4)], ACCENT);
    }
    floor - 22.0
}

fn columns(words: &'static Words, currency: &str) -> Vec<Column> {
    fn some(language: Language, value: Option<f64>, decimals: usize) -> String {
        value.map_or("–".to_owned(), |value| language.number(value, decimals))
    }
    let column = |head, unit: &str, cell| Column { head, unit: unit.to_owned(), cell };
    vec![
        column(words.trips, "", |language, totals| language.number(totals.trips as f64, 0)),
        column(words.distance, "km", |language, totals| language.number(totals.distance_m / 1000.0, 1)),
        column(words.driving, "h", |language, totals| language.hours(totals.moving_ms)),
        column(words.idle, "h", |language, totals| language.hours(totals.idle_ms)),
        column(words.utilisation, "%", |language, totals| {
            some(language, totals.utilisation.map(|share| share * 100.0), 0)
        }),
        column(words.fuel, "l", |language, totals| some(language, totals.fuel_l, 1)),
        column("", "l/100 km", |language, totals| some(language, totals.fuel_per_100km, 1)),
        column("CO2", "kg", |language, totals| some(language, totals.co2_kg, 0)),
        column(words.cost, currency, |language, totals| some(language, totals.cost, 2)),
        column(words.score, "", |language, totals| some(language, totals.score, 0)),
    ]
}

/// Where a column ends.
fn edge(n: usize, count: usize) -> f32 {
    MARGIN + NAME + (INSIDE - NAME) / count as f32 * (n + 1) as f32 - 4.0
}

fn table_head(page: &mut Page, report: &Report, columns: &[Column], top: f32) -> f32 {
    let name = (report.language.words().by)(report.statistics.by);
    page.text(MARGIN + 4.0, top - 10.0, HEAD, name);
    for (n, column) in columns.iter().enumerate() {
        page.text_until(edge(n, columns.len()), top - 10.0, HEAD, column.head);
        page.text_until(edge(n, columns.len()), top - 19.0, Pen { face: Face::Regular, ..HEAD }, &column.unit);
    }
    page.rule(MARGIN, top - HEAD_ROW + 2.0, INSIDE);
    top - HEAD_ROW
}

fn row(page: &mut Page, report: &Report, columns: &[Column], line: &StatisticsLine, shaded: bool, top: f32) -> f32 {
    if shaded {
        page.fill([MARGIN, top - ROW, INSIDE, ROW], PALE);
    }
    let name = report.language.name(report.statistics.by, line);
    cells(page, report, columns, (CELL, &name, &line.totals), top);
    top - ROW
}

fn cells(page: &mut Page, report: &Report, columns: &[Column], (pen, name, totals): (Pen, &str, &Totals), top: f32) {
    let y = top - 11.5;
    page.text(MARGIN + 4.0, y, pen, &font::fit(name, pen.face, pen.size, NAME - 8.0));
    for (n, column) in columns.iter().enumerate() {
        page.text_until(edge(n, columns.len()), y, pen, &(column.cell)(report.language, totals));
    }
}

fn total(page: &mut Page, report: &Report, columns: &[Column], top: f32) {
    let words = report.language.words();
    page.rule(MARGIN, top, INSIDE);
    cells(page, report, columns, (CELL_BOLD, words.total, &report.statistics.total), top - 2.0);
    if report.statistics.lines.is_empty() || report.statistics.total.trips == 0 {
        page.text(MARGIN + 4.0, top - ROW * 2.0, SMALL, words.nothing);
    } else if report.statistics.more {
        page.text(MARGIN + 4.0, top - ROW * 2.0, SMALL, words.left_out);
    }
}

fn foot(page: &mut Page, report: &Report, number: usize, count: usize) {
    page.rule(MARGIN, 40.0, INSIDE);
    let words = report.language.words();
    let period =
        format!("{} · {} – {}", words.title, report.language.date(report.first), report.language.date(report.last));
    page.text(MARGIN, 27.0, SMALL, &period);
    page.text_until(WIDTH - MARGIN, 27.0, SMALL, &format!("{} {number} / {count}", words.page));
}
