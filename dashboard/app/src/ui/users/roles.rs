//! What each role may, explained.

use bugbrother_wire::api::{Right, Role};
use yew::prelude::*;

use super::role;
use crate::ui::{kit::Sheet, settings::use_phrases};

/// Properties of [`Roles`].
#[derive(Properties, PartialEq)]
pub struct RolesProps {
    /// Closes it.
    pub close: Callback<()>,
}

/// The rights of each role, side by side.
#[component]
pub fn Roles(props: &RolesProps) -> Html {
    let phrases = use_phrases();
    let words = phrases.people;
    html! {
        <Sheet title={words.roles_explained} close={props.close.clone()}>
            <div class="form">
                for one in Role::ALL { <p key={role(phrases, one)}><b>{ role(phrases, one) }</b><br /><span class="muted">{ (words.role_summary)(one) }</span></p> }
                <table class="rights" data-testid="rights">
                    <thead><tr><td />for one in Role::ALL { <th scope="col"><span>{ role(phrases, one) }</span></th> }</tr></thead>
                    <tbody>
                        for right in Right::ALL {
                            <tr key={format!("{right:?}")}>
                                <th scope="row">{ (words.right)(right) }</th>
                                for one in Role::ALL {
                                    <td>
                                        if one.rights().contains(&right) { <span role="img" aria-label={words.yes}>{ "✓" }</span> }
                                        else { <span class="muted" role="img" aria-label={words.no}>{ "–" }</span> }
                                    </td>
                                }
                            </tr>
                        }
                    </tbody>
                </table>
            </div>
        </Sheet>
    }
}
