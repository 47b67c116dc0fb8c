//! An element of the XML, and what is found wrong with it.

use crate::catalog::{Named, Problem, Term};
use crate::{Currency, time};
use jiff::Timestamp;
use roxmltree::Node;
use rust_decimal::Decimal;
use std::cell::RefCell;

/// Longest text of an element or attribute, in bytes.
const TEXT_LIMIT: usize = 255;
/// Most problems told of one catalog.
pub(super) const PROBLEMS_LIMIT: usize = 100;

/// What is wrong, in the order in which it is found.
#[derive(Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Those told so far, at most [`PROBLEMS_LIMIT`].
    pub(super) fn take(&self) -> Vec<Problem> {
        self.0.take()
    }
}

/// An element.
pub(super) struct Element<'a> {
    pub(super) node: Node<'a, 'a>,
    pub(super) problems: &'a Problems,
}

impl<'a> Element<'a> {
    fn of(&self, node: Node<'a, 'a>) -> Element<'a> {
        Element { node, problems: self.problems }
    }

    pub(super) fn name(&self) -> &'a str {
        self.node.tag_name().name()
    }

    /// The line on which it begins.
    pub(super) fn line(&self) -> u32 {
        self.node.document().text_pos_at(self.node.range().start).row
    }

    /// Tells what is wrong with it.
    pub(super) fn problem(&self, message: impl Into<String>) {
        let mut problems = self.problems.0.borrow_mut();
        if problems.len() < PROBLEMS_LIMIT {
            problems.push(Problem { line: Some(self.line()), message: message.into() });
        }
    }

    /// All elements within it.
    pub(super) fn elements(&self) -> impl Iterator<Item = Element<'a>> + use<'a, '_> {
        self.node.children().filter(Node::is_element).map(|node| self.of(node))
    }

    /// Tells of elements within it other than these, of those in `once` that come again, of attributes other than these,
    /// and of text between elements. What belongs to a namespace, such as the schema's location, may stand there.
    pub(super) fn expect(&self, once: &[&str], many: &[&str], attributes: &[&str]) {
        let mut seen: Vec<&str> = Vec::new();
        for element in self.elements() {
            let name = element.name();
            if many.contains(&name) {
                continue;
            }
            if !once.contains(&name) {
                element.problem(format!("<{}> has no element <{name}>", self.name()));
            } else if seen.contains(&name) {
                element.problem(format!("<{}> has <{name}> twice", self.name()));
            }
            seen.push(name);
        }
        for attribute in self.node.attributes() {
            if attribute.namespace().is_none() && !attributes.contains(&attribute.name()) {
                self.problem(format!("<{}> has no attribute {}", self.name(), attribute.name()));
            }
        }
        let is_text =
            |node: Node<'_, '_>| node.is_text() && !node.text().unwrap_or_default().trim().is_empty();
        if self.node.children().any(is_text) {
            self.problem(format!("<{}> has text between its elements", self.name()));
        }
    }

    /// The first element of this name within it.
    pub(super) fn child(&self, name: &str) -> Option<Element<'a>> {
        self.elements().find(|element| element.name() == name)
    }

    /// All elements of this name within it.
    pub(super) fn children(&self, name: &str) -> Vec<Element<'a>> {
        self.elements().filter(|element| element.name() == name).collect()
    }

    /// The elements within the child `list`, all of which must be called `name`; none where there is no such child.
    pub(super) fn list(&self, list: &str, name: &str) -> Vec<Element<'a>> {
        let Some(list) = self.child(list) else {
            return Vec::new();
        };
        list.expect(&[], &[name], &[]);
        list.children(name)
    }

    /// The first element of this name, which must be there.
    pub(super) fn require(&self, name: &str) -> Option<Element<'a>> {
        let child = self.child(name);
        if child.is_none() {
            self.problem(format!("<{}> needs an element <{name}>", self.name()));
        }
        child
    }

    /// Its text, without spaces around it.
    pub(super) fn text(&self) -> &'a str {
        if self.elements().next().is_some() {
            self.problem(format!("<{}> holds text alone", self.name()));
        }
        self.bounded(self.node.text().unwrap_or_default().trim())
    }

    fn bounded(&self, text: &'a str) -> &'a str {
        if text.len() > TEXT_LIMIT {
            self.problem(format!("a text of <{}> is longer than {TEXT_LIMIT} characters", self.name()));
            return "";
        }
        text
    }

    /// The text of a child that must be there and not be empty.
    pub(super) fn required_text(&self, name: &str) -> String {
        let text = self.require(name).map(|child| child.text()).unwrap_or_default();
        if text.is_empty() && self.child(name).is_some() {
            self.problem(format!("<{name}> is empty"));
        }
        text.to_owned()
    }

    /// An attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.node.attribute(name).map(|text| self.bounded(text.trim()))
    }

    /// Its attributes `name` and `prettyName`.
    pub(super) fn named(&self) -> Named {
        let name = self.attribute("name").unwrap_or_default();
        if !is_name(name) {
            self.problem(format!(
                "the name of <{}> must begin with a letter and have letters, digits, '.', '-' and '_' alone: \"{name}\"",
                self.name()
            ));
        }
        Named { name: name.to_owned(), pretty_name: self.attribute("prettyName").unwrap_or(name).to_owned() }
    }

    fn known<T: Term>(&self, text: &str) -> Option<T> {
        let known = T::parse(text);
        if known.is_none() {
            let names: Vec<&str> = T::ALL.iter().map(|value| value.name()).collect();
            self.problem(format!("<{}> has \"{text}\", which is none of {}", self.name(), names.join(", ")));
        }
        known
    }

    /// The value of a child.
    pub(super) fn term<T: Term>(&self, name: &str) -> Option<T> {
        let child = self.child(name)?;
        child.known(child.text())
    }

    /// The value of a child that must be there.
    pub(super) fn required_term<T: Term>(&self, name: &str) -> Option<T> {
        let child = self.require(name)?;
        child.known(child.text())
    }

    /// The value of an attribute.
    pub(super) fn term_attribute<T: Term>(&self, name: &str) -> Option<T> {
        self.known(self.attribute(name)?)
    }

    /// The value of an attribute that must be there.
    pub(super) fn required_term_attribute<T: Term>(&self, name: &str) -> Option<T> {
        if self.attribute(name).is_none() {
            self.problem(format!("<{}> needs an attribute {name}", self.name()));
        }
        self.term_attribute(name)
    }

    /// Its text as a date and time.
    pub(super) fn instant(&self) -> Option<Timestamp> {
        let instant = time::parse_instant(self.text());
        if instant.is_none() {
            self.problem(format!("<{}> is no date and time: \"{}\"", self.name(), self.text()));
        }
        instant
    }

    /// Its text as a currency.
    pub(super) fn currency(&self) -> Option<Currency> {
        let currency = Currency::known(self.text());
        if currency.is_none() {
            self.problem(format!("there is no currency \"{}\"", self.text()));
        }
        currency
    }

    /// Its text as a decimal number.
    pub(super) fn decimal(&self) -> Option<Decimal> {
        let decimal = Decimal::from_str_exact(self.text()).ok();
        if decimal.is_none() {
            self.problem(format!("<{}> is no decimal number: \"{}\"", self.name(), self.text()));
        }
        decimal
    }

    /// The decimal number of a child; -1 says that there is none.
    pub(super) fn bound(&self, name: &str) -> Option<Decimal> {
        self.child(name).and_then(|child| child.decimal()).filter(|bound| *bound != Decimal::NEGATIVE_ONE)
    }

    /// Its text as a whole number.
    pub(super) fn integer(&self) -> Option<i32> {
        let integer = self.text().parse().ok();
        if integer.is_none() {
            self.problem(format!("<{}> is no whole number: \"{}\"", self.name(), self.text()));
        }
        integer
    }
}

/// Whether it is a name as XML has it for ids, so that plans can be told apart in URLs and by other programs.
pub(in crate::catalog) fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    begins && name.chars().all(|other| other.is_alphanumeric() || matches!(other, '.' | '-' | '_'))
}
