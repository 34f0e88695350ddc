"""The declarative state: what there is as one document, what a document would change, and making it so."""
