//! Parts of a page of which one is seen.

use yew::prelude::*;

/// Properties of [`Tabs`].
#[derive(Properties, PartialEq)]
pub struct TabsProps {
    /// What they are parts of.
    pub label: AttrValue,
    /// Word and name of each.
    pub tabs: Vec<(&'static str, AttrValue)>,
    /// The word of the one that is seen.
    pub here: AttrValue,
    /// The word of the one that is wanted.
    pub choose: Callback<&'static str>,
}

/// A row of tabs; arrow keys go from one to the next.
#[component]
pub fn Tabs(props: &TabsProps) -> Html {
    let onkeydown = {
        let (tabs, here, choose) = (props.tabs.clone(), props.here.clone(), props.choose.clone());
        move |event: KeyboardEvent| {
            let step = match event.key().as_str() {
                "ArrowRight" => 1,
                "ArrowLeft" => tabs.len() - 1,
                _ => return,
            };
            event.prevent_default();
            let now = tabs.iter().position(|(word, _)| here == *word).unwrap_or(0);
            choose.emit(tabs[(now + step) % tabs.len()].0);
        }
    };
    html! {
        <div class="tabs" role="tablist" aria-label={props.label.clone()} {onkeydown}>
            for (word, name) in &props.tabs {
                <Tab key={*word} word={*word} name={name.clone()} here={props.here == *word} choose={props.choose.clone()} />
            }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct TabProps {
    word: &'static str,
    name: AttrValue,
    here: bool,
    choose: Callback<&'static str>,
}

#[component]
fn Tab(props: &TabProps) -> Html {
    let node = use_node_ref();
    {
        // The focus follows the arrow keys.
        let node = node.clone();
        use_effect_with(props.here, move |here| {
            let row = node.cast::<web_sys::Element>().and_then(|tab| tab.parent_element());
            let focused = crate::ui::browser::document().active_element();
            if *here
                && row.is_some_and(|row| row.contains(focused.as_deref()))
                && let Some(tab) = node.cast::<web_sys::HtmlElement>()
            {
                drop(tab.focus());
            }
        });
    }
    let word = props.word;
    html! {
        <button ref={node} role="tab" aria-selected={props.here.to_string()} tabindex={if props.here { "0" } else { "-1" }}
            onclick={props.choose.reform(move |_| word)} data-testid={format!("tab-{word}")}>{ &props.name }</button>
    }
}
