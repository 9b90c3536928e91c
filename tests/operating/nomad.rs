//! The job for Nomad, written out as Nomad does before it reads it.

use anyhow::{Context as _, Result};
use hcl::{
    Attribute, Block, Body, Structure, Value,
    eval::{Context, Evaluate},
    expr::Expression,
};

use crate::plans::{Taken, read};

/// A body with every expression evaluated and what is dynamic written out (HCL's `dynamic` blocks).
fn written_out(body: &Body, context: &Context) -> Result<Body> {
    let mut made = Vec::new();
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => {
                let value = attribute.expr.evaluate(context).with_context(|| attribute.key.to_string())?;
                made.push(Structure::Attribute(Attribute::new(attribute.key.clone(), Expression::from(value))));
            }
            Structure::Block(block) if block.identifier() == "dynamic" => {
                made.extend(several(block, context)?.into_iter().map(Structure::Block));
            }
            Structure::Block(block) => {
                made.push(Structure::Block(Block { body: written_out(&block.body, context)?, ..block.clone() }));
            }
        }
    }
    Ok(made.into_iter().collect())
}

/// The blocks that a dynamic one stands for.
fn several(block: &Block, context: &Context) -> Result<Vec<Block>> {
    let name = block.labels().first().context("a dynamic block has a label")?.as_str();
    let attribute = |key: &str| block.body.attributes().find(|attribute| attribute.key() == key);
    let each = attribute("for_each").with_context(|| format!("{name}: no for_each"))?.expr.evaluate(context)?;
    let content = block.body.blocks().find(|inner| inner.identifier() == "content");
    let content = content.with_context(|| format!("{name}: no content"))?;
    let mut made = Vec::new();
    for (key, value) in each.as_object().with_context(|| format!("{name}: for_each is no map"))? {
        let mut inner = context.clone();
        let one: hcl::value::Map<String, Value> =
            [("key".to_owned(), Value::from(key.as_str())), ("value".to_owned(), value.clone())].into_iter().collect();
        inner.declare_var(name, Value::Object(one));
        let labels = match attribute("labels") {
            Some(labels) => labels.expr.evaluate(&inner)?.as_array().context("labels")?.clone(),
            None => Vec::new(),
        };
        let labels = labels.iter().map(|label| label.as_str().context("a label").map(str::to_owned));
        let labels: Vec<String> = labels.collect::<Result<_>>()?;
        made.push(Block::builder(name).add_labels(labels).add_structures(written_out(&content.body, &inner)?).build());
    }
    Ok(made)
}

/// The job as JSON, with the variables' defaults.
fn job() -> Result<serde_json::Value> {
    let text = read("nomad/bugbrother.nomad.hcl")?;
    let file: Body = hcl::from_str(&text)?;
    let mut context = Context::new();
    let defaults = file.blocks().filter(|block| block.identifier() == "variable").map(|block| {
        let default = block.body.attributes().find(|attribute| attribute.key() == "default").context("a default")?;
        Ok((block.labels()[0].as_str().to_owned(), default.expr.evaluate(&Context::new())?))
    });
    context.declare_var("var", Value::Object(defaults.collect::<Result<_>>()?));
    // What is known where it runs stays as it is.
    let node: Value = hcl::value!({ unique = { id = "here" } });
    context.declare_var("node", node);
    let locals = file.blocks().find(|block| block.identifier() == "locals").context("locals")?;
    let locals = locals.body.attributes().map(|one| Ok((one.key().to_owned(), one.expr.evaluate(&context)?)));
    let locals = locals.collect::<Result<_>>()?;
    context.declare_var("local", Value::Object(locals));
    let jobs: Body = file.blocks().filter(|block| block.identifier() == "job").cloned().collect();
    Ok(serde_json::to_value(hcl::from_body::<hcl::Value>(written_out(&jobs, &context)?)?)?)
}

#[test]
fn the_job_for_nomad_says_nothing_that_the_program_does_not_take() -> Result<()> {
    let (taken, job) = (Taken::find()?, job()?);
    let groups = job["job"]["bugbrother"]["group"].as_object().context("groups")?;
    assert_eq!(groups.keys().collect::<Vec<_>>().len(), 3, "{groups:?}");
    for name in ["ingest", "notifier", "dashboard"] {
        let group = &groups[name];
        let task = &group["task"]["service"];
        let words = task["config"]["args"].as_array().context("args")?;
        let words: Vec<_> = words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
        assert_eq!(words[0], name);
        taken.check_command(name, &words);
        let variables = task["env"].as_object().context("env")?;
        variables.keys().for_each(|variable| taken.check_variable(name, variable));
        assert!(group["scaling"]["policy"]["check"]["load"]["query"].is_string(), "{name}: {group}");
        let resources = &task["resources"];
        assert!(resources["memory_max"].as_i64() > resources["memory"].as_i64(), "{name}: {resources}");
        let services = match &group["service"] {
            serde_json::Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        assert_eq!(services.len(), if name == "dashboard" { 2 } else { 1 }, "{services:?}");
        for service in &services {
            assert_eq!(service["check"]["path"], "/readyz", "{name}: {service}");
            let port = service["port"].as_str().context("port")?;
            let number = group["network"]["port"][port]["to"].as_i64().context("a port of the network")?;
            let listens = variables
                .values()
                .any(|value| value.as_str().is_some_and(|text| text.ends_with(&format!(":{number}"))));
            assert!(listens, "{name}: nothing listens on {number}");
        }
        // Prometheus looks for the services by the names that they have in Consul, and the policies for what it counts of them.
        let metrics = format!("bugbrother-{name}-metrics");
        assert!(services.iter().any(|service| service["name"] == metrics.as_str()), "{name}: {services:?}");
        assert!(read("prometheus/prometheus.yml")?.contains(&metrics), "{metrics}");
        let query = group["scaling"]["policy"]["check"]["load"]["query"].as_str().context("a query")?;
        assert!(query.contains(&format!("service=\"{metrics}\"")), "{query}");
    }
    Ok(())
}
