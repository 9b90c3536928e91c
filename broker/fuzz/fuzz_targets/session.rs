//! The bytes of one client, from CONNECT on, in a gate that has served all inputs before. The assertion is that another
//! client still hears what it publishes.
#![no_main]

use std::cell::RefCell;

use bugbrother_broker::fuzzing::Bench;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static BENCH: RefCell<(Runtime, Bench)> = {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
        let bench = runtime.block_on(Bench::start());
        RefCell::new((runtime, bench))
    };
}

fuzz_target!(|bytes: &[u8]| {
    BENCH.with_borrow_mut(|(runtime, bench)| runtime.block_on(bench.session(bytes)));
});
