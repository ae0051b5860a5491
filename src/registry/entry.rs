//! One row of IANA's registry, as published.

use super::{State, Transports};

/// The columns of IANA's CSV, in order.
pub const COLUMNS: [&str; 12] = [
    "Service Name",
    "Port Number",
    "Transport Protocol",
    "Description",
    "Assignee",
    "Contact",
    "Registration Date",
    "Modification Date",
    "Reference",
    "Service Code",
    "Unauthorized Use Reported",
    "Assignment Notes",
];

/// One row. Empty text means that the registry says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    /// First and last port; `None` for a service name without a port.
    pub ports: Option<(u16, u16)>,
    /// The transports; one in IANA's files, several once rows are merged.
    pub transports: Transports,
    /// Service name.
    pub name: String,
    /// Description, or the state of a row without a name.
    pub description: String,
    /// Who holds the assignment.
    pub assignee: String,
    /// Whom to ask.
    pub contact: String,
    /// Registration date: YYYY, YYYY-MM or YYYY-MM-DD.
    pub registered: String,
    /// Modification date, in the same forms.
    pub modified: String,
    /// Reference.
    pub reference: String,
    /// DCCP service code.
    pub service_code: String,
    /// Unauthorised use reported to IANA.
    pub unauthorised: String,
    /// Assignment notes.
    pub note: String,
}

/// Words by which IANA marks an assignment that was taken back; the registry has no column for it.
const TAKEN_BACK: [&str; 9] = [
    "de-assigned",
    "de-registered",
    "de-commissioned",
    "decomissioned",
    "has been removed on",
    "is being removed on",
    "previously removed on",
    "but released by",
    "assignment withdrawn",
];

impl Entry {
    /// What the row says of its ports on its own transports. A row with a name assigns it, unless its description says
    /// that it was de-registered (14001/udp). A row without a name is a state.
    pub fn state(&self) -> State {
        let description = self.description.to_ascii_lowercase();
        if !self.name.is_empty() {
            return if description == "de-registered" { State::DeAssigned } else { State::Assigned };
        }
        let note = self.note.to_ascii_lowercase();
        let taken_back = TAKEN_BACK.iter().any(|word| description.contains(word) || note.contains(word));
        if taken_back || description == "removed" {
            State::DeAssigned
        } else if description.contains("unassigned") {
            State::Unassigned
        } else {
            // "Reserved", and the few worded otherwise: "any private mail system", "Deprecated".
            State::Reserved
        }
    }

    /// Whether the name is kept only as the historic spelling of another one.
    pub fn is_alias(&self) -> bool {
        self.note.contains("This entry is an alias to")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unnamed(description: &str, note: &str) -> State {
        Entry { description: description.into(), note: note.into(), ..Entry::default() }.state()
    }

    #[test]
    fn rows_without_a_name_are_states() {
        assert_eq!(unnamed("Reserved", ""), State::Reserved);
        assert_eq!(unnamed("any private mail system", ""), State::Reserved);
        assert_eq!(unnamed("Unassigned [was netstat]", ""), State::Unassigned);
        assert_eq!(unnamed("Reserved", "De-Assigned on 2019-10-30"), State::DeAssigned);
        assert_eq!(unnamed("Reserved", "This entry has been removed on 2017-05-18."), State::DeAssigned);
        assert_eq!(unnamed("De-registered", "Use of 585 is not recommended"), State::DeAssigned);
        assert_eq!(unnamed("Removed", ""), State::DeAssigned);
    }

    #[test]
    fn a_name_is_an_assignment_unless_de_registered() {
        let row = |description: &str| Entry { name: "sua".into(), description: description.into(), ..Entry::default() };
        assert_eq!(row("SUA").state(), State::Assigned);
        assert_eq!(row("De-Registered").state(), State::DeAssigned);
    }
}
