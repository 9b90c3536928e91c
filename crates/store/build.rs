//! A new file in `migrations/` has the schema built in again.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
