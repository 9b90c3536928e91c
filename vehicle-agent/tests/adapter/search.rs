//! Adapters that are found by themselves, and neighbours that are left alone.

use std::{os::unix::fs::symlink, path::Path, time::Duration};

use bugbrother_agent::obd::{Adapter, Pace};
use bugbrother_simulator::{
    elm::Model,
    mock::{Mock, cars},
};
use bugbrother_wire::message::EventKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
use tokio_serial::{SerialPort, SerialStream};

use crate::bench::Car;

const SENTENCE: &[u8] = b"$GPRMC,112225.844,A,4719.9737,N,00749.2639,E,0.00,,030410,,,A*7C\r\n";

/// A serial port by that name; both of its ends.
fn port(folder: &Path, name: &str) -> (SerialStream, SerialStream) {
    let (master, slave) = SerialStream::pair().unwrap();
    symlink(slave.name().unwrap(), folder.join(name)).unwrap();
    (master, slave)
}

/// An adapter that hears only what is said at its own speed.
async fn serve(mock: Mock, mut master: SerialStream, baud: u32) {
    let (mut wire, adapter) = duplex(1024);
    tokio::spawn(async move { mock.serve(adapter).await });
    let mut bytes = [0; 256];
    // Until it is spoken to at its speed it hears noise.
    loop {
        let count = master.read(&mut bytes).await.unwrap();
        if master.baud_rate().unwrap() == baud {
            wire.write_all(&bytes[..count]).await.unwrap();
            break;
        }
        master.write_all(&[0xF8, 0x80, 0x00]).await.unwrap();
    }
    drop(copy_bidirectional(&mut wire, &mut master).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_is_found_among_other_devices_and_they_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut receiver, _receiver) = port(folder.path(), "ttyACM0");
    let (mut modem, _modem) = port(folder.path(), "ttyUSB0");
    let (master, slave) = port(folder.path(), "ttyUSB1");
    let receiver = tokio::spawn(async move {
        let mut heard = [0; 16];
        loop {
            tokio::select! {
                heard = receiver.read(&mut heard) => panic!("a receiver was spoken to: {heard:?}"),
                () = tokio::time::sleep(Duration::from_millis(200)) => receiver.write_all(SENTENCE).await.unwrap(),
            }
        }
    });
    // A modem knows ATI, but has no prompt.
    tokio::spawn(async move {
        let mut heard = [0; 64];
        while modem.read(&mut heard).await.is_ok_and(|count| count > 0) {
            modem.write_all(b"\r\nQuectel\r\nEC25\r\n\r\nOK\r\n").await.unwrap();
        }
    });
    let mock = Mock::new(Model::GENUINE, cars::automatic());
    let adapter = tokio::spawn(serve(mock.clone(), master, 115_200));
    let mut car = Car::connect_with(Adapter::Auto, Pace::default(), folder.path());
    assert_eq!(car.value("rpm").await, 1303.75);
    assert!(!receiver.is_finished());

    // Pulled out and put back in, it is tried first, and at its speed.
    adapter.abort();
    assert!(adapter.await.unwrap_err().is_cancelled());
    drop(slave);
    std::fs::remove_file(folder.path().join("ttyUSB1")).unwrap();
    assert_eq!(car.event().await, EventKind::AdapterUnplugged);
    let (master, _slave) = port(folder.path(), "ttyUSB1");
    tokio::spawn(serve(mock.clone(), master, 115_200));
    assert_eq!(car.event().await, EventKind::AdapterPlugged);
    assert_eq!(car.value("rpm").await, 1303.75);
    assert!(!receiver.is_finished());
    car.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_speed_of_an_adapter_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (master, _slave) = port(folder.path(), "ttyUSB0");
    let mock = Mock::new(Model::GENUINE, cars::automatic());
    tokio::spawn(serve(mock, master, 9600));
    let adapter: Adapter = format!("serial:{}", folder.path().join("ttyUSB0").display()).parse().unwrap();
    let mut car = Car::connect_with(adapter, Pace::default(), folder.path());
    assert_eq!(car.value("rpm").await, 1303.75);
    car.end().await;
}
