use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Result, ensure};
use bugbrother_kit::{broker::Broker, mosquitto::program, on_each_broker, process::Process, system::System, wait};

use crate::lab;

const LIMIT: Duration = Duration::from_secs(60);
const VERSIONS: [&str; 2] = ["mqttv311", "mqttv5"];

on_each_broker!(
    mosquitto_pub_and_sub_exchange_messages_at_both_qualities,
    mosquitto_sub_hears_what_is_retained_and_what_a_client_leaves_behind,
    mosquitto_pub_sends_a_large_file,
    mosquitto_rr_gets_its_answer,
    a_wrong_password_is_told_to_mosquitto_pub,
);

struct Tools<'a> {
    system: &'a System,
    version: &'a str,
}

impl Tools<'_> {
    fn arguments<'a>(&'a self, user: &'a str, port: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["-h", "127.0.0.1", "-p", port, "-V", self.version, "-i", user, "-u", user, "-P", user];
        all.extend(more);
        all
    }

    fn publish(&self, more: &[&str]) -> Result<Output> {
        let port = self.system.mqtt().to_string();
        Ok(Command::new(program("mosquitto_pub")?).args(self.arguments("two", &port, more)).output()?)
    }

    fn say(&self, more: &[&str]) -> Result<()> {
        let output = self.publish(more)?;
        ensure!(output.status.success(), "mosquitto_pub {more:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts a client that stays.
    fn start(&self, tool: &str, user: &str, more: &[&str]) -> Result<Process> {
        let port = self.system.mqtt().to_string();
        let name = format!("{tool}-{user}-{}-{}", self.version, fs::read_dir(self.system.dir())?.count());
        let tool = program(tool)?.display().to_string();
        // What it tells of itself comes line by line, as on a terminal.
        let mut arguments = vec!["-oL", &tool];
        arguments.extend(self.arguments(user, &port, &[&["-d"], more].concat()));
        Process::start(self.system.dir(), &name, Path::new("stdbuf"), &arguments, &[])
    }

    /// The same, and waits until it has subscribed.
    async fn listen(&self, tool: &str, user: &str, more: &[&str]) -> Result<Process> {
        let mut client = self.start(tool, user, more)?;
        wait::until(&format!("{tool} of {user} has subscribed"), LIMIT, || {
            // It may have heard enough already, and ended.
            let running = client.check_running();
            let subscribed = client.printed().contains("Subscribed (mid: 1): ");
            std::future::ready(if subscribed { Some(Ok(())) } else { running.err().map(Err) })
        })
        .await??;
        Ok(client)
    }
}

/// What a client has received, without what it tells of itself.
async fn received(mut client: Process) -> Result<Vec<String>> {
    let status = client.ended(LIMIT).await?;
    ensure!(status.success(), "{status}: {}", client.logged());
    let own = |line: &&str| !line.starts_with("Client ") && !line.starts_with("Subscribed ");
    Ok(client.printed().lines().filter(own).map(str::to_owned).collect())
}

async fn mosquitto_pub_and_sub_exchange_messages_at_both_qualities(broker: Broker) -> Result<()> {
    let system = lab::open(broker).await?;
    for version in VERSIONS {
        let tools = Tools { system: &system, version };
        for qos in ["0", "1"] {
            let filters = ["-C", "3", "-v", "-q", qos, "-t", "lab/exact", "-t", "lab/+/plus", "-t", "lab/tree/#"];
            let client = tools.listen("mosquitto_sub", "one", &filters).await?;
            for (topic, text) in [
                ("lab/other", "not for it"),
                ("lab/exact", "exactly"),
                ("lab/any/plus", "one level"),
                ("lab/tree/a/b", "many levels"),
            ] {
                tools.say(&["-t", topic, "-m", text, "-q", qos])?;
            }
            let mut expected = ["lab/exact exactly", "lab/any/plus one level", "lab/tree/a/b many levels"];
            let mut received = received(client).await?;
            received.sort();
            expected.sort_unstable();
            assert_eq!(received, expected, "{version}, QoS {qos}");
        }
    }
    Ok(())
}

async fn mosquitto_sub_hears_what_is_retained_and_what_a_client_leaves_behind(broker: Broker) -> Result<()> {
    let system = lab::open(broker).await?;
    for version in VERSIONS {
        let tools = Tools { system: &system, version };
        tools.say(&["-t", "lab/kept", "-m", "kept", "-r", "-q", "1"])?;
        let client = tools.listen("mosquitto_sub", "one", &["-C", "1", "-F", "%t %r %p", "-t", "lab/kept"]).await?;
        assert_eq!(received(client).await?, ["lab/kept 1 kept"], "{version}");
        tools.say(&["-t", "lab/kept", "-n", "-r", "-q", "1"])?;

        let client =
            tools.listen("mosquitto_sub", "one", &["-C", "1", "-v", "-t", "lab/kept", "-t", "lab/will"]).await?;
        let will = ["--will-topic", "lab/will", "--will-payload", "gone", "--will-qos", "1", "-t", "lab/any"];
        let mut other = tools.listen("mosquitto_sub", "two", &will).await?;
        other.kill()?;
        assert_eq!(received(client).await?, ["lab/will gone"], "{version}: and nothing is retained any more");
    }
    Ok(())
}

async fn mosquitto_pub_sends_a_large_file(broker: Broker) -> Result<()> {
    let system = lab::open(broker).await?;
    let file = large_file(system.dir())?;
    for version in VERSIONS {
        let tools = Tools { system: &system, version };
        let client = tools.listen("mosquitto_sub", "one", &["-C", "1", "-q", "1", "-t", "lab/large"]).await?;
        tools.say(&["-t", "lab/large", "-q", "1", "-f", &file.display().to_string()])?;
        assert_eq!(received(client).await?, [fs::read_to_string(&file)?], "{version}");
    }
    Ok(())
}

fn large_file(dir: &Path) -> Result<PathBuf> {
    let path = dir.join("large");
    let text: String = (0..200_000_u32).map(|n| char::from(b'a' + (n * 7 % 26) as u8)).collect();
    fs::write(&path, text)?;
    Ok(path)
}

async fn mosquitto_rr_gets_its_answer(broker: Broker) -> Result<()> {
    let system = lab::open(broker).await?;
    // 3.1.1 has no response topic in a message: whoever answers knows it.
    for (version, expected) in [("mqttv311", "how fast? "), ("mqttv5", "how fast? lab/answer")] {
        let tools = Tools { system: &system, version };
        let asked = tools.listen("mosquitto_sub", "two", &["-C", "1", "-F", "%p %R", "-t", "lab/question"]).await?;
        let question = ["-t", "lab/question", "-e", "lab/answer", "-m", "how fast?", "-q", "1"];
        let asking = tools.start("mosquitto_rr", "one", &question)?;
        assert_eq!(received(asked).await?, [expected], "{version}");
        tools.say(&["-t", "lab/answer", "-m", "50 km/h", "-q", "1"])?;
        assert_eq!(received(asking).await?, ["50 km/h"], "{version}");
    }
    Ok(())
}

async fn a_wrong_password_is_told_to_mosquitto_pub(broker: Broker) -> Result<()> {
    let system = lab::open(broker).await?;
    for version in VERSIONS {
        let output = Tools { system: &system, version }.publish(&["-P", "wrong", "-t", "lab/exact", "-m", "no"])?;
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success(), "{version}");
        let reasons = ["not authori", "bad user name or password", "bad username or password"];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{version}: {said}");
    }
    Ok(())
}
