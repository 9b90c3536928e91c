//! Which of many topic filters match a topic, found level by level.

use std::collections::HashMap;

/// Things by their topic filter.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    children: HashMap<Box<str>, Tree<T>>,
    /// Of the filter that ends here.
    here: Vec<T>,
    /// Of the filter that ends here with a `#`.
    below: Vec<T>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree { children: HashMap::new(), here: Vec::new(), below: Vec::new() }
    }
}

impl<T> Tree<T> {
    /// Puts a thing under a valid filter.
    pub(crate) fn insert(&mut self, filter: &str, thing: T) {
        let mut node = self;
        for level in filter.split('/') {
            if level == "#" {
                return node.below.push(thing);
            }
            node = node.children.entry(level.into()).or_default();
        }
        node.here.push(thing);
    }

    /// Takes those out of a filter that are `unwanted`.
    pub(crate) fn remove(&mut self, filter: &str, unwanted: &impl Fn(&T) -> bool) {
        match filter.split_once('/').unwrap_or((filter, "")) {
            ("#", _) => self.below.retain(|thing| !unwanted(thing)),
            (level, rest) => {
                let Some(child) = self.children.get_mut(level) else { return };
                if filter.len() == level.len() {
                    child.here.retain(|thing| !unwanted(thing));
                } else {
                    child.remove(rest, unwanted);
                }
                if child.is_empty() {
                    self.children.remove(level);
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.is_empty() && self.below.is_empty()
    }

    /// All whose filter matches a topic. Wildcards at the start leave topics of the server's own alone (4.7.2).
    pub(crate) fn for_each_match<'a>(&'a self, topic: &str, found: &mut impl FnMut(&'a T)) {
        if topic.starts_with('$') {
            let (first, rest) = topic.split_once('/').map_or((topic, None), |(first, rest)| (first, Some(rest)));
            if let Some(child) = self.children.get(first) {
                child.look(rest, found);
            }
        } else {
            self.look(Some(topic), found);
        }
    }

    fn look<'a>(&'a self, rest: Option<&str>, found: &mut impl FnMut(&'a T)) {
        self.below.iter().for_each(&mut *found);
        let Some(rest) = rest else { return self.here.iter().for_each(found) };
        let (level, rest) = rest.split_once('/').map_or((rest, None), |(level, rest)| (level, Some(rest)));
        for name in [level, "+"] {
            if let Some(child) = self.children.get(name) {
                child.look(rest, found);
            }
            if level == "+" {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bugbrother_mosquitto_compat::topic;
    use proptest::prelude::*;

    use super::*;

    fn matches(tree: &Tree<usize>, topic: &str) -> Vec<usize> {
        let mut found = Vec::new();
        tree.for_each_match(topic, &mut |thing| found.push(*thing));
        found.sort_unstable();
        found
    }

    #[test]
    fn what_is_taken_out_leaves_nothing_behind() {
        let mut tree = Tree::default();
        for filter in ["a/b", "a/+", "a/#", "#", "a"] {
            tree.insert(filter, 1);
            tree.insert(filter, 2);
        }
        assert_eq!(matches(&tree, "a/b"), [1, 1, 1, 1, 2, 2, 2, 2]);
        for thing in [1, 2] {
            for filter in ["a/b", "a/+", "a/#", "#", "a", "unknown/x"] {
                tree.remove(filter, &|other| *other == thing);
            }
        }
        assert!(tree.is_empty());
    }

    proptest! {
        #[test]
        fn it_finds_what_matches_one_by_one(
            filters in prop::collection::vec("[$]?[ab+]?(/[ab+]?){0,3}(/#)?|#", 1..8), topic in "[$]?[ab]?(/[ab]?){0,4}"
        ) {
            prop_assume!(topic::is_valid_name(&topic));
            let mut tree = Tree::default();
            let filters: Vec<_> = filters.into_iter().filter(|filter| topic::is_valid_filter(filter)).collect();
            for (n, filter) in filters.iter().enumerate() {
                tree.insert(filter, n);
            }
            let expected: Vec<_> =
                (0..filters.len()).filter(|n| topic::matches(&filters[*n], &topic)).collect();
            prop_assert_eq!(matches(&tree, &topic), expected);
        }
    }
}
