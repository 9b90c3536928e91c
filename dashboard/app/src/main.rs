//! Starts the app in a browser. Elsewhere there is nothing to start.

fn main() {
    #[cfg(target_arch = "wasm32")]
    bugbrother_app::start();
}
