//! The interface for programs: every route as the server describes it, to be tried here.

use serde_json::Value;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::{platform::spawn_local, prelude::*};

use super::{
    api,
    fetch::{Fetched, use_fetch_at},
    icon::Icon,
    kit::Refused,
    settings::use_phrases,
    table::Skeleton,
};

/// The page for developers.
#[component]
pub fn Developers() -> Html {
    let words = use_phrases().running;
    let fetch = use_fetch_at::<Value>(Some("/api/openapi.json".to_owned()));
    let search = use_state(String::new);
    let description = match &fetch.is {
        Fetched::Loading => return html! { <section class="page"><Skeleton rows=8 /></section> },
        Fetched::Failed(refusal) => return html! { <Refused refusal={refusal.clone()} retry={fetch.reload.clone()} /> },
        Fetched::Ready(description) => description.clone(),
    };
    let oninput = {
        let search = search.clone();
        move |event: InputEvent| search.set(event.target_unchecked_into::<HtmlInputElement>().value())
    };
    let needle = search.trim().to_lowercase();
    let paths = description["paths"].as_object();
    let routes = paths.into_iter().flatten().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation.clone()))
    });
    let routes = routes.filter(|(path, _, operation)| {
        let says = operation["summary"].as_str().unwrap_or_default().to_lowercase();
        path.to_lowercase().contains(&needle) || says.contains(&needle)
    });
    html! {
        <section class="page running" data-testid="developers">
            <p class="muted">{ words.developers_hint }</p>
            <p><a href="/api/openapi.json" target="_blank" rel="noreferrer">{ words.description }</a>{ " · " }
                <a href="/api/asyncapi.json" target="_blank" rel="noreferrer">{ words.topics_description }</a></p>
            <label class="search">
                { Icon::Search.draw() }
                <input type="search" data-search="" value={(*search).clone()} {oninput} placeholder={"/vehicles"} aria-label={words.description} />
                <kbd aria-hidden="true">{ "/" }</kbd>
            </label>
            <div class="routes">
                for (path, method, operation) in routes {
                    <Operation key={format!("{method} {path}")} path={path.clone()} method={method.clone()} operation={operation} description={description.clone()} />
                }
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct OperationProps {
    path: String,
    method: String,
    operation: Value,
    description: std::rc::Rc<Value>,
}

#[component]
fn Operation(props: &OperationProps) -> Html {
    let words = use_phrases().running;
    let answer = use_state(String::new);
    let form = use_node_ref();
    let operation = &props.operation;
    let parameters: Vec<Value> = operation["parameters"].as_array().cloned().unwrap_or_default();
    let name = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
    let body = resolved(&props.description, &operation["requestBody"]["content"]["application/json"]["schema"]);
    let gives = resolved(&props.description, &operation["responses"]["2XX"]["content"]["application/json"]["schema"]);
    let onsubmit = {
        let (answer, form, path, parameters) = (answer.setter(), form.clone(), props.path.clone(), parameters.clone());
        move |event: SubmitEvent| {
            event.prevent_default();
            let value = |name: &str| {
                let form = form.cast::<web_sys::HtmlFormElement>()?;
                let input: HtmlInputElement =
                    form.query_selector(&format!("[name=\"{name}\"]")).ok()??.dyn_into().ok()?;
                Some(input.value()).filter(|value| !value.is_empty())
            };
            let (mut url, mut query) = (path.clone(), Vec::new());
            for parameter in &parameters {
                let name = parameter["name"].as_str().unwrap_or_default();
                let encoded = value(name).map(|value| String::from(js_sys::encode_uri_component(&value)));
                match (parameter["in"].as_str(), encoded) {
                    (Some("path"), value) => url = url.replace(&format!("{{{name}}}"), &value.unwrap_or_default()),
                    (_, Some(value)) => query.push(format!("{name}={value}")),
                    (_, None) => {}
                }
            }
            if !query.is_empty() {
                url = format!("{url}?{}", query.join("&"));
            }
            let answer = answer.clone();
            spawn_local(async move {
                answer.set(match api::get_at::<Value>(&url).await {
                    Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
                    Err(refusal) => format!("{refusal:?}"),
                });
            });
        }
    };
    html! {
        <details class="panel route">
            <summary>
                <code class={classes!("method", props.method.to_lowercase())}>{ &props.method }</code>
                <code>{ &props.path }</code>
                <span>{ operation["summary"].as_str().unwrap_or_default() }</span>
                <small>{ words.needs }{ " " }{ operation["x-access"].as_str().unwrap_or_default() }</small>
            </summary>
            <form ref={form} class="form" {onsubmit}>
                for parameter in &parameters {
                    <label class="parameter"><code>{ name(parameter) }</code>
                        <input name={name(parameter)} required={parameter["required"].as_bool().unwrap_or(false)}
                            placeholder={parameter["schema"]["description"].as_str().unwrap_or_default().to_owned()} /></label>
                }
                if let Some(body) = body { <p>{ words.body }</p><pre tabindex="0">{ body }</pre> }
                if let Some(gives) = gives { <p>{ words.answer }</p><pre tabindex="0">{ gives }</pre> }
                if props.method == "GET" {
                    <div class="actions"><button class="secondary">{ words.try_it }</button></div>
                }
                if !answer.is_empty() { <pre class="answer" tabindex="0" role="status">{ (*answer).clone() }</pre> }
            </form>
        </details>
    }
}

/// A schema as text; one that is only referred to is looked up.
fn resolved(description: &Value, schema: &Value) -> Option<String> {
    if schema.is_null() {
        return None;
    }
    let referred = schema["$ref"].as_str().and_then(|to| description.pointer(to.trim_start_matches('#')));
    serde_json::to_string_pretty(referred.unwrap_or(schema)).ok()
}
