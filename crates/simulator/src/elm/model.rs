/// What kind of adapter it is.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    /// What it calls itself.
    pub version: &'static str,
    /// Commands that it says OK to and does not obey, by how they begin.
    pub deaf_to: &'static [&'static str],
    /// Commands that it does not know, by how they begin.
    pub unknown: &'static [&'static str],
    /// Whether a digit behind a request is understood.
    pub digits: bool,
    /// Whether several parameters in a request are passed on.
    pub several: bool,
    /// Whether it waits for the answer of a control unit that asks for more time.
    pub waits: bool,
    /// Whether blanks come and go as they like.
    pub loses_blanks: bool,
}

impl Model {
    /// As the maker of the chip describes it.
    pub const GENUINE: Model = Model {
        version: "ELM327 v1.5",
        deaf_to: &[],
        unknown: &[],
        digits: true,
        several: true,
        waits: true,
        loses_blanks: false,
    };

    /// A cheap copy that calls itself more than it is.
    pub const CLONE: Model = Model {
        version: "ELM327 v2.1",
        deaf_to: &["S0", "H1", "ST"],
        unknown: &["AT1", "M0", "LP", "TP"],
        digits: false,
        several: false,
        waits: false,
        loses_blanks: true,
    };
}
