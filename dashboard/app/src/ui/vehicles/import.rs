//! Many vehicles out of a spreadsheet: tried first, and then done.

use bugbrother_wire::api::{ImportLine, ImportReport, ImportStep};
use web_sys::{File, HtmlInputElement};
use yew::prelude::*;

use crate::ui::{
    api,
    kit::{Sheet, use_toasts},
    saving::{Saving, use_saving},
    settings::use_phrases,
};

/// Lines that are shown.
const SHOWN: usize = 200;

/// Properties of [`ImportSheet`].
#[derive(Properties, PartialEq)]
pub struct ImportSheetProps {
    /// Leaves it.
    pub close: Callback<()>,
    /// Vehicles were imported.
    pub done: Callback<()>,
}

/// An import.
#[component]
pub fn ImportSheet(props: &ImportSheetProps) -> Html {
    let words = use_phrases().business;
    let toasts = use_toasts();
    let tried = use_state(|| None::<(File, ImportReport)>);
    let saving = use_saving();
    let over = use_state_eq(|| false);
    let try_it = {
        let (saving, tried) = (saving.clone(), tried.setter());
        Callback::from(move |file: File| {
            let tried = tried.clone();
            let blob = file.clone();
            let sends = async move { api::upload::<ImportReport>("/vehicles/import?dry_run=true", &blob).await };
            saving.run(sends, move |report| tried.set(Some((file, report))));
        })
    };
    let onchange = {
        let try_it = try_it.clone();
        move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                try_it.emit(file);
            }
            input.set_value("");
        }
    };
    let ondrop = {
        let over = over.setter();
        move |event: DragEvent| {
            event.prevent_default();
            over.set(false);
            if let Some(file) = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0)) {
                try_it.emit(file);
            }
        }
    };
    let hover = |on: bool| {
        let over = over.setter();
        move |event: DragEvent| {
            event.prevent_default();
            over.set(on);
        }
    };
    let import = {
        let (saving, tried, done, close) = (saving.clone(), tried.clone(), props.done.clone(), props.close.clone());
        move |_: MouseEvent| {
            let Some((file, _)) = &*tried else { return };
            let (file, toasts, done, close) = (file.clone(), toasts.clone(), done.clone(), close.clone());
            saving.run(async move { api::upload::<ImportReport>("/vehicles/import", &file).await }, move |report| {
                toasts.say((words.import_done)(report.added, report.changed));
                done.emit(());
                close.emit(());
            });
        }
    };
    let again = {
        let tried = tried.setter();
        move |_: MouseEvent| tried.set(None)
    };
    html! {
        <Sheet title={words.import_title} close={props.close.clone()}>
            if let Some((_, report)) = &*tried {
                <div class="form">
                    <Tried report={report.clone()} />
                    { error(&saving) }
                    <div class="actions">
                        if report.added + report.changed > 0 {
                            <button class="primary" onclick={import} disabled={saving.busy()} data-testid="import-now">{ (words.import_now)(report.added + report.changed) }</button>
                        } else {
                            <p class="muted">{ words.import_nothing }</p>
                        }
                        <button class="secondary" onclick={again}>{ words.import_other_file }</button>
                    </div>
                </div>
            } else {
                <label class={classes!("drop", over.then_some("over"))} {ondrop} ondragover={hover(true)} ondragleave={hover(false)} aria-busy={saving.busy().to_string()}>
                    <b>{ words.import_drop }</b>
                    <span class="secondary">{ words.import_pick }</span>
                    <input type="file" accept=".csv,.txt,.tsv,text/csv" {onchange} data-testid="import-file" />
                    <small>{ words.import_hint }</small>
                </label>
                { error(&saving) }
            }
        </Sheet>
    }
}

fn error(saving: &Saving) -> Html {
    match saving.error("file").map(|error| error.to_string()).or_else(|| saving.trouble()) {
        Some(error) => html! { <p class="error" role="alert" data-testid="import-error">{ error }</p> },
        None => Html::default(),
    }
}

#[derive(Properties, PartialEq)]
struct TriedProps {
    report: ImportReport,
}

/// What would become of each line, what is wrong first.
#[component]
fn Tried(props: &TriedProps) -> Html {
    let words = use_phrases().business;
    let report = &props.report;
    let mut lines: Vec<&ImportLine> = report.lines.iter().collect();
    lines.sort_by_key(|line| (line.step != ImportStep::Wrong, line.step == ImportStep::Same, line.line));
    let counts = [
        (ImportStep::Add, report.added, "ok"),
        (ImportStep::Change, report.changed, "warn"),
        (ImportStep::Same, report.same, ""),
        (ImportStep::Wrong, report.wrong, "bad"),
    ];
    html! {
        <>
            <p class="counts" data-testid="import-counts">
                for (step, count, class) in counts { <span class={classes!("badge", class)}>{ format!("{count} {}", (words.step)(step)) }</span>{ " " } }
            </p>
            if !report.unknown_columns.is_empty() { <p class="muted">{ (words.unknown_columns)(&report.unknown_columns.join(", ")) }</p> }
            if lines.len() > SHOWN { <p class="muted">{ (words.shown_lines)(SHOWN, lines.len()) }</p> }
            <table class="table narrow" data-testid="import-lines"><tbody>
                for line in lines.iter().take(SHOWN) {
                    <tr key={line.line}>
                        <td class="number muted">{ line.line }</td>
                        <td><span class="mono">{ if line.vin.is_empty() { words.none } else { &line.vin } }</span><br /><small>{ &line.name }</small></td>
                        <td>
                            if line.faults.is_empty() { { (words.step)(line.step) } }
                            for fault in &line.faults { <p class="error">{ format!("{} {}", fault.column, (words.fault)(fault.fault)) }</p> }
                        </td>
                    </tr>
                }
            </tbody></table>
        </>
    }
}
