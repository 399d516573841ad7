//! A strict cursor over the child elements of one element.
//!
//! The schema fixes the order of the children, and they are in no namespace. The cursor asks for
//! them one by one and says exactly what it found instead.

use roxmltree::Node;

use crate::error::{CpeError, violation};

/// Namespace of SOAP 1.1 envelopes.
pub(crate) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of the SOAP 1.1 encoding.
pub(crate) const ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";
/// Namespace of the XML Schema types.
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// Namespace of `xsi:type`.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The children of an element that are still to be read.
pub(crate) struct Fields<'a, 'i> {
    parent: Node<'a, 'i>,
    rest: std::iter::Peekable<std::vec::IntoIter<Node<'a, 'i>>>,
}

impl<'a, 'i> Fields<'a, 'i> {
    /// The children of an element, which must be unqualified and separated by white space only.
    pub(crate) fn of(parent: Node<'a, 'i>) -> Result<Self, CpeError> {
        let children = elements(parent)?;
        for child in &children {
            if let Some(namespace) = child.tag_name().namespace() {
                return violation(format!(
                    "<{}> in <{}> must be unqualified, it is in {namespace}",
                    name(*child),
                    name(parent)
                ));
            }
        }
        Ok(Self { parent, rest: children.into_iter().peekable() })
    }

    /// The next child, which must have that name.
    pub(crate) fn element(&mut self, wanted: &str) -> Result<Node<'a, 'i>, CpeError> {
        if let Some(found) = self.optional(wanted) {
            return Ok(found);
        }
        let parent = name(self.parent);
        let later = self.rest.clone().any(|node| name(node) == wanted);
        match self.rest.peek() {
            Some(found) if later => violation(format!(
                "<{wanted}> in <{parent}> is out of order: <{}> comes before it",
                name(*found)
            )),
            Some(found) => violation(format!(
                "<{parent}> lacks <{wanted}>: <{}> is in its place",
                name(*found)
            )),
            None => violation(format!("<{parent}> lacks <{wanted}>")),
        }
    }

    /// The next child if it has that name.
    pub(crate) fn optional(&mut self, wanted: &str) -> Option<Node<'a, 'i>> {
        self.rest.next_if(|node| name(*node) == wanted)
    }

    /// A string of at most `limit` characters.
    pub(crate) fn string(&mut self, wanted: &str, limit: usize) -> Result<String, CpeError> {
        let node = self.element(wanted)?;
        limited(node, limit)
    }

    /// A string that may be missing.
    pub(crate) fn optional_string(
        &mut self,
        wanted: &str,
        limit: usize,
    ) -> Result<Option<String>, CpeError> {
        self.optional(wanted).map(|node| limited(node, limit)).transpose()
    }

    /// A number.
    pub(crate) fn number<T: std::str::FromStr>(&mut self, wanted: &str) -> Result<T, CpeError> {
        let text = plain(self.element(wanted)?)?;
        text.parse().or_else(|_| {
            violation(format!(
                "<{wanted}> in <{}> is not such a number: {text:?}",
                name(self.parent)
            ))
        })
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self, wanted: &str) -> Result<bool, CpeError> {
        match plain(self.element(wanted)?)?.as_str() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            text => violation(format!("<{wanted}> is not a boolean: {text:?}")),
        }
    }

    /// An array of the given item type, which is a local name in the given namespace.
    pub(crate) fn array(
        &mut self,
        wanted: &str,
        namespace: &str,
        item: &str,
    ) -> Result<Vec<Node<'a, 'i>>, CpeError> {
        let node = self.element(wanted)?;
        let context = format!("<{wanted}> in <{}>", name(self.parent));
        let Some(declared) = node.attribute((ENCODING, "arrayType")) else {
            return violation(format!("{context} lacks the arrayType attribute"));
        };
        only_attributes(node, &[(ENCODING, "arrayType")])?;
        let Some((qname, count)) =
            declared.strip_suffix(']').and_then(|declared| declared.split_once('['))
        else {
            return violation(format!("{context}: arrayType {declared:?} has no [count]"));
        };
        if resolve(node, qname)? != (Some(namespace), item) {
            return violation(format!("{context}: arrayType {declared:?} is not {item}[]"));
        }
        let mut fields = Fields::of(node)?;
        let mut items = Vec::new();
        while fields.rest.peek().is_some() {
            items.push(fields.element(item)?);
        }
        if count != items.len().to_string() {
            return violation(format!(
                "{context}: arrayType says {count:?} items, there are {}",
                items.len()
            ));
        }
        Ok(items)
    }

    /// An array of strings.
    pub(crate) fn strings(&mut self, wanted: &str, limit: usize) -> Result<Vec<String>, CpeError> {
        let items = self.array(wanted, XSD, "string")?;
        items.into_iter().map(|node| limited(node, limit)).collect()
    }

    /// All children must have been read.
    pub(crate) fn finish(mut self) -> Result<(), CpeError> {
        match self.rest.next() {
            Some(extra) => violation(format!(
                "<{}> in <{}> is unknown or out of order",
                name(extra),
                name(self.parent)
            )),
            None => Ok(()),
        }
    }
}

/// The name of an element without its namespace.
pub(crate) fn name<'a>(node: Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

/// The child elements; any other text than white space between them is a violation.
pub(crate) fn elements<'a, 'i>(parent: Node<'a, 'i>) -> Result<Vec<Node<'a, 'i>>, CpeError> {
    let stray = parent
        .children()
        .filter(Node::is_text)
        .find_map(|node| node.text().filter(|text| !text.trim().is_empty()));
    match stray {
        Some(text) => violation(format!("text {text:?} among the children of <{}>", name(parent))),
        None => Ok(parent.children().filter(Node::is_element).collect()),
    }
}

/// The text of an element that has no children, whatever its attributes.
pub(crate) fn text(node: Node<'_, '_>) -> Result<String, CpeError> {
    if node.children().any(|child| child.is_element()) {
        return violation(format!("<{}> has children, it should have text", name(node)));
    }
    Ok(node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect())
}

/// The text of an element without attributes.
pub(crate) fn plain(node: Node<'_, '_>) -> Result<String, CpeError> {
    only_attributes(node, &[])?;
    text(node)
}

fn limited(node: Node<'_, '_>, limit: usize) -> Result<String, CpeError> {
    let text = plain(node)?;
    let length = text.chars().count();
    if length > limit {
        return violation(format!(
            "<{}> has {length} characters, at most {limit} are allowed",
            name(node)
        ));
    }
    Ok(text)
}

/// No other attributes than these.
pub(crate) fn only_attributes(
    node: Node<'_, '_>,
    allowed: &[(&str, &str)],
) -> Result<(), CpeError> {
    for attribute in node.attributes() {
        let key = (attribute.namespace().unwrap_or_default(), attribute.name());
        if !allowed.contains(&key) {
            return violation(format!(
                "<{}> has the attribute {:?}, which does not belong there",
                name(node),
                attribute.name()
            ));
        }
    }
    Ok(())
}

/// Resolves a QName in attribute text through the declarations in scope.
pub(crate) fn resolve<'a>(
    node: Node<'a, '_>,
    qname: &'a str,
) -> Result<(Option<&'a str>, &'a str), CpeError> {
    let (prefix, local) = match qname.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, qname),
    };
    let namespace = node.lookup_namespace_uri(prefix);
    if prefix.is_some() && namespace.is_none() {
        return violation(format!("the prefix of {qname:?} in <{}> is not declared", name(node)));
    }
    Ok((namespace, local))
}
